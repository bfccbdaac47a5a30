"""Keras layers that the models share, one per file."""
