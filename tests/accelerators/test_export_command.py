"""`yt8m accelerators export` writes a folder, and goes on where it stopped."""

import json
import sys

import pytest

from tests.support.commands import run_command
from yt8m.accelerators import export_models
from yt8m.accelerators.settings import ExportSettings
from yt8m.models.core import registry

WITH_JAX = pytest.mark.skipif(sys.version_info < (3, 12), reason="jax needs Python 3.12")
SMALL = ("--model=LogisticModel", "--program=predict", "--batch_size=4", "--dtype=float32")


@WITH_JAX
def test_a_model_is_exported_once(tmp_path):
    command = ("accelerators", "export", f"--out_dir={tmp_path}", *SMALL)
    assert run_command(*command).code == 0
    about = json.loads(
        (tmp_path / "programs" / "LogisticModel.predict.float32.b4.json").read_text()
    )
    assert about["flops"] == 2 * 4 * 1152 * 3862
    assert [a["role"] for a in about["arguments"]] == ["data", "weight", "weight"]
    assert about["outputs"] == [{"name": "predictions", "shape": [4, 3862], "dtype": "float32"}]
    assert (tmp_path / "run.py").exists()
    artifact = tmp_path / "programs" / "LogisticModel.predict.float32.b4.mlirbc"
    written = artifact.stat().st_mtime_ns
    assert run_command(*command).code == 0
    assert artifact.stat().st_mtime_ns == written

    about["source"] = "of another version"
    artifact.with_suffix(".json").write_text(json.dumps(about))
    assert run_command(*command).code == 0
    assert artifact.stat().st_mtime_ns > written


@WITH_JAX
def test_each_of_several_models_gets_a_process_with_the_same_flags(tmp_path, monkeypatch):
    ran = []

    def note(command):
        ran.append(command)
        return type("Finished", (), {"code": 0})

    monkeypatch.setattr(export_models.child_process, "run", note)
    export_models.export_models(ExportSettings(str(tmp_path), program="train", batch_size=8))
    assert [c[5] for c in ran] == [f"--out_dir={tmp_path}"] * len(ran)
    models = [f.removeprefix("--model=") for c in ran for f in c if f.startswith("--model=")]
    assert models == registry.list_models(task=None)
    assert all(c[-2:] == ["--program=train", "--batch_size=8"] for c in ran)


@WITH_JAX
@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--model=MoeMdel", "MoeModel"),
        ("--program=trian", "trian is no program; LogisticModel has train, evaluate, predict"),
        ("--dtype=float16", "float32, bfloat16"),
    ],
)
def test_a_mistake_is_explained(flag, message, tmp_path):
    ended = run_command("accelerators", "export", f"--out_dir={tmp_path}", SMALL[0], flag)
    assert ended.code == 2
    assert message in ended.err


def test_an_unknown_action_is_refused():
    ended = run_command("accelerators", "exprot")
    assert ended.code == 2
    assert "exprot" in ended.err
    assert "export" in ended.err


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="here jax is installed")
def test_an_old_python_is_refused_before_anything_is_written(tmp_path):
    ended = run_command("accelerators", "export", f"--out_dir={tmp_path / 'new'}", *SMALL)
    assert ended.code == 2
    assert "Python 3.12" in ended.err
    assert not (tmp_path / "new").exists()
