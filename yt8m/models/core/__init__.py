"""What every model shares: the base class, the registry, training defaults and weight transfer."""
