"""Benchmarks beside rivals and beside the machine's limits; development only, not installed."""
