"""One readable file for each way of training."""
