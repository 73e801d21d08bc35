"""A finished run as one page of HTML: how it learned, what it gets wrong, how far its scores can be trusted."""
