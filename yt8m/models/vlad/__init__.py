"""Frame-level models that pool the frames by learned clusters."""
