"""Architectures, one a file, found by name in `registry`."""
