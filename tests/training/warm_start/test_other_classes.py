"""A run with other classes takes the trunk of an earlier one; its head starts as any new one."""

import shutil

import numpy as np
import pytest

from tests.support.runs import begun, losses_of, run_config, stop_at
from yt8m.data.synthetic.dataset import SyntheticPaths, SyntheticSpec, make_synthetic
from yt8m.data.vocabulary import FILE, write_vocabulary
from yt8m.errors import UserError
from yt8m.models.core.trunk import Trunk
from yt8m.models.core.weight_transfer import weights_of
from yt8m.runs.folder import RunFolder
from yt8m.runs.load import load_run
from yt8m.training.trainer import Trainer, train
from yt8m.training.warm_start.same_classes import why_others

MODEL = "VideoDbofBasic"


@pytest.fixture(scope="module")
def trained(small_data, tmp_path_factory):
    """Return the folder of a run with 12 classes."""
    folder = str(tmp_path_factory.mktemp("trained"))
    train(run_config(small_data, MODEL, epochs=1), folder)
    return folder


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """Return records of 7 classes with the same features."""
    spec = SyntheticSpec(
        videos=(("train", 200), ("validate", 50)),
        num_classes=7,
        feature_sizes=(32, 8),
        min_frames=10,
        max_frames=16,
        num_shards=2,
        seed=5,
    )
    return make_synthetic(str(tmp_path_factory.mktemp("few")), spec)


def renamed(data, folder):
    """Return a copy of the video-level records with other names of their classes."""
    shutil.copytree(f"{data.folder}/video", folder / "video")
    write_vocabulary(str(folder / "video" / FILE), [f"other {i}" for i in range(12)], [1] * 12)
    return SyntheticPaths(str(folder))


def parts(model):
    """Return the values of a model's weights, those of the trunk and those of the head."""
    found = ([], [])
    for weight, is_trunk in zip(weights_of(model), Trunk(model).is_trunk):
        found[0 if is_trunk else 1].append(weight.numpy())
    return found


def equal(some, others):
    return all(np.array_equal(a, b) for a, b in zip(some, others))


def started(config, folder):
    """Return the weights of a run before its first step."""
    trainer = Trainer(config, begun(config, folder))
    trainer.begin()
    return parts(trainer.step.model)


def test_the_head_starts_from_the_new_labels(trained, few, tmp_path, capsys):
    new = started(run_config(few, MODEL), tmp_path / "new")
    capsys.readouterr()
    tuned = started(run_config(few, MODEL, init_from=trained), tmp_path / "tuned")
    lines = capsys.readouterr().out.splitlines()
    trunk, _ = parts(load_run(trained, "")[1])
    assert equal(tuned[0], trunk)
    assert not equal(tuned[0], new[0])
    # The kernel starts at random numbers.
    assert all(np.array_equal(a, b) for a, b in zip(tuned[1], new[1]) if a.ndim < 2)
    assert [w.shape for w in tuned[1]] == [w.shape for w in new[1]]
    assert any(line.startswith("started from the VideoDbofBasic in") for line in lines)
    size = sum(w.size for w in trunk)
    gave = f"it gave {size:,} weights (input_norm_layer, video_fc, video_bn)"
    assert any(line.endswith(gave) for line in lines)
    assert "(head), because the vocabulary is another one: 12 classes there, 7 here" in lines[-1]


def test_as_many_classes_with_other_names_are_others(trained, small_data, tmp_path, capsys):
    same = started(run_config(small_data, MODEL, init_from=trained), tmp_path / "same")
    before = parts(load_run(trained, "")[1])
    assert equal(same[0], before[0])
    assert equal(same[1], before[1])
    assert "because" not in capsys.readouterr().out
    data = renamed(small_data, tmp_path)
    others = started(run_config(data, MODEL, init_from=trained), tmp_path / "others")
    assert equal(others[0], before[0])
    assert not equal(others[1], before[1])
    assert "but class 0 is 'scene 0' there and 'other 0' here" in capsys.readouterr().out


def test_the_names_count_wherever_a_run_has_them(small_data, tmp_path):
    def why():
        return why_others(RunFolder(str(earlier)), config, RunFolder(str(tmp_path)), here)

    earlier, data = tmp_path / "earlier", renamed(small_data, tmp_path)
    earlier.mkdir()
    config = here = run_config(data, MODEL)
    names = [f"other {i}" for i in range(12)]
    assert why() is None  # Both runs have the vocabulary beside the records.
    write_vocabulary(str(earlier / "classes.csv"), [*names[:3], "last", *names[4:]])
    assert "12 classes there and here, but class 3 is 'last' there and 'other 3' here" in why()
    write_vocabulary(str(earlier / "classes.csv"), names)
    assert why() is None
    (tmp_path / "video" / FILE).unlink()
    write_vocabulary(str(earlier / "classes.csv"), names[::-1])
    assert why() is None  # The names of the new run are not known.


def test_a_stopped_run_with_a_frozen_trunk_ends_as_an_undisturbed_one(trained, few, tmp_path):
    config = run_config(
        few,
        MODEL,
        epochs=2,
        recipe={"weight_average": 0.9},
        init_from=trained,
        freeze_trunk=True,
    )
    train(config, str(tmp_path / "whole"))
    stop_at(Trainer(config, RunFolder(str(tmp_path / "parts"))), 3)
    train(config, str(tmp_path / "parts"))
    whole, resumed = (parts(load_run(str(tmp_path / name), "")[1]) for name in ("whole", "parts"))
    assert equal(whole[0], parts(load_run(trained, "")[1])[0])
    assert equal(whole[0], resumed[0])
    assert equal(whole[1], resumed[1])
    first, last = losses_of(tmp_path / "whole")
    assert last < first


def test_a_trunk_that_nothing_trained_is_not_frozen(finished_run, few, tmp_path):
    def refused(match, model=MODEL, **training):
        with pytest.raises(UserError, match=match):
            train(run_config(few, model, freeze_trunk=True, **training), str(tmp_path / "run"))
        assert not RunFolder(str(tmp_path / "run")).exists()

    refused("--freeze_trunk keeps the layers.*Name a trained run with --init_from")
    refused("only with --trainer=joint", trainer="alternating", init_from="x")
    refused("is a run of LogisticModel", init_from=str(finished_run))
    refused("every layer of LogisticModel", "LogisticModel", init_from=str(finished_run))
