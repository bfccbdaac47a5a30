"""What a model learns beside its labels: the answers of a teacher, mixed and smoothed targets."""
