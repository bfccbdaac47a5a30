"""Log-mel spectra as VGGish takes them, in NumPy.

Source: docs/sources.md#features-of-videos.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from yt8m.extract.media import RATE

BANDS, ROWS = 64, 96  # of one example: 0.96 s
_WINDOW, _HOP, _FFT = 400, 160, 512  # samples: 25 ms, 10 ms
_LOWEST, _HIGHEST = 125.0, 7500.0  # Hz
_OFFSET = 0.01  # of the logarithm
_SECOND = RATE // _HOP  # rows

Array = NDArray[Any]


def log_mel(samples: Array) -> Array:
    """Return the first 0.96 s of each second as a log-mel spectrum, float32 [seconds, 96, 64].

    Args:
      samples: mono, at 16 kHz, in [-1, 1]; a last second of less than 0.96 s is left out.
    """
    rows = 1 + (len(samples) - _WINDOW) // _HOP if len(samples) >= _WINDOW else 0
    if rows < ROWS:
        return np.zeros([0, ROWS, BANDS], np.float32)
    starts = np.arange(rows)[:, np.newaxis] * _HOP
    # Periodic, unlike np.hanning.
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_WINDOW) / _WINDOW)
    frames = np.asarray(samples, np.float64)[starts + np.arange(_WINDOW)] * window
    spectrum = np.abs(np.fft.rfft(frames, _FFT))  # [rows, 257]
    mel = np.log(spectrum @ mel_matrix() + _OFFSET)  # [rows, 64]
    seconds = 1 + (rows - ROWS) // _SECOND
    places = np.arange(seconds)[:, np.newaxis] * _SECOND + np.arange(ROWS)
    return mel[places].astype(np.float32)


def mel_matrix() -> Array:
    """Return the weights of each frequency in each band, float64 [257, 64]: triangles in mel."""
    mels = _mel(np.linspace(0.0, RATE / 2, _FFT // 2 + 1))[:, np.newaxis]
    edges = np.linspace(_mel(_LOWEST), _mel(_HIGHEST), BANDS + 2)
    low, center, high = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (mels - low) / (center - low), (high - mels) / (high - center)
    weights = np.maximum(0.0, np.minimum(rising, falling))
    weights[0] = 0.0  # the constant part of the sound
    return weights


def _mel(hertz: Any) -> Any:
    return 1127.0 * np.log(1.0 + hertz / 700.0)
