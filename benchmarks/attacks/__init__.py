"""Inputs for fuzzing: mutated files and strange texts."""
