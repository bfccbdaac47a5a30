"""Every recipe file: complete, and made of flags and model options that exist."""

import json
import os

import pytest

from tests.support.commands import train_flags
from yt8m.commands import train
from yt8m.errors import UserError
from yt8m.fusion.weights import METHODS
from yt8m.models.core import registry
from yt8m.papers import commands, paper_row
from yt8m.papers.small_data import NAMES, DataSet, describe
from yt8m.runs import new_run

RECIPES = paper_row.load_all()


def every_step():
    for recipe in RECIPES.values():
        for which in ("small", "paper"):
            variant = recipe.variant(which)
            if variant.fuse:
                continue
            for name in variant.data if which == "small" else ("",):
                data = describe(name, "data") if name else commands.PAPER_DATA
                for step in commands.steps(recipe, which, data, 0, "RUN", lambda n: "OTHER"):
                    yield pytest.param(
                        variant, step, id=f"{recipe.name}-{which}-{data.name}-{step.name}"
                    )


@pytest.mark.parametrize(
    ("variant", "step"), [p for p in every_step() if p.values[1].kind == "train"]
)
def test_every_flag_and_every_option_exists(variant, step):
    values = train_flags(*step.arguments[1:])
    model = registry.model_class(values.model)
    arguments = train.arguments_from_flags(values, model)  # refuses unknown options
    chosen = new_run.choose(model, values.starter_defaults, train.settings_from_flags(values))
    assert chosen.alternation is None or chosen.training.eval_data_pattern, (
        "the alternating trainer's steps end by validation"
    )
    assert model.level == variant.level
    # Values are right too: the model can be made (with few classes, and its widest arguments shrunk).
    small = {
        k: 8 if isinstance(v, int) and not isinstance(v, bool) and v > 8 else v
        for k, v in arguments.items()
    }
    model(num_classes=9, feature_sizes=(12, 4), **small)


def test_the_papers_settings_start_no_head_from_label_frequencies():
    """That is ours: neither paper has it."""
    for recipe in RECIPES.values():
        for stage in recipe.paper.stages:
            if (
                stage.kind == "train" and "--model=ContextEncoderModel" not in stage.flags
            ):  # which has no head
                assert "--model_option=initial=zeros" in stage.flags, recipe.name


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=list(RECIPES))
def test_every_recipe_is_complete(recipe):
    assert recipe.row
    assert recipe.source
    assert recipe.notes or recipe.table in paper_row.ABOUT
    assert recipe.small.minutes > 0
    assert set(recipe.small.data) <= set(NAMES)
    for which in ("small", "paper"):
        for name in commands.needed(recipe, which):
            assert (
                recipe.variant(which).data == RECIPES[name].variant(which).data or which == "paper"
            )
        fuse = recipe.variant(which).fuse
        if fuse:
            assert fuse.method in METHODS
            assert len(fuse.inputs) > 1
            for text in fuse.inputs:
                name, _, data = text.partition("@")
                assert not RECIPES[name].variant(which).fuse
                assert (
                    which == "paper" or (data or recipe.small.data[0]) in RECIPES[name].small.data
                )
    if recipe.reported:
        assert all(0 < v < 1 for v in recipe.reported.values()), "fractions, not percent"


def test_the_file_names_its_command():
    for name in RECIPES:
        with open(os.path.join(paper_row.FOLDER, f"{name}.json")) as f:
            first, command = next(iter(json.load(f).items()))
        assert (first, command) == ("run", f"python -m yt8m.papers run {name}")


def test_rows_of_a_table_have_places_of_their_own():
    for table in paper_row.TABLES:
        places = [r.order for r in RECIPES.values() if r.table == table]
        assert len(set(places)) == len(places), table


def test_mixture_rows_differ_in_nothing_but_the_number_of_mixtures():
    rows = [r for r in RECIPES.values() if r.table == "1" and not r.small.fuse]
    kept = {
        tuple(f for f in r.small.stages[0].flags if "mixtures" not in f and "--model" not in f)
        for r in rows
    }
    assert len(kept) == 1, kept


def test_a_run_may_stand_in_two_tables():
    with open(os.path.join(paper_row.FOLDER, "video-moe-2.json")) as f:
        values = json.load(f)
    values["also"] = {"4": {"row": "there", "order": 0, "reported": {"map": 0.5}}}
    recipe = paper_row.parse(values, "test")
    view = paper_row.of_table("4", {**RECIPES, recipe.name: recipe})[0]
    assert (view.name, view.row, view.reported) == ("video-moe-2", "there", {"map": 0.5})
    assert paper_row.of_table("1", {recipe.name: recipe}) == [recipe]
    assert paper_row.runs_of([recipe, view]) == [
        (view, "sample-video-all", s) for s in (0, 1, 2)
    ], "run once"
    with pytest.raises(UserError, match="also"):
        paper_row.parse({**values, "also": {"4": {"row": "there"}}}, "test")


def test_a_broken_file_says_what_is_wrong(tmp_path):
    good = json.load(open(os.path.join(paper_row.FOLDER, "video-moe-2.json")))
    for change, message in (
        ({"table": "9"}, "table '9' is not one of"),
        ({"colour": "red"}, "colour"),
        ({"small": {**good["small"], "level": "segment"}}, "small.level is 'segment'"),
        ({"reported": {"f1": 0.5}}, "no metrics"),
        ({"small": {**good["small"], "stages": []}}, "either stages or fuse"),
        ({"small": {**good["small"], "minutes": 0}}, "minutes is missing"),
        (
            {"small": {**good["small"], "stages": [{"name": "a", "kind": "predict", "of": "b"}]}},
            "trains nothing",
        ),
    ):
        path = tmp_path / "video-moe-2.json"
        path.write_text(json.dumps({**good, **change}))
        with pytest.raises(UserError, match=message):
            paper_row.load(str(path))
    path.write_text("{")
    with pytest.raises(UserError, match="not JSON"):
        paper_row.load(str(path))


def test_names_and_tables_are_found_or_told_apart():
    assert paper_row.find("lstm", RECIPES).row == "LSTM"
    with pytest.raises(UserError, match="Did you mean lstm"):
        paper_row.find("lstmm", RECIPES)
    assert paper_row.of_table("uts-1", RECIPES) == paper_row.of_table("1", RECIPES)
    with pytest.raises(UserError, match="not a table"):
        paper_row.of_table("7", RECIPES)


def test_stages_fill_in_folders_and_later_flags_win():
    stages = [
        {"name": "encoder", "flags": "--model=A --num_epochs=2"},
        {"name": "scores", "kind": "predict", "of": "run:base", "split": "train"},
        {
            "name": "model",
            "flags": "--model_option=a=1 --model_option=b=2 --frame_features --init_from={encoder} --priors_from={run:base} --x={scores}",
            "flags_for": {"here": "--model_option=b=3 --noframe_features"},
        },
    ]
    variant = {"data": "here", "level": "frame", "stages": stages, "minutes": 1}
    values = dict(
        name="n",
        table="3",
        row="r",
        order=1,
        source="s",
        reported={},
        paper=variant,
        small=variant,
        notes="",
    )
    recipe = paper_row.parse(values, "test")
    data = DataSet("here", "", "T", {"frame": "V"}, "frame", ("--max_frames=7",))
    steps = commands.steps(recipe, "small", data, 5, "F", lambda n: f"OF-{n}")
    assert [s.kind for s in steps] == ["train", "predict", "train", "eval"]
    assert commands.needed(recipe, "small") == ["base"]
    assert steps[1].arguments == (
        "inference.py",
        "--train_dir=OF-base",
        "--input_data_pattern=T",
        "--output_scores=F/scores",
    )
    assert steps[2].arguments == (
        "train.py", "--max_frames=7", "--model_option=a=1", "--init_from=F/encoder", "--priors_from=OF-base", "--x=F/scores",
        "--model_option=b=3", "--noframe_features", "--train_data_pattern=T", "--train_dir=F/model", "--seed=5",
    )  # fmt: skip
    assert steps[3].arguments[1:] == (
        "--train_dir=F/model",
        "--eval_data_pattern=V",
        "--output_dir=F/eval",
    )
    bad = paper_row.parse(
        {**values, "small": {**variant, "stages": [{"name": "m", "flags": "--init_from={gone}"}]}},
        "test",
    )
    with pytest.raises(UserError, match="'gone', which is no earlier stage"):
        commands.steps(bad, "small", data, 0, "F", str)
