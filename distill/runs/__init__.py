"""What a training run leaves behind and goes on from: its folder, its journal, its checkpoints."""
