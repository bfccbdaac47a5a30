"""Metrics of annotations: GAP, MAP, PERR and Hit@k for videos, and MAP@K for segments."""
