"""A run's folder: whole files, nothing of a stranger's deleted, settings compared."""

import dataclasses
import shutil

import numpy as np
import pytest
import tensorflow as tf

from yt8m.data.schema import RecordSchema
from yt8m.errors import UserError
from yt8m.models.core.recipe import Recipe
from yt8m.runs.config import (
    ModelConfig,
    RunConfig,
    TrainingConfig,
    check_same_keras,
    check_same_run,
    differences,
)
from yt8m.runs.folder import RunFolder

CONFIG = RunConfig(
    RecordSchema("video", ("mean_rgb",), (8,), 5),
    ModelConfig("MoeModel", {"num_mixtures": 4}),
    Recipe(),
    TrainingConfig("a*"),
)


def test_config_round_trips():
    assert RunConfig.from_json(CONFIG.to_json()) == CONFIG


def test_a_config_that_is_none_is_named():
    with pytest.raises(UserError, match=r"some/config.json"):
        RunConfig.from_json('{"format": 1}', "some/config.json")


def test_differences_are_shown_and_harmless_ones_allowed():
    other = dataclasses.replace(
        CONFIG, recipe=Recipe(base_learning_rate=0.5), training=TrainingConfig("a*", num_readers=2)
    )
    assert {d[0] for d in differences(CONFIG, other)} == {
        "recipe.base_learning_rate",
        "training.num_readers",
    }
    with pytest.raises(
        UserError, match=r"recipe.base_learning_rate: the run has 0.001, the flags say 0.5"
    ):
        check_same_run(CONFIG, other, "run")
    harmless = dataclasses.replace(CONFIG, training=TrainingConfig("a*", num_readers=2))
    assert "num_readers" in check_same_run(CONFIG, harmless, "run")
    assert check_same_run(CONFIG, CONFIG, "run") is None


def test_workers_may_look_at_once_whether_the_folder_can_be_written(tmp_path, monkeypatch):
    run, remove, others = RunFolder(str(tmp_path)), tf.io.gfile.remove, []

    def after_another(path):
        if not others:
            others.append(path)
            run.make()  # of another process, between this one's writing and removing
        remove(path)

    monkeypatch.setattr(tf.io.gfile, "remove", after_another)
    run.make()
    assert others
    assert not list(tmp_path.iterdir())


def test_a_run_is_not_resumed_under_another_keras():
    two, three = (
        dataclasses.replace(CONFIG, facts={"keras": version}) for version in ("2.15.0", "3.5.0")
    )
    with pytest.raises(UserError, match=r"begun under Keras 2.15.0.*--init_from=run"):
        check_same_keras(two, three, "run")
    check_same_keras(two, dataclasses.replace(CONFIG, facts={"keras": "2.16.1"}), "run")


@pytest.mark.parametrize(
    ("fact", "flag"), [("data", "--train_data_pattern"), ("eval_data", "--eval_data_pattern")]
)
def test_a_run_does_not_go_on_with_other_files(fact, flag):
    was = {"shards": 3, "bytes": 1000, "sha1": "a"}
    old, less = (
        dataclasses.replace(CONFIG, facts={fact: {**was, **change}})
        for change in ({}, {"shards": 2, "sha1": "b"})
    )
    then, now = (f"{n} shards of 1,000 bytes" for n in (3, 2))
    with pytest.raises(UserError, match=f"{flag}: {then} then, {now} now.*--init_from=run"):
        check_same_run(old, less, "run")
    assert check_same_run(old, old, "run") is None
    assert check_same_run(CONFIG, old, "run") is None  # begun before this was written down


def test_delete_spares_what_no_run_made(tmp_path):
    (tmp_path / "thesis.tex").write_text("years")
    with pytest.raises(UserError, match=r"thesis.tex"):
        RunFolder(str(tmp_path)).delete()
    run = RunFolder(str(tmp_path))
    run.log("train", step=1)
    for foreign in ('{"architectures": ["BertModel"]}', "[]"):
        run.write_text("config.json", foreign)
        with pytest.raises(UserError, match=r"of another program and is not deleted"):
            run.delete()
        assert (tmp_path / "config.json").read_text() == foreign
    run.write_text("config.json", '{"schema": {}, "training"')  # cut
    run.delete()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["thesis.tex"]


def test_what_a_killed_process_left_in_any_folder_is_removed(tmp_path):
    run = RunFolder(str(tmp_path))
    for folder in ("", "best", "step1/last", "alternation/cycle1_step2",
                   "alternation/cycle1_step2/best"):  # fmt: skip
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "model.json.f4cf1c48.tmp").write_text("half")
        (tmp_path / folder / "model.json").write_text("whole")
    run.remove_unfinished()
    assert {p.name for p in tmp_path.rglob("*") if p.is_file()} == {"model.json"}
    assert len(list(tmp_path.rglob("model.json"))) == 5


def test_delete_ignores_what_a_refused_command_left(tmp_path):
    """A mistake in a first command with --start_new_model must not hinder the next."""
    (tmp_path / "logs").mkdir()
    (tmp_path / "priors.npy").write_text("")
    RunFolder(str(tmp_path)).delete()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["logs", "priors.npy"]


def test_unwritable_folder_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="--train_dir"):
        RunFolder(str(tmp_path / "file" / "run")).make()


def test_log_survives_a_half_written_line(tmp_path):
    run = RunFolder(str(tmp_path))
    run.log("train", step=np.int64(1))
    with open(tmp_path / "metrics.jsonl", "a") as f:
        f.write('{"event": "tra')
    assert [line["step"] for line in run.logged()] == [1]


def test_missing_run_is_named(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        RunFolder(str(tmp_path / "none")).load_config()
    with pytest.raises(UserError, match=r"contains no config.json"):
        RunFolder(str(tmp_path)).load_config()


def test_what_stands_in_the_place_of_a_run_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "dangling").symlink_to(tmp_path / "gone")
    for name, what in {
        "file": "is a file",
        "loop": "is a link that leads nowhere",
        "dangling": r"is a link that leads nowhere \(.*gone\)",
    }.items():
        with pytest.raises(UserError, match=what):
            RunFolder(str(tmp_path / name)).load_config()


def test_a_folder_that_was_removed_meanwhile_is_named(tmp_path):
    run = RunFolder(str(tmp_path / "run"))
    run.make()
    run.log("began")
    shutil.rmtree(run.path)
    with pytest.raises(UserError, match=r"the run's folder .*run is no longer there"):
        run.log("went on")
