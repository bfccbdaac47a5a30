"""The type that a new run computes in, by what the machine shows."""

import pytest

from yt8m.errors import UserError
from yt8m.runs.devices import dtype as module
from yt8m.runs.devices.dtype import ChosenDtype, choose_dtype, dtype_of_all, dtype_to_predict
from yt8m.runs.devices.machine import Machine, this_machine
from yt8m.runs.devices.strategy import make_strategy

AMX = frozenset({"avx512_bf16", "amx_bf16"})
AVX = frozenset({"avx512f", "avx512_bf16"})


def choice(kind="CPU", faster=True, **shown):
    return choose_dtype(kind, Machine(**shown), lambda: faster)


def test_a_cpu_with_products_in_bfloat16():
    assert choice(cpu_flags=AMX) == ChosenDtype("bfloat16", "the CPU has AMX")
    assert choice(cpu_flags=AVX) == ChosenDtype("bfloat16", "the CPU has AVX-512 with bfloat16")
    assert choice(cpu_flags=frozenset({"avx512f"})) == ChosenDtype("float32")


def test_the_instructions_must_be_used():
    assert choice(faster=False, cpu_flags=AMX).dtype == "float32"
    assert "the CPU has AMX, but" in choice(faster=False, cpu_flags=AMX).because


@pytest.mark.parametrize(
    ("limit", "dtype"),
    [("AVX2", "float32"), ("avx512_core_vnni", "float32"), ("AVX512_CORE_BF16", "bfloat16")],
)
def test_a_limit_of_onednn_is_read_before_a_product_is_tried(limit, dtype):
    tried = []
    machine = Machine(cpu_flags=AMX, environment={"ONEDNN_MAX_CPU_ISA": limit})
    assert choose_dtype("CPU", machine, lambda: not tried.append(1)).dtype == dtype
    assert bool(tried) == (dtype == "bfloat16"), "such a product crashes TensorFlow 2.15"


@pytest.mark.parametrize(
    ("capabilities", "dtype"),
    [
        ([(8, 0)], "bfloat16"),
        ([(9, 0), (9, 0)], "bfloat16"),
        ([(7, 5)], "float32"),
        ([(9, 0), (7, 0)], "float32"),
        ([], "float32"),
    ],
)
def test_gpus(capabilities, dtype):
    assert choice("GPU", gpu_capabilities=capabilities, cpu_flags=AMX).dtype == dtype


def test_a_tpu_computes_in_float32_until_it_was_measured():
    assert choice("TPU", cpu_flags=AMX) == ChosenDtype("float32")


def test_the_variable_is_stronger_than_the_device():
    for name in ("float32", "bfloat16"):
        assert choice(environment={module.VARIABLE: name}, cpu_flags=AMX) == ChosenDtype(name)
    assert choice(environment={module.VARIABLE: "auto"}, cpu_flags=AMX).dtype == "bfloat16"
    with pytest.raises(UserError, match="YT8M_DTYPE is 'half'; set it to auto, float32"):
        choice(environment={module.VARIABLE: "half"})


@pytest.mark.parametrize(
    ("trained", "kind", "flags", "dtype"),
    [
        ("bfloat16", "CPU", frozenset({"avx512f"}), "float32"),
        ("bfloat16", "CPU", AVX, "bfloat16"),
        ("bfloat16", "GPU", frozenset(), "bfloat16"),
        ("float32", "CPU", AMX, "float32"),
    ],
)
def test_a_run_of_a_gpu_predicts_in_float32_on_a_cpu_that_is_slow_otherwise(
    trained, kind, flags, dtype
):
    assert dtype_to_predict(trained, kind, Machine(cpu_flags=flags)).dtype == dtype


def test_workers_compute_in_one_type(monkeypatch):
    strategy, chosen = make_strategy("one"), ChosenDtype("bfloat16", "it has AMX")
    assert dtype_of_all(strategy, chosen) == chosen
    monkeypatch.setattr(module, "any_worker", lambda _: lambda flag: True)
    assert dtype_of_all(strategy, chosen).dtype == "float32"


def test_the_probe_agrees_with_what_this_machine_lacks():
    """A CPU without the instructions is never chosen for bfloat16, whatever a product takes."""
    faster = module.multiplies_faster_in_bfloat16()
    assert isinstance(faster, bool)
    machine = this_machine()
    assert machine.cpus >= 1
    if not machine.cpu_flags & AMX:
        assert choose_dtype("CPU", Machine(cpu_flags=machine.cpu_flags)).dtype == "float32"
