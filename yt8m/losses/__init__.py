"""Losses of a video's labels, one in each file, found by name: `losses.get("CrossEntropyLoss")`."""

from yt8m.losses.registry import describe_losses, get, list_losses

__all__ = ["describe_losses", "get", "list_losses"]
