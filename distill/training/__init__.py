"""What recipes are put together from: batches, losses, gate and Mixup, epochs, scores."""
