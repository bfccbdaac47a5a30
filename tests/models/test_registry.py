"""Names, aliases and near misses."""

import pytest

from yt8m.errors import UserError
from yt8m.models import registry
from yt8m.models.arguments import integer_bounds, out_of_bounds


def test_aliases_are_the_same_class():
    assert registry.model_class("MoE") is registry.model_class("MoeModel")
    assert registry.own_name("AttnVladModel") == "AttnVLAD"


def test_unknown_model_names_near_misses():
    with pytest.raises(UserError, match="MoeModel") as error:
        registry.create("MoeModle", num_classes=3)
    assert "--list_models" in str(error.value)


@pytest.mark.parametrize("name, argument, least", [("LstmModel", "layers", 1), ("MoE", "num_mixtures", 1), ("GruModel", "fc_size", 0)])
def test_whole_numbers_have_a_least(name, argument, least):
    for value in (least - 1, -5, 2.5, "two", True, None):
        with pytest.raises(ValueError, match=f"^{argument}={value!r}, expected a whole number of {least} or more$"):
            registry.create(name, num_classes=3, **{argument: value})
    assert registry.create(name, num_classes=3, **{argument: least}).get_config()[argument] == least


def test_every_default_is_within_the_bounds():
    for name in registry.list_models(task=None):
        model = registry.model_class(name)
        config = registry.create(name, num_classes=3).get_config()
        assert not [key for key in config if out_of_bounds(model, key, config[key])]
    assert integer_bounds(registry.model_class("AttnVLAD"))["projection_size"] == 0


def test_patterns():
    assert registry.list_models("Dbof*") == ["DbofBasic", "DbofCgate", "DbofModel", "DbofResNet"]


def test_table_has_a_line_for_every_model():
    lines = registry.table().splitlines()
    assert [line.split()[0] for line in lines] == registry.list_models(task=None)
    assert all(len(line.split(None, 2)) == 3 and line.rstrip().endswith((".", ")")) for line in lines)


def test_a_name_is_given_once():
    with pytest.raises(ValueError, match="two models"):
        registry.register("MoeModel")(object)
