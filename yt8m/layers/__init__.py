"""Keras layers that the models share, one in each file."""
