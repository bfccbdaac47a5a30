"""Prediction spread over a cluster: ranges of shards as tasks, merged in the shards' order."""
