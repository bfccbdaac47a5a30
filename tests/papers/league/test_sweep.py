"""The order of the league's runs: nothing runs twice, the budget holds, failures are marked."""

import os
import shutil

import pytest

from yt8m.errors import UserError
from yt8m.models.core import registry
from yt8m.models.core.base import FrameModel
from yt8m.papers.league import fusing
from yt8m.papers.league.contests import CONTESTS, chosen, entrants
from yt8m.papers.league.entry import defaults_of
from yt8m.runs.stop_signal import Stopped

FUSION = ["predict", "predict", *["fuse"] * len(fusing.FUSED_BY)]


def test_every_model_of_the_level_enters_a_strangers_too(monkeypatch):
    assert "MoeModel" in entrants(CONTESTS["video"])
    assert "MoeModel" not in entrants(CONTESTS["audioset"])
    assert "ContextEncoderModel" not in entrants(CONTESTS["frames"]), "it classifies nothing"
    stranger = registry.model_class("MoeModel")
    monkeypatch.setitem(registry._MODELS, "StrangerModel", stranger)
    assert "StrangerModel" in entrants(CONTESTS["video"])
    assert entrants(CONTESTS["video"], ["MoE"]) == ["MoeModel"]
    with pytest.raises(UserError, match="ContextEncoderModel: the model classifies nothing"):
        entrants(CONTESTS["video"], ["ContextEncoderModel"])
    with pytest.raises(UserError, match="is not a data set of the league"):
        chosen(["audio"])


def test_a_result_holds_for_the_defaults_of_a_models_base_class_too(monkeypatch):
    def hash_of(inherited, own):
        class Base(FrameModel):
            def __init__(self, num_classes, width=inherited, **kwargs):
                super().__init__(num_classes, **kwargs)

        class Stranger(Base):
            def __init__(self, num_classes, depth=own, **kwargs):
                super().__init__(num_classes, **kwargs)

        monkeypatch.setitem(registry._MODELS, "StrangerModel", Stranger)
        return defaults_of("StrangerModel")

    assert hash_of(1, 2) == hash_of(1, 2)
    assert len({hash_of(1, 2), hash_of(2, 2), hash_of(1, 1)}) == 3


def test_a_run_has_no_flag_but_model_data_and_folder(league, commands):
    league().run()
    train = commands.ran[0][1]
    limit = float(train.pop("max_minutes"))
    assert limit == 3
    assert set(train) == {"model", "train_data_pattern", "train_dir", "seed"}
    recorded = league.store.run("video", "LogisticModel", 0)["commands"]
    assert "max_minutes" not in recorded[0]
    assert "--train_dir=runs/recipes/league/video/LogisticModel-seed0/model" in recorded[0]


def test_each_result_is_stored_and_nothing_is_run_twice(league, commands):
    commands.gaps["MoeModel"] = 0.7
    assert league().run() == []
    assert commands.names() == [
        "train LogisticModel",
        "eval",
        "train MoeModel",
        "eval",
        *FUSION,
    ]
    result = league.store.run("video", "MoeModel", 0)
    assert result["metrics"]["gap"] == 0.7
    assert result["parameters"] == 50
    assert result["peak_bytes"] == 2_000_000_000
    assert not result["stopped"]
    assert league().run() == []
    assert commands.names() == []
    assert league(seeds=2).run() == []
    assert commands.names() == ["train MoeModel", "eval", "train LogisticModel", "eval"]


def test_a_killed_sweep_goes_on_with_what_is_missing(league, commands):
    def killed():
        raise SystemExit

    commands.ends["MoeModel"] = killed
    with pytest.raises(SystemExit):
        league().run()
    assert commands.names() == ["train LogisticModel", "eval", "train MoeModel"]
    commands.ends.clear()
    assert league().run() == []
    assert commands.names() == ["train MoeModel", "eval", *FUSION]


def test_a_signal_ends_the_sweep(league, commands):
    commands.ends["LogisticModel"] = 143
    with pytest.raises(Stopped):
        league().run()
    assert commands.names() == ["train LogisticModel"]
    assert league.store.runs() == []


def test_a_run_that_its_limit_stops_is_measured_and_the_best_go_on(league, commands):
    commands.ends["MoeModel"], commands.gaps["MoeModel"] = 75, 0.7
    assert league(best=1).run() == []
    trained = [flags for name, flags in commands.ran if name == "train"]
    assert [flags["model"] for flags in trained] == ["LogisticModel", "MoeModel", "MoeModel"]
    assert trained[1]["train_dir"] == trained[2]["train_dir"]
    assert float(trained[2]["max_minutes"]) == pytest.approx(25 - 0.1), "6 s are spent"
    result = league.store.run("video", "MoeModel", 0)
    assert (result["stopped"], result["limit_minutes"]) == (True, 25)
    assert (result["step"], result["steps_of_run"]) == (200, 1000)
    assert [name for name, _ in commands.ran].count("eval") == 3, "it is measured again"
    assert not league.store.run("video", "LogisticModel", 0)["stopped"]
    commands.names()
    assert league(best=1).run() == []
    assert commands.names() == []


def test_a_run_that_saves_nothing_within_its_limit_says_so(league, commands):
    commands.ends["LogisticModel"] = 75
    commands.unsaved.add("LogisticModel")
    league().run()
    assert commands.names() == ["train LogisticModel", "train MoeModel", "eval"]
    failed = league.store.run("video", "LogisticModel", 0)["failed"]
    assert failed == "it saved no model within 3 min"


def test_only_the_runs_of_the_best_are_kept(league, commands, tmp_path):
    commands.gaps["LogisticModel"] = 0.7
    league(best=1, seeds=2).run()
    assert sorted(os.listdir(tmp_path / "runs/league/video")) == ["LogisticModel-seed0"]
    assert league.store.run("video", "LogisticModel", 1)


def test_the_budget_ends_the_sweep_and_a_larger_one_goes_on(league, commands):
    commands.seconds = 60.0
    sweep = league(budget_minutes=2.2)
    assert sweep.run() == ["MoeModel on video, seed 0 (3 min)"]
    assert commands.names() == ["train LogisticModel", "eval"]
    kept = league.store.sweep()
    assert kept["left_out"] == ["MoeModel on video, seed 0 (3 min)"]
    assert kept["spent_minutes"] == 2.0
    assert league(budget_minutes=2.2).run() == ["MoeModel on video, seed 0 (3 min)"]
    assert commands.names() == []
    assert league(budget_minutes=100).run() == []
    assert commands.names() == ["train MoeModel", "eval", *FUSION]
    assert league.store.sweep()["left_out"] == []


def test_a_run_gets_no_more_than_the_budget_has_left(league, commands):
    commands.ends["LogisticModel"] = 75
    league(budget_minutes=1, only=["LogisticModel"]).run()
    assert float(commands.ran[0][1]["max_minutes"]) == 1
    assert league.store.run("video", "LogisticModel", 0)["limit_minutes"] < 1
    commands.names()
    league(budget_minutes=10, only=["LogisticModel"]).run()
    assert commands.names()[0] == "train LogisticModel"


@pytest.mark.parametrize(
    ("code", "expected"),
    [(137, "killed by the system"), (1, "ended with exit code 1: train has ended")],
)
def test_a_model_that_fails_is_marked_and_the_sweep_goes_on(league, commands, code, expected):
    commands.ends["LogisticModel"] = code
    league().run()
    assert commands.names() == ["train LogisticModel", "train MoeModel", "eval"]
    assert expected in league.store.run("video", "LogisticModel", 0)["failed"]
    league().run()
    assert commands.names() == []
    commands.ends.clear()
    league(retry_failed=True).run()
    assert commands.names()[:2] == ["train LogisticModel", "eval"]
    assert "failed" not in league.store.run("video", "LogisticModel", 0)


def test_a_failure_is_tried_again_once_in_a_session(league, commands):
    commands.ends["LogisticModel"] = 1
    league().run()
    commands.names()
    league(retry_failed=True).run()
    assert commands.names() == ["train LogisticModel"]


def test_a_result_by_another_recipe_is_repeated(league, commands, monkeypatch):
    league(only=["MoeModel"]).run()
    assert commands.names() == ["train MoeModel", "eval"]
    cls = registry.model_class("MoeModel")
    monkeypatch.setattr(cls, "recipe", cls.recipe.updated({"num_epochs": 9}))
    league(only=["MoeModel"]).run()
    assert commands.names() == ["train MoeModel", "eval"]
    assert league.store.run("video", "MoeModel", 0)["step"] == 100, "the old run was deleted"


def test_results_on_other_records_are_not_mixed(league, commands):
    league(only=["MoeModel"]).run()
    result = league.store.run("video", "MoeModel", 0)
    result["data"]["train"]["sha1"] = "another"
    league.store.put(result)
    with pytest.raises(UserError, match="made on other train records of video"):
        league(only=["MoeModel"]).run()


def test_the_fusion_is_fitted_on_one_half_by_each_method(league, commands):
    commands.gaps["MoeModel"] = 0.7
    league().run()
    fused = [flags for name, flags in commands.ran if name == "fuse"]
    assert [f["method"] for f in fused] == ["power", "l1", "l2", "l3", "power"]
    assert [f.get("power") for f in fused] == ["0", *[None] * 4], "AP^0: the average"
    assert all("fit_on_half" in f for f in fused)
    result = league.store.fusion("video")
    assert list(result["methods"]) == ["average", "l1", "l2", "l3", "power"]
    assert result["methods"]["l2"]["gap"] == 0.45
    assert result["best_single"]["gap"] == 0.4
    assert list(result["made_of"]) == ["MoeModel", "LogisticModel"]


def test_a_fusion_is_repeated_when_its_models_change(league, commands, monkeypatch):
    league().run()
    commands.names()
    cls = registry.model_class("MoeModel")
    monkeypatch.setattr(cls, "recipe", cls.recipe.updated({"num_epochs": 9}))
    league().run()
    assert commands.names() == ["train MoeModel", "eval", "predict", *FUSION[2:]]


def test_the_best_are_chosen_among_all_models_whatever_is_run_now(league, commands):
    """A few models that are run alone do not take the place of the best five."""
    commands.gaps.update(MoeModel=0.8, LogisticModel=0.7)
    league(best=2).run()
    commands.names()
    fusion = league.store.fusion("video")
    commands.ends["VideoDbofBasic"] = 75
    league(best=2, only=["VideoDbofBasic"]).run()
    assert commands.names() == ["train VideoDbofBasic", "eval"], "no longer training, no fusion"
    assert league.store.fusion("video") == fusion


def test_a_fusion_trains_again_what_is_no_longer_there(league, commands, tmp_path):
    league().run()
    commands.names()
    shutil.rmtree(tmp_path / "runs/league/video/MoeModel-seed0")
    os.remove(tmp_path / "results/video--fusion.json")
    league(only=["LogisticModel"]).run()
    assert commands.names() == []
    league().run()
    assert commands.names()[:3] == ["train MoeModel", "eval", "predict"]
    assert league.store.fusion("video")


def test_the_real_frames_are_audioset(league, commands, audioset, tmp_path, monkeypatch):
    monkeypatch.delenv("YT8M_AUDIOSET_DIR", raising=False)
    with pytest.raises(UserError, match=r"--audioset_dir=DIR or \$YT8M_AUDIOSET_DIR"):
        league(data=["audioset"], only=["AttnVLAD"]).run()
    with pytest.raises(UserError, match="needs train/ and validate/"):
        league(data=["audioset"], only=["AttnVLAD"], audioset_dir=str(tmp_path)).run()
    league(data=["audioset"], only=["AttnVLAD"], audioset_dir=audioset).run()
    result = league.store.run("audioset", "AttnVLAD", 0)
    assert result["data"]["validate"]["shards"] == 1
    assert audioset not in " ".join(result["commands"]), "no folder of this machine"
    assert "runs/recipes/data/audioset/train/*.tfrecord" in result["commands"][0]


def test_frames_are_made_around_all_means(league, commands):
    league(data=["frames"], only=["AttnVLAD"]).run()
    result = league.store.run("frames", "AttnVLAD", 0)
    assert result["data"]["train"]["shards"] == 2
    assert "--max_frames=8" in result["commands"][0]
