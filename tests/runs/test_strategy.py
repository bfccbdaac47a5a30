"""Strategies by name, and the messages where the requested hardware is not available."""

import re
import urllib.error

import pytest
import tensorflow as tf

from yt8m.errors import UserError
from yt8m.runs import strategy as strategy_module
from yt8m.runs.strategy import is_chief, make_strategy, worker_of


def test_auto_is_one_device_without_gpus():
    strategy = make_strategy("auto")
    assert strategy.num_replicas_in_sync == max(1, len(tf.config.list_logical_devices("GPU")))
    assert is_chief(strategy)
    assert worker_of(strategy) == (0, 1)


def test_mirrored_takes_every_device():
    assert make_strategy("mirrored").num_replicas_in_sync >= 2


def test_tpu_refuses_a_local_path(monkeypatch):
    monkeypatch.setenv("TPU_NAME", "elsewhere")
    with pytest.raises(UserError, match="gs://") as error:
        make_strategy("tpu", paths=["gs://bucket/a", "/data/b"])
    assert "/data/b" in str(error.value)


class _FakeResolver:
    """Stands for TensorFlow's, which asks the network about every name but "local"."""

    def __init__(self, tpu):
        if tpu != "local":
            raise urllib.error.URLError("Name or service not known")
        raise ValueError("the very machine was asked")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (None, "in this machine (the very machine was asked)"),
        ("elsewhere", "called elsewhere (<urlopen"),
    ],
)
def test_without_a_tpu_it_says_where_it_looked(monkeypatch, name, message):
    monkeypatch.setattr(tf.distribute.cluster_resolver, "TPUClusterResolver", _FakeResolver)
    monkeypatch.delenv("TPU_NAME", raising=False)
    if name:
        monkeypatch.setenv("TPU_NAME", name)
    paths = ["/data/b"] if name is None else []  # a TPU in this machine reads local paths
    with pytest.raises(UserError, match="found no TPU " + re.escape(message)):
        make_strategy("tpu", paths=paths)


def test_multi_worker_needs_a_cluster(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(UserError, match="TF_CONFIG"):
        make_strategy("multi_worker")
    monkeypatch.setenv("TF_CONFIG", "{not json")
    with pytest.raises(UserError, match="not JSON"):
        make_strategy("auto")


def test_what_one_process_does_waits_for_no_workers(monkeypatch):
    """eval.py in a shell where TF_CONFIG is left from the training waited for ever."""
    monkeypatch.setenv(
        "TF_CONFIG",
        '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 0}}',
    )
    monkeypatch.setattr(strategy_module, "_multi_worker_strategy", lambda: "of several workers")
    assert make_strategy("auto") == "of several workers"
    assert worker_of(make_strategy("auto", workers=False)) == (0, 1)
    with pytest.raises(UserError, match="--num_gpu=1: each of several workers uses every GPU"):
        make_strategy("multi_worker", num_gpu=1)
