"""One JSON a reported result: the paper's setting as commands, a small variant that runs here, and what it gave."""
