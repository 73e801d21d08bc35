"""Unlabelled texts: cleaned, without duplicates, in shards."""
