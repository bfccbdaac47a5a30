"""What the flags become in config.json: recipes, starter defaults and model arguments."""

import json
import os
import subprocess
import sys

import pytest

from tests.support.commands import run_command, train_flags
from yt8m.commands import train
from yt8m.errors import UserError
from yt8m.models.core import registry

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def config_of(data, folder, *arguments):
    """Run one step of training, and return the config.json that it writes."""
    done = run_command(
        "train",
        f"--train_data_pattern={data.pattern('train', 'video')}",
        f"--train_dir={folder}",
        "--max_steps=1",
        *arguments,
    )
    assert done.code == 0, done.out + done.err
    with open(os.path.join(folder, "config.json")) as f:
        return json.load(f)


def test_without_a_flag_the_models_recipe_decides(small_data, tmp_path):
    config = config_of(
        small_data, str(tmp_path), "--model=MoE", "--moe_num_mixtures=3", "--model_option=l2=0.001"
    )
    assert config["model"] == {"name": "MoeModel", "arguments": {"num_mixtures": 3, "l2": 0.001}}
    assert config["recipe"]["base_learning_rate"] == 0.1
    assert config["recipe"]["schedule"] == "cosine"
    assert config["schema"]["feature_names"] == ["mean_rgb", "mean_audio"]
    assert config["schema"]["num_classes"] == 12
    assert config["training"]["trainer"] == "joint"
    assert "alternation" not in config
    assert config["facts"]["records"] == 600
    assert config["facts"]["data"]["shards"] == 3


def test_starter_defaults_are_the_starters_and_flags_win(small_data, tmp_path):
    config = config_of(
        small_data,
        str(tmp_path),
        "--model=MoeModel",
        "--starter_defaults",
        "--batch_size=50",
        "--release=sports1m",
    )
    assert config["schema"]["num_classes"] == 487
    expected = {
        "base_learning_rate": 0.01,
        "schedule": "exponential",
        "learning_rate_decay": 0.95,
        "learning_rate_decay_examples": 4_000_000,
        "clip_gradient_norm": 1.0,
        "num_epochs": 5,
        "batch_size": 50,
    }
    assert {name: config["recipe"][name] for name in expected} == expected
    assert config["model"]["arguments"] == {"initial": "zeros"}


@pytest.mark.slow
def test_without_data_the_synthetic_sample_is_made_and_used(tmp_path):
    command = [
        sys.executable,
        os.path.join(ROOT, "train.py"),
        "--model=AttnVLAD",
        "--max_steps=2",
        "--batch_size=16",
    ]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": ROOT},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "using the synthetic sample" in done.stdout
    assert (tmp_path / "runs" / "AttnVLAD" / "best" / "model.weights.h5").exists()


def arguments_of(name, *flags):
    """Return a model's arguments for the flags of a command."""
    values = train_flags(f"--model={name}", *flags)
    return train.arguments_from_flags(values, registry.model_class(name))


def test_a_start_from_another_run_sets_what_the_model_then_wants():
    def arguments(*flags):
        return arguments_of("ContextGruModel", *flags)

    assert arguments() == {}
    assert arguments("--init_from=runs/encoder") == {"freeze_encoder": True}
    assert arguments("--init_from=runs/encoder", "--model_option=freeze_encoder=false") == {
        "freeze_encoder": False
    }


@pytest.mark.parametrize(
    ("name", "flag", "wrong"),
    [
        ("LstmModel", "lstm_layers", "0"),
        ("MoeModel", "moe_num_mixtures", "-1"),
        ("DbofModel", "dbof_cluster_size", "0"),
        ("MoeModel", "model_option", "num_mixtures=1.5"),
    ],
)
def test_a_number_that_makes_no_model_is_reported_with_its_flag(name, flag, wrong):
    expected = f"^--{flag}={wrong}: expected a whole number of (at least 1 and.*|1 or more)\\.$"
    with pytest.raises(UserError, match=expected):
        arguments_of(name, f"--{flag}={wrong}")


@pytest.mark.parametrize("optimizer", ["AdamW", "LambOptimizer"])
def test_a_weight_decay_goes_with_the_optimizers_that_have_one(optimizer):
    from yt8m.runs.new_run import choose

    values = train_flags("--weight_decay=0.1", f"--optimizer={optimizer}")
    chosen = choose(registry.model_class("MoeModel"), False, train.settings_from_flags(values))
    assert chosen.recipe.weight_decay == 0.1
    assert chosen.recipe.optimizer == optimizer
