"""Video-level features of a frozen network, stored on disk."""
