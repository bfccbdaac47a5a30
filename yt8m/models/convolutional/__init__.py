"""Convolutional models over time."""
