"""How a new run starts from the weights of an earlier one (--init_from)."""
