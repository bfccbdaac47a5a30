"""Several models' scores become one: ids aligned, weights by class, rows streamed."""
