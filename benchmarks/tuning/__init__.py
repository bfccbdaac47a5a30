"""What a run gains by starting from another one (--init_from)."""
