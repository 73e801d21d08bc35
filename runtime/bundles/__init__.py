"""Bundles: what is in one, where its bytes come from, and whether they are what was signed."""
