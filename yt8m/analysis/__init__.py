"""What the labels of a data set look like: the UTS paper's two figures, their numbers, and a report."""
