"""Calls of several tasks on a fake cluster: equal sums, counting, and the coordinator's work."""

import random
from types import SimpleNamespace

import numpy as np
import pytest

from yt8m.errors import UserError
from yt8m.largescale.executors import make_executor, ray_executor
from yt8m.largescale.executors.base import FAN
from yt8m.largescale.executors.calls import CallSizes, Part, joined

PARTS = np.random.default_rng(0).normal(size=(700, 20)).astype(np.float32)


def part(task, shared):
    return PARTS[task] * shared["scale"].value


def add(total, other):
    return other + 0 if total is None else total + other


class Ref:
    def __init__(self, value):
        self.value = value


class FakeRay:
    """Ends calls in a random order, and counts the references that it is given to look at."""

    def __init__(self, cores=2):
        self.cores, self.calls, self.looked_at, self.most = cores, [], 0, 0
        self._random = random.Random(0)
        self.exceptions = SimpleNamespace(
            WorkerCrashedError=TimeoutError, NodeDiedError=TimeoutError,
            OutOfMemoryError=TimeoutError, RayTaskError=InterruptedError,
        )  # fmt: skip

    def remote(self, **options):
        def made(what):
            return FakeActor if isinstance(what, type) else FakeFunction(self, what, options)

        return made

    def is_initialized(self):
        return True

    def cluster_resources(self):
        return {"CPU": float(self.cores)}

    def nodes(self):
        return [{"Alive": True, "Resources": {"CPU": float(self.cores), "memory": 1e9}}]

    put = staticmethod(Ref)

    def get(self, refs, timeout=None):
        return [ref.value for ref in refs] if isinstance(refs, list) else refs.value

    def wait(self, refs, num_returns, timeout):
        self.looked_at += len(refs)
        self.most = max(self.most, len(refs))
        done = self._random.sample(refs, self._random.randint(0, num_returns))
        return done, [ref for ref in refs if ref not in done]


class FakeActor:
    """An actor's class and its handle."""

    heard = iter(())  # of the progress, whenever it is asked for; then 0

    @classmethod
    def remote(cls):
        handle = cls()
        handle.tell = SimpleNamespace(remote=lambda: None)
        handle.count = SimpleNamespace(remote=lambda: Ref(next(cls.heard, 0)))
        return handle


class FakeFunction:
    def __init__(self, ray, function, options):
        self._ray, self._function, self._options = ray, function, options

    def options(self, **options):
        return FakeFunction(self._ray, self._function, {**self._options, **options})

    def remote(self, *arguments):
        self._ray.calls.append(self._function.__name__)
        value = self._function(*(a.value if isinstance(a, Ref) else a for a in arguments))
        return (
            Ref(value)
            if self._options.get("num_returns", 1) == 1
            else [Ref(each) for each in value]
        )


@pytest.fixture
def cluster(monkeypatch):
    """Return a function that makes an executor on a fake cluster of so many cores."""

    def make(cores=2):
        fake = FakeRay(cores)
        monkeypatch.setattr(ray_executor, "_import_ray", lambda: fake)
        return fake, make_executor("ray")

    return make


@pytest.mark.parametrize("cores", [1, 50])
@pytest.mark.parametrize("count", [1, 8, 9, 64, 65, 700])
def test_a_sum_has_the_digits_of_the_whole_tree_however_its_calls_are_cut(count, cores, cluster):
    fake, executor = cluster(cores)
    here = make_executor("")
    expected = here.map_reduce(part, range(count), {"scale": here.broadcast(np.float32(3))}, add)
    scale = {"scale": executor.broadcast(np.float32(3))}
    got = executor.map_reduce(part, range(count), scale, add)
    np.testing.assert_array_equal(got, expected)
    found = dict(executor.map(part, range(count), scale))
    np.testing.assert_array_equal([found[i] for i in range(count)], PARTS[:count] * 3)
    if (count, cores) == (700, 1):
        assert fake.calls.count("run_tasks") < 2 * 350  # so there were calls of several tasks
        assert (got != (PARTS * np.float32(3)).sum(0)).any()  # another order has other digits


def bracket(total, other):
    return f"({other})" if total is None else f"{total[:-1]} {other})"


@pytest.mark.parametrize("cores", [1, 50])
def test_a_sum_begins_with_eight_values_of_tasks(cores, cluster):
    """A total may be larger than a value: that of a gradient has twice its bytes."""
    here, (_, executor) = make_executor(""), cluster(cores)
    for count in (1, 8, 70, 600):
        arguments = (lambda task, shared: str(task), range(count), {}, bracket)
        assert executor.map_reduce(*arguments) == here.map_reduce(*arguments)


@pytest.mark.parametrize("cores", [1, 300])
def test_the_driver_looks_at_each_call_a_few_times_and_lets_few_fly(cores, cluster, monkeypatch):
    monkeypatch.setattr("yt8m.largescale.executors.calls.CALL_SECONDS", 0.0)  # each task is a call
    looks = {}
    for count in (2000, 8000):
        fake, executor = cluster(cores)
        assert sum(1 for _ in executor.map(lambda task, shared: 0, range(count), {})) == count
        assert fake.most <= max(32, 2 * cores)
        looks[count] = fake.looked_at
    assert looks[8000] < 6 * looks[2000]  # 16 times as many if each call looked at all others
    assert looks[8000] < 40 * 8000


def test_short_tasks_share_calls_and_the_last_calls_are_small():
    sizes, calls = CallSizes(100_000), []
    while sizes.left:
        calls.append(sizes.next(workers=4))
        sizes.took(calls[-1], 1e-4 * (calls[-1].stop - calls[-1].start))
    assert len(calls) < 500
    assert all(c.stop - c.start == FAN**c.level and c.start % FAN**c.level == 0 for c in calls)
    assert [c.start for c in calls[1:]] == [c.stop for c in calls[:-1]]
    assert max(c.stop - c.start for c in calls) == FAN**4
    assert {c.level for c in calls[-8:]} == {0}


def test_long_tasks_are_calls_of_their_own():
    sizes = CallSizes(1000)
    for _ in range(1000):
        call = sizes.next(workers=1)
        assert call.stop == call.start + 1
        sizes.took(call, 0.5)
    assert not sizes.left


def test_parts_with_a_gap_or_an_overlap_are_not_joined():
    assert joined(add, Part(0, 2, 5), Part(2, 3, 1)) == Part(0, 3, 6)
    for wrong in (Part(3, 4, 1), Part(1, 3, 1)):
        with pytest.raises(RuntimeError, match="counted once each and in order"):
            joined(add, Part(0, 2, 5), wrong)


@pytest.fixture
def hours(monkeypatch):
    """Let each look at the clock find it 1,000 s later."""
    clock = iter(range(0, 10**9, 1000))
    monkeypatch.setattr(ray_executor, "time", SimpleNamespace(monotonic=lambda: next(clock)))


@pytest.mark.parametrize("heard", [[], [7, 7]])
def test_when_nothing_ends_or_goes_on_any_more_the_call_fails(heard, cluster, hours, monkeypatch):
    fake, executor = cluster()
    monkeypatch.setattr(fake, "wait", lambda refs, **_: ([], refs))
    monkeypatch.setattr(FakeActor, "heard", iter(heard))
    with pytest.raises(UserError, match="no task ended or went on within 3660 s"):
        list(executor.map(lambda task, shared: 0, range(3), {}))


def test_tasks_that_go_on_may_take_any_time(cluster, hours, monkeypatch):
    fake, executor = cluster()
    monkeypatch.setattr(FakeActor, "heard", iter(range(1, 100)))
    waits = iter(range(100))
    monkeypatch.setattr(fake, "wait", lambda refs, **_: (refs if next(waits) > 50 else [], refs))
    assert dict(executor.map(lambda task, shared: task, range(3), {})) == {0: 0, 1: 1, 2: 2}
    assert next(waits) > 50
    assert next(FakeActor.heard) > 5
