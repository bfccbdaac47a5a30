"""The documents' commands: the marked ones run as they stand, and none names an unknown flag."""

import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

import pytest

from tests.docs.markdown import DOCUMENTS, ROOT, blocks
from yt8m import cli

# The root scripts and the `python -m` forms, and the subcommand that each of them is.
ALIASES = {
    "train.py": "train",
    "eval.py": "eval",
    "inference.py": "predict",
    "fusion.py": "fuse",
    "-m yt8m.data.inspect": "inspect",
    "-m yt8m.data.synthetic": "synthetic",
    "-m yt8m.analysis": "analyse",
    "-m yt8m.evaluation.segment_csv": "score-segments",
    "-m yt8m.largescale.figures": "figures",
    "-m yt8m.demo": "demo",
    "-m yt8m.papers": "papers",
}
MARKED = [d for d in DOCUMENTS if any(block.mark for block in blocks(d))]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Shards by the names that the documents use, of both splits, frame-level and small."""
    from yt8m.data.synthetic.dataset import SyntheticSpec, make_synthetic

    spec = SyntheticSpec(
        videos=(("train", 300), ("validate", 100), ("test", 40)),
        num_classes=12,
        feature_sizes=(32, 8),
        min_frames=10,
        max_frames=16,
        num_shards=2,
    )
    made = make_synthetic(str(tmp_path_factory.mktemp("made")), spec)
    return pathlib.Path(made.folder, "frame")


@pytest.mark.slow
@pytest.mark.parametrize("document", MARKED, ids=lambda d: str(d.relative_to(ROOT)))
def test_marked_blocks_run(document, data, tmp_path):
    """Each block runs in a copy of the checkout, whose `data/` holds a few shards."""
    scripts = ("train.py", "eval.py", "inference.py", "fusion.py")
    for name in (*scripts, "yt8m", "tests", "pyproject.toml"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    shutil.copytree(data, tmp_path / "data")
    environment = {
        **os.environ,
        "PATH": os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"],
        "PYTHONPATH": str(tmp_path),
    }
    for block in blocks(document):
        if block.mark.startswith("file "):
            (tmp_path / block.mark.removeprefix("file ")).write_text(block.text)
        elif block.mark == "run":
            command = ["bash", "-euc"] if block.language == "sh" else [sys.executable, "-c"]
            ended = subprocess.run(
                [*command, block.text],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert ended.returncode == 0, f"{block.text}\n{ended.stdout}\n{ended.stderr}"
        else:
            assert not block.mark, f"{block.mark!r} is neither `run` nor `file PATH`"


def documented_commands():
    """Yield (document, subcommand, arguments) of each command of this program in a shell block."""
    for document in DOCUMENTS:
        for block in blocks(document):
            if block.language != "sh":
                continue
            for line in block.text.replace("\\\n", " ").splitlines():
                words = shlex.split(line, comments=True)
                for known, name in ALIASES.items():
                    start = ["python", *known.split()]
                    if words[: len(start)] == start:
                        yield document, name, words[len(start) :]
                if words[:1] == ["yt8m"]:
                    yield document, words[1], words[2:]


def known_flags(name, capsys):
    """Return the flags that a command's help lists."""
    cli.call(name, ["--help"])
    return set(re.findall(r"--(?:\[no\])?(\w+)", capsys.readouterr().out))


def test_documented_flags_exist(capsys):
    commands = list(documented_commands())
    assert len(commands) > 20
    flags = {name: known_flags(name, capsys) for name in {name for _, name, _ in commands}}
    for document, name, arguments in commands:
        if name == "papers":  # its own subcommands have the flags; tests/papers runs them
            continue
        for argument in arguments:
            if argument.startswith("--"):
                flag = argument[2:].partition("=")[0]
                assert flag in flags[name] | {"help"}, f"{document.name}: {name} has no --{flag}"
