"""Measures starts from other runs: `python -m benchmarks.tuning`.

    python -m benchmarks.tuning --parts=segments                      # needs no records
    python -m benchmarks.tuning --parts=classes --audioset_dir=DIR    # real clips

Each figure is stored at once in `results.json`; the same command resumes. `docs/training.md` has
the tables.
"""

from __future__ import annotations

import yt8m.process.quiet  # noqa: F401

import argparse
import functools
import os
import sys
from pathlib import Path

import numpy as np

from benchmarks.results_file import Results
from benchmarks.tuning import classes, segments
from yt8m import cli
from yt8m.errors import UserError

Found = dict[str, list[dict[str, float]]]


def _segments(results: Results, folder: Path, models: list[str], seeds: int) -> None:
    world = segments.make_world(folder / "temporal")
    for model in models:
        found: Found = {way: [] for way in segments.WAYS}
        for seed in range(seeds):
            for way, values in found.items():
                run = folder / "segments" / f"{model}-seed{seed}"
                measure = functools.partial(segments.segment_map, world, model, way, seed, run)
                values.append(results.get(f"segments, {model}, {way}, seed {seed}", measure))
        print("\n".join(table(found)))


def _classes(results: Results, folder: Path, audioset: str, seeds: int) -> None:
    if not audioset:
        raise UserError(
            "--audioset_dir or YT8M_AUDIOSET_DIR names a folder with train/, validate/."
        )
    first = classes.first_run(classes.old_clips(audioset, folder), folder / "classes")
    found: Found = {way: [] for way in classes.WAYS}
    for seed in range(seeds):
        patterns = classes.new_clips(audioset, folder, seed)
        for way, values in found.items():
            run = folder / "classes" / f"seed{seed}"
            measure = functools.partial(classes.scores, way, seed, patterns, first, run)
            values.append(results.get(f"ten classes, {way}, seed {seed}", measure))
    print("\n".join(table(found)))


def table(found: Found) -> list[str]:
    """Return the rows of a table in Markdown: each way, with the mean and the seeds of a metric.

    Args:
      found: the metrics of each seed, by way.
    """
    metrics = [*next(iter(found.values()))[0]]
    head = ["", *(f"{metric} (seeds)" for metric in metrics)]
    lines = [head, ["---" for _ in head]]
    for way, seeds in found.items():
        each = [[seed[metric] for seed in seeds] for metric in metrics]
        cells = [f"{np.mean(v):.4f} ({', '.join(f'{x:.4f}' for x in v)})" for v in each]
        lines.append([way, *cells])
    return [f"| {' | '.join(line)} |" for line in lines]


def main() -> int:
    """Measure what has not been measured yet."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tuning", description=__doc__)
    parser.add_argument("--out_dir", type=Path, default=Path("runs/tuning"))
    parser.add_argument("--audioset_dir", default=os.environ.get("YT8M_AUDIOSET_DIR", ""))
    parser.add_argument("--parts", default="classes,segments", help="which to measure")
    parser.add_argument("--models", default="AttnVLAD", help="models of the part segments")
    parser.add_argument("--seeds", type=int, default=3)
    settings = parser.parse_args()
    results, parts = Results(settings.out_dir / "results.json"), settings.parts.split(",")
    if "classes" in parts:
        _classes(results, settings.out_dir, settings.audioset_dir, settings.seeds)
    if "segments" in parts:
        models = settings.models.split(",")
        _segments(results, settings.out_dir, models, settings.seeds)
    return 0


if __name__ == "__main__":
    sys.exit(cli.guarded(main))
