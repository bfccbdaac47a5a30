"""The trainer of `--trainer=partitioned`."""
