"""Models of video-level features."""
