"""Names, aliases and near misses."""

import re
import sys

import pytest

from yt8m.errors import UserError
from yt8m.models.core import registry
from yt8m.models.core.arguments import integer_bounds, out_of_bounds


def test_aliases_are_the_same_class():
    assert registry.model_class("MoE") is registry.model_class("MoeModel")
    assert registry.own_name("AttnVladModel") == "AttnVLAD"


def test_unknown_model_names_near_misses():
    with pytest.raises(UserError, match="MoeModel") as error:
        registry.create("MoeModle", num_classes=3)
    assert "--list_models" in str(error.value)


@pytest.mark.parametrize(
    ("name", "argument", "least"),
    [("LstmModel", "layers", 1), ("MoE", "num_mixtures", 1), ("GruModel", "fc_size", 0)],
)
def test_whole_numbers_have_a_least(name, argument, least):
    for value in (least - 1, -5, 2.5, "two", True, None):
        with pytest.raises(
            ValueError, match=f"^{argument}={value!r}, expected a whole number of {least} or more$"
        ):
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
    assert all(
        len(line.split(None, 2)) == 3 and line.rstrip().endswith((".", ")")) for line in lines
    )


def test_a_name_is_given_once():
    with pytest.raises(
        ValueError,
        match="two models are registered as MoE; the other is MoeModel of yt8m.models.video.moe",
    ):
        registry.register("MoE")(object)


@pytest.fixture
def model_file(tmp_path, monkeypatch):
    """Writes a file beside the models', for one test."""
    import yt8m.models

    monkeypatch.setattr(yt8m.models, "__path__", [*yt8m.models.__path__, str(tmp_path)])
    monkeypatch.setattr(registry, "_MODELS", dict(registry._MODELS))
    monkeypatch.setattr(registry, "_ALIASES", dict(registry._ALIASES))

    def write(text):
        path = tmp_path / f"model_of_{tmp_path.name}.py"
        path.write_text(
            "from yt8m.models.core.base import *\nfrom yt8m.models.core.registry import register\n"
            + text
        )
        return str(path)

    yield write
    sys.modules.pop(f"yt8m.models.model_of_{tmp_path.name}", None)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "\nimport not_there",
            ", line 4, cannot be imported: ModuleNotFoundError: No module named 'not_there'",
        ),
        ("def f(:", "SyntaxError"),
        (
            "@register('MoE')\nclass Mine(VideoModel):\n    pass",
            ", line 3, cannot be imported: ValueError: two models",
        ),
        (
            "@register('Mine')\nclass Mine(tf.keras.Model):\n    pass",
            "Mine, registered as Mine, is to be a VideoModel",
        ),
        (
            "@register('Mine')\nclass Mine(Yt8mModel):\n    pass",
            "is to be a VideoModel or a FrameModel",
        ),
    ],
)
def test_a_file_that_cannot_be_imported_is_named(model_file, text, told):
    path = model_file(text)
    with pytest.raises(UserError, match="every model's is imported") as error:
        registry.model_class("MoeModel")
    assert path in str(error.value)
    assert told in str(error.value)


def test_a_model_without_a_docstring_is_listed(model_file):
    model_file("@register('Mine')\nclass Mine(VideoModel):\n    pass")
    assert [line for line in registry.table().splitlines() if line.startswith("Mine ")] == [
        f"{'Mine':<26} video  (no docstring)"
    ]


@pytest.mark.parametrize(
    ("answer", "found"),
    [("x", "(2, 8)"), ("{'predictions': x[:, :3]}", "a dict"), ("x[:, 0]", "(2,)")],
)
def test_an_answer_of_another_shape_is_refused(model_file, answer, found):
    model_file(
        f"@register('Mine')\nclass Mine(VideoModel):\n    def call(self, inputs, training=None):\n"
        f"        x = inputs['video']\n        return {answer}"
    )
    told = f"must return a tensor of shape (2, 3), not {found}"
    with pytest.raises(ValueError, match=re.escape(told)):
        registry.create("Mine", num_classes=3, feature_sizes=(6, 2)).build_weights()
