"""A prediction that is spread over workers: the same bytes however it was interrupted."""

import os
import shutil
import signal

import pytest

from tests.support.commands import refused, run_command
from tests.support.predictions import arguments, content
from tests.support.runs import run_on
from tests.support.untrained import save_untrained
from yt8m.data.files.shards import find_shards
from yt8m.evaluation import progress
from yt8m.largescale import executors
from yt8m.largescale.executors.in_process import InProcessExecutor
from yt8m.largescale.prediction import spread
from yt8m.submission.score_files import ScoreFile


class Backwards(InProcessExecutor):
    """Completes its tasks in the opposite order, and counts them; may stop before the last ones."""

    def __init__(self, stop_after=99):
        super().__init__()
        self.ran, self.stop_after = [], stop_after

    def map(self, function, tasks, shared):
        for task_id in reversed(range(len(tasks))):
            if len(self.ran) == self.stop_after:
                os.kill(os.getpid(), signal.SIGTERM)
            self.check()
            self.ran.append(tasks[task_id].number)
            yield task_id, function(tasks[task_id], shared)


@pytest.fixture(scope="module")
def made(small_data, tmp_path_factory):
    """A run, six shards, and what an undisturbed command writes."""
    folder = tmp_path_factory.mktemp("spread")
    save_untrained(run_on(small_data, "LogisticModel"), folder / "run")
    for i, path in enumerate(find_shards(small_data.pattern("train", "video")) * 2):
        shutil.copy(path, folder / f"{i:02d}.tfrecord")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(spread.PART_BYTES, "video", 1)
        assert predicted(folder, folder / "whole", InProcessExecutor(), patch).code == 0
    return folder


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setitem(spread.PART_BYTES, "video", 1)  # each shard is a part


def predicted(folder, out, executor, monkeypatch, *more):
    monkeypatch.setattr(executors, "make_executor", lambda address: executor)
    return run_command("predict", *arguments(folder, out, "--executor=ray", *more))


@pytest.mark.usefixtures("small_parts")
def test_parts_are_merged_in_order_and_every_id_comes_once(made, tmp_path, monkeypatch):
    one, other = made / "whole", tmp_path / "other"
    assert predicted(made, other, Backwards(), monkeypatch).code == 0
    assert content(one) == content(other)
    run_command("predict", *arguments(made, tmp_path / "alone"))
    alone, both = ScoreFile(f"{tmp_path}/alone/scores"), ScoreFile(f"{one}/scores")
    assert sorted(alone.ids) == sorted(both.ids)
    assert len((one / "s.csv").read_text().splitlines()) == 1 + len(alone.ids)


@pytest.mark.usefixtures("small_parts")
def test_a_stopped_coordinator_uses_the_parts_that_are_there(made, tmp_path, monkeypatch):
    one, other = made / "whole", tmp_path / "other"
    stopped = predicted(made, other, Backwards(stop_after=2), monkeypatch)
    assert stopped.code == 128 + signal.SIGTERM
    (left,) = (other / "s.csv.progress").glob("parts-*")
    assert {path.name for path in left.iterdir()} == {"000005", "000004"}
    again = Backwards()
    ended = predicted(made, other, again, monkeypatch)
    assert ended.code == 0, ended.err
    assert again.ran == [3, 2, 1, 0]
    assert content(one) == content(other)


@pytest.mark.usefixtures("small_parts")
def test_what_is_merged_is_not_predicted_again(made, tmp_path, monkeypatch):
    class Stops(InProcessExecutor):
        def map(self, function, tasks, shared):
            yield from list(super().map(function, tasks, shared))[:3]
            os.kill(os.getpid(), signal.SIGTERM)
            self.check()

    one, other = made / "whole", tmp_path / "other"
    assert predicted(made, other, Stops(), monkeypatch).code == 128 + signal.SIGTERM
    for path in (other / "s.csv.progress").glob("parts-*/*"):
        shutil.rmtree(path)
    again = Backwards()
    ended = predicted(made, other, again, monkeypatch)
    assert ended.code == 0, ended.err
    assert again.ran == [5, 4, 3]
    assert content(one) == content(other)


def test_an_output_in_a_bucket_is_refused(made, tmp_path):
    given = arguments(made, tmp_path, "--executor=ray", "--output_file=gs://bucket/s.csv")
    assert "must be local" in refused("predict", *given)


@pytest.mark.usefixtures("small_parts")
def test_the_lines_that_a_part_would_print_are_its_progress(made, tmp_path, monkeypatch, noted):
    monkeypatch.setattr(progress, "EVERY_SECONDS", 0.0)
    assert predicted(made, tmp_path / "other", Backwards(), monkeypatch).code == 0
    assert len(noted) >= 6
