"""The main job as a person would type it: train, evaluate, submit, train a second model, fuse; for `make demo`.

Run from the checkout: `python -m yt8m.demo --out_dir=runs/demo`.
"""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# The second sees the order of the frames, which the first does not: that is what fusing them gains by.
MODELS = {
    "AttnVLAD": [],
    "LstmModel": [
        "--lstm_cells=128",
        "--lstm_layers=1",
        "--base_learning_rate=0.005",
        "--num_epochs=8",
    ],
}


def commands(out_dir: str, data_dir: str) -> list[list[str]]:
    """Return the demo's commands in order.

    Args:
      out_dir: gets a folder for each of the two runs, the submissions and the scores.
      data_dir: where the synthetic sample is made.
    """
    shards = os.path.join(data_dir, "frame", "{split}*.tfrecord")
    steps = [[sys.executable, "-m", "yt8m.data.synthetic", f"--out_dir={data_dir}"]]
    for model, more in MODELS.items():
        run = os.path.join(out_dir, model)
        steps += [
            [
                sys.executable,
                "train.py",
                f"--model={model}",
                f"--train_data_pattern={shards.format(split='train')}",
                f"--eval_data_pattern={shards.format(split='validate')}",
                f"--train_dir={run}",
                "--max_frames=48",  # as long as the sample's videos are
                *more,
            ],
            [sys.executable, "eval.py", f"--train_dir={run}"],
            [
                sys.executable,
                "inference.py",
                f"--train_dir={run}",
                f"--input_data_pattern={shards.format(split='validate')}",
                f"--output_file={run}.csv",
                f"--output_scores={run}.scores",
            ],
        ]
    scores = ",".join(os.path.join(out_dir, f"{model}.scores") for model in MODELS)
    labels = shards.format(split="validate")
    steps.append(
        [
            sys.executable,
            "fusion.py",
            f"--inputs={scores}",
            f"--labels={labels}",
            f"--output_file={os.path.join(out_dir, 'fused.csv')}",
        ]
    )
    return steps


def run(command: Sequence[str]) -> int:
    """Run a command in the checkout; return its exit code, or 128 + n where it, or this process, was ended by signal n.

    SIGTERM goes on to the command, as a terminal's Ctrl-C does by itself: it saves what it has, and is waited for.
    """
    stopped, child = 0, None

    def note(number: int, _: Any) -> None:
        nonlocal stopped
        stopped = number
        if number == signal.SIGTERM and child:
            child.terminate()

    previous = {number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        child = subprocess.Popen(command, cwd=ROOT)
        if stopped == signal.SIGTERM:  # it came as the command began
            child.terminate()
        code = child.wait()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    return 128 + stopped if stopped else code if code >= 0 else 128 - code


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo, showing each command; return the first exit code that is not 0."""
    parser = argparse.ArgumentParser(
        prog="python -m yt8m.demo", description=__doc__.split("\n\n")[0]
    )
    parser.add_argument("--out_dir", default=os.path.join("runs", "demo"))
    arguments = parser.parse_args(argv)
    # The commands run in the checkout, where a relative name would be another folder than here.
    out_dir = (
        arguments.out_dir
        if os.path.realpath(os.getcwd()) == os.path.realpath(ROOT)
        else os.path.abspath(arguments.out_dir)
    )
    start = time.monotonic()
    for command in commands(out_dir, os.path.join(out_dir, "data")):
        print("\n$ " + shlex.join(["python", *command[1:]]), flush=True)
        code = run(command)
        if code:
            return code
    print(f"\ndemo done in {time.monotonic() - start:.0f} s; everything is in {out_dir}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
