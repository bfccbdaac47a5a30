"""What a task of the large-scale trainer reads: its shards, in its own process."""
