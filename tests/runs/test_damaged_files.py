"""Every file that a run keeps, damaged in every way: a message that names it, or a good result."""

import dataclasses
import json
import os
import shutil

import h5py
import numpy as np
import pytest

from tests.support.damages import sweep
from tests.support.runs import begun, run_config
from yt8m.data.files.counts import ShardCount, ShardCounts
from yt8m.data.record_index import build_index, load_index, save_index
from yt8m.errors import UserError
from yt8m.evaluation.per_class_ap import read_per_class_ap, write_per_class_ap
from yt8m.largescale.alternating.finished_steps import FinishedSteps
from yt8m.largescale.alternating.plan import Step
from yt8m.largescale.alternating.step_state import StepState
from yt8m.largescale.mixtures.blocks_file import read_arrays, write_arrays
from yt8m.runs.folder import RunFolder
from yt8m.runs.load import (
    about_weights,
    described,
    differing_arguments,
    load_saved,
    weights_file,
)
from yt8m.runs.open import open_run
from yt8m.runs.provenance import Provenance
from yt8m.submission.journal import journal
from yt8m.training.trainer import Trainer

WEIGHTS = "best/model.weights.h5"


class NoWriter:
    """An output that keeps nothing."""

    def close(self):
        pass

    abandon = leave = close


def notes(folder):
    """Read a journal's notes as a prediction does."""
    with journal.opened(str(folder), {"--o": lambda _: NoWriter()}, dict, say=lambda _: None):
        pass


@pytest.fixture(scope="module")
def made(finished_run, small_data, tmp_path_factory):
    """Return a run's folder, and what reads each of its files."""
    folder = tmp_path_factory.mktemp("damaged") / "run"
    shutil.copytree(finished_run, folder)
    run, files = RunFolder(str(folder)), [small_data.pattern("test", "video").replace("*", "00000")]
    files = [path for path in files if os.path.exists(path)]
    run.save_statistics({"mean": np.zeros(40), "std": np.ones(40)})
    run.write_text("best/model.json", "{}\n")
    run.write_text("publication.json", json.dumps({"checkpoint": "best"}))
    save_index(build_index(files, "video", 12), run.file("label_index.npz"))
    counts = ShardCounts(run.file("counts.json"))
    counts.add("a", ShardCount(1, 2, 3, ((4, "x"),)))
    counts.save((0, 3))
    StepState(run, "alternation/state.npz").record(0.5, 1.0, {"x": np.ones(9)})
    FinishedSteps(run).add(Step(1, 1), 0.5, {"gap": 0.5, "after": "step1"})
    write_arrays(run.file("a.blocks"), {"blocks": []}, [np.ones(9), np.ones((2, 3))])
    write_per_class_ap(run.file("ap.json"), np.ones(3), np.ones(3, np.int64))
    Provenance(run.file("made.json"), {"a": 1}).record()
    done = {
        "settings": {},
        "done": [0, 0, 0],
        "outputs": {"--o": None},
        "ids": None,
        "bad": {},
        "more": {},
    }
    run.write_text("j.progress/progress.json", json.dumps(done))

    def weights():
        load_saved(run, run.file(WEIGHTS))
        described(run.file(WEIGHTS))

    readers = {
        "config.json": run.load_config,
        "priors.npy": run.load_priors,
        "input_statistics.npz": run.load_statistics,
        "metrics.jsonl": lambda: [event["event"] for event in run.logged()],
        "publication.json": run.publication,
        WEIGHTS: weights,
        "best/model.json": lambda: differing_arguments(run.file(WEIGHTS)),
        "best/metrics.json": lambda: about_weights(run.file("best/none.weights.h5")),
        "label_index.npz": lambda: load_index(run.file("label_index.npz"), files, 12),
        "counts.json": lambda: ShardCounts(run.file("counts.json")),
        "alternation/state.npz": lambda: StepState(run, "alternation/state.npz"),
        "alternation/state.json": lambda: FinishedSteps(run),
        "a.blocks": lambda: list(read_arrays(run.file("a.blocks"))[1]),
        "ap.json": lambda: read_per_class_ap(run.file("ap.json")),
        "made.json": lambda: Provenance(run.file("made.json"), {"a": 1}),
        "j.progress/progress.json": lambda: notes(folder / "j.progress"),
    }
    for name, read in readers.items():
        if name != "j.progress/progress.json":
            read()
    return folder, readers


MUST_BE_REFUSED = ("config.json", WEIGHTS, "priors.npy", "alternation/state.npz")


def test_a_damaged_file_is_named_or_does_no_harm(made, tmp_path):
    folder, readers = made
    assert not sweep(folder, readers, tmp_path / "kept", MUST_BE_REFUSED)


@pytest.mark.parametrize("name", ["best", "logs", "checkpoints", "eval"])
def test_a_file_in_the_place_of_a_folder_is_refused_before_the_first_step(
    small_data, tmp_path, name
):
    (tmp_path / name).write_text("")
    with pytest.raises(UserError, match=f"{name} is no folder"):
        open_run(run_config(small_data, "LogisticModel"), str(tmp_path))


def test_checkpoints_are_found_without_the_list_of_them(small_data, finished_run, tmp_path):
    shutil.copytree(finished_run, tmp_path / "run")
    config = run_config(small_data, "LogisticModel", epochs=1)
    for content in (b"\xff\xfe\x00", b"", b"no list"):
        (tmp_path / "run/checkpoints/checkpoint").write_bytes(content)
        trainer = Trainer(config, RunFolder(str(tmp_path / "run")))
        assert trainer.checkpoints.restore()
        assert trainer.step.done() == 12


def test_a_finished_run_is_not_extended_under_the_other_keras(small_data, tmp_path):
    first = run_config(small_data, "LogisticModel", epochs=1)
    run = begun(dataclasses.replace(first, facts={"keras": "1.0", "tensorflow": "1"}), tmp_path)
    run.set_done()
    longer = run_config(small_data, "LogisticModel", epochs=2)
    longer = dataclasses.replace(longer, facts={"keras": "3.0"})
    with pytest.raises(UserError, match=r"was begun under Keras 1\.0"):
        open_run(longer, str(tmp_path))


def test_weights_whose_links_loop_or_whose_size_no_machine_has(made, tmp_path):
    folder, _ = made
    for name, damage in {
        "loop": lambda vars: vars.__setitem__("0", h5py.SoftLink(f"{vars.name}/0")),
        "size": lambda vars: vars.create_dataset("0", (1 << 44,), "f8", chunks=(1 << 16,)),
    }.items():
        copy = tmp_path / name
        shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("publication.json"))
        run = RunFolder(str(copy))
        with h5py.File(run.file(WEIGHTS), "a") as file:
            del file["head/vars/0"]
            damage(file["head/vars"])
        with pytest.raises(UserError, match=r"model\.weights\.h5"):
            load_saved(run, run.file(WEIGHTS))


@pytest.mark.parametrize("what", ["a file", "a link to itself"])
def test_what_is_no_folder_of_a_model_is_named(what, finished_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(finished_run, run)
    shutil.rmtree(run / "best")
    if what == "a file":
        (run / "best").write_text("x")
    else:
        (run / "best").symlink_to("best")
    for which in ("", "best"):
        with pytest.raises(UserError, match=f"{run}/best is no folder"):
            weights_file(RunFolder(str(run)), which)
