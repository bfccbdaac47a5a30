"""A sample of records, and commands that are only noted."""

import os

import pytest

from yt8m.data.synthetic.dataset import SyntheticSpec, make_synthetic
from yt8m.papers import one_run, runner


@pytest.fixture(scope="session")
def sample(tmp_path_factory):
    """A folder in the form of the real sample: two shards for training and two for validation."""
    folder = tmp_path_factory.mktemp("sample")
    videos = (("train", 128), ("validate", 60))
    spec = SyntheticSpec(videos=videos, num_classes=12, feature_sizes=(1024, 128), num_shards=2)
    made = make_synthetic(str(folder / "made"), spec)
    for split in ("train", "validate"):
        os.makedirs(folder / split)
        for i in range(2):
            source = os.path.join(made.folder, "video", f"{split}000{i}.tfrecord")
            os.rename(source, folder / split / f"v{split}000{i}.tfrecord")
    return str(folder)


@pytest.fixture
def faked(monkeypatch):
    """A function that puts a `Fake` in the place of the child processes, and returns it."""
    facts = {"examples_per_second": 1.0, "versions": {}}
    monkeypatch.setattr(runner, "facts_of_training", lambda train_dir: facts)

    def use(fake):
        monkeypatch.setattr(one_run.child_process, "run", fake)
        return fake

    return use
