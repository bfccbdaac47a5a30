"""What the jobs read: synthetic records, arrays to convert, a trained run, two score folders."""

from __future__ import annotations

import os

import numpy as np

from benchmarks.soak import forks
from tests.support.mirror import Mirror

_NAMES = ("jazz", "live", "rock")


def make(folder: str) -> None:
    """Make the inputs in a folder, unless they are there.

    Raises:
      RuntimeError: a command failed; the message names the log.
    """
    done = os.path.join(folder, "done")
    if os.path.exists(done):
        return
    os.makedirs(folder, exist_ok=True)
    log = os.path.join(folder, "log.txt")
    _check(forks.call(lambda: _records(folder)), log)
    for name, model in (("moe", "MoeModel"), ("logistic", "LogisticModel")):
        training = [
            "train",
            f"--model={model}",
            f"--train_data_pattern={folder}/video/train*.tfrecord",
            f"--eval_data_pattern={folder}/video/validate*.tfrecord",
            f"--train_dir={folder}/{name}",
            "--batch_size=50",
            "--num_epochs=2",
        ]
        scores = [
            "predict",
            f"--train_dir={folder}/{name}",
            f"--input_data_pattern={folder}/video/validate*.tfrecord",
            f"--output_scores={folder}/{name}.scores",
        ]
        for arguments in (training, scores):
            _check(forks.run(arguments, folder, log).code, log)
    open(done, "w").close()


def _check(code: int, log: str) -> None:
    if code:
        raise RuntimeError(f"the inputs could not be made; see {log}")


def _records(folder: str) -> None:
    """Write the records and the arrays; TensorFlow runs, so a process of its own does it."""
    from yt8m.data.synthetic.dataset import SyntheticSpec, make_synthetic

    spec = SyntheticSpec(
        videos=(("train", 400), ("validate", 160), ("test", 2000)),
        num_classes=12,
        feature_sizes=(32, 8),
        min_frames=4,
        max_frames=8,
        num_shards=4,
    )
    make_synthetic(folder, spec)
    arrays = os.path.join(folder, "npz")
    os.makedirs(arrays, exist_ok=True)
    rng = np.random.default_rng(0)
    for i in range(150):
        labels = [_NAMES[i % 3], *([_NAMES[1]] if i % 2 else [])]
        frames = rng.normal(size=(2 + i % 3, 16)).astype(np.float32)
        np.savez(os.path.join(arrays, f"v{i}.npz"), clip=frames, labels=sorted(set(labels)))


class Server:
    """A process with the files for downloads, which take about a second each.

    Attributes:
      url: its address.
    """

    def __init__(self) -> None:
        reader, writer = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(reader)
            mirror = Mirror(("aa", "aA", "Z9", "9z"), 1 << 20)
            mirror.pause = 0.01
            os.write(writer, mirror.url.encode() + b"\n")
            mirror.closing.wait()
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader) as sent:
            self.url = sent.readline().strip()

    def close(self) -> None:
        """End the process."""
        os.kill(self._pid, 15)
        os.waitpid(self._pid, 0)
