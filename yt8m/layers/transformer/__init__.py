"""The parts of a transformer encoder over frames."""
