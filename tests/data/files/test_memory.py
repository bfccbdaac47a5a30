"""The memory that is left is that of the machine and of its control groups."""

import pytest

from yt8m.data.files.memory import available_memory

GB = 1 << 30
V1, V2 = "sys/fs/cgroup/memory", "sys/fs/cgroup"


@pytest.fixture
def machine(tmp_path):
    """Return a function that writes files below a folder, and returns the folder."""

    def write(files):
        for path, text in files.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(f"{text}\n")
        return tmp_path

    return write


MEMINFO = {"proc/meminfo": f"MemTotal: 99 kB\nMemAvailable:   {16 * GB // 1024} kB\nHugePages: 0"}


def test_without_groups_it_is_that_of_the_machine(machine):
    assert available_memory(machine(MEMINFO)) == 16 * GB


def test_a_system_that_does_not_say(tmp_path):
    assert available_memory(tmp_path) is None


def version_1(folder, limit, used, kept):
    at = f"{V1}{folder}/memory"
    return {
        f"{at}.limit_in_bytes": limit,
        f"{at}.usage_in_bytes": used,
        f"{at}.stat": f"active_file 1\ntotal_inactive_file {kept}\ntotal_active_file {GB}",
    }


def version_2(folder, limit, used, kept, high="max"):
    at = f"{V2}{folder}/memory"
    return {
        f"{at}.max": limit,
        f"{at}.high": high,
        f"{at}.current": used,
        f"{at}.stat": f"anon 5\ninactive_file {kept}\nactive_file {GB}",
    }


@pytest.mark.parametrize("group", [version_1, version_2])
def test_the_limit_of_a_container(machine, group):
    groups = {"proc/self/cgroup": "4:cpu:/y\n3:memory:/host/path\n0::/host/path"}
    at = machine({**MEMINFO, **groups, **group("", 8 * GB, 5 * GB, 2 * GB)})
    assert available_memory(at) == 6 * GB  # what is only kept from files would be given up
    assert available_memory(machine(group("", 8 * GB, 15 * GB, 2 * GB))) == 0


@pytest.mark.parametrize("group", [version_1, version_2])
def test_the_smallest_of_the_groups_above_a_process_counts(machine, group):
    at = machine(
        {
            **MEMINFO,
            "proc/self/cgroup": "3:memory:/a/b" if group is version_1 else "0::/a/b",
            **group("/a", 8 * GB, 5 * GB, 0),
            **group("/a/b", 12 * GB, 3 * GB, 0),
        }
    )
    assert available_memory(at) == 4 * GB


def test_groups_without_a_limit(machine):
    limits = {**version_1("", 9223372036854771712, GB, 0), **version_2("", "max", GB, 0)}
    assert available_memory(machine({**MEMINFO, **limits})) == 16 * GB


def test_the_limit_above_which_a_process_is_slowed_down(machine):
    assert available_memory(machine(version_2("", "max", 3 * GB, 0, high=4 * GB))) == 2 * GB
