"""Finished teachers that answer together: what ``multi_teacher``, and fine-tuning that has teachers, learn from."""
