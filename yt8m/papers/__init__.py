"""The papers' results: the commands of each, those of a small variant, and what that gave."""
