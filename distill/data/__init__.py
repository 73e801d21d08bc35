"""Labelled texts: read, cleaned, split, looked at before anything is trained, and cut into words."""
