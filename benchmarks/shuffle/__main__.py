"""Measures the shuffle: `python -m benchmarks.shuffle`.

    YT8M_SAMPLE_DIR=... python -m benchmarks.shuffle    # a folder with train/ and validate/ shards
    python -m benchmarks.shuffle --parts=mixing,memory  # needs no records

Each figure is stored at once in `results.json`; the same command resumes. `docs/data.md` has the
table.
"""

from __future__ import annotations

import yt8m.process.quiet  # noqa: F401

import argparse
import dataclasses
import functools
import os
import sys
from pathlib import Path

import numpy as np

from benchmarks.results_file import Results
from benchmarks.shuffle import gap, memory
from benchmarks.shuffle.mixing import Reading, epoch, mixing, shard_sizes
from yt8m import cli
from yt8m.data.files.shards import find_shards
from yt8m.errors import UserError

_SHARDS = 3844  # of a split of the release
# Records of a shard: the mean and the deviation of 100 shards of the validate partition, and of the
# train partition, which has 3.5 times as many in the same number of shards.
_SIZES = {"validate": (288, 19), "train": (1010, 35)}
_BATCHES = {"video": 1024, "frame": 128}
_READINGS = {
    "video": [(8, 16384), (8, 65536), (64, 16384), (64, 65536)],
    "frame": [(8, 1024), (8, 4096), (32, 1024), (64, 1024), (64, 2048), (64, 4096), (128, 2048)],
}
_EVERYTHING = Reading(8, 32768)  # more than the sample's records: a perfect shuffle
_OF_PUBLISHED = [(8, 1024)]
_OF_SORTED = [(8, 1024), (32, 1024), (64, 1024), (8, 16384)]


def _mixing(results: Results) -> None:
    for split, (mean, deviation) in _SIZES.items():
        sizes = shard_sizes(_SHARDS, mean, deviation)
        for level, readings in _READINGS.items():
            for reading in (Reading(*numbers) for numbers in readings):
                name = f"mixing {split} {level} {reading.shards} shards, buffer {reading.buffer}"
                results.get(name, functools.partial(_mixed, sizes, reading, _BATCHES[level]))


def _mixed(sizes: np.ndarray, reading: Reading, batch_size: int) -> dict[str, float]:
    found = dataclasses.asdict(mixing(*epoch(sizes, reading, seed=1), batch_size))
    return {name: float(f"{value:.4g}") for name, value in found.items()}


def _memory(results: Results, folder: Path) -> None:
    for reading in (Reading(*numbers) for numbers in _READINGS["frame"]):
        name = f"memory frame {reading.shards} shards, buffer {reading.buffer}"
        results.get(name, functools.partial(memory.measure, folder, reading))


def _gap(results: Results, folder: Path, sample: str, models: list[str], seeds: int) -> None:
    if not sample:
        raise UserError("--sample_dir or YT8M_SAMPLE_DIR names a folder with train/ and validate/.")
    train, validate = (os.path.join(sample, part, "*.tfrecord") for part in ("train", "validate"))
    alike = gap.sorted_shards(find_shards(train), folder / "sorted")
    ways = [("as published", train, _EVERYTHING)]
    ways += [("as published", train, Reading(*numbers)) for numbers in _OF_PUBLISHED]
    ways += [("sorted by label", alike, Reading(*numbers)) for numbers in _OF_SORTED]
    for seed in range(seeds):
        for model in models:
            for order, pattern, way in ways:
                name = f"gap {model} {order} {way.shards} shards, buffer {way.buffer}, seed {seed}"
                run = folder / name.replace(" ", "_").replace(",", "")
                measure = functools.partial(gap.gap, model, pattern, validate, way, seed, run)
                results.get(name, measure)


def main() -> int:
    """Measure what has not been measured yet."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shuffle", description=__doc__)
    parser.add_argument("--out_dir", type=Path, default=Path("runs/shuffle"))
    parser.add_argument("--sample_dir", default=os.environ.get("YT8M_SAMPLE_DIR", ""))
    parser.add_argument("--parts", default="mixing,memory,gap", help="which to measure")
    parser.add_argument("--models", default="LogisticModel", help="models of the part gap")
    parser.add_argument("--seeds", type=int, default=2)
    settings = parser.parse_args()
    results, parts = Results(settings.out_dir / "results.json"), settings.parts.split(",")
    if "mixing" in parts:
        _mixing(results)
    if "memory" in parts:
        _memory(results, settings.out_dir / "frames")
    if "gap" in parts:
        models = settings.models.split(",")
        _gap(results, settings.out_dir, settings.sample_dir, models, settings.seeds)
    return 0


if __name__ == "__main__":
    sys.exit(cli.guarded(main))
