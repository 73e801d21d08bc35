"""Accuracy: models trained on each set with each seed, their scores, and tables and pictures of these."""
