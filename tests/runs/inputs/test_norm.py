"""Which normalisation of the inputs a new run has."""

import dataclasses

import pytest

from tests.support.runs import begun, new_run
from yt8m.data.schema import RecordSchema
from yt8m.errors import UserError
from yt8m.models.core import registry
from yt8m.runs.inputs.norm import with_input_norm

OWN = RecordSchema("frame", ("clip",), (768,), 20)
RELEASE = RecordSchema("frame", ("rgb", "audio"), (1024, 128), 3862)


def run_with(**arguments):
    return new_run("x", "FrameLevelLogisticModel", schema=OWN, arguments=arguments)


def norm(schema=OWN, asked=None, given=(), starter=False, before=None, model=None, **sources):
    """Return the argument `input_norm` that a run gets, or None."""
    cls = registry.model_class(model or "FrameLevelLogisticModel")
    sources = {f"--{flag}": str(path) for flag, path in sources.items()}
    found, line = with_input_norm(cls, dict(given), asked, [], schema, starter, before, sources)
    assert ("no known release" in line) == (found.get("input_norm") == "standardize" and bool(line))
    return found.get("input_norm")


def test_own_features_are_standardized_and_those_of_a_release_as_each_model_wants():
    assert norm() == "standardize"
    assert norm(RELEASE) is None
    assert norm(starter=True) is None, "the starter code has no such choice"


def test_a_wish_decides():
    assert norm(asked="none") == "none"
    assert norm(RELEASE, asked="standardize") == "standardize"
    assert norm(given={"input_norm": "none"}) == "none"
    assert norm(given={"input_norm": "none"}, asked="none") == "none"
    with pytest.raises(UserError, match="contradicts --model_option=input_norm=none"):
        norm(given={"input_norm": "none"}, asked="l2")


def test_a_resumed_run_keeps_its_own():
    assert norm(before=run_with()) is None, "a run of an earlier version"
    assert norm(before=run_with(input_norm="l2")) == "l2"
    assert norm(RELEASE, before=run_with(input_norm="standardize")) == "standardize"
    assert norm(asked="l2", before=run_with()) is None, "the default by name is the same run"
    assert norm(asked="l2", before=run_with(input_norm="l2")) == "l2"


@pytest.mark.parametrize("flag", ["init_from", "step1_from", "frame_network"])
def test_a_run_that_builds_on_another_does_as_that_one(flag, tmp_path):
    begun(run_with(), tmp_path / "old")
    begun(run_with(input_norm="none"), tmp_path / "new")
    assert norm(**{flag: tmp_path / "old"}) is None
    assert norm(**{flag: tmp_path / "new"}) == "none"
    assert norm(**{flag: ""}) == "standardize"
    assert norm(**{flag: tmp_path / "none"}) == "standardize", "it is refused elsewhere"


def test_a_model_without_the_choice():
    class Plain(registry.model_class("FrameLevelLogisticModel").__mro__[-1]):
        """No model at all."""

    assert with_input_norm(Plain, {}, None, [], OWN, False, None, {}) == ({}, "")
    with pytest.raises(UserError, match="Plain has no argument input_norm"):
        with_input_norm(Plain, {}, "l2", [], OWN, False, None, {})


def test_settings_of_earlier_versions_load_and_quantize_float_frames():
    old = dataclasses.replace(run_with(), schema=dataclasses.replace(OWN, float_frames=True))
    text = old.to_json().replace('  "frames_as": "bytes",\n', "")
    assert "frames_as" not in text
    assert type(old).from_json(text) == old
