"""The papers' results: the commands for each, a small variant of it, and the variant's results."""
