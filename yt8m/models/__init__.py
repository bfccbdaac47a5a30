"""Models, one architecture in each file; `core.registry` finds them by name."""
