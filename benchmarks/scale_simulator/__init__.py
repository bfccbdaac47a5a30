"""Time and bytes of the alternating trainer on M workers, computed from unit costs.

`benchmarks/SCALE.md` explains the model and shows its results; `costs.py` has every unit cost.
"""
