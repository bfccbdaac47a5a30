"""The training run: loop, optimisers, checkpoints, strategies, progress."""
