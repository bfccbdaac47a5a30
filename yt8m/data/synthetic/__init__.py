"""A learnable synthetic data set in the official format, for the demo, the tests and the benchmarks."""
