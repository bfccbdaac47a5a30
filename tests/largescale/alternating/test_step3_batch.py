"""The batch of step 3: as large as fits into a worker's memory, chosen once and kept."""

import types

import pytest

from tests.largescale.gradient.test_full_batch import VIDEO, randomised
from yt8m.errors import UserError
from yt8m.files import write_json
from yt8m.largescale.alternating.step3_batch import with_batch_size
from yt8m.largescale.gradient.shard_gradient import GradientSettings
from yt8m.largescale.gradient.worker_memory import predict
from yt8m.largescale.tasks.record_source import RecordSource
from yt8m.runs.folder import RunFolder
from yt8m.runs.settings.alternation import AlternationConfig


@pytest.fixture
def model():
    return randomised("VideoDbofBasic", width=8)


def settings_for(model, rows=64):
    source = RecordSource(VIDEO, rows)
    return GradientSettings.of(model, ("head",), "CrossEntropyLoss", source)


def context(folder, memory, local=True, **settings):
    said = []
    executor = types.SimpleNamespace(local=local, worker_memory=lambda: memory, task_memory=0)
    log = types.SimpleNamespace(say=said.append)
    return types.SimpleNamespace(
        run=RunFolder(str(folder)),
        executor=executor,
        settings=AlternationConfig(**settings),
        log=log,
        said=said,
    )


def test_it_is_the_batch_of_the_run_where_memory_suffices(model, tmp_path):
    plenty = context(tmp_path, 10**12)
    assert with_batch_size(plenty, model, settings_for(model)).source.batch_size == 64
    assert plenty.executor.task_memory == predict(model, settings_for(model)).growth
    assert "step 3 computes 64 videos together" in plenty.said[0]


@pytest.mark.parametrize("local", [True, False])
def test_it_is_halved_until_it_fits_and_stays_so_on_another_machine(model, tmp_path, local):
    part = "growth" if local else "own"
    needs = {rows: getattr(predict(model, settings_for(model, rows)), part) for rows in (16, 32)}
    memory = int((needs[16] + needs[32]) / 2 / 0.8)
    little = context(tmp_path, memory, local)
    chosen = with_batch_size(little, model, settings_for(model))
    assert chosen.source.batch_size == 16
    assert little.executor.task_memory == needs[16]
    elsewhere = context(tmp_path, 10**12, local)
    assert with_batch_size(elsewhere, model, settings_for(model)).source.batch_size == 16
    # A batch of one is the least, and what is too small is said.
    none = context(tmp_path / "other", 1000, local)
    assert with_batch_size(none, model, settings_for(model)).source.batch_size == 1
    assert "lower --step3_batch_size" in none.said[0]


def test_a_given_batch_is_taken_whatever_the_memory(model, tmp_path):
    given = context(tmp_path, 1000, step3_batch_size=48)
    assert with_batch_size(given, model, settings_for(model)).source.batch_size == 48
    unknown = context(tmp_path / "other", None)
    assert with_batch_size(unknown, model, settings_for(model)).source.batch_size == 64
    assert "has" not in unknown.said[0]


def test_what_cannot_be_combined_or_read_is_refused(model, tmp_path):
    with pytest.raises(UserError, match="--step3_batch_size=8 cannot be combined"):
        AlternationConfig(step3_batch_size=8, step3_optimizer="adam").check()
    (tmp_path / "alternation").mkdir()
    write_json(str(tmp_path / "alternation" / "step3_batch.json"), {"batch_size": "many"})
    with pytest.raises(UserError, match=r"step3_batch\.json"):
        with_batch_size(context(tmp_path, None), model, settings_for(model))
