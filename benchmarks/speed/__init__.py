"""Latency: taking turns, clocks, fresh processes, and the tables and pictures of it."""
