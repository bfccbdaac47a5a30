"""Fusion of several models: ids are aligned, models weighted by class, and scores streamed."""
