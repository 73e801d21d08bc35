"""What a training run writes and resumes from: its folder, its journal, its checkpoints."""
