"""The kinds of files that features come in: one module for each."""
