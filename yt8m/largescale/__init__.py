"""Large-scale training: partitioned mixtures, full-batch gradients, and their executors."""
