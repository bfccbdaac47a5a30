"""Frame-level models that pool the frames without a recurrent layer."""
