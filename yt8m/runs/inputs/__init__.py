"""How a run treats its input features."""
