"""Analysis of a data set's labels: the UTS paper's two figures, their numbers, and a report."""
