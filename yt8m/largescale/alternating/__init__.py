"""The trainer of `--trainer=alternating`: the three steps of the KDD 2019 paper."""
