"""Small rows and data sets, a stand-in for the scripts, and invented results."""

import json
import os
import sys

from yt8m.papers import row_files
from yt8m.papers.runner import Runner
from yt8m.papers.small_data import Sizes
from yt8m.process import child_process

SIZES = Sizes(
    train_shards=1,
    validate_shards=2,
    all_train_shards=2,
    single_classes=5,
    common_classes=7,
    common_test_shards=1,
    frame_validate_shards=1,
    frames=(5, 8),
    synthetic=(60, 20),
    synthetic_features=(12, 4),
    modes=(80, 20, 30),
    modes_world=(4, 3, 5, 2),
    video_few=1,
)


def make_row(name, flags="", level="video", **small):
    """Return a row whose two variants train one model on sample-video; `small` overrides them."""
    variant = {"data": "sample-video", "minutes": 1, "level": level}
    if "fuse" not in small:
        variant["stages"] = [{"name": "model", "flags": flags}]
    variant.update(small)
    values = {"name": name, "table": "1", "row": name, "order": 1, "source": "a test"}
    return row_files.parse({**values, "paper": variant, "small": variant}, "test")


_SHORT = "--batch_size=32 --num_epochs=1"
ROWS = {
    row.name: row
    for row in (
        make_row("two", f"--model=MoeModel {_SHORT}"),
        make_row("logistic", f"--model=LogisticModel {_SHORT}"),
        make_row(
            "frames", f"--model=FrameLevelLogisticModel {_SHORT}", "frame", data="sample-frames"
        ),
        make_row(
            "both",
            level="",
            data="sample-frames",
            fuse={"method": "l2", "inputs": ["two@sample-video", "frames"]},
        ),
    )
}
FROM_TWO = "--model=MoeModel --init_from={run:two}"


def make_runner(out, sample="", say=lambda text: None, rows=ROWS):
    return Runner(rows, str(out), sample, SIZES, say)


class Fake:
    """Stands for the commands: notes each, and writes the metrics that an evaluation would."""

    def __init__(self, fail_at=None, gap=0.5):
        self.commands, self.fail_at, self.gap = [], fail_at, gap

    def __call__(self, command, log, say):
        assert command[:3] == [sys.executable, "-m", "yt8m"], "it needs no checkout"
        name, *flags = command[3:]
        self.commands.append(name)
        if name == self.fail_at:
            return child_process.Finished(3, 1.0, 10)
        if name == "eval":
            values = self.metrics()
            flag = {name: value for name, _, value in (f.partition("=") for f in flags)}
            os.makedirs(flag["--output_dir"], exist_ok=True)
            with open(os.path.join(flag["--output_dir"], "metrics.json"), "w") as file:
                json.dump(values, file)
        return child_process.Finished(0, 2.0, 100)

    def metrics(self):
        """Return the metrics of an evaluation."""
        values = dict(gap=self.gap, map=0.4, perr=0.3, hit_at_1=0.6, hit_at_5=0.7, loss=2.0)
        return {**values, "num_examples": 60, "num_classes_with_positives": 9}


def invented_result(row, gap, data="sample-video-all", seed=0, **more):
    metrics = dict(gap=gap, map=gap / 2, perr=0.6, hit_at_1=0.7, hit_at_5=0.9, num_examples=5701)
    records = {"shards": 20, "bytes": 26_000_000, "sha1": "0123456789"}
    return {
        "recipe": row,
        "variant": "small",
        "seed": seed,
        "metrics": metrics,
        "seconds": 90.0,
        "cpu_seconds": 150.0,
        "peak_bytes": 2_000_000_000,
        "data": {"name": data, "about": "some videos", "train": records, "validate": records},
        "examples_per_second": 1700.0,
        "commands": ["python train.py --model=X"],
        "date": "2026-11-24",
        "versions": {"tensorflow": "2.15.1"},
        **more,
    }
