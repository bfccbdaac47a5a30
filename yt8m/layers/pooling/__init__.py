"""Layers that turn many frames into one vector."""
