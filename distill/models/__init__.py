"""The networks: teachers and student."""
