"""Finished models that teach together, in ``multi_teacher`` and in fine-tuning with teachers."""
