"""The files that points read: shards without records, and small records with ids of their own."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from benchmarks.harness.ours import python
from benchmarks.harness.process import run

_PER_SHARD = 1000
_MOST = 1_100_000


class Data:
    """Makes files in a work folder, each once.

    Args:
      folder: the work folder.
      most: the number of videos for which records are made.
    """

    def __init__(self, folder: Path, most: int = _MOST):
        self.folder, self._most = folder, most

    def shards(self, count: int) -> str:
        """Return the pattern of so many shards, of which the last has records."""
        folder = self.folder / "shards" / str(count)
        source = self._records() / "train00000.tfrecord"
        if not (folder / "done").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            for number in range(count - 1):
                (folder / f"train{number:06d}.tfrecord").touch()
            os.link(source, folder / f"train{count:06d}.tfrecord")
            (folder / "done").touch()
        return str(folder / "*.tfrecord")

    def videos(self, count: int) -> str:
        """Return the pattern of shards with so many videos, a multiple of 1000."""
        folder, source = self.folder / "videos" / str(count), self._records()
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(count // _PER_SHARD):
            link = folder / f"train{number:05d}.tfrecord"
            if not link.exists():
                os.link(source / link.name, link)
        return str(folder / "*.tfrecord")

    def run(self) -> Path:
        """Return the folder of a LogisticModel after two steps."""
        folder = self.folder / "run"
        if not (folder / "done").exists():
            train = python(
                "train.py",
                "--model=LogisticModel",
                "--start_new_model",
                f"--train_data_pattern={self.videos(_PER_SHARD)}",
                "--num_classes=3862",
                f"--train_dir={folder}",
                "--max_steps=2",
            )
            run(train, self.folder / "run.log")
            (folder / "done").touch()
        return folder

    def _records(self) -> Path:
        folder = self.folder / "records"
        if not (folder / "done").exists():
            folder.mkdir(parents=True, exist_ok=True)
            print(f"  writing {self._most:,} records to {folder}", flush=True)
            write = ("-m", "benchmarks.growth.child", "records", self._most, folder, _PER_SHARD)
            run(python(*write), self.folder / "records.log")
            (folder / "done").touch()
        return folder
