"""A league table: every registered model by its default recipe, on real frames and real means."""
