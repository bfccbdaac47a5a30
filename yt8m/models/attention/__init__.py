"""Frame-level models in which attention alone combines the frames."""
