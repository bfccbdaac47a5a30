"""Large mixtures of experts, trained a partition of the classes at a time."""
