"""A learnable synthetic data set in the official format, for demo, tests and benchmarks."""
