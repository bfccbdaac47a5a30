"""Strategies by name, and the messages where the requested hardware is not available."""

import re

import pytest
import tensorflow as tf

from yt8m.errors import UserError
from yt8m.runs.devices import strategy as strategy_module
from yt8m.runs.devices.machine import Machine
from yt8m.runs.devices.strategy import make_strategy
from yt8m.runs.devices.workers import is_chief, worker_of


@pytest.fixture
def on_machine(monkeypatch):
    """Make this machine look like another one."""
    strategy_module._warn_once.cache_clear()
    monkeypatch.setattr(strategy_module, "_tpus", [])

    def look(**shown):
        monkeypatch.setattr(strategy_module, "this_machine", lambda: Machine(**shown))

    return look


def test_auto_is_one_device_without_gpus():
    strategy = make_strategy("auto")
    assert strategy.num_replicas_in_sync == max(1, len(tf.config.list_logical_devices("GPU")))
    assert is_chief(strategy)
    assert worker_of(strategy) == (0, 1)


def test_mirrored_takes_every_device():
    assert make_strategy("mirrored").num_replicas_in_sync >= 2


def test_an_unused_accelerator_is_named_once(on_machine, capsys):
    on_machine(environment={"TPU_ACCELERATOR_TYPE": "v5e-1"})
    for _ in range(2):
        assert make_strategy("auto").num_replicas_in_sync == 1
    assert capsys.readouterr().err == (
        "warning: a TPU is present (TPU_ACCELERATOR_TYPE=v5e-1), but this TensorFlow cannot use"
        " it: pip install tensorflow-tpu\n"
    )


@pytest.mark.parametrize(
    ("shown", "message"),
    [
        ({}, "found no TPU in this machine (the very machine was asked); choose another"),
        (
            {"environment": {"TPU_WORKER_ID": "0"}},
            "a TPU is present (TPU_WORKER_ID=0), but this TensorFlow cannot use it (the very"
            " machine was asked): pip install tensorflow-tpu",
        ),
        (
            {"tpu_cores": 8},
            "the TPU (TensorFlow lists 8 TPU cores) does not start (the very machine was asked).",
        ),
    ],
)
def test_without_a_tpu_it_says_where_it_looked(on_machine, monkeypatch, shown, message):
    def resolver(tpu):
        assert tpu == "local"
        raise ValueError("the very machine was asked\nand much more")

    monkeypatch.setattr(tf.distribute.cluster_resolver, "TPUClusterResolver", resolver)
    on_machine(**shown)
    with pytest.raises(UserError, match=re.escape(message)):
        make_strategy("tpu")


def test_this_tensorflow_finds_no_tpu():
    """The real resolver's error is one sentence."""
    with pytest.raises(UserError, match=r"^--strategy=tpu found no TPU in this machine"):
        make_strategy("tpu")


def test_a_tpu_is_initialized_once(on_machine, monkeypatch):
    """A second time would lose the variables of the first strategy."""
    calls = []
    on_machine(tpu_cores=8)
    monkeypatch.setattr(
        tf.distribute.cluster_resolver, "TPUClusterResolver", lambda tpu: f"resolver of {tpu}"
    )
    monkeypatch.setattr(tf.tpu.experimental, "initialize_tpu_system", calls.append)
    monkeypatch.setattr(tf.distribute, "TPUStrategy", lambda resolver: ("TPU", resolver))
    assert make_strategy("auto") == make_strategy("tpu") == ("TPU", "resolver of local")
    assert calls == ["resolver of local"]


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
    monkeypatch.setattr(strategy_module, "MULTI_WORKER", lambda: "of several workers")
    assert make_strategy("auto") == "of several workers"
    assert worker_of(make_strategy("auto", workers=False)) == (0, 1)
    with pytest.raises(UserError, match="--num_gpu=1: each of several workers uses every GPU"):
        make_strategy("multi_worker", num_gpu=1)
