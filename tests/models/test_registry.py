"""Names, aliases and near misses."""

import pytest

from yt8m.errors import UserError
from yt8m.models import registry


def test_aliases_are_the_same_class():
    assert registry.model_class("MoE") is registry.model_class("MoeModel")
    assert registry.own_name("AttnVladModel") == "AttnVLAD"


def test_unknown_model_names_near_misses():
    with pytest.raises(UserError, match="MoeModel") as error:
        registry.create("MoeModle", num_classes=3)
    assert "--list_models" in str(error.value)


def test_patterns():
    assert registry.list_models("Dbof*") == ["DbofBasic", "DbofCgate", "DbofModel", "DbofResNet"]


def test_table_has_a_line_for_every_model():
    lines = registry.table().splitlines()
    assert [line.split()[0] for line in lines] == registry.list_models(task=None)
    assert all(len(line.split(None, 2)) == 3 and line.rstrip().endswith((".", ")")) for line in lines)


def test_a_name_is_given_once():
    with pytest.raises(ValueError, match="two models"):
        registry.register("MoeModel")(object)
