"""What a run is told: every key of every recipe, with its type, its default and what it means."""
