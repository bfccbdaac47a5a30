"""Names, aliases, similar names, and what a stranger's model file needs."""

import ast
import inspect
import re
import sys
import textwrap

import pytest
import tensorflow as tf

import yt8m.models
import yt8m.models.video
from yt8m.errors import UserError
from yt8m.models.core import base, registry
from yt8m.models.core.arguments import constructor_arguments, integer_bounds, out_of_bounds

IMPORTS = """
from yt8m.models.core.base import *
from yt8m.models.core.registry import register
"""


def test_aliases_are_the_same_class():
    assert registry.model_class("MoE") is registry.model_class("MoeModel")
    assert registry.own_name("AttnVladModel") == "AttnVLAD"


def test_unknown_model_names_near_misses():
    with pytest.raises(UserError, match=r"MoeModel.*--list_models"):
        registry.create("MoeModle", num_classes=3)


@pytest.mark.parametrize(
    ("name", "argument", "least"),
    [("LstmModel", "layers", 1), ("MoE", "num_mixtures", 1), ("GruModel", "fc_size", 0)],
)
def test_whole_numbers_have_a_least_value(name, argument, least):
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


def test_constructor_arguments_are_those_that_a_user_sets():
    arguments = constructor_arguments(registry.model_class("DbofBasic"))
    assert {"width", "head", "num_mixtures", "input_norm"} <= set(arguments)
    assert not {"self", "kwargs", "name", "num_classes", "video_sizes"} & set(arguments)
    assert len(arguments) == len(set(arguments))


def test_patterns():
    assert registry.list_models("Dbof*") == ["DbofBasic", "DbofCgate", "DbofModel", "DbofResNet"]


def test_tables_have_a_line_for_every_model():
    names = registry.list_models(task=None)
    lines = registry.table().splitlines()
    assert [line.split()[0] for line in lines] == names
    assert all(len(line.split(None, 2)) == 3 for line in lines)
    assert all(line.rstrip().endswith((".", ")")) for line in lines)
    head, rule, *rows = registry.markdown_table().splitlines()
    assert [row.split("`")[1] for row in rows] == names
    assert all(row.count(" | ") == 2 for row in (head, rule, *rows))
    assert "| `MoeModel` | video | Mixture of experts on video-level features. (also MoE) |" in rows


def test_a_name_is_given_once():
    with pytest.raises(
        ValueError,
        match=r"two models are registered as MoE; the other is MoeModel of yt8m.models.video.moe",
    ):
        registry.register("MoE")(object)


@pytest.fixture
def add_file(tmp_path, monkeypatch):
    """Return a function that writes a file as if into a package of models, for one test."""
    monkeypatch.setattr(registry, "_MODELS", dict(registry._MODELS))
    monkeypatch.setattr(registry, "_ALIASES", dict(registry._ALIASES))
    before = set(sys.modules)

    def write(text, name="mine.py", package=yt8m.models):
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return str(path)

    yield write
    for name in set(sys.modules) - before:
        if name.startswith("yt8m.models"):
            del sys.modules[name]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            IMPORTS + "\nimport not_there",
            ", line 5, cannot be imported: ModuleNotFoundError: No module named 'not_there'",
        ),
        ("\ndef f(:", ", line 2, cannot be imported: SyntaxError"),
        (
            IMPORTS + "@register('MoE')\nclass Mine(VideoModel):\n    pass",
            ", line 4, cannot be imported: ValueError: two models",
        ),
        (
            IMPORTS + "@register('Mine')\nclass Mine(tf.keras.Model):\n    pass",
            "Mine, registered as Mine, must be a VideoModel",
        ),
        (
            IMPORTS + "@register('Mine')\nclass Mine(Yt8mModel):\n    pass",
            "must be a VideoModel or a FrameModel",
        ),
    ],
)
@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("mine.py", yt8m.models),
        ("mine.py", yt8m.models.video),
        ("family/__init__.py", yt8m.models),
    ],
)
def test_a_file_that_cannot_be_imported_is_named(add_file, text, said, name, package):
    path = add_file(text, name, package)
    with pytest.raises(UserError, match="every model file is imported") as error:
        registry.model_class("MoeModel")
    assert path in str(error.value)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("mine.py", yt8m.models),
        ("mine.py", yt8m.models.video),
        ("family/mine.py", yt8m.models),
    ],
)
def test_a_model_is_found_wherever_its_file_is(add_file, name, package):
    if name.startswith("family"):
        add_file("", "family/__init__.py")
    add_file(IMPORTS + "@register('Mine')\nclass Mine(VideoModel):\n    pass", name, package)
    lines = [line for line in registry.table().splitlines() if line.startswith("Mine ")]
    assert lines == [f"{'Mine':<26} video  (no docstring)"]


def test_a_family_without_an_init_file_is_refused(add_file):
    path = add_file("", "family/mine.py")
    with pytest.raises(UserError, match=r"family needs an empty __init__.py") as error:
        registry.list_models()
    assert path in str(error.value)


def test_core_holds_no_models(add_file):
    import yt8m.models.core

    add_file("import not_there", package=yt8m.models.core)
    assert "MoeModel" in registry.list_models()


def test_the_example_in_the_documentation_is_a_model(add_file):
    text = ast.get_docstring(ast.parse(inspect.getsource(base)))
    add_file(textwrap.dedent(text.split("complete one:\n")[1]))
    model = registry.create("MyModel", num_classes=3, feature_sizes=(4, 2), hidden_size=5)
    model.build_weights()
    arguments = {"num_classes": 3, "feature_sizes": [4, 2], "input_norm": "l2", "hidden_size": 5}
    assert model.get_config() == arguments
    frames = tf.zeros([1, 6, 6], tf.uint8)
    answer = model({"frames": frames, "num_frames": tf.constant([6])}, training=False)
    assert answer.shape == (1, 3)
    assert "One line, which --list_models shows." in registry.table()


@pytest.mark.parametrize(
    ("answer", "found"),
    [("x", "(2, 8)"), ("{'predictions': x[:, :3]}", "a dict"), ("x[:, 0]", "(2,)")],
)
def test_an_answer_of_another_shape_is_refused(add_file, answer, found):
    add_file(
        f"{IMPORTS}@register('Mine')\nclass Mine(VideoModel):\n"
        f"    def call(self, inputs, training=None):\n"
        f"        x = inputs['video']\n        return {answer}"
    )
    said = f"must return a tensor of shape (2, 3), not {found}"
    with pytest.raises(ValueError, match=re.escape(said)):
        registry.create("Mine", num_classes=3, feature_sizes=(6, 2)).build_weights()
