"""Texts as graphs, for the graph network."""
