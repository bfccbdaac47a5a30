"""The TPU's own compiler on a model of each of three families; it needs no TPU."""

import json
import subprocess
import sys

import pytest

from tests.accelerators.test_lower import WITH_JAX, tiny
from yt8m.accelerators import programs
from yt8m.accelerators.lower import lower

COMPILE = """
import sys
from yt8m.accelerators.compilation.compile_one import compile_for
with open(sys.argv[1], "rb") as file:
    compiled = compile_for(file.read(), sys.argv[2], int(sys.argv[3]))
print(compiled.cost_analysis()["flops"], compiled.get_compiled_memory_stats().temp_size_in_bytes)
"""


def compiled(program, tmp_path, topology="v5e:2x2"):
    """Return the operations and the temporaries of a program; libtpu has a process of its own."""
    path = tmp_path / "program"
    path.write_bytes(lower(program).artifact)
    command = [sys.executable, "-c", COMPILE, str(path), topology, str(program.replicas)]
    found = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert not found.returncode, found.stderr[-2000:]
    flops, temporaries = found.stdout.split()[-2:]
    return float(flops), int(temporaries)


@WITH_JAX
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "topology"),
    [("MoeModel", "v5e:2x2"), ("DbofCgate", "v6e:2x2"), ("GruModel", "v5e:2x2")],
)
def test_a_training_step_compiles_for_a_tpu(name, topology, tmp_path):
    program = programs.make(name, "train", tiny(name, batch_size=8, dtype="bfloat16"))
    flops, temporaries = compiled(program, tmp_path, topology)
    assert flops > 0
    assert temporaries >= 0


@WITH_JAX
@pytest.mark.slow
def test_a_step_of_four_replicas_compiles_for_four_chips(tmp_path):
    program = programs.make("DbofCgate", "train", tiny("DbofCgate", batch_size=8, replicas=4))
    assert compiled(program, tmp_path)[0] > 0


@WITH_JAX
@pytest.mark.slow
def test_the_child_writes_what_it_found(tmp_path):
    asked = {"model": "LogisticModel", "program": "predict", "dtype": "bfloat16"}
    asked |= {"topology": "v5e:2x2", "batch_size": 8}
    path = tmp_path / "row.json"
    command = [
        sys.executable,
        "-m",
        "yt8m.accelerators.compilation.compile_one",
        json.dumps(asked),
        str(path),
    ]
    subprocess.run([*command, ""], check=True, timeout=300)
    row = json.loads(path.read_text())
    assert row["examples"] == 8
    assert row["argument_bytes"] > 1152 * 3862 * 4
    assert row["loops"] == []
    assert row["product_flops"] == 2 * 8 * 1152 * 3862
    assert row["flops"] > 2 * 8 * 1152 * 3862
    subprocess.run([*command, row["program_hash"]], check=True, timeout=300)
    assert "argument_bytes" not in json.loads(path.read_text())  # it was compiled already
