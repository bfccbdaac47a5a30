"""The memory that a shuffle takes at frame level, in a process of its own.

    python -m benchmarks.shuffle.memory FOLDER SHARDS BUFFER

Records have 300 frames of 1152 bytes, the most that there are. The shards are one file under many
names.
"""

from __future__ import annotations

import yt8m.process.quiet  # noqa: F401

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.shuffle.mixing import Reading

_BATCH, _NAMES, _RECORDS = 128, 256, 64


def measure(folder: Path, reading: Reading) -> dict[str, float]:
    """Return {"gb": peak above that of the program, "seconds": until the first batch}."""
    command = [sys.executable, "-m", "benchmarks.shuffle.memory", str(folder)]
    numbers = [str(reading.shards), str(reading.buffer)]
    done = subprocess.run([*command, *numbers], check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _shards(folder: Path) -> list[str]:
    from yt8m.data.records.writers import frame_record, write_shard

    folder.mkdir(parents=True, exist_ok=True)
    first = folder / "0000.tfrecord"
    if not first.exists():
        frames = np.random.default_rng(0).integers(0, 256, (300, 1152), dtype=np.uint8)
        features = {"rgb": frames[:, :1024], "audio": frames[:, 1024:]}
        record = frame_record(b"video", features, [1])
        write_shard(str(first), [record] * _RECORDS)
    for i in range(1, _NAMES):
        name = folder / f"{i:04d}.tfrecord"
        if not name.exists():
            os.link(first, name)
    return sorted(map(str, folder.glob("*.tfrecord")))


def _peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def main(folder: str, shards: str, buffer: str) -> None:
    """Read until the buffer has been full for some batches, and print the figures as JSON."""
    from yt8m.data.pipeline import build_dataset
    from yt8m.data.schema import RecordSchema

    files = _shards(Path(folder))
    schema = RecordSchema("frame", ("rgb", "audio"), (1024, 128), 3862)
    before, began = _peak_gb(), time.perf_counter()
    batches = iter(
        build_dataset(
            files,
            schema,
            batch_size=_BATCH,
            training=True,
            shuffle_shards=int(shards),
            shuffle_buffer=int(buffer),
        )
    )
    next(batches)
    seconds = time.perf_counter() - began
    for _ in range(16):
        next(batches)
    print(json.dumps({"gb": _peak_gb() - before, "seconds": seconds}))


if __name__ == "__main__":
    main(*sys.argv[1:])
