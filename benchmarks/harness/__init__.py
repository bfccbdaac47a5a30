"""How benchmarks are measured, stored and printed; the benchmarks are in `benchmarks.cases`."""
