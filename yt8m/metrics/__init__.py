"""Ranking metrics on the host, exact over the whole set."""
