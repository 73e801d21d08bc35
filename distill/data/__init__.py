"""Labelled texts: reading, cleaning, splitting and auditing them, and cutting them into words."""
