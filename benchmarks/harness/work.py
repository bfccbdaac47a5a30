"""The work folder: records and trained runs that benchmarks use, each made once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness import ours, starter
from benchmarks.harness.benchmark import Command
from benchmarks.harness.process import run
from benchmarks.harness.settings import Settings
from yt8m.errors import UserError

VIDEO_FLAGS = ("--model=MoeModel", "--batch_size=1024")
_FRAME_SHARDS = (12, 2)  # full and quick: 3,500 videos of 300 frames in 1.2 GB


class Work:
    """Makes what benchmarks need in `--work_dir`, outside of the time that is measured.

    Args:
      settings: the flags.
    """

    def __init__(self, settings: Settings):
        self.settings = settings
        self.folder = settings.out_dir if settings.quick else settings.folder

    def size(self, full: int, quick: int) -> int:
        """Return `full`, or `quick` with `--quick`."""
        return quick if self.settings.quick else full

    def records(self, level: str) -> str:
        """Return the pattern of the training records: the sample's, or frames around its means."""
        return self.frames() if level == "frame" else self.linked("train", self.size(80, 8))

    def linked(self, name: str, shards: int) -> str:
        """Return the pattern of links to so many of the sample's shards, the first ones again."""
        folder, source = self.folder / "records" / name, self._sample()
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for number in range(shards):
            os.symlink(source[number % len(source)], folder / f"shard{number:04d}.tfrecord")
        return str(folder / "*.tfrecord")

    def frames(self) -> str:
        """Return the pattern of frame-level records of 300 frames, which our generator makes."""
        shards = self.size(*_FRAME_SHARDS)
        folder, source = self.folder / "records" / "frames", self.linked("means", shards)
        done = folder / "done"
        if not done.exists():
            generator = ("-m", "yt8m.data.synthetic", f"--from_video_level={source}")
            self._make(ours.python(*generator, f"--out_dir={folder}", "--frames=300,300"), folder)
            done.touch()
        return str(folder / "*.tfrecord")

    def trained(self, dtype: str) -> Path:
        """Return the folder of our MoeModel trained for ten steps in a type."""
        folder = self.folder / "trained" / dtype
        if not (folder / "done").exists():
            flags = (*VIDEO_FLAGS, "--max_steps=10")
            self._make(ours.train(self.records("video"), folder, dtype, flags), folder)
            (folder / "done").touch()
        return folder

    def starter_trained(self) -> Path:
        """Return the folder of the starter code's MoeModel after ten steps, evaluated once.

        Its eval.py writes the graph that its inference.py reads.
        """
        folder = self.folder / "trained" / "starter"
        if not (folder / "done").exists():
            flags = (*VIDEO_FLAGS, "--max_steps=10")
            data = self.records("video")
            self._make(starter.train(self.settings, "video", data, folder, flags), folder)
            self._make(starter_eval(self.settings, folder, self.linked("one", 1)), folder)
            (folder / "done").touch()
        return folder

    def _make(self, command: Command, folder: Path) -> None:
        print(f"  making {folder}", flush=True)
        folder.mkdir(parents=True, exist_ok=True)
        run(command, folder.with_suffix(".log"))

    def _sample(self) -> Sequence[Path]:
        parts = ("train", "validate")
        sample = Path(self.settings.sample_dir).resolve()
        found = [path for part in parts for path in sorted((sample / part).glob("*.tfrecord"))]
        if not found:
            raise UserError(f"--sample_dir={sample} has no train/*.tfrecord.")
        return found


def starter_eval(settings: Settings, folder: Path, data: str) -> Command:
    """Return the starter code's eval.py on a run."""
    return starter.command(
        settings,
        "eval.py",
        f"--eval_data_pattern={data}",
        f"--train_dir={folder}",
        "--batch_size=1024",
        "--run_once",
    )
