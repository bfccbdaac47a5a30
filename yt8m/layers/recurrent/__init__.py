"""Recurrent layers, their cells, encoders and decoders."""
