"""What each format of stored scores takes on the disk, and what it costs in GAP.

    python -m benchmarks.stored_scores --inputs=a.scores,b.scores --labels='validate*.tfrecord'

The inputs are score folders of all classes in float32, as inference.py --output_scores writes them.
Each is written again in every format, and the fusion of all is measured as fusion.py measures it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags

from yt8m import cli
from yt8m.fusion.run import run_fusion
from yt8m.fusion.settings import FusionSettings
from yt8m.submission.score_files import ScoreFile
from yt8m.submission.score_formats import scores_writer
from yt8m.submission.scores.settings import ScoresSettings

FLAGS = flags.FLAGS
flags.DEFINE_list("inputs", [], "score folders of all classes in float32")
flags.DEFINE_string("labels", "", "records or CSV with the true labels")
flags.DEFINE_list("top_k", ["20", "50", "100", "200", "500"], "classes per video to store")
flags.DEFINE_list("methods", ["average", "l3", "power"], "methods of fusion")
_ROWS = 1024


def formats(top_k: list[int]) -> list[ScoresSettings]:
    """Return the formats to measure."""
    return [
        ScoresSettings(),
        ScoresSettings(scores_dtype="float16"),
        *(ScoresSettings(k, "float16") for k in reversed(top_k)),
        *(ScoresSettings(k, "float16", "parquet") for k in (0, max(top_k))),
    ]


def _flags(settings: ScoresSettings) -> str:
    default = ScoresSettings()
    changed = {k: v for k, v in vars(settings).items() if v != getattr(default, k)}
    return " ".join(f"--{name}={value}" for name, value in changed.items()) or "(default)"


def written(source: ScoreFile, path: str, settings: ScoresSettings) -> float:
    """Write the scores again; return the bytes per video that they take."""
    with scores_writer(path, source.num_classes, settings, source.meta) as out:
        for start in range(0, len(source.ids), _ROWS):
            rows = slice(start, start + _ROWS)
            out.write(source.ids[rows], np.asarray(source.scores[rows]))
    sizes = [file.stat().st_size for file in Path(path).iterdir()]
    return sum(sizes) / len(source.ids)


def fused_gap(inputs: list[str], labels: str, method: str) -> list[float]:
    """Return the GAP of each input, and of the fusion, on all videos or on those not fitted."""
    settings = FusionSettings(
        inputs=inputs, labels=labels, method=method, fit_on_half=method != "average"
    )
    results: Any = run_fusion(settings, say=lambda line: None)
    return [result["gap"] for result in results]


def main() -> None:
    """Print the table as Markdown."""
    sources = [ScoreFile(path) for path in FLAGS.inputs]
    print("| flags | bytes per video | GAP of the first | " + " | ".join(FLAGS.methods) + " |")
    print("|---|---|---|" + "---|" * len(FLAGS.methods))
    for settings in formats(sorted(map(int, FLAGS.top_k))):
        folder = tempfile.mkdtemp()
        paths = [os.path.join(folder, str(i)) for i in range(len(sources))]
        sizes = [written(source, path, settings) for source, path in zip(sources, paths)]
        gaps = [fused_gap(paths, FLAGS.labels, method) for method in FLAGS.methods]
        cells = [f"{gaps[0][0]:.4f}", *(f"{gap[-1]:.4f}" for gap in gaps)]
        print(f"| `{_flags(settings)}` | {sizes[0]:,.0f} | " + " | ".join(cells) + " |", flush=True)
        shutil.rmtree(folder)


if __name__ == "__main__":
    cli.run_script(main)
