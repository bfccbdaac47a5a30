"""Score files and Kaggle submissions, written and read."""
