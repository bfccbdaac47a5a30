"""Losses by name, one a file."""
