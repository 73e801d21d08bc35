"""Who takes part in the comparison of speed: ours and the peers, opened the same way, and the texts they are given."""
