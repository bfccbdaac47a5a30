"""Ranking metrics of YouTube-8M in NumPy: exact over the whole set, streamed and mergeable."""
