"""A run on disk: its settings, its folder, and its model."""
