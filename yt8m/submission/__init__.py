"""Files of predictions and of true labels; writers leave a complete file or none."""
