"""The process in which a command runs: how it starts and ends, its children, and its limits."""
