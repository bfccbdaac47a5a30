"""The jobs: a command with tiny data for each kind of work that writes something."""

from __future__ import annotations

import dataclasses
import random
from typing import Callable

from benchmarks.soak import forks
from benchmarks.soak.forks import NO_KILL, Kill


@dataclasses.dataclass(frozen=True)
class Place:
    """Where the jobs find their input, and where they write.

    Attributes:
      data: folder with `video/`, `frame/` and `npz/`, see `benchmarks.soak.inputs`.
      prepared: folder with a finished run and two score folders.
      out: what the job writes; all of it is compared.
      mirror: address of the server for downloads.
    """

    data: str
    prepared: str
    out: str
    mirror: str


@dataclasses.dataclass(frozen=True)
class Job:
    """A command.

    Attributes:
      name: its line in the table.
      arguments: returns the command's name and flags.
    """

    name: str
    arguments: Callable[[Place], list[str]]

    def run(self, place: Place, log: str, kill: Kill = NO_KILL) -> forks.Ended:
        """Run the command; see `forks.run`."""
        return forks.run(self.arguments(place), place.out, log, kill, _hurry)

    def kill(self, rng: random.Random, seconds: float, calls: int) -> Kill:
        """Return a random moment, or a random call that changes a file.

        Args:
          rng: draws.
          seconds: duration of an undisturbed run.
          calls: number of its calls.
        """
        if rng.random() < 0.5:
            return Kill(rng.uniform(0.02, seconds))
        return Kill(at_call=rng.randint(1, calls))


def _hurry() -> None:
    """Let a prediction note after each batch how far it is, not every ten seconds."""
    from yt8m.submission.journal import journal

    journal.EVERY_SECONDS, journal._SHARE = 0.0, 1.0


def _training(level: str, model: str, *flags: str) -> Callable[[Place], list[str]]:
    return lambda place: [
        "train",
        f"--model={model}",
        f"--train_data_pattern={place.data}/{level}/train*.tfrecord",
        f"--eval_data_pattern={place.data}/{level}/validate*.tfrecord",
        f"--train_dir={place.out}/run",
        "--dtype=float32",
        *flags,
    ]


_ALTERNATING = (
    "--trainer=alternating", "--model_option=width=16", "--batch_size=20", "--num_epochs=3",
    "--base_learning_rate=0.01", "--weight_average=0", "--step2_batch_size=20",
    "--step2_learning_rate=0.01", "--step2_max_epochs=2", "--max_experts=4", "--num_partitions=3",
    "--step3_max_iterations=3", "--step3_initial_delta=1e-3", "--max_cycles=1",
)  # fmt: skip
_PARTITIONED = (
    "--trainer=partitioned", "--batch_size=20", "--num_epochs=4", "--model_option=num_mixtures=4",
    "--model_option=group_size=4", "--export_model_steps=20",
)  # fmt: skip

training_in_steps = _training("video", "VideoDbofBasic", *_ALTERNATING)


def inference(place: Place) -> list[str]:
    return [
        "predict",
        f"--train_dir={place.prepared}/moe",
        f"--input_data_pattern={place.data}/video/test*.tfrecord",
        f"--output_file={place.out}/submission.csv",
        f"--output_scores={place.out}/scores",
        "--batch_size=64",
    ]


def _evaluation(place: Place) -> list[str]:
    return [
        "eval",
        f"--train_dir={place.prepared}/moe",
        f"--eval_data_pattern={place.data}/video/train*.tfrecord",
        f"--output_dir={place.out}/eval",
        "--batch_size=16",
        "--report",
    ]


def _fusion(place: Place) -> list[str]:
    return [
        "fuse",
        f"--inputs={place.prepared}/moe.scores,{place.prepared}/logistic.scores",
        f"--labels={place.data}/video/validate*.tfrecord",
        f"--output_file={place.out}/fused.csv",
        f"--output_scores={place.out}/fused.scores",
        f"--output_metrics={place.out}/fused.json",
        f"--output_details={place.out}/details.json",
        "--chunk_size=8",
    ]


def _download(place: Place) -> list[str]:
    return [
        "download",
        "--share=1",
        "--parallel=2",
        f"--base_url={place.mirror}",
        f"--out_dir={place.out}/data",
    ]


def _conversion(place: Place) -> list[str]:
    return [
        "convert",
        f"{place.data}/npz",
        f"--out_dir={place.out}/records",
        "--feature_name=clip",
        "--shards=6",
    ]


JOBS = (
    Job(
        "joint",
        _training(
            "video", "MoeModel", "--batch_size=20", "--num_epochs=4", "--export_model_steps=7"
        ),
    ),
    Job(
        "joint, frames",
        _training(
            "frame",
            "FrameLevelLogisticModel",
            "--batch_size=40",
            "--num_epochs=3",
            "--iterations=5",
            "--mixup=0.2",
            "--average_checkpoints=2",
            "--export_model_steps=4",
        ),
    ),
    Job("alternating", training_in_steps),
    Job("partitioned", _training("video", "PmoeModel", *_PARTITIONED)),
    Job("evaluation", _evaluation),
    Job("inference", inference),
    Job("fusion", _fusion),
    Job("download", _download),
    Job("conversion", _conversion),
)
