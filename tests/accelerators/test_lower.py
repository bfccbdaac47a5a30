import sys

import numpy as np
import pytest

from tests.support.every_model import every_model
from tests.support.models import SIZES, K, T, tiny_arguments
from yt8m.accelerators import programs
from yt8m.accelerators.lower import lower
from yt8m.accelerators.sizes import Sizes
from yt8m.errors import UserError
from yt8m.models.core import registry

B = 4
WITH_JAX = pytest.mark.skipif(sys.version_info < (3, 12), reason="jax needs Python 3.12")
RECONSTRUCTION = registry.list_models(task="reconstruction")


def tiny(name, **more):
    given = tiny_arguments(name, shallow=True)
    del given["num_classes"], given["feature_sizes"]
    sizes = Sizes(B, T, K, SIZES, dtype="float32", arguments=given)
    return Sizes(**{**vars(sizes), **more})


def check(lowered):
    """Everything that a program needs is said, and what it says is static."""
    program = lowered.program
    assert len(lowered.artifact) > 100
    data = [a for a in lowered.arguments if a.role == "data"]
    assert [a.name for a in data] == list(program.specs)
    assert all(type(side) is int for a in lowered.arguments for side in a.shape)
    assert not any(a.dtype == "string" for a in lowered.arguments)
    assert [r.name for r in lowered.results if r.updates is None] == list(program.outputs)


@WITH_JAX
@pytest.mark.parametrize("name", [*every_model(), *RECONSTRUCTION])
def test_every_model_is_lowered(name):
    for each in programs.names(name):
        if each == "predict":  # "evaluate" has it in it
            continue
        lowered = lower(programs.make(name, each, tiny(name)))
        check(lowered)
        updated = {lowered.arguments[r.updates].role for r in lowered.results if r.updates}
        trains = each in ("train", "step2")
        assert ({"weight", "optimizer", "sums"} <= updated) == trains
        if not trains:
            assert not updated


def test_the_programs_are_named():
    assert programs.names("MoE") == ["train", "evaluate", "predict"]
    assert programs.names("ContextEncoderModel") == ["train", "evaluate"]
    assert programs.names("DbofBasic")[3:] == ["step2", "step3"]
    with pytest.raises(UserError, match="has no program 'step2'"):
        programs.make("MoeModel", "step2", tiny("MoeModel"))


@pytest.mark.parametrize("name", ["MoeModel", "DbofCgate"])
def test_the_sizes_are_those_of_the_recipe(name):
    program = programs.make(name, "predict", tiny(name, batch_size=0, num_frames=0))
    recipe = registry.model_class(name).recipe
    assert program.examples == recipe.batch_size
    assert program.num_frames == (300 if name == "DbofCgate" else 0)
    training = programs.make(name, "train", tiny(name, batch_size=0, num_frames=0))
    assert training.num_frames == recipe.train_frames


@pytest.mark.parametrize(
    ("program", "where"),
    [
        ("train", "yt8m.training.step.TrainStep.on_batch"),
        ("evaluate", "yt8m.runs.predictor.Predictor.__init__"),
    ],
)
def test_the_programs_are_the_projects_own_steps(program, where, monkeypatch):
    # A command that built steps of its own would not notice that these are broken.
    def broken(*_):
        raise RuntimeError("the project's own")

    monkeypatch.setattr(where, broken)

    def trace():
        made = programs.make("LogisticModel", program, tiny("LogisticModel"))
        made.function.get_concrete_function(*made.specs.values())

    with pytest.raises(RuntimeError, match="the project's own"):
        trace()


def test_a_program_computes_what_the_step_computes():
    program = programs.make("LogisticModel", "train", tiny("LogisticModel"))
    video = np.ones([B, sum(SIZES)], np.float32)
    program.function(video, np.ones([B, K], np.uint8))
    by_role = {role: variable.numpy() for role, variable in program.variables}
    assert by_role["step"] == 1
    assert by_role["sums"][0] > 0


def test_an_older_python_is_refused(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 11, 4))
    with pytest.raises(UserError, match=r"needs Python 3\.12 or newer, and this is Python 3\.11"):
        lower(programs.make("LogisticModel", "predict", tiny("LogisticModel")))


@WITH_JAX
def test_a_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "jax._src.interpreters.mlir", None)
    with pytest.raises(UserError, match=r"\[tpu-check\]"):
        lower(programs.make("LogisticModel", "predict", tiny("LogisticModel")))
