import pytest

from yt8m.accelerators import programs
from yt8m.accelerators.compilation.chosen import requests_of
from yt8m.accelerators.settings import FLOAT32_TOO, CompileSettings
from yt8m.errors import UserError
from yt8m.models.core import registry


def test_all_is_every_program_of_every_model():
    requests = requests_of(CompileSettings(all=True))
    one = {(r.model, r.program) for r in requests if (r.dtype, r.replicas) == ("bfloat16", 1)}
    every = registry.list_models(task=None)
    assert one == {(model, name) for model in every for name in programs.names(model)}
    assert {r.model for r in requests if r.dtype == "float32"} == set(FLOAT32_TOO)
    families = {registry.model_class(m).__module__.split(".")[2] for m in every}
    assert families == {registry.model_class(m).__module__.split(".")[2] for m in FLOAT32_TOO}
    shared = [r for r in requests if r.replicas == 4]
    assert {r.model for r in shared} == set(FLOAT32_TOO)
    assert all(r.program == "train" and not r.batch_size % 4 for r in shared)
    assert len(set(requests)) == len(requests)


def test_a_model_has_its_recipes_batch_unless_another_is_given():
    recipe = registry.model_class("MoeModel").recipe
    found = requests_of(CompileSettings(model="MoE"))
    assert [r.program for r in found] == ["train", "evaluate", "predict"]
    assert {r.batch_size for r in found} == {recipe.batch_size}
    given = CompileSettings(model="MoE", program="train", batch_size=64, dtype="float32")
    (only,) = requests_of(given)
    assert (only.batch_size, only.dtype, only.program) == (64, "float32", "train")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (CompileSettings(), "name models with --model=NAME"),
        (CompileSettings(model="MoeModel", all=True), "name models with --model=NAME"),
        (CompileSettings(model="MoeModel", program="step2"), "has no such program"),
        (CompileSettings(model="MoeModel", topology="gpu:1"), "--topology=gpu:1"),
    ],
)
def test_what_cannot_be_compiled_is_refused(settings, message):
    with pytest.raises(UserError, match=message):
        requests_of(settings)
