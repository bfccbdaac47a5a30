"""Large-scale training: partitioned mixtures, full-batch gradients, and where both compute."""
