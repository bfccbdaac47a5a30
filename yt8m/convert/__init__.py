"""Official TFRecords from the features and labels that somebody has in other files."""
