"""Fixtures of all tests, and two logical CPU devices, which test mirrored training without GPUs."""

import yt8m.process.quiet  # noqa: F401

import os

import pytest
import tensorflow as tf

from yt8m.runs.devices.dtype import VARIABLE

# A test must not compute in another type on another machine, nor must the processes that it starts.
os.environ[VARIABLE] = "float32"

# The quiet import lists physical devices only, so the logical ones can still be configured; once
# TensorFlow has started its devices, they cannot.
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0],
    [tf.config.LogicalDeviceConfiguration(), tf.config.LogicalDeviceConfiguration()],
)


# Tests below these folders start clusters or several trainers, whose processes must answer one
# another in time: no two of them run at once.
_ONE_AT_A_TIME = ("tests/largescale/", "tests/scripts/")


def pytest_collection_modifyitems(items):
    """Keep the slow and rare tests that start many processes in one of the workers."""
    for item in items:
        marked = item.get_closest_marker("slow") or item.get_closest_marker("rare")
        if item.nodeid.startswith(_ONE_AT_A_TIME) and marked:
            item.add_marker(pytest.mark.xdist_group("many processes"))


@pytest.fixture(autouse=True)
def _plain_policy():
    """Begin each test in float32, whatever the one before it set."""
    tf.keras.mixed_precision.set_global_policy("float32")
    yield
    tf.keras.mixed_precision.set_global_policy("float32")


@pytest.fixture
def mirrored():
    """Return a strategy of two replicas.

    Each test's collectives get keys of their own, or TensorFlow takes them for another test's.
    """
    tf.distribute.MirroredStrategy._collective_key_base += 1000
    # Optimising a graph of two replicas takes longer than the few steps that a test runs on it.
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    yield tf.distribute.MirroredStrategy(["/cpu:0", "/cpu:1"])
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})


@pytest.fixture(scope="session")
def small_data(tmp_path_factory):
    """Return a synthetic data set to train on in seconds: 12 classes, 600 training videos."""
    from yt8m.data.synthetic.dataset import SyntheticSpec, make_synthetic

    spec = SyntheticSpec(
        videos=(("train", 600), ("validate", 160), ("test", 40)),
        num_classes=12,
        feature_sizes=(32, 8),
        min_frames=10,
        max_frames=16,
        noise=0.25,
        num_shards=3,
    )
    return make_synthetic(str(tmp_path_factory.mktemp("synthetic")), spec)


@pytest.fixture(scope="session")
def finished_run(small_data, tmp_path_factory):
    """Return the folder of a finished run of one epoch; a test that changes it copies it first."""
    from tests.support.runs import run_config
    from yt8m.training.trainer import train

    folder = tmp_path_factory.mktemp("finished")
    train(run_config(small_data, "LogisticModel", epochs=1), str(folder))
    return folder
