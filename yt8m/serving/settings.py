"""What an export may be, by name."""

from __future__ import annotations

from typing import Literal

Format = Literal["saved_model", "onnx", "litert"]
# How the weights of a LiteRT file are stored; int8 computes with floats where it must.
Quantize = Literal["none", "float16", "int8"]
# A function of a SavedModel; see `yt8m.serving.signatures`.
Signature = Literal["records", "arrays", "mediapipe"]
