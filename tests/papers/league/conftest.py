"""A league of two models on tiny stand-ins for its data sets, with commands that are only noted."""

import json
import os

import h5py
import numpy as np
import pytest

from tests.papers.helpers import SIZES
from tests.support.clips import clip
from yt8m.data.records.writers import write_shard
from yt8m.papers.league import entry
from yt8m.papers.league.contests import CONTESTS
from yt8m.papers.league.store import Store
from yt8m.papers.league.sweep import Plan, Sweep
from yt8m.papers.one_run import OutDir
from yt8m.process import child_process


@pytest.fixture(scope="session")
def audioset(tmp_path_factory):
    """A folder in the form of AudioSet's: a class shows in the bytes of its clips."""
    folder = tmp_path_factory.mktemp("audioset")
    rng = np.random.default_rng(0)
    for split, count in (("train", 520), ("validate", 40)):
        clips = []
        for i in range(count):
            label = int(rng.integers(4))
            frames = rng.integers(0, 60, (int(rng.integers(3, 11)), 128), dtype=np.uint8)
            frames[:, 30 * label : 30 * label + 30] += 150
            clips.append(clip([label], frames, f"{split}{i}".encode()))
        os.makedirs(folder / split)
        write_shard(str(folder / split / "clips.tfrecord"), clips)
    return str(folder)


class Commands:
    """Stands for the commands: notes each, and writes what a real one would.

    Attributes:
      ran: (command, flags) of each.
      ends: command or model -> how it ends, where that is not well.
      gaps: model -> the GAP of its evaluation.
      seconds: seconds that each command takes.
      unsaved: models whose trainings save nothing.
    """

    def __init__(self):
        self.ran, self.ends, self.gaps, self.seconds = [], {}, {}, 6.0
        self.unsaved = set()

    def __call__(self, command, log, say, limit=0.0):
        name, *arguments = command[3:]
        flags = dict(f.lstrip("-").partition("=")[::2] for f in arguments)
        self.ran.append((name, flags))
        model = flags.get("model") or _model_in(flags.get("train_dir", ""))
        ends = self.ends.get(model, self.ends.get(name))
        if callable(ends):
            ends = ends()
        os.makedirs(os.path.dirname(log), exist_ok=True)
        with open(log, "a") as file:
            file.write(f"{name} has ended\n")
        code = ends or 0
        if code in (0, 75):
            getattr(self, f"_{name}")(flags, self.gaps.get(model, 0.5))
        return child_process.Finished(code, self.seconds, 2_000_000_000, self.seconds)

    def names(self):
        """Return each command as a short text, and forget them."""
        ran = [f"{n} {f.get('model', '')}".strip() for n, f in self.ran]
        self.ran = []
        return ran

    def _train(self, flags, gap):
        if flags["model"] in self.unsaved:
            return
        last = os.path.join(flags["train_dir"], "last")
        os.makedirs(last, exist_ok=True)
        step = _read(os.path.join(last, "metrics.json")).get("step", 0) + 100
        _write(os.path.join(last, "metrics.json"), {"step": step, "steps_of_run": 1000})
        with h5py.File(os.path.join(last, "model.weights.h5"), "w") as file:
            file["layer/vars/0"] = np.zeros((10, 5), np.float32)
            file["seed/vars/0"] = np.zeros(2, np.uint32)
            file["metrics.json"] = "{}"

    def _eval(self, flags, gap):
        values = dict(gap=gap, map=gap / 2, perr=0.3, hit_at_1=0.6, hit_at_5=0.7, num_examples=60)
        _write(os.path.join(flags["output_dir"], "metrics.json"), values)

    def _predict(self, flags, gap):
        os.makedirs(flags["output_scores"], exist_ok=True)

    def _fuse(self, flags, gap):
        inputs = flags["inputs"].split(",")
        values = dict(gap=0.4, map=0.2, perr=0.3, hit_at_1=0.6, hit_at_5=0.7, num_examples=30)
        fused = {**values, "gap": 0.45}
        _write(flags["output_metrics"], {**dict.fromkeys(inputs, values), "fused": fused})


def _model_in(train_dir):
    return os.path.basename(os.path.dirname(train_dir)).partition("-seed")[0]


def _read(path):
    if not os.path.isfile(path):
        return {}
    with open(path) as file:
        return json.load(file)


def _write(path, values):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        json.dump(values, file)


@pytest.fixture
def commands(monkeypatch):
    noted = Commands()
    monkeypatch.setattr(child_process, "run", noted)
    facts = {"examples_per_second": 700.0, "versions": {"tensorflow": "2.15.1"}}
    monkeypatch.setattr(entry, "facts_of_training", lambda train_dir: facts)
    machine = {"dtype": "float32", "devices": {"kind": "CPU", "threads": 2}}
    monkeypatch.setattr(entry, "_machine_of", lambda train_dir: machine)
    return noted


@pytest.fixture
def league(tmp_path, sample):
    """A function that makes the sweep of two video-level models, and the store of its results."""
    store = Store(str(tmp_path / "results"))

    def make(data=("video",), only=("LogisticModel", "MoeModel"), audioset_dir="", **plan):
        contests = [CONTESTS[name] for name in data]
        settings = {"seeds": 1, **plan}
        out = OutDir(str(tmp_path / "runs"), lambda text: None)
        return Sweep(Plan(contests, only, **settings), out, store, sample, audioset_dir, SIZES)

    make.store = store
    return make
