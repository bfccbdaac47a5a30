"""The training run: its loop, optimisers, checkpoints and progress."""
