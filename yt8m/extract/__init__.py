"""Records of the official format from videos: decoding, networks, PCA, bytes."""
