"""The share of the CPU that a container may use, and the threads that follow from it."""

import subprocess
import sys

import pytest

from yt8m.runs.devices.cpu import cpu_flags, cpu_quota
from yt8m.runs.devices.machine import Machine
from yt8m.runs.devices.threads import threads_of


@pytest.fixture
def root(tmp_path):
    """Return a function that writes files below a folder, and returns the folder."""

    def write(**files):
        for path, text in files.items():
            file = tmp_path / path.replace("__", "/").replace("DOT", ".").replace("COMMA", ",")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return tmp_path

    return write


def test_the_quota_of_version_2(root):
    at = root(sys__fs__cgroup__cpuDOTmax="250000 100000\n", proc__self__cgroup="0::/\n")
    assert cpu_quota(at) == 3, "rounded up"
    assert cpu_quota(root(sys__fs__cgroup__cpuDOTmax="max 100000\n")) == 0


def test_the_smallest_quota_above_a_process_counts(root):
    at = root(
        proc__self__cgroup="0::/a/b\n",
        sys__fs__cgroup__a__cpuDOTmax="200000 100000\n",
        sys__fs__cgroup__a__b__cpuDOTmax="800000 100000\n",
    )
    assert cpu_quota(at) == 2


def test_the_quota_of_version_1(root):
    at = root(
        proc__self__cgroup="5:memory:/x\n3:cpu,cpuacct:/y\n",
        sys__fs__cgroup__cpuCOMMAcpuacct__y__cpuDOTcfs_quota_us="150000\n",
        sys__fs__cgroup__cpuCOMMAcpuacct__y__cpuDOTcfs_period_us="100000\n",
    )
    assert cpu_quota(at) == 2
    assert cpu_quota(root(sys__fs__cgroup__cpuCOMMAcpuacct__y__cpuDOTcfs_quota_us="-1\n")) == 0


def test_a_machine_that_shows_nothing(tmp_path):
    assert cpu_quota(tmp_path) == 0
    assert cpu_flags(tmp_path) == frozenset()


def test_the_flags_of_the_cpu(root):
    at = root(proc__cpuinfo="model\t: 2\nflags\t\t: fpu avx512_bf16\nbugs\t: none\n")
    assert cpu_flags(at) == {"fpu", "avx512_bf16"}


@pytest.mark.parametrize(
    ("shown", "threads"),
    [
        ({"cpus": 64, "cpu_quota": 4}, 4),
        ({"cpus": 4, "cpu_quota": 8}, 0),
        ({"cpus": 4}, 0),
        ({"cpus": 64, "cpu_quota": 4, "environment": {"TF_NUM_INTRAOP_THREADS": "9"}}, 0),
    ],
)
def test_only_a_quota_below_the_cores_limits_the_threads(shown, threads):
    assert threads_of(Machine(**shown)) == threads


LIMITED = """
import tensorflow as tf
from yt8m.runs.devices.machine import Machine
from yt8m.runs.devices.threads import limit_threads, threads_in_use
machine = Machine(cpus=64, cpu_quota=1)
{before}
limit_threads(machine)
threading = tf.config.threading
print(threads_in_use(machine), threading.get_inter_op_parallelism_threads())
"""


@pytest.mark.parametrize(
    ("before", "printed"),
    [
        ("", "1 2"),
        ("tf.config.threading.set_intra_op_parallelism_threads(5)", "5 0"),
        ("tf.ones([])", "64 0"),
    ],
)
def test_threads_are_set_once_and_by_the_user_first(before, printed, monkeypatch):
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        monkeypatch.delenv(name, raising=False)
    code = LIMITED.format(before=before)
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == printed
