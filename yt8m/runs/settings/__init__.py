"""The settings of a run: how it trains, what its records hold, and how it alternates."""
