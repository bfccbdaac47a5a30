"""What an export may be, by name."""

from __future__ import annotations

from typing import Literal

# A function of an exported model; see `yt8m.serving.signatures`.
Signature = Literal["records", "arrays", "mediapipe"]
