"""How far a prediction is, noted beside its output, so that a killed command can go on."""
