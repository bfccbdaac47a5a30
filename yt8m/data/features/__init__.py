"""The values of features: what they are like, and in which type they travel."""
