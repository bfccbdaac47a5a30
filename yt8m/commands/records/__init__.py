"""Commands that make or describe records."""
