"""The KDD 2019 large-scale trainer: partitioned mixtures, full-batch gradients, and the executors that spread both."""
