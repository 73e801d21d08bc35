"""What a classifier reports about itself: counts, drift, and a log of every decision."""
