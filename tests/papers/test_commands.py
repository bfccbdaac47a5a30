"""How the commands of a row are put together."""

import pytest

from tests.papers.helpers import make_row
from yt8m.errors import UserError
from yt8m.papers import commands
from yt8m.papers.one_run import as_measured
from yt8m.papers.small_data import DataSet

DATA = DataSet("here", "", "T", {"frame": "V"}, "frame", ("--max_frames=7",))


def test_stages_name_earlier_folders_and_later_flags_win():
    model = (
        "--model_option=a=1 --model_option=b=2 --frame_features --init_from={encoder}"
        " --priors_from={run:base} --x={scores}"
    )
    stages = [
        {"name": "encoder", "flags": "--model=A --num_epochs=2"},
        {"name": "scores", "kind": "predict", "of": "run:base", "split": "train"},
        {
            "name": "model",
            "flags": model,
            "flags_for": {"here": "--model_option=b=3 --noframe_features"},
        },
    ]
    row = make_row("n", level="frame", data="here", stages=stages)
    steps = commands.training_steps(row, "small", DATA, 5, "F", lambda n: f"OF-{n}")
    assert [s.kind for s in steps] == ["train", "predict", "train", "eval"]
    assert commands.needed(row, "small") == ["base"]
    scores = "--train_dir=OF-base --input_data_pattern=T --output_scores=F/scores"
    assert steps[1].shown() == f"python inference.py {scores}"
    assert steps[2].shown() == (
        "python train.py --max_frames=7 --model_option=a=1 --init_from=F/encoder"
        " --priors_from=OF-base --x=F/scores --model_option=b=3 --noframe_features"
        " --train_data_pattern=T --train_dir=F/model --seed=5"
    )
    evaluation = "--train_dir=F/model --eval_data_pattern=V --output_dir=F/eval"
    assert steps[3].shown() == f"python eval.py {evaluation}"


def test_a_stage_that_does_not_exist_is_refused():
    row = make_row("n", "--init_from={gone}", "frame")
    with pytest.raises(UserError, match="'gone', which is not an earlier stage"):
        commands.training_steps(row, "small", DATA, 0, "F", str)


def test_a_command_is_run_with_the_defaults_that_it_was_measured_with():
    def added(kind, *flags):
        step = commands.Step("model", kind, ("train.py", *flags), "F")
        return sorted(set(as_measured(step).arguments) - set(step.arguments))

    assert added("train", "--model=MoeModel") == ["--dtype=float32"]
    normalized = ["--dtype=float32", "--model_option=input_norm=l2"]
    assert added("train", "--model=GruModel", "--model_option=cells=9") == normalized
    own = ("--dtype=bfloat16", "--model_option=input_norm=none")
    assert added("train", "--model=GruModel", *own) == []
    assert added("eval", "--train_dir=F") == []
