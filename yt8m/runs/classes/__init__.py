"""The classes of a run: what they are called, and the file that says so."""
