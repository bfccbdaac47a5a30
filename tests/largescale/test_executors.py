"""Executors without an engine: counting, the tree of sums, warm values and users' mistakes."""

import builtins
import re
import socket
import sys
from unittest import mock

import numpy as np
import pytest

from yt8m.errors import UserError
from yt8m.largescale.executors import make_executor, ray_executor
from yt8m.largescale.executors.base import TreeReduction, check_counted, forget, warm
from yt8m.largescale.executors.calls import Part
from yt8m.largescale.executors.in_process import InProcessExecutor


def add(total, part):
    return part + 0 if total is None else total + part


def bracket(total, part):
    """Shows the shape of the tree: `(a b c)`."""
    return f"({part})" if total is None else f"{total[:-1]} {part})"


def power(task, shared):
    return shared["base"].value ** task


@pytest.mark.parametrize("count", [1, 2, 7, 8, 9, 40, 64, 65])
def test_map_reduce_is_the_sum(count):
    with_close = make_executor("")
    shared = {"base": with_close.broadcast(3)}
    assert with_close.map_reduce(power, range(count), shared, add) == (3**count - 1) // 2
    assert sorted(with_close.map(power, range(count), shared)) == [(i, 3**i) for i in range(count)]
    with_close.close()


def test_the_tree_keeps_order_and_groups_by_fan():
    tree = TreeReduction(bracket, fan=3)
    for i in range(7):
        tree.add(str(i))
    assert tree.result() == "((0 1 2) (3 4 5) (6))"


def test_a_float32_sum_is_that_of_the_tree():
    parts = np.random.default_rng(0).normal(size=(40, 1000)).astype(np.float32)
    level = list(parts)
    while len(level) > 1:
        level = [np.add.accumulate(np.stack(level[i : i + 8]))[-1] for i in range(0, len(level), 8)]
    got = make_executor("").map_reduce(lambda i, shared: parts[i], range(40), {}, add)
    np.testing.assert_array_equal(got, level[0])
    assert (
        got != parts[::-1].sum(0)
    ).any()  # another order gives other digits, so the equality says something


def test_counting_refuses_missing_twice_and_disorder():
    check_counted([0, 1, 2], 3)
    for ids in ([0, 2], [0, 1, 1, 2], [1, 0, 2], []):
        with pytest.raises(RuntimeError, match="counted once"):
            check_counted(ids, 3)


def test_an_error_in_a_task_comes_out():
    def fails(task, shared):
        raise UserError("file 3 is broken")

    with pytest.raises(UserError, match="file 3"):
        make_executor("").map_reduce(fails, range(2), {}, add)


def test_each_broadcast_has_a_key_of_its_own():
    executor = make_executor("")
    assert executor.broadcast(1).key != executor.broadcast(1).key


def test_warm_makes_once_and_keeps_two():
    made = []
    for key in ("a", "a", "b", "a", "c", "a", "b"):
        assert warm("test-" + key, lambda key=key: made.append(key) or key) == key
    assert made == ["a", "b", "c", "b"]
    for key in "abc":
        forget("test-" + key)


def test_an_unknown_executor_is_a_user_error():
    with pytest.raises(UserError, match='--executor=spark is not known; use "in_process"'):
        make_executor("spark")
    for wrong in (
        "ray?worker=2",
        "ray?workers=two",
        "ray?threads=0",
        "ray?gpus=nan",
        "in_process?task_timeout",
    ):
        with pytest.raises(UserError, match="is not one of its options"):
            make_executor(wrong)
    assert make_executor("in_process?threads=2").local


class Threads(InProcessExecutor):
    """An engine of another package."""

    def __init__(self, workers="1"):
        super().__init__()
        self.workers = int(workers)


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Install a package whose entry point is the class above."""
    about = tmp_path / "others-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: others\nVersion: 1.0\n")
    entries = f"[yt8m.executors]\nthreads = {__name__}:Threads\ngone = no.such.module:Made\n"
    (about / "entry_points.txt").write_text(entries)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(sys.modules, __name__, sys.modules[Threads.__module__])


@pytest.mark.usefixtures("installed")
def test_an_installed_package_may_bring_an_executor():
    made = make_executor("threads?workers=3")
    assert (type(made), made.workers) == (Threads, 3)
    shared = {"base": made.broadcast(2)}
    assert made.map_reduce(power, range(5), shared, add) == 31
    for wrong, why in (("threads?workers=x", "ValueError"), ("threads?cores=1", "TypeError")):
        with pytest.raises(UserError, match=f"--executor={re.escape(wrong)}: .*Threads.*{why}"):
            make_executor(wrong)
    with pytest.raises(UserError, match=r"no\.such\.module:Made of the installed.*ModuleNotFound"):
        make_executor("gone")
    with pytest.raises(UserError, match=r"--executor=spark is not known.*gone, threads"):
        make_executor("spark")


@pytest.fixture
def fake_ray(monkeypatch):
    """Return a stand-in for the module, which starts nothing."""
    fake = mock.MagicMock()
    fake.is_initialized.return_value = False
    fake.cluster_resources.return_value = {}
    monkeypatch.setattr(ray_executor, "_import_ray", lambda: fake)
    return fake


@pytest.mark.parametrize("chosen", [None, "0", "1"])
def test_workers_use_onednn_where_the_driver_does(chosen, fake_ray, monkeypatch):
    """Its kernels round in another way, and by default TensorFlow decides by the processor."""
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    if chosen is not None:
        monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", chosen)
    make_executor("auto?threads=3")
    variables = fake_ray.init.call_args.kwargs["runtime_env"]["env_vars"]
    assert variables.get("TF_ENABLE_ONEDNN_OPTS") == chosen
    assert variables["TF_NUM_INTRAOP_THREADS"] == "3"


def test_tasks_ask_for_memory_that_the_largest_node_has(fake_ray):
    large, small = {"memory": 8e9, "CPU": 4.0}, {"memory": 3e9, "CPU": 2.0}
    fake_ray.nodes.return_value = [
        {"Alive": True, "Resources": large},
        {"Alive": True, "Resources": small},
        {"Alive": True, "Resources": {"memory": 1e9, "CPU": 1.0}},  # too few cores for a task
        {"Alive": False, "Resources": {"memory": 64e9, "CPU": 2.0}},
        {"Alive": True, "Resources": {"CPU": 2.0}},
    ]
    executor = make_executor("auto?threads=2")
    assert executor.worker_memory() == 3_000_000_000  # of the small node's one worker
    task = fake_ray.remote.return_value.return_value
    for asked, given in ((0, None), (5_000_000_000, 5_000_000_000), (10**11, 8_000_000_000)):
        executor.task_memory = asked
        fake_ray.wait.side_effect = lambda refs, **_: (refs, [])
        fake_ray.get.side_effect = lambda refs: [(0.0, Part(0, 1, [7])) for _ in refs]
        assert list(executor.map(power, [0], {})) == [(0, 7)]
        assert task.options.call_args.kwargs["memory"] == given


@pytest.mark.parametrize("address", ["ray", "auto", "10.0.0.1:6379", "ray://10.0.0.1:10001"])
def test_without_ray_the_message_explains_its_installation(address, monkeypatch):
    real = builtins.__import__

    def no_ray(name, *args, **kwargs):
        if name == "ray" or name.startswith("ray."):
            raise ImportError(f"No module named {name!r}")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", no_ray)
    with pytest.raises(UserError, match=r"pip install '\.\[cluster\]'"):
        make_executor(address)


@pytest.mark.parametrize(
    "address", ["127.0.0.1:{port}", "ray://127.0.0.1:{port}", "127.0.0.1:port"]
)
def test_a_missing_cluster_is_reported_at_once(address):
    pytest.importorskip("ray", reason="Ray is not installed: pip install '.[cluster]'")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody answers there
        address = address.format(port=taken.getsockname()[1])
        with pytest.raises(UserError, match=r"no cluster could be joined.*ray start --head"):
            make_executor(address)
