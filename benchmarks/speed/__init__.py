"""Latency: timing in turns and in fresh processes, and the tables and pictures of the results."""
