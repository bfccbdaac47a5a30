"""What a run says before its first step."""

import os

import pytest

from tests.support.runs import run_on, with_training
from yt8m.runs.folder import RunFolder
from yt8m.training.start.first_lines import batch_bytes, first_lines, in_words
from yt8m.training.trainer import Trainer, train


@pytest.fixture
def config(small_data):
    return run_on(small_data, "LogisticModel", recipe={"num_epochs": 1, "weight_average": 0.0})


def test_parameters_and_memory_are_those_of_the_model(config, tmp_path):
    step = Trainer(config, RunFolder(str(tmp_path))).step
    parameters = 40 * 12 + 12
    model, memory = first_lines(config, step)
    assert model == f"LogisticModel: {parameters} parameters"
    # Weights, gradients, and the two moments of Adam, in float32, and Adam's few counters.
    assert f"at least {in_words(4 * 4 * parameters)} for weights, gradients, Adam, and" in memory
    assert batch_bytes(config) == 50 * (40 * 4 + 12)
    assert f"{in_words(50 * 172)} for each batch of 50; activations" in memory


@pytest.mark.parametrize(
    ("size", "text"),
    [(7, "7 bytes"), (7870, "7.9 kB"), (78_700, "79 kB"), (9.96e6, "10.0 MB"), (1.25e9, "1.2 GB")],
)
def test_sizes_have_two_digits(size, text):
    assert in_words(size) == text


def test_a_run_without_a_checkpoint_says_that_it_starts_over(config, tmp_path, capsys):
    train(with_training(config, max_steps=3), str(tmp_path))
    first = capsys.readouterr().out
    assert "starts over" not in first
    os.remove(tmp_path / "done")
    for path in (tmp_path / "checkpoints").iterdir():
        path.unlink()
    train(with_training(config, max_steps=3), str(tmp_path))
    assert (
        f"{tmp_path} contains a run without a checkpoint: it starts over" in capsys.readouterr().out
    )
