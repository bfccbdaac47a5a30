"""The formats of stored scores: all classes, the best k of each video, or Parquet."""
