"""Batch normalisation and context gating."""
