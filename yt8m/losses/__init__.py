"""Losses of a video's labels, one per file, found by name: `losses.get("CrossEntropyLoss")`."""

from yt8m.losses.registry import describe_losses, get, list_losses

__all__ = ["describe_losses", "get", "list_losses"]
