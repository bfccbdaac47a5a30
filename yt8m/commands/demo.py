"""`yt8m demo`: train, evaluate, submit, train a second model, and fuse, on synthetic data."""

from __future__ import annotations

import dataclasses
import os
import sys
import time
from collections.abc import Sequence

from absl.flags import FlagValues

from yt8m import flags
from yt8m.commands.command import Command, shown
from yt8m.flags import Section
from yt8m.process import child_process
from yt8m.settings import setting

# The second model sees the order of the frames, which the first does not: that is why fusing them
# helps.
MODELS = {
    "AttnVLAD": [],
    "LstmModel": [
        "--lstm_cells=128",
        "--lstm_layers=1",
        "--base_learning_rate=0.005",
        "--num_epochs=8",
    ],
}


@dataclasses.dataclass(frozen=True)
class DemoSettings:
    """Settings of the demo. Each field is the flag of the same name."""

    out_dir: str = setting(
        os.path.join("runs", "demo"),
        help="folder for the data, the two runs, the submissions and the scores",
        common=True,
    )


def commands(out_dir: str) -> list[list[str]]:
    """Return the demo's commands in order, each a command of `yt8m` with its flags.

    Args:
      out_dir: folder for everything that they write.
    """
    data_dir = os.path.join(out_dir, "data")
    train, validate = (
        os.path.join(data_dir, "frame", f"{split}*.tfrecord") for split in ("train", "validate")
    )
    steps = [["synthetic", f"--out_dir={data_dir}"]]
    for model, more in MODELS.items():
        run = os.path.join(out_dir, model)
        steps.append(
            [
                "train",
                f"--model={model}",
                f"--train_data_pattern={train}",
                f"--eval_data_pattern={validate}",
                f"--train_dir={run}",
                "--max_frames=48",  # as long as the sample's videos are
                "--dtype=float32",  # the same results on every machine
                *more,
            ]
        )
        steps.append(["eval", f"--train_dir={run}"])
        steps.append(
            [
                "predict",
                f"--train_dir={run}",
                f"--input_data_pattern={validate}",
                f"--output_file={run}.csv",
                f"--output_scores={run}.scores",
            ]
        )
    scores = ",".join(os.path.join(out_dir, f"{model}.scores") for model in MODELS)
    fused = os.path.join(out_dir, "fused.csv")
    steps.append(["fuse", f"--inputs={scores}", f"--labels={validate}", f"--output_file={fused}"])
    return steps


def run(command: Sequence[str]) -> int:
    """Run a command as a process; return its exit code, or 128 + n if signal n ended it."""
    ended = child_process.run(command)
    return 128 + ended.stopped if ended.stopped else ended.code


def main(values: FlagValues) -> int:
    """Run the demo and show each command; return the first exit code that is not 0."""
    out_dir = flags.read(DemoSettings, values).out_dir
    start = time.monotonic()
    for command in commands(out_dir):
        print("\n$ " + shown(command), flush=True)
        code = run([sys.executable, "-m", "yt8m", *command])
        if code:
            return code
    print(f"\ndemo done in {time.monotonic() - start:.0f} s; everything is in {out_dir}")
    return 0


COMMAND = Command(
    about="Run the main workflow on synthetic data: train, evaluate, submit, train a second model,"
    " and fuse both.",
    usage="--out_dir=DIR",
    sections=(Section(DemoSettings),),
    main=main,
)
