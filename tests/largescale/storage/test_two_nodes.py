"""An alternation on two nodes that share no folder, of which one is killed in step 2."""

import pathlib
import re
import subprocess
import sys
import tempfile
import time

import h5py
import numpy as np
import pytest

from tests.largescale.storage.two_nodes import environment, skip_without_namespaces, two_nodes
from tests.support.runs import events

pytest.importorskip("ray", reason="Ray is not installed: pip install '.[cluster]'")
ROOT = pathlib.Path(__file__).parents[3]
FLAGS = [
    *("--trainer=alternating", "--model=VideoDbofBasic", "--model_option=width=16"),
    *("--model_option=num_mixtures=2", "--batch_size=50", "--base_learning_rate=0.02"),
    *("--num_epochs=2", "--max_experts=6", "--num_partitions=4", "--step2_learning_rate=0.02"),
    *("--step2_batch_size=100", "--step2_max_epochs=2", "--step3_initial_delta=1e-3"),
    *("--step3_max_iterations=2", "--max_cycles=1"),
]


def command(records, run, *more):
    """Return the command that trains on records below a folder."""
    patterns = [
        f"--train_data_pattern={records}/train*.tfrecord",
        f"--eval_data_pattern={records}/validate*.tfrecord",
    ]
    return [sys.executable, str(ROOT / "train.py"), *FLAGS, *patterns, f"--train_dir={run}", *more]


@pytest.fixture(scope="module")
def records(small_data):
    return pathlib.Path(small_data.pattern("train", "video")).parent


@pytest.fixture(scope="module")
def undisturbed(records, tmp_path_factory):
    """The folder of the same run in one process on this machine."""
    skip_without_namespaces()
    run, home = tmp_path_factory.mktemp("undisturbed"), tmp_path_factory.mktemp("home")
    (home / "tmp").mkdir()
    done = subprocess.run(
        command(records, run), env=environment(str(home)), cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return run


def trained(cluster, *arguments):
    """Run the trainer on the first node, and kill the second while it puts what is held."""
    first, second = cluster.nodes
    head = f"--executor={cluster.start_ray()}"
    with (
        tempfile.TemporaryFile("w+") as log,
        subprocess.Popen(
            first.command(*command(*arguments), head),
            env=cluster.env,
            cwd=ROOT,
            stdout=log,
            stderr=log,
        ) as driver,
    ):
        held = []
        while not held and driver.poll() is None:
            time.sleep(0.05)
            held = [asked for asked in cluster.requests() if asked[0] == "HELD"]
        second.kill()
        ended = driver.wait(500)
        log.seek(0)
        assert ended == 0, log.read()[-6000:]
    put = cluster.requests()
    before = put[: put.index(held[0])]
    assert second.address in {node for _, _, node in before}  # what it had done counts
    return held[0][1], [name for _, name, node in put[len(before) :] if node == first.address]


@pytest.mark.slow
def test_features_in_a_store_survive_a_node_that_dies_while_it_puts_them(
    undisturbed, records, tmp_path
):
    hold = (r"/train/\d+\.", 4)  # the rows of its second shard, whose features are there
    with two_nodes({}, hold) as cluster:
        for node in cluster.nodes:
            node.copy_in(records, "records")  # each node has its own copy
        work, store = cluster.work, f"--shared_store={cluster.store}"
        held, later = trained(cluster, f"{work}/records", f"{work}/run", store)
        cluster.nodes[0].copy_out("run", tmp_path)
    assert held in later
    assert outcome(tmp_path) == outcome(undisturbed)


@pytest.mark.rare
def test_a_run_in_a_bucket_survives_a_node_that_dies_while_it_puts_weights(
    undisturbed, records, tmp_path
):
    there = {f"bucket/records/{f.name}": f.read_bytes() for f in records.iterdir()}
    hold = (r"/partitions/\d+\.\w+\.tmp$", 2)  # those of its second partition in the last epoch
    with two_nodes(there, hold) as cluster:
        held, later = trained(cluster, "gs://bucket/records", "gs://bucket/run")
        for name, content in cluster.google().items():
            if name.startswith("bucket/run/") and not name.endswith("/"):
                path = tmp_path / name[len("bucket/run/") :]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
    partition = re.search(r"/partitions/\d+\.", held)[0]
    assert any(partition in name for name in later)
    assert outcome(tmp_path) == outcome(undisturbed)


def outcome(run):
    """Return the GAP after each epoch and iteration, and all weights of three models, as bytes."""
    gaps = [(e["name"], e["iteration"], e["gap"]) for e in events(run, "iteration")]
    models = {}
    for name in ("alternation/cycle1_step2/best", "alternation/cycle1_step3/best", "last"):
        with h5py.File(run / name / "model.weights.h5") as weights:
            models[name] = arrays(weights)
    return gaps, models


def arrays(group):
    found = {}

    def visit(name, item):
        if isinstance(item, h5py.Dataset) and item.dtype.kind == "f":
            found[name] = np.asarray(item).tobytes()

    group.visititems(visit)
    assert found
    return found
