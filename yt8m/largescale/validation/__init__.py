"""Validation spread over an executor's workers: each task returns the metrics of some shards."""
