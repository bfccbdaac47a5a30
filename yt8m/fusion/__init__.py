"""Fuse the scores of several models."""
