"""The contenders in speed, ours and the peers behind one protocol, and the texts that they label."""
