"""Programs that benchmarks run as processes of their own, some of them by a rival's Python."""
