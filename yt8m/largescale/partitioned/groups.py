"""The groups of a head: each is trained, and predicts the validation videos, separately.

run/groups/0000.blocks              weights of a finished group, which is not trained again
run/groups/0000.blocks.checkpoint   state of the group in training
run/groups/0000.scores              its predictions of the validation videos
"""

from __future__ import annotations

import dataclasses
import resource
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from yt8m.largescale.features.store import FeatureStore
from yt8m.largescale.mixtures.blocks_file import read_arrays, read_header, write_arrays
from yt8m.largescale.mixtures.mixture_block import MixtureBlock
from yt8m.largescale.mixtures.moe_settings import MoeSettings
from yt8m.largescale.mixtures.partition_training import CHECKPOINT, Report, train_partition
from yt8m.runs.folder import RunFolder
from yt8m.runs.progress import Progress, duration
from yt8m.runs.stop_signal import StopSignal


class Groups:
    """The groups of a run's model and their files.

    Args:
      run: the run's folder.
      groups: the head's groups, {"classes": [...], "num_mixtures": k} each.
      settings: how groups are trained.
      eval_batch: the batch size of the predictions.
      progress: where lines and events go.
      progress_seconds: seconds between two reports.
      stop: checked before each step.
    """

    def __init__(
        self,
        run: RunFolder,
        groups: list[dict[str, Any]],
        settings: MoeSettings,
        eval_batch: int,
        progress: Progress,
        progress_seconds: float,
        stop: StopSignal,
    ):
        self._run, self._groups, self._settings, self._eval_batch = (
            run,
            groups,
            settings,
            eval_batch,
        )
        self._progress, self._progress_seconds, self._stop = progress, progress_seconds, stop

    def __len__(self) -> int:
        return len(self._groups)

    def _file(self, i: int, kind: str = "blocks") -> str:
        return self._run.file("groups", f"{i:04d}.{kind}")

    @property
    def files(self) -> list[str]:
        """The path of each group's weights."""
        return [self._file(i) for i in range(len(self))]

    def num_trained(self) -> int:
        """Return how many groups are finished."""
        return sum(map(tf.io.gfile.exists, self.files))

    def next(self) -> str:
        """Return where the first group that is not finished goes on, as text."""
        i = next(i for i, file in enumerate(self.files) if not tf.io.gfile.exists(file))
        state = read_header(self._file(i) + CHECKPOINT)
        if state is None:
            return f"group {i + 1} has no checkpoint: it starts over at step 0"
        return f"group {i + 1} goes on after step {state['step']:,}"

    def steps(self) -> int:
        """Return the number of steps of the group that took most."""
        headers = [read_header(file) for file in self.files]
        return max(header["steps"] for header in headers if header)

    def num_weights(self, width: int) -> tuple[int, int]:
        """Return the number of weights of all groups, and of the largest, for features [N, D]."""
        each = [width * len(g["classes"]) * (2 * g["num_mixtures"] + 1) for g in self._groups]
        return sum(each), max(each)

    def train(self, i: int, store: FeatureStore, priors: np.ndarray) -> None:
        """Train a group, unless it is finished.

        Args:
          i: the index of the group.
          store: features and labels of the training set.
          priors: label frequencies [K].

        Raises:
          Stopped: a signal ended the run; the state has been saved.
          UserError: the loss stopped being finite.
        """
        if tf.io.gfile.exists(self._file(i)):
            return
        group, number = self._groups[i], f"group {i + 1}/{len(self)}"
        counts = [group["num_mixtures"]] * len(group["classes"])
        header = train_partition(
            store,
            group["classes"],
            counts,
            dataclasses.replace(self._settings, glorot_classes=len(counts)),  # as its layer starts
            self._file(i),
            priors,
            self._stop,
            lambda report: self._report(i, number, report),
            self._progress_seconds,
        )
        assert header is not None  # it was trained to its end
        values = {key: header[key] for key in ("loss", "steps", "seconds", "examples_per_second")}
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
        self._progress.event(
            "group",
            group=i,
            classes=len(counts),
            num_mixtures=group["num_mixtures"],
            peak_memory_gb=round(peak, 3),
            **values,
        )
        self._progress.say(
            f"{number}: {len(counts)} classes of {group['num_mixtures']} mixtures in"
            f" {duration(header['seconds'])}, {header['examples_per_second']:,.0f} examples/s,"
            f" loss {header['loss']:.4g}, peak memory {peak:.2f} GB"
        )

    def _report(self, i: int, number: str, report: Report) -> None:
        examples_left = (report.total_steps - report.step) * self._settings.recipe.batch_size
        left = duration(examples_left / max(report.examples_per_second, 1e-9))
        self._progress.say(
            f"{number}  step {report.step:,}/{report.total_steps:,}  loss {report.loss:.4g}"
            f"  lr {report.learning_rate:.2g}  {report.examples_per_second:,.0f} examples/s"
            f"  ETA of the group {left}"
        )
        self._progress.event(
            "train",
            group=i,
            step=report.step,
            loss=report.loss,
            learning_rate=report.learning_rate,
            examples_per_second=report.examples_per_second,
        )

    def score(self, i: int, validation: FeatureStore) -> None:
        """Write a finished group's predictions of the validation videos, [n, C] for each batch.

        Predictions in batches of the same size are kept.
        """
        scored = read_header(self._file(i, "scores"))
        if scored is not None and scored["batch"] == self._eval_batch:
            return
        header, arrays = read_arrays(self._file(i))
        blocks = [MixtureBlock(b["classes"], b["k"], validation.width) for b in header["blocks"]]
        for block in blocks:
            block.load(arrays, with_moments=False)

        def scores() -> Iterator[np.ndarray]:
            for x, _ in validation.sequential(self._eval_batch):
                x = tf.cast(tf.constant(x), self._settings.dtype)
                yield np.concatenate([block.predict(x) for block in blocks], axis=1)

        classes = [c for block in blocks for c in block.classes]
        about = {"classes": classes, "batch": self._eval_batch}
        write_arrays(self._file(i, "scores"), about, scores())

    def predictions(self, num_classes: int) -> Iterator[np.ndarray]:
        """Yield the predictions [n, K] of each batch, joined from what the groups wrote."""
        opened = [read_arrays(self._file(i, "scores")) for i in range(len(self))]
        for parts in zip(*(arrays for _, arrays in opened)):
            joined = np.zeros((len(parts[0]), num_classes), np.float32)
            for (header, _), part in zip(opened, parts):
                joined[:, header["classes"]] = part
            yield joined
