"""Run a trained model once over a data set and report."""
