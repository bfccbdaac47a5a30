"""A new run records its shuffle, and a resumed one keeps the shuffle that it began with."""

import dataclasses
import json

import pytest

from yt8m.data.schema import RecordSchema
from yt8m.errors import UserError
from yt8m.models.core.recipe import Recipe
from yt8m.runs.config import ModelConfig, RunConfig, TrainingConfig
from yt8m.runs.folder import RunFolder
from yt8m.runs.open import open_run


def config(level="video", **training):
    return RunConfig(
        RecordSchema(level, ("mean_rgb",), (8,), 5),
        ModelConfig("MoeModel"),
        Recipe(),
        TrainingConfig("a*", **{"shuffle_shards": 0, **training}),
    )


def shuffle_of(config):
    return config.training.shuffle_shards, config.training.shuffle_buffer


@pytest.mark.parametrize(("level", "shuffle"), [("video", (8, 16384)), ("frame", (8, 1024))])
def test_a_new_run_records_its_shuffle(tmp_path, level, shuffle):
    assert shuffle_of(open_run(config(level), str(tmp_path))[0]) == shuffle
    given = config(level, shuffle_shards=3, shuffle_buffer=5)
    assert shuffle_of(open_run(given, str(tmp_path))[0]) == (3, 5)


def test_a_run_that_began_before_keeps_its_shuffle(tmp_path, capsys):
    before = json.loads(config().to_json())
    del before["training"]["shuffle_shards"]  # as runs were stored
    RunFolder(str(tmp_path)).write_text("config.json", json.dumps(before))
    resumed, _, _ = open_run(config(), str(tmp_path))
    assert shuffle_of(resumed) == (8, 0)  # 0: the buffer of that time
    assert "settings changed" not in capsys.readouterr().out
    with pytest.raises(
        UserError, match=r"training\.shuffle_shards: the run has 8, the flags say 64"
    ):
        open_run(config(shuffle_shards=64), str(tmp_path))


def test_a_later_default_does_not_change_a_run(tmp_path):
    began = config(shuffle_shards=32, shuffle_buffer=500)
    RunFolder(str(tmp_path)).write_text("config.json", began.to_json())
    assert shuffle_of(open_run(config(), str(tmp_path))[0]) == (32, 500)


def test_a_trainer_that_shuffles_no_records_records_none(tmp_path):
    new = dataclasses.replace(config(), training=TrainingConfig("a*", trainer="partitioned"))
    assert open_run(new, str(tmp_path))[0] == new
