"""Metrics of a trained model on a data set, and of a finished submission of segments."""
