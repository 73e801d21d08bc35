"""Recipes: every key of every method, with its type, its default and what it means."""
