"""A run on disk: its settings, its folder, and the model that it holds."""
