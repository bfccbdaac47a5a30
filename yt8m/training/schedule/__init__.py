"""How long a run is, and which learning rate each of its steps has."""
