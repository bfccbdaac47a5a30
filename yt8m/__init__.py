"""Annotate videos from YouTube-8M features: read records, train, evaluate, submit, fuse."""

__version__ = "0.2.0"
