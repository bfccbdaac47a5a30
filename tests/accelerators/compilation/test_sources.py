import pytest

from yt8m.accelerators.compilation import sources
from yt8m.accelerators.compilation.sources import source_hash


@pytest.fixture
def edited(tmp_path, monkeypatch):
    """Return a function that gives the hash of a program after a file was edited."""
    import shutil

    copy = tmp_path / "yt8m"
    shutil.copytree(sources.ROOT, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(sources, "ROOT", copy)
    sources._imported.cache_clear()

    def hash_after(path, model, program="train"):
        with open(copy / path, "a") as file:
            file.write("# edited\n")
        return source_hash(model, program)

    yield hash_after
    sources._imported.cache_clear()


@pytest.mark.parametrize(
    ("path", "model", "program", "changes"),
    [
        ("models/dbof/kdd.py", "DbofCgate", "train", True),
        ("layers/dequantize.py", "DbofCgate", "train", True),
        ("training/step.py", "MoeModel", "train", True),
        ("losses/cross_entropy.py", "MoeModel", "train", True),
        ("models/dbof/kdd.py", "MoeModel", "train", False),
        ("layers/dequantize.py", "LstmModel", "predict", True),
        ("submission/predict.py", "MoeModel", "train", False),
        ("largescale/mixtures/mixture_block.py", "PmoeModel", "train", True),
        ("largescale/mixtures/mixture_block.py", "DbofBasic", "step2", True),
        ("largescale/mixtures/mixture_block.py", "DbofBasic", "train", False),
    ],
)
def test_the_hash_follows_what_a_program_is_made_of(edited, path, model, program, changes):
    before = source_hash(model, program)
    assert (edited(path, model, program) != before) == changes
