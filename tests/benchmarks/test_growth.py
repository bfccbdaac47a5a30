"""Growth: exponents, resuming, limits, and a page that says which points are missing."""

import json
import sys

import numpy as np
import pytest

from benchmarks.growth import __main__ as command
from benchmarks.growth import child
from benchmarks.growth.curves import CURVES, Curve
from benchmarks.growth.data import Data
from benchmarks.growth.fit import fit
from benchmarks.growth.measure import measure, points
from benchmarks.growth.page import missing, page
from benchmarks.growth.plots import FIGURES, draw
from benchmarks.harness.benchmark import Command
from benchmarks.harness.process import ProcessFailed, run
from benchmarks.harness.settings import ROOT
from benchmarks.harness.store import Store

MACHINE = {"cores": 2, "processor": "P", "family": "1/2", "avx512_bf16": True, "amx": False}
CONTEXT = {
    "machine": {**MACHINE, "memory_gb": 8},
    "versions": {"ours": "Python 3"},
    "commit": "abc",
    "quick": True,
}
SCRIPT = """
import json, sys
open(sys.argv[2], "a").write(sys.argv[1] + "\\n")
if int(sys.argv[1]) == {bad}:
    sys.exit("broken here")
n = int(sys.argv[1])
print("growth: " + json.dumps(dict(seconds=2e-3 * n**1.5, per_second=7.0)))
"""


def toy(tmp_path, bad=-1):
    def process(_, __, size):
        script = SCRIPT.format(bad=bad)
        return Command([sys.executable, "-c", script, str(size), str(tmp_path / "log")], tmp_path)

    return Curve("toy", "a toy", "classes", (1, 10, 100, 300, 1000), "examples", process)


def taken(tmp_path):
    log = tmp_path / "log"
    return [int(n) for n in log.read_text().split()] if log.exists() else []


def take(tmp_path, curve, seconds=100.0, context=None):
    store = Store(tmp_path / "results.json")
    done = measure(
        [curve], Data(tmp_path / "work"), store, context or CONTEXT, seconds, lambda: None
    )
    return done, store


def test_the_exponent_of_the_upper_half():
    sizes = np.array([1, 10, 100, 1000, 10_000])
    law = fit({x: 5 + 3e-2 * x**1.5 if x < 100 else 3e-2 * x**1.5 for x in sizes.tolist()})
    assert law.exponent == pytest.approx(1.5, abs=1e-9)
    assert law.error == pytest.approx(0, abs=1e-9)
    assert law.factor == pytest.approx(3e-2)
    assert law.first == 100


def test_the_standard_error_is_that_of_least_squares():
    x, y = np.log([8.0, 16, 32, 64]), np.array([1.0, 2.5, 2.0, 4.0])
    law = fit({**dict(zip(np.exp(x), np.exp(y))), 1.0: 1.0})
    _, covariance = np.polyfit(x, y, 1, cov=True)
    slope = np.polyfit(x, y, 1)[0]
    assert (law.exponent, law.error) == pytest.approx((slope, covariance[0, 0] ** 0.5))


def test_too_few_points_have_no_exponent():
    assert fit({}) is None
    assert fit({1: 1.0, 10: 2.0}) is None


def test_a_run_resumes_with_what_is_missing(tmp_path):
    done, _ = take(tmp_path, toy(tmp_path, bad=100))
    assert not done
    assert taken(tmp_path) == [1, 10, 100]
    done, store = take(tmp_path, toy(tmp_path))
    assert done
    assert taken(tmp_path) == [1, 10, 100, 100, 300, 1000]
    assert not missing(toy(tmp_path), store)
    assert fit(points(store, "toy", "seconds")).exponent == pytest.approx(1.5, abs=1e-4)
    assert take(tmp_path, toy(tmp_path), context={**CONTEXT, "commit": "other"})[0]
    assert taken(tmp_path)[6:] == [1, 10, 100, 300, 1000]


def test_the_page_says_what_is_missing(tmp_path):
    curve = toy(tmp_path, bad=100)
    _, store = take(tmp_path, curve)
    text = page("# Page\n\n<!-- growth: begin -->old<!-- growth: end -->\nafter\n", [curve], store)
    assert "old" not in text
    assert text.endswith("<!-- growth: end -->\nafter\n")
    assert "- toy, classes 100: broken here\n- toy, classes 300: a smaller one failed" in text
    assert "| a toy | classes, 1 to 10 | 0.002 to 0.063 | 7.00 to 7.00 examples |" in text
    assert "too few points" in text
    assert "commit abc" in text
    empty = page("", [curve], Store(tmp_path / "none.json"))
    assert "| a toy | classes | not measured |" in empty
    assert "- toy, classes 1: not tried yet" in empty


def test_no_point_is_begun_when_the_time_is_over(tmp_path):
    done, store = take(tmp_path, toy(tmp_path), seconds=1.0)
    assert not done
    assert taken(tmp_path) == []
    assert missing(toy(tmp_path), store)[1] == "no time was left"


def test_a_process_that_takes_too_long_is_killed(tmp_path):
    sleeper = Command([sys.executable, "-c", "import time; time.sleep(60)"], tmp_path)
    with pytest.raises(ProcessFailed, match="more than 1 s"):
        run(sleeper, tmp_path / "log", 1.0)


def test_the_figures_have_a_panel_for_each_curve(tmp_path):
    pytest.importorskip("matplotlib")
    curve = toy(tmp_path)
    _, store = take(tmp_path, curve)
    draw(tmp_path, [curve], store)
    for name in FIGURES:
        svg = (tmp_path / name).read_text()
        assert svg.count(">toy<") == 1
    assert "exponent 1.50" in (tmp_path / "time.svg").read_text()


@pytest.mark.parametrize(
    "arguments", [("metrics", "1100"), ("csv", "1100", "pairs"), ("csv", "1100", "scores")]
)
def test_children_print_their_values(arguments, monkeypatch, capsys):
    monkeypatch.setattr(child, "CLASSES", 200)
    assert child.main(arguments) == 0
    values = json.loads(capsys.readouterr().out.split(child.LINE)[1])
    assert 0 < values["seconds"] < 60
    assert 0.01 < values["peak_gb"] < 20
    assert values["per_second"] == pytest.approx(1100 / values["seconds"])


def test_records_have_ids_of_their_own(tmp_path):
    import tensorflow as tf

    child.main(("records", "25", str(tmp_path), "10"))
    shards = sorted(map(str, tmp_path.glob("*.tfrecord")))
    assert len(shards) == 3
    examples = [tf.train.Example.FromString(r.numpy()) for r in tf.data.TFRecordDataset(shards)]
    ids = [e.features.feature["id"].bytes_list.value[0] for e in examples]
    assert ids == [b"%011d" % n for n in range(25)]
    assert len(examples[24].features.feature["mean_audio"].float_list.value) == 128


def test_the_list_of_curves(capsys):
    assert command.main(["--list"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(CURVES)
    assert len({c.name for c in CURVES}) == len(CURVES)
    for curve in CURVES:
        assert list(curve.sizes) == sorted(curve.sizes)
    with pytest.raises(command.UserError, match="classes"):
        command.main(["--only=clases"])


def test_the_committed_page_shows_the_committed_results():
    store = Store(ROOT / "docs" / "growth" / "results.json")
    text = (ROOT / "docs" / "full-release.md").read_text()
    if store.content:
        assert page(text, CURVES, store) == text
    else:
        assert "Nothing has been measured yet." in text
