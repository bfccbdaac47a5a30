"""Whether the features of some records are like those of a published release."""
