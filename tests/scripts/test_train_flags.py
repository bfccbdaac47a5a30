"""What the flags become: recipes, starter defaults and model arguments, as the run's config.json keeps them."""

import json
import os
import subprocess
import sys

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def config_of(data, folder, *arguments):
    """Run one step of train.py and return the config.json that it leaves."""
    command = [
        sys.executable,
        os.path.join(ROOT, "train.py"),
        f"--train_data_pattern={data.pattern('train', 'video')}",
        f"--train_dir={folder}",
        "--max_steps=1",
        *arguments,
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    with open(os.path.join(folder, "config.json")) as f:
        return json.load(f)


def test_without_a_flag_the_models_recipe_decides(small_data, tmp_path):
    config = config_of(
        small_data, str(tmp_path), "--model=MoE", "--moe_num_mixtures=3", "--model_option=l2=0.001"
    )
    assert config["model"] == {"name": "MoeModel", "arguments": {"num_mixtures": 3, "l2": 0.001}}
    assert config["recipe"]["base_learning_rate"] == 0.02
    assert config["recipe"]["schedule"] == "cosine"
    assert config["schema"]["feature_names"] == ["mean_rgb", "mean_audio"]
    assert config["schema"]["num_classes"] == 12
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
    recipe = config["recipe"]
    assert recipe["base_learning_rate"] == 0.01
    assert recipe["schedule"] == "exponential"
    assert recipe["learning_rate_decay"] == 0.95
    assert recipe["learning_rate_decay_examples"] == 4_000_000
    assert recipe["clip_gradient_norm"] == 1.0
    assert recipe["num_epochs"] == 5
    assert recipe["batch_size"] == 50
    assert config["model"]["arguments"] == {"initial": "zeros"}


def test_help_lists_a_scripts_own_flags_and_those_it_shares(tmp_path):
    for script, flags in (
        ("train.py", ("--train_data_pattern", "--base_learning_rate", "--max_experts")),
        ("eval.py", ("--watch", "--feature_names")),
    ):
        done = subprocess.run(
            [sys.executable, os.path.join(ROOT, script), "--help"],
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert all(f"  {flag}:" in done.stdout.replace("--[no]", "--") for flag in flags), (
            done.stdout
        )


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


@pytest.fixture
def arguments_of(monkeypatch):
    """Return a function that gives a model's arguments for the flags of a command."""
    from yt8m import flags as yt8m_flags
    from yt8m.models.core import registry

    values = yt8m_flags.flags.FlagValues()
    monkeypatch.setattr(yt8m_flags, "FLAGS", values)
    monkeypatch.setattr(yt8m_flags.flags, "FLAGS", values)
    for name in ("string", "bool", "integer", "float", "enum", "multi_string"):
        define = getattr(yt8m_flags.flags, f"DEFINE_{name}")
        monkeypatch.setattr(
            yt8m_flags.flags,
            f"DEFINE_{name}",
            lambda *a, _d=define, **k: _d(*a, **k, flag_values=values),
        )
    yt8m_flags.define_training_flags()

    def arguments(name, *given, of=yt8m_flags.model_arguments_from_flags):
        values.unparse_flags()
        values(["train.py", *given])
        model = registry.model_class(name)
        return of(name, model) if of is yt8m_flags.model_arguments_from_flags else of(model)

    return arguments


def test_a_flag_that_would_do_nothing_or_cannot_be_is_refused(arguments_of):
    from absl.flags import IllegalFlagValueError

    from yt8m.errors import UserError
    from yt8m.flags import recipe_from_flags

    with pytest.raises(
        UserError, match="--weight_decay=0.1 is of AdamW and LAMB, and this run's optimizer is Adam"
    ):
        arguments_of("MoeModel", "--weight_decay=0.1", of=recipe_from_flags)
    for optimizer in ("AdamW", "LambOptimizer"):
        assert (
            arguments_of(
                "MoeModel", "--weight_decay=0.1", f"--optimizer={optimizer}", of=recipe_from_flags
            ).weight_decay
            == 0.1
        )
    with pytest.raises(
        IllegalFlagValueError, match="seed"
    ):  # NumPy's and Keras' are of 32 bits, without a sign
        arguments_of("MoeModel", "--seed=-1")


def test_a_start_from_another_run_sets_what_the_model_then_wants(arguments_of):
    def arguments(*given):
        return arguments_of("ContextGruModel", *given)

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
def test_a_number_that_makes_no_model_is_told_by_its_flag(arguments_of, name, flag, wrong):
    from yt8m.errors import UserError

    with pytest.raises(
        UserError, match=f"^--{flag}={wrong}: expected a whole number of 1 or more\\.$"
    ):
        arguments_of(name, f"--{flag}={wrong}")
