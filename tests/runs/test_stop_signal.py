"""When a session with --max_minutes must stop, by a clock that the test moves."""

import signal

import pytest

from tests.support.clock import Clock
from yt8m.runs.settings.session import Session
from yt8m.runs.stop_signal import Deadline, Stopped, StopSignal, StopVote


def session(clock, minutes):
    return Session(max_minutes=minutes, began=clock(), clock=clock)


def asked_every(clock, deadline, seconds):
    """Return the time at which a run that asks so often must stop."""
    while not deadline():
        clock.now += seconds
    return clock.now


def test_without_a_limit_nothing_ends():
    clock = Clock()
    deadline = Deadline(Session(clock=clock))
    clock.now = 1e9
    assert not deadline()
    assert not deadline.wants_a_saving


@pytest.mark.parametrize("minutes", [2, 30, 500])
@pytest.mark.parametrize(("step", "saving"), [(0.5, 2.0), (5.0, 12.0)])
def test_it_stops_so_early_that_saving_fits_and_no_earlier(minutes, step, saving):
    clock = Clock(1000.0)
    deadline = Deadline(session(clock, minutes))
    clock.now += 5  # the first step compiles
    assert not deadline()
    assert deadline.wants_a_saving
    with deadline.saving():
        clock.now += saving
    assert not deadline.wants_a_saving
    left = 1000 + 60 * minutes - asked_every(clock, deadline, step)
    margin = min(60, 10 + 0.6 * minutes)
    needed = margin + step + 1.5 * saving
    assert needed - step <= left <= needed
    clock.now -= 1000  # once it is over, it stays so
    assert deadline()


def test_long_intervals_leave_room_and_are_forgotten_and_compiling_does_not_count():
    clock = Clock()
    deadline = Deadline(session(clock, 60))
    with deadline.saving():
        clock.now += 1
    deadline()
    clock.now += 300  # compiles
    deadline()
    short = deadline.reserve()
    clock.now += 40  # a slow shard
    deadline()
    assert deadline.reserve() == pytest.approx(short + 40)
    for _ in range(300):
        clock.now += 0.1
        deadline()
    assert deadline.reserve() == pytest.approx(short, abs=0.2)


def test_the_end_of_a_session_has_its_own_exit_code_and_a_signal_keeps_its_own():
    clock = Clock()
    stop = StopSignal(session(clock, 1))
    stop.raise_if_set()
    clock.now += 59
    with pytest.raises(Stopped, match="--max_minutes") as ended:
        stop.raise_if_set()
    assert (ended.value.code, ended.value.number) == (75, None)
    stop.note(signal.SIGTERM)
    with pytest.raises(Stopped, match="signal 15") as ended:
        stop.raise_if_out_of_time()
    assert ended.value.code == 143


def test_workers_agree_on_the_reason():
    clock = Clock()
    others = {"time": False, "signal": False}
    stop = StopSignal(session(clock, 1))
    answers = iter(["time", "signal"])
    vote = StopVote(stop, lambda own: own or others[next(answers)])
    others["time"] = True  # another worker's clock is ahead
    assert vote()
    assert vote.stopped.code == 75
    answers = iter(["time", "signal"])
    vote = StopVote(stop, lambda own: own or others[next(answers)])
    others["signal"] = True
    assert vote()
    assert vote.stopped.code == 143


def test_a_worker_without_a_limit_votes_on_the_reason_as_well():
    answers = iter([True, False])  # another worker's time is over, and none has a signal
    vote = StopVote(StopSignal(Session()), lambda own: own or next(answers))
    assert vote()
    assert vote.stopped.code == 75
