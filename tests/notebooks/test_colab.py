"""`notebooks/colab.ipynb` runs from top to bottom, in an environment that it installs itself."""

import os
import pathlib
import shutil
import subprocess
import sys
import sysconfig

import nbclient
import nbformat
import pytest

ROOT = pathlib.Path(__file__).parents[2]
NOTEBOOK = ROOT / "notebooks" / "colab.ipynb"
SMALL = """
FLAGS = ["--num_epochs=2", "--batch_size=256", "--progress_seconds=1", "--dtype=float32"]
MODELS = {"AttnVLAD": [], "FrameLevelLogisticModel": []}
"""


def read():
    """Return the notebook as it is committed."""
    return nbformat.read(NOTEBOOK, as_version=4)


def test_it_is_valid_and_its_outputs_are_stripped():
    notebook = read()
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


def is_settings(cell):
    """Return whether a cell has the tag of the settings, after which a run may insert its own."""
    return "parameters" in cell.metadata.get("tags", [])


def test_one_cell_has_the_settings():
    assert sum(map(is_settings, read().cells)) == 1


@pytest.fixture
def kernel(tmp_path, monkeypatch):
    """The name of a kernel whose environment has this one's packages, but not yt8m."""
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    python = environment / "bin" / "python"
    purelib = subprocess.check_output(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], text=True
    )
    # A path in a .pth file adds packages, but not the .pth files there, such as an editable yt8m.
    here = sysconfig.get_path("purelib")
    pathlib.Path(purelib.strip(), "packages_of_the_tests.pth").write_text(here)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    install = ["ipykernel", "install", "--prefix", str(tmp_path / "prefix"), "--name", "fresh"]
    subprocess.run([python, "-m", *install], check=True, capture_output=True)
    shutil.move(tmp_path / "prefix" / "share" / "jupyter", tmp_path / "jupyter")
    return "fresh"


@pytest.fixture
def clone(tmp_path):
    """A copy of what the notebook's installation takes from a clone."""
    folder = tmp_path / "clone"
    ignore = shutil.ignore_patterns("__pycache__")
    for name in ("yt8m", "notebooks"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignore)
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE", "MANIFEST.in"):
        shutil.copy(ROOT / name, folder)
    return folder


@pytest.mark.slow
def test_it_runs_from_top_to_bottom(kernel, clone):
    notebook = read()
    place = next(number for number, cell in enumerate(notebook.cells) if is_settings(cell))
    notebook.cells.insert(place + 1, nbformat.v4.new_code_cell(SMALL))
    client = nbclient.NotebookClient(
        notebook,
        timeout=600,
        kernel_name=kernel,
        resources={"metadata": {"path": str(clone / "notebooks")}},
    )
    client.execute()
    if os.environ.get("YT8M_NOTEBOOK_COPY"):  # keeps the outputs, to look at them
        nbformat.write(notebook, os.environ["YT8M_NOTEBOOK_COPY"])

    outputs = [o for cell in notebook.cells if cell.cell_type == "code" for o in cell.outputs]
    printed = "".join(output.get("text", "") for output in outputs)
    assert "interrupted; exit code 130" in printed
    assert "resumed at step" in printed
    submission = (clone / "notebooks" / "yt8m-notebook" / "fused.csv").read_text().splitlines()
    assert submission[0] == "VideoId,LabelConfidencePairs"
    assert len(submission) == 601
    shown = [output["data"] for output in outputs if "data" in output]
    assert sum("image/png" in data for data in shown) == 1
    metrics, names = (data["text/markdown"] for data in shown if "text/markdown" in data)
    for model in ("AttnVLAD", "FrameLevelLogisticModel"):
        assert f"| {model} | 0." in metrics
    assert "scene " in names
    # The notebook's installation holds what the clone holds, and no command wrote into it.
    (installed,) = (clone.parent / "environment").glob("lib/*/site-packages/yt8m")
    assert contents(installed) == contents(clone / "yt8m")


def contents(folder):
    """Return the names of the files of a package, compiled modules left out."""
    files = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(str(path) for path in files if path.suffix != ".pyc")
