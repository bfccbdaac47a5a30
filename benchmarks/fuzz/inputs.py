"""The valid inputs that are damaged: records, tables, a run, scores, an archive; all tiny."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Mapping

import numpy as np

from yt8m import cli

SHARDS = ("video/train0000.tfrecord", "frame/train0000.tfrecord", "segments/train0000.tfrecord")
TRAIN = (
    "train",
    "--model=LogisticModel",
    "--train_data_pattern={in}/video/train*.tfrecord",
    "--eval_data_pattern={in}/video/validate*.tfrecord",
    "--train_dir={in}/run",
    "--batch_size=8",
    "--num_epochs=1",
    "--dtype=float32",
)
_SCORES = (
    ("scores", ()),
    ("best", ("--scores_top_k=3",)),
)


def make(folder: str) -> None:
    """Make the inputs in a new folder.

    Raises:
      RuntimeError: a command failed.
    """
    from yt8m.data.synthetic.dataset import SyntheticSpec, make_synthetic

    sizes = {
        "videos": (("train", 12), ("validate", 8)),
        "num_classes": 5,
        "feature_sizes": (8, 4),
        "num_shards": 1,
    }
    make_synthetic(folder, SyntheticSpec(min_frames=3, max_frames=5, **sizes))
    rated = SyntheticSpec(min_frames=12, max_frames=14, segment_labels=True, **sizes)
    other = os.path.join(folder, "rated")
    make_synthetic(other, rated)
    os.rename(os.path.join(other, "frame"), os.path.join(folder, "segments"))
    _tables(folder)
    _call(*TRAIN, folder=folder)
    _call("eval", "--train_dir={in}/run", folder=folder)
    predict = ("predict", "--train_dir={in}/run", "--input_data_pattern={in}/video/val*.tfrecord")
    _call(
        *predict, "--output_file={in}/fuse.csv", "--output_model_tgz={in}/model.tgz", folder=folder
    )
    with open(os.path.join(folder, "fuse.csv"), encoding="utf-8") as source:
        text = source.read()
    ids = [line.partition(",")[0] for line in text.splitlines()[1:]]
    _write(folder, {"other.csv": text, "truth.csv": "".join(f"{video},1 2\n" for video in ids)})
    for name, flags in _SCORES:
        _call(*predict, f"--output_scores={{in}}/{name}", *flags, folder=folder)
    with contextlib.suppress(ImportError):
        import pyarrow  # noqa: F401

        _call(*predict, "--output_scores={in}/parquet", "--scores_format=parquet", folder=folder)


def _call(name: str, *arguments: str, folder: str) -> None:
    given = [argument.replace("{in}", folder) for argument in arguments]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = cli.call(name, given)
    if code:
        raise RuntimeError(f"{name} ended with {code}: {err.getvalue()}")


def _tables(folder: str) -> None:
    texts = {
        "labels.csv": "id,labels\nv0,1;2\nv1,0\nv2,3\n",
        "segments.csv": "Class,Segments\n1,v0:0 v1:5\n2,v1:0\n",
        "ratings.csv": "v0:0,1,1\nv1:5,1,0\nv1:0,2,1\n",
        "whitelist.csv": "Index\n1\n2\n",
        "classes.csv": "Index,Name\n0,jazz\n1,live\n2,rock\n3,guitar\n",
        "predictions.json": '{"video_id": "v0", "class_indexes": [1], "predictions": [0.5]}\n',
        "table.csv": "id,labels,a0,a1\nv0,1,0.5,1\nv1,0;2,0.25,2\nv2,3,0,0\n",
    }
    _write(folder, texts)
    os.makedirs(os.path.join(folder, "npz"))
    for i in range(2):
        frames = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)
        np.savez(os.path.join(folder, "npz", f"v{i}.npz"), clip=frames, labels=[str(i)])


def _write(folder: str, texts: Mapping[str, str]) -> None:
    for name, text in texts.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as out:
            out.write(text)


def resumed(folder: str) -> tuple[str, ...]:
    """Return the command that resumes a case's run, which was trained on the inputs' records."""
    return tuple(a.replace("{in}/video", f"{folder}/video") for a in TRAIN)
