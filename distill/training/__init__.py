"""The building blocks of recipes: batches, losses, gate and Mixup, epochs, scores."""
