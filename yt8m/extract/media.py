"""The pictures and the sound of a video file, by PyAV."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yt8m.errors import UserError

RATE = 16000  # samples a second, of which VGGish takes log-mel spectra
_SLACK = 1e-3  # seconds by which a frame's rounded time may be early


def pictures(path: str, every: float = 1.0, at_most: int = 300) -> Iterator[NDArray[np.uint8]]:
    """Yield a picture of each interval of a video, RGB [H, W, 3].

    Source: docs/sources.md#features-of-videos: the first picture, and then the next one that is at
    least `every` seconds after the one before.

    Args:
      path: a local file.
      every: seconds between two pictures.
      at_most: number of pictures after which to stop.

    Raises:
      UserError: the file cannot be decoded or has no pictures, or PyAV is missing.
    """
    with _opened(path, "video", "pictures") as (container, stream):
        stream.thread_type = "AUTO"
        count, due = 0, -np.inf
        for frame in container.decode(stream):
            seconds = float(frame.time or 0.0)
            if seconds + _SLACK < due:
                continue
            yield frame.to_ndarray(format="rgb24")
            count, due = count + 1, seconds + every
            if count == at_most:
                return


def sound(path: str, at_most: float = 300.0) -> NDArray[np.float32]:
    """Return the mono samples of a video's sound at 16 kHz, in [-1, 1].

    Args:
      path: a local file.
      at_most: seconds after which to stop.

    Raises:
      UserError: the file cannot be decoded or has no sound, or PyAV is missing.
    """
    parts: list[NDArray[Any]] = []
    missing = int(at_most * RATE)
    with _opened(path, "audio", "sound") as (container, stream):
        import av

        resampler = av.AudioResampler(format="fltp", rate=RATE)
        for frame in itertools.chain(container.decode(stream), [None]):
            for part in resampler.resample(frame):
                # The mean, as VGGish takes it. FFmpeg's own mono is louder by the root of 2.
                parts.append(part.to_ndarray().mean(axis=0))
                missing -= len(parts[-1])
            if missing <= 0:
                break
    whole = np.concatenate(parts) if parts else np.zeros(0)
    return whole[: int(at_most * RATE)].astype(np.float32)


@contextlib.contextmanager
def _opened(path: str, kind: str, what: str) -> Iterator[tuple[Any, Any]]:
    """Open a file; return it and its first stream of a kind."""
    try:
        import av
    except ImportError:
        raise UserError(
            "decoding videos needs PyAV: pip install '.[extract]', or pip install av."
        ) from None
    try:
        with av.open(path) as container:
            streams = [s for s in container.streams if s.type == kind]
            if not streams:
                raise UserError(f"{path} has no {what}.")
            yield container, streams[0]
    except (av.error.FFmpegError, OSError) as error:
        raise UserError(f"{path} cannot be decoded ({error}).") from None
