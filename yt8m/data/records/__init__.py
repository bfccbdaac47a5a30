"""One record: how each kind is parsed, checked, sampled and written."""
