"""Code that the large-scale trainer's tasks share: data, models and the loop over shards."""
