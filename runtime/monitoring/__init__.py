"""What a classifier tells of itself: counts, drift, and a record of each decision."""
