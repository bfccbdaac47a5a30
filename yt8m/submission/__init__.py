"""Files of predictions and of true labels; writers leave either a complete file or none."""
