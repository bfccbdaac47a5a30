"""Classification heads: logistic regression and mixtures of experts."""
