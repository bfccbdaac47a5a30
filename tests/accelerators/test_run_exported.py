"""An exported program computes what TensorFlow does, and `run.py` measures it."""

import ast
import json
import os
import pathlib
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from tests.support.models import SIZES, tiny_arguments
from yt8m.accelerators import export, lower, programs
from yt8m.accelerators.sizes import Sizes
from yt8m.models.core.arguments import constructor_arguments
from yt8m.models.core.registry import model_class

NO_JAX = "the extra [tpu-check] needs Python 3.12"
jax = pytest.importorskip("jax", reason=NO_JAX)
run_exported = pytest.importorskip("yt8m.accelerators.run_exported", reason=NO_JAX)

B, T, K = 4, 12, 7
SCRIPT = pathlib.Path(run_exported.__file__)
STANDARD = {*sys.stdlib_module_names, "jax", "numpy"}


def tiny(model, dtype="float32"):
    """Return small sizes of a model, without dropout."""
    arguments = tiny_arguments(model, shallow=True)
    for name in constructor_arguments(model_class(model)):
        if "dropout" in name:
            arguments[name] = 0.0
    del arguments["num_classes"], arguments["feature_sizes"]
    return Sizes(B, T, K, SIZES, dtype=dtype, arguments=arguments)


@pytest.fixture(scope="module", autouse=True)
def wide_integers():
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", False)


def data_of(program, seed=0):
    """Return random data of a program, as arrays."""
    rng = np.random.default_rng(seed)
    drawn = {
        "frames": lambda shape: rng.integers(0, 256, shape, np.uint8),
        "num_frames": lambda shape: rng.integers(T // 2, T + 1, shape, np.int32),
        "labels": lambda shape: (rng.random(shape) < 0.3).astype(np.uint8),
        "video": lambda shape: rng.normal(size=shape).astype(np.float32),
    }
    return {name: drawn[name](tuple(spec.shape)) for name, spec in program.specs.items()}


def value_of(argument, data):
    """Return the value of an argument: its data, or what its variable holds."""
    if argument.role == "data":
        return data[argument.name]
    return argument.value if argument.variable is None else argument.variable.numpy()


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("MoeModel", "train"),
        ("MoeModel", "evaluate"),
        *(
            pytest.param(model, "train", marks=pytest.mark.slow)
            for model in ("AttnVLAD", "DbofCgate", "GruModel", "ResNet1dModel", "LabelDecoderModel")
        ),
    ],
)
def test_an_exported_program_equals_tensorflow(model, name, tmp_path, monkeypatch):
    if model != "MoeModel":
        # Adam divides a gradient by its own size, even one that is rounding and no more.
        recipe = model_class(model).recipe.updated({"optimizer": "GradientDescent"})
        monkeypatch.setattr(model_class(model), "recipe", recipe)
    program = programs.make(model, name, tiny(model))
    lowered = lower.lower(program)
    about = export.describe(lowered)
    path = tmp_path / "program.mlirbc"
    path.write_bytes(lowered.artifact)
    data = data_of(program)
    arguments = [value_of(a, data) for a in lowered.arguments]

    compiled, _, _ = run_exported.compile_program(path, about)
    found = compiled(*(jax.numpy.asarray(x) for x in arguments))
    expected = program.function(*(tf.constant(data[key]) for key in program.specs))

    updated = [r.updates for r in lowered.results if r.updates is not None]
    new_values = [lowered.arguments[number].variable for number in updated]
    assert (name == "train") == bool(new_values)
    wanted = [*tf.nest.flatten(expected), *new_values]
    assert len(found) == len(wanted)
    for result, mine, its in zip(lowered.results, found, wanted):
        its = tf.convert_to_tensor(its).numpy()
        np.testing.assert_allclose(mine, its, rtol=1e-5, atol=1e-5, err_msg=result.name)
    if name == "train":  # the loss is among them, and something was learnt
        (sums,) = (i for i, r in enumerate(lowered.results) if r.name == "sums")
        assert found[sums][0] == pytest.approx(wanted[sums][0].numpy(), rel=1e-5)
        assert found[sums][0] > 0
        moved = [np.abs(np.asarray(found[o]) - arguments[a]).max() for a, o in about["updates"]]
        assert np.mean(np.array(moved) > 0) > 0.5


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with the programs of two small models."""
    folder = tmp_path_factory.mktemp("export")
    export.write_runner(str(folder))
    for model, names, dtype in (
        ("MoeModel", ("train", "predict"), "bfloat16"),
        ("AttentionPoolingModel", ("train",), "float32"),
    ):
        for name in names:
            export.export(programs.make(model, name, tiny(model, dtype)), str(folder), {})
    return folder


def run(folder, *flags):
    """Run `run.py` as a user does, in a process that cannot import this package."""
    command = [sys.executable, "-P", str(folder / "run.py"), "--seconds=0.2", *flags]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_the_script_measures_every_program_and_goes_on_where_it_stopped(folder):
    first = run(folder, "--only=MoeModel.*", "--profile")
    assert "2 of 3 programs are to be run" in first
    again = run(folder)
    assert "1 of 3 programs are to be run" in again

    stored = json.loads((folder / "results.json").read_text())
    assert stored["device"]["platform"] == "cpu"
    assert sorted(stored["programs"]) == [
        f"AttentionPoolingModel.train.float32.b{B}.f{T}",
        f"MoeModel.predict.bfloat16.b{B}",
        f"MoeModel.train.bfloat16.b{B}",
    ]
    for name, row in stored["programs"].items():
        assert row["status"] == "measured"
        assert row["finite"]
        assert row["examples_per_second"] == pytest.approx(B / row["step_seconds"])
        peak = stored["device"]["peak_tflops"][name.split(".")[2]]
        assert row["share_of_peak"] == pytest.approx(
            row["flops"] / row["step_seconds"] / 1e12 / peak
        )
        assert row["memory_bytes"] > row["memory"]["arguments"] > 0
        assert again.count(f"{name} | ") == (2 if "float32" in name else 1)
    train = stored["programs"][f"MoeModel.train.bfloat16.b{B}"]
    assert train["loss"] < train["first_loss"]  # steps get the variables that steps return
    assert train["broken_steps"] == 0
    assert train["kernels"] == []  # a CPU's trace has none


def test_kernels_are_counted_once():
    def line(name, *events):
        made = [SimpleNamespace(name=event, duration_ns=time) for event, time in events]
        return SimpleNamespace(name=name, events=made)

    def plane(name, *lines):
        return SimpleNamespace(name=name, lines=lines)

    ops = line("XLA Ops", ("fusion", 5e9))
    gpu = plane("/device:GPU:0", line("Stream #1", ("dot", 1e9), ("dot", 2e9)), ops)
    host = plane("/host:CPU", line("Stream of thoughts", ("python", 9e9)))
    assert run_exported.kernel_seconds([host, gpu]) == {"dot": 3}
    assert run_exported.kernel_seconds([host, plane("/device:TPU:0", ops)]) == {"fusion": 5}


def test_the_script_imports_jax_and_nothing_else():
    found = set()
    for node in ast.walk(ast.parse(SCRIPT.read_text())):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        names += [node.module] if isinstance(node, ast.ImportFrom) else []
        found |= {name.split(".")[0] for name in names}
    assert "jax" in found
    assert found <= STANDARD


def test_what_a_program_needs_and_what_goes_wrong_become_rows(folder, monkeypatch):
    name = f"MoeModel.predict.bfloat16.b{B}"
    about = json.loads((folder / "programs" / f"{name}.json").read_text())
    ready = run_exported.compile_program(folder / "programs" / f"{name}.mlirbc", about)
    compiling = SimpleNamespace(result=lambda timeout: ready)
    monkeypatch.setattr(run_exported, "free_memory", lambda device: 1000)
    row = run_exported.guarded(run_exported.measure, compiling, about, None, {})
    assert row["status"] == "out of memory"
    assert row["message"] == "needs 0.0 GB, and 0.0 GB are free"

    def fails(message):
        raise RuntimeError(message)

    row = run_exported.guarded(fails, "RESOURCE_EXHAUSTED: 9 GB")
    assert row == {"status": "out of memory", "message": "RuntimeError: RESOURCE_EXHAUSTED: 9 GB"}
    row = run_exported.guarded(fails, "two\n lines")
    assert run_exported.cells("x", row)[-1] == "failed: RuntimeError: two lines"

    def late():
        raise TimeoutError

    assert run_exported.guarded(late)["status"] == "compiles too long"


def test_arguments_are_drawn_as_the_data_and_the_first_weights_are(folder):
    name = f"AttentionPoolingModel.train.float32.b{B}.f{T}"
    about = json.loads((folder / "programs" / f"{name}.json").read_text())
    key = run_exported.new_key(0)
    drawn = [np.asarray(x) for x in run_exported.draw(about["arguments"], T, key)]
    for argument, value in zip(about["arguments"], drawn):
        assert value.shape == tuple(argument["shape"])
        assert value.dtype == argument["dtype"]
        init = argument["init"] or {}
        if "std" in init and value.size > 500:
            assert value.std() == pytest.approx(init["std"], rel=0.1)
            assert value.mean() == pytest.approx(init["mean"], abs=0.1 * init["std"])
        if argument["role"] == "optimizer":
            assert not value.any()
    by_name = {a["name"]: value for a, value in zip(about["arguments"], drawn)}
    assert by_name["frames"].min() < 10 < 245 < by_name["frames"].max()
    assert T // 2 <= by_name["num_frames"].min() <= by_name["num_frames"].max() <= T
    assert set(np.unique(by_name["labels"])) <= {0, 1}


@pytest.mark.parametrize(
    ("kind", "bfloat16"),
    [
        ("NVIDIA H100 80GB HBM3", 989.4),
        ("NVIDIA H200", 989.4),
        ("NVIDIA A100-SXM4-80GB", 312),
        ("Tesla V100-SXM2-16GB", 15.7),
        ("Tesla T4", 8.1),
        ("NVIDIA L4", 121),
        ("TPU v2", 22.5),
        ("TPU v5 lite", 197),
        ("TPU v5p", 459),
        ("TPU v6 lite", 918),
        ("NVIDIA L40S", 1),
    ],
)
def test_a_device_has_its_published_peak_or_a_measured_one(kind, bfloat16, monkeypatch):
    monkeypatch.setattr(run_exported, "matrix_product", lambda size, dtype: 1.0)
    device = SimpleNamespace(device_kind=kind, platform="gpu", memory_stats=lambda: None)
    about = run_exported.describe(device)
    assert about["peak_tflops"]["bfloat16"] == bfloat16
    assert about["peak_from"] == ("a matrix product" if bfloat16 == 1 else "the data sheet")
