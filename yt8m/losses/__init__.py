"""Losses of a video's labels, one a file, found by name: `losses.get("CrossEntropyLoss")`."""

from yt8m.losses.registry import get, list_losses

__all__ = ["get", "list_losses"]
