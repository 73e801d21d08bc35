"""Reading a bundle: its manifest, its files, and its signature."""
