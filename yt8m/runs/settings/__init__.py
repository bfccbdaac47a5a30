"""The settings of a run: how it trains, what its records contain, and how it alternates."""
