"""The labels of a data set: the UTS paper's two figures, their numbers, and a report."""
