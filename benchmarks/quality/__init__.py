"""Accuracy: what is trained on each set with each seed, its scores, and the tables and pictures of them."""
