"""The machine that measures: what it is, what goes on beside, and what is installed."""
