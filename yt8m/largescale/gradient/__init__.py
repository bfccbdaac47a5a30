"""The full-batch gradient over a whole data set, and the update rules that use it."""
