"""The weights of a run's last epochs, and their mean."""
