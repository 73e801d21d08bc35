"""The machine that measures: its hardware and load, its environment variables, and what is installed."""
