"""What the contenders print and write is read correctly."""

import json

import pytest

from benchmarks.cases.evaluate_moe import count
from benchmarks.children.operations import covered, kind_of
from benchmarks.children.products import parse as parse_shape
from benchmarks.harness import ours, starter
from benchmarks.harness.context import machine
from benchmarks.harness.limits import last_json

STARTER = """\
INFO:tensorflow:/job:master/task:0: Entering training loop.
INFO:tensorflow:training step 1 | Loss: 2727.28 Examples/sec: 400.46
INFO:tensorflow:training step 2 | Loss: 1809.31 Examples/sec: 1600.00
I1126 20:41:07.1 140 train.py:453] training step 3 | Loss: 30.01 Examples/sec: 2311.90
INFO:tensorflow:training step 10 | Loss: 13.01 Examples/sec: 2425.03 | Hit@1: 0.38 PERR: 0.30
INFO:tensorflow:training step 11 | Loss: 13.01 Examples/sec: 2300.00
"""


def test_the_speeds_that_the_starter_code_logs():
    assert starter.speeds(STARTER) == [400.46, 1600.0, 2311.9, 2425.03, 2300.0]
    assert starter.speed(STARTER) == {"examples_per_second": 2311.9}


def test_a_run_that_is_too_short_has_no_speed(tmp_path):
    with pytest.raises(ValueError, match="no more than 5 steps"):
        starter.speed(STARTER, skip=5)
    (tmp_path / "metrics.jsonl").write_text("")
    with pytest.raises(ValueError, match="no more than 2 speeds"):
        ours.speed(tmp_path)


def test_the_speeds_that_a_run_has_recorded(tmp_path):
    events = [{"event": "started"}]
    events += [{"event": "train", "examples_per_second": s} for s in (1.0, 50.0, 90.0, 110.0)]
    events += [{"event": "validation", "examples_per_second": 1e9}]
    (tmp_path / "metrics.jsonl").write_text("\n".join(map(json.dumps, events)))
    assert ours.speed(tmp_path) == {"examples_per_second": 100.0}


@pytest.mark.parametrize(
    ("output", "videos"),
    [
        ("GAP 0.7\nover 14,517 examples; 982 classes have positives\n", 14517),
        ("I1126 eval.py:277] Total: examples_processed: 1202\n", 1202),
        ("I1126 eval.py:273] Unexpected exception: no such file\n", 0),
    ],
)
def test_the_videos_that_an_evaluation_counts(output, videos, tmp_path):
    assert count(output, tmp_path) == videos


def test_the_last_line_is_the_result():
    assert last_json('warning: slow\n{"videos_per_second": 2.5}\n') == {"videos_per_second": 2.5}
    for nothing in ("", "a warning"):
        with pytest.raises(ValueError, match="Expecting value"):
            last_json(nothing)


def test_the_shapes_of_products():
    assert parse_shape("32x1024x4096*300") == (32, 1024, 4096, 300)
    assert parse_shape("1x2x3") == (1, 2, 3, 1)
    with pytest.raises(ValueError, match="1x2 is not"):
        parse_shape("1x2")


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ("model/dense/MatMul:MatMul#id=1,iter=2#", "MatMul"),
        ("_FusedMatMul:_FusedMatMul", "_FusedMatMul"),
        ("ThreadpoolListener::StartRegion", ""),
        ("EagerKernelExecute", ""),
    ],
)
def test_the_operations_of_a_trace(event, kind):
    assert kind_of(event) == kind


def test_the_machine():
    cpuinfo = (
        "processor\t: 0\nmodel name\t: AMD EPYC\ncpu family\t: 26\nmodel\t\t: 2\n"
        "flags\t\t: fpu avx512_bf16 sse\n\nprocessor\t: 1\nmodel name\t: another\n"
    )
    found = machine(cpuinfo, "MemTotal:       24000000 kB\nMemFree: 1 kB\n")
    assert found["processor"] == "AMD EPYC"
    assert found["family"] == "26/2"
    assert (found["avx512_bf16"], found["amx"], found["memory_gb"]) == (True, False, 25)


def test_time_that_two_products_share_counts_once():
    assert covered([(10, 20), (0, 5), (15, 30), (16, 18)]) == 25
