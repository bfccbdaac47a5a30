"""Keras layers shared by the models, one a file."""
