"""An alternation whose step 2 shares features and partitions through a store of objects."""

import dataclasses
import os
import shutil
import tempfile

import numpy as np
import pytest

from tests.support.alternations import config_of, continued, scores_of
from tests.support.object_store import serving
from yt8m.errors import UserError
from yt8m.largescale.alternating import trainer
from yt8m.largescale.executors.in_process import InProcessExecutor
from yt8m.largescale.storage import objects


class Nodes:
    """A fake cluster: each task runs on a node of its own, whose disk is empty at first."""

    local = False

    def __init__(self, folder):
        self._folder, self._inner, self.count = folder, InProcessExecutor(), 0
        self.broadcast, self.check = self._inner.broadcast, self._inner.check

    def map(self, fn, tasks, shared):
        here = tempfile.tempdir
        for i, task in enumerate(tasks):
            tempfile.tempdir = str(self._folder / f"node{self.count}")
            os.makedirs(tempfile.tempdir)
            self.count += 1
            try:
                _, value = next(self._inner.map(fn, [task], shared))
            finally:
                shutil.rmtree(tempfile.tempdir)  # the node is gone with all that it had
                tempfile.tempdir = here
            yield i, value

    def __getattr__(self, name):
        return getattr(self._inner, name)


@pytest.fixture
def nodes(tmp_path, monkeypatch):
    nodes = Nodes(tmp_path)
    monkeypatch.setattr(trainer, "make_executor", lambda *_, **__: nodes)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return nodes


def test_nodes_that_share_no_folder_train_the_same_model(
    full, full_scores, small_data, tmp_path, nodes
):
    with serving() as (server, address):
        config = config_of(small_data, shared_store=address)
        target = continued(full, tmp_path / "run", config)
        assert nodes.count >= 2 * 3 + 3  # features of two sets, and partitions
        names = {path.split("/")[-2] for method, path in server.asked if method == "PUT"}
        assert names == {"train", "validation", "partitions"}
        assert server.objects == {}  # nothing is left when the step is over
    np.testing.assert_array_equal(scores_of(target, small_data), full_scores[0])
    assert not list(tmp_path.glob("yt8m-cache-*/*"))


def test_a_run_at_an_address_that_tensorflow_opens_needs_no_other_store(
    full, full_scores, small_data, tmp_path, nodes
):
    target = continued(full, f"file://{tmp_path}/run", config_of(small_data))
    np.testing.assert_array_equal(scores_of(target, small_data), full_scores[0])
    assert not list(tmp_path.glob("**/*.features"))
    assert nodes.count >= 2 * 3 + 3


def test_a_run_where_tensorflow_opens_nothing_is_refused(small_data):
    with pytest.raises(UserError, match=r"--train_dir=s3://b/run: .*give s3:// to --shared_store"):
        trainer.check(config_of(small_data), "s3://b/run")


def test_pooled_records_are_not_kept_in_the_store(small_data):
    config = config_of(small_data)
    settings = dataclasses.replace(config.alternation, shared_store="s3://x", frame_network="y")
    with pytest.raises(UserError, match=r"--shared_store.*--frame_network"):
        settings.check()


def test_a_store_that_cannot_be_reached_is_refused_before_step_1(small_data, tmp_path, monkeypatch):
    def away(address):
        raise OSError(2, "Name or service not known")

    monkeypatch.setattr(objects.stored, "exists", away)
    config = config_of(small_data, shared_store="gs://away/store")
    with pytest.raises(UserError, match=r"gs://away/store.* cannot be reached.*Name or service"):
        trainer.train(config, str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()
