"""A run as a folder that a model hub takes: weights, settings, metrics and a model card."""
