"""The work of one point: what `python -m benchmarks.growth` starts as a process of its own.

`python -m benchmarks.growth.child KIND SIZE [ARGUMENTS]` prints its values as JSON after `LINE`.
"""

from __future__ import annotations

import yt8m.process.quiet  # noqa: F401

import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Callable

import numpy as np

LINE = "growth: "
CLASSES, PAIRS, BATCH = 3862, 20, 1024
_ENOUGH_SECONDS, _STEPS = 2.0, (3, 50)  # steps are taken until these seconds have passed


def _step(_: int, model: str, classes: str, batch: str, frames: str, arguments: str) -> dict:
    """Return the median seconds of a training step."""
    from benchmarks.children.training_step import training_step

    size = int(batch)
    step, _model = training_step(model, int(classes), size, int(frames), json.loads(arguments))
    seconds = []
    for _ in range(2):  # the first one compiles
        np.asarray(step())
    while len(seconds) < _STEPS[0] or (sum(seconds) < _ENOUGH_SECONDS and len(seconds) < _STEPS[1]):
        start = time.perf_counter()
        np.asarray(step())
        seconds.append(time.perf_counter() - start)
    median = float(np.median(seconds))
    return {"seconds": median, "per_second": size / median}


def _metrics(videos: int) -> dict:
    """Return the seconds of the metrics of dense batches: as they come, and at the end."""
    from yt8m.metrics.evaluation_metrics import EvaluationMetrics

    metrics, update = EvaluationMetrics(CLASSES, PAIRS), 0.0
    for batch, scores in _batches(videos):
        labels = np.zeros(scores.shape, np.uint8)
        labels[np.arange(batch)[:, np.newaxis], np.argpartition(scores, -60, 1)[:, -60:-57]] = 1
        start = time.perf_counter()
        metrics.update(scores, labels)
        update += time.perf_counter() - start
    start = time.perf_counter()
    metrics.result()
    result = time.perf_counter() - start
    seconds = update + result
    return {"seconds": seconds, "result_seconds": result, "per_second": videos / seconds}


def _csv(videos: int, given: str) -> dict:
    """Return the seconds of writing a submission of scores, or of pairs that are known."""
    from yt8m.metrics.top_k import top_k
    from yt8m.submission.kaggle_videos import CsvWriter

    seconds = written = 0.0
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        writer = CsvWriter(f"{folder}/submission.csv", PAIRS)
        seconds += time.perf_counter() - start
        for batch, scores in _batches(videos):
            ids = [b"%011d" % (int(written) + i) for i in range(batch)]
            best, classes = top_k(scores, PAIRS)
            start = time.perf_counter()
            if given == "pairs":
                writer.write_best(ids, classes, best)
            else:
                writer.write(ids, scores)
            seconds += time.perf_counter() - start
            written += batch
        start = time.perf_counter()
        writer.close()
        seconds += time.perf_counter() - start
    return {"seconds": seconds, "per_second": videos / seconds}


def _batches(videos: int) -> Any:
    """Yield (batch size, scores float32 [B, K]) for so many videos; eight batches take turns."""
    rng = np.random.default_rng(0)
    kept = [rng.random((min(BATCH, videos), CLASSES), np.float32) ** 8 for _ in range(8)]
    for number, start in enumerate(range(0, videos, BATCH)):
        size = min(BATCH, videos - start)
        yield size, kept[number % len(kept)][:size]


def _records(videos: int, folder: str, per_shard: str) -> dict:
    """Write shards of small video-level records, each with an id of its own.

    One record is serialized, and its id is replaced in all others.
    """
    import tensorflow as tf

    from yt8m.data.records.writers import video_record

    rng, size, place = np.random.default_rng(0), int(per_shard), b"-----------"
    kinds = []
    for _ in range(64):
        labels = np.unique(rng.integers(0, CLASSES, 3))
        features = {"mean_audio": rng.normal(size=128)}
        kinds.append(video_record(place, features, labels.tolist()).split(place))
    for start in range(0, videos, size):
        path = Path(folder) / f"train{start // size:05d}.tfrecord"
        with tf.io.TFRecordWriter(str(path.with_suffix(".part"))) as out:
            for video in range(start, min(start + size, videos)):
                before, after = kinds[video % len(kinds)]
                out.write(before + b"%011d" % video + after)
        path.with_suffix(".part").rename(path)
    return {"videos": float(videos)}


KINDS: dict[str, Callable[..., dict]] = {
    "step": _step,
    "metrics": _metrics,
    "csv": _csv,
    "records": _records,
}


def main(argv: Sequence[str]) -> int:
    """Do the work, and print what it took."""
    kind, size, *arguments = argv
    values = {**KINDS[kind](int(size), *arguments), "peak_gb": _peak_gb()}
    print(LINE + json.dumps(values), flush=True)
    return 0


def _peak_gb() -> float:
    """Return this program's peak memory; the `ru_maxrss` of a child has its parent's in it."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e9


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
