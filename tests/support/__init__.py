"""What tests of several packages share: makers of run settings and of records."""
