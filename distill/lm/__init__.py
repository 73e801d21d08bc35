"""The language-model chain: what its three recipes share (after CN114818902)."""
