"""The devices that a run uses: which there are, and which are chosen."""
