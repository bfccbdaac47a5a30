"""The loop over shards counts broken records, and stops between two of them."""

import pytest

from yt8m.errors import UserError
from yt8m.largescale.executors import make_executor
from yt8m.largescale.tasks.run_shards import run_shards
from yt8m.runs.stop_signal import Stopped, StopSignal


def test_broken_records_are_counted_over_all_shards():
    tasks, executor = [1, 0, 1], make_executor("")
    run_shards(executor, lambda broken, shared: broken, tasks, {}, 2, StopSignal())
    with pytest.raises(UserError, match=r"^2 broken records were found, but --max_bad_records=1"):
        run_shards(executor, lambda broken, shared: broken, tasks, {}, 1, StopSignal())


def test_a_signal_stops_it_after_a_shard():
    stop, done = StopSignal(), []

    def convert(task, shared):
        done.append(task)
        stop.note(15)
        return 0

    with pytest.raises(Stopped, match="signal 15"):
        run_shards(make_executor(""), convert, [0, 1], {}, 0, stop)
    assert done == [0]
