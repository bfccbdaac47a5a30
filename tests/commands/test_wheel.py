"""The wheel alone is enough: every command starts from an empty folder.

`tests/notebooks` runs the main job with an installed package.
"""

import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys
import zipfile

import pytest

from yt8m.cli import COMMANDS

ROOT = pathlib.Path(__file__).parents[2]
pytestmark = pytest.mark.slow  # builds a wheel, and starts TensorFlow a dozen times


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder into which the wheel is unpacked."""
    built, target = tmp_path_factory.mktemp("wheel"), tmp_path_factory.mktemp("site")
    source = tmp_path_factory.mktemp("source")
    shutil.copytree(ROOT / "yt8m", source / "yt8m", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE", "MANIFEST.in"):
        shutil.copy(ROOT / name, source)
    has_builder = all(importlib.util.find_spec(name) for name in ("setuptools", "wheel"))
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    command += ["--no-build-isolation"] if has_builder else []
    subprocess.run([*command, "--wheel-dir", str(built), str(source)], check=True)
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    return target


@pytest.fixture
def yt8m(installed, tmp_path):
    """Returns a function that runs a command of the installed package in an empty folder."""
    env = {**os.environ, "PYTHONPATH": str(installed), "CUDA_VISIBLE_DEVICES": "-1"}

    def run(*arguments, code=0):
        done = subprocess.run(
            [sys.executable, "-m", "yt8m", *arguments],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    return run


def test_it_has_the_command_and_the_type_marker(installed):
    assert (installed / "yt8m" / "py.typed").exists()
    (entry_points,) = installed.glob("yt8m-*.dist-info/entry_points.txt")
    assert "yt8m = yt8m.cli:main" in entry_points.read_text()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(yt8m, name):
    assert "--" in yt8m(name, "--help")


def test_the_papers_rows_are_part_of_it(yt8m):
    assert "hgru" in yt8m("papers", "list")
    assert "train.py" in yt8m("papers", "show", "hgru")


def test_the_source_distribution_holds_the_root_scripts():
    manifest = (ROOT / "MANIFEST.in").read_text()
    for script in ("train.py", "eval.py", "inference.py", "fusion.py"):
        assert (ROOT / script).exists()
        assert script in manifest
