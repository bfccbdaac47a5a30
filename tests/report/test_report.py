"""The page about a run, several runs and a fusion: what it shows, and what it says is missing."""

import json
import re

from tests.largescale.test_figures import make_run as make_alternation
from tests.report.pages import Page, write_run
from tests.support.commands import refused, run_command
from tests.support.runs import new_run
from yt8m.data.schema import RecordSchema
from yt8m.data.vocabulary import read_vocabulary, write_vocabulary
from yt8m.report.read import learning, titles


def page_of(tmp_path, *arguments):
    """Run the command, and return the page."""
    out = tmp_path / "page.html"
    done = run_command("report", *arguments, f"--out={out}")
    assert done.code == 0, done.err
    assert f"wrote {out}" in done.out
    return Page(out.read_text())


def headings(page):
    return [a["href"] for a in page.all("a")], len(page.all("h2"))


def test_a_trained_and_evaluated_run(finished_run, small_data, tmp_path):
    out = tmp_path / "eval"
    done = run_command("eval", f"--train_dir={finished_run}", f"--output_dir={out}", "--report")
    assert done.code == 0, done.err
    page = Page((out / "report.html").read_text())
    metrics = json.loads((out / "metrics.json").read_text())
    for key in ("gap", "map", "perr", "hit_at_1", "hit_at_5"):
        assert f"{metrics[key]:.4f}" in page.text
    for part in ("Learning curves", "Classes", "Calibration", "Mistakes", "Confusions"):
        assert part in page.text
    mistake = json.loads((out / "details.json").read_text())["mistakes"][0]
    assert mistake["id"] in page.text
    names = read_vocabulary(f"{small_data.folder}/video/vocabulary.csv").names
    assert names[mistake["class"]] in page.text
    missed, predicted, count, both = json.loads((out / "details.json").read_text())["confusions"][0]
    of = json.loads((out / "per_class_ap.json").read_text())["positives"][missed]
    row = f"{names[missed]} {names[predicted]} {count} {count / of:.1%} {both}"
    assert row in page.text
    assert len(page.all("figure")) == 4


def test_everything_is_in_the_page_and_for_everybody(tmp_path):
    page = page_of(tmp_path, write_run(tmp_path / "run"))
    assert not page.all("link")
    assert not any("src" in attributes for _, attributes in page.elements)
    assert all(link["href"].startswith("#part-") for link in page.all("a"))
    text = (tmp_path / "page.html").read_text()
    assert not re.findall(r"https?://|url\(|@import", text)
    assert "default-src 'none'" in text
    assert page.all("html") == [{"lang": "en"}]
    for picture in page.all("svg"):
        assert picture.get("aria-hidden") or (picture["role"], bool(picture["aria-label"])) == (
            "img",
            True,
        )
    assert len(page.all("table")) == len(page.all("caption")) > 8
    assert all(th["scope"] in ("row", "col") for th in page.all("th"))
    links, sections = headings(page)
    assert len(links) == sections == 6
    assert "&lt;0&gt;" in text  # the id of a video is text, whatever it contains
    assert "<0>" not in text


def test_the_best_validation_is_marked(tmp_path):
    page = page_of(tmp_path, write_run(tmp_path / "run"))
    assert "best 0.6500" in page.text
    described = [svg["aria-label"] for svg in page.all("svg") if "role" in svg]
    assert "highest, 0.6500, at step 150, in epoch 3" in described[0]


def test_a_page_of_all_classes_of_the_release_is_small(tmp_path):
    runs = [write_run(tmp_path / f"r{i}", 3862, seed=i) for i in range(4)]
    names = [f"A rather long name of a class, number {i}" for i in range(3862)]
    write_vocabulary(str(tmp_path / "vocabulary.csv"), names, [1] * 3862)
    named = f"--vocabulary_file={tmp_path}/vocabulary.csv"
    one = page_of(tmp_path, runs[0], named)
    assert (tmp_path / "page.html").stat().st_size < 1_500_000
    assert names[0] in one.text
    page_of(tmp_path, *runs, named)
    assert (tmp_path / "page.html").stat().st_size < 500_000


def test_classes_without_a_vocabulary_are_numbers(tmp_path):
    page = page_of(tmp_path, write_run(tmp_path / "run"))
    assert "--vocabulary_file names one" in page.text
    assert "class 11" in page.text


def test_what_is_missing_is_said_with_the_command_that_makes_it(tmp_path):
    page = page_of(tmp_path, write_run(tmp_path / "new", evaluated=False))
    assert f"python eval.py --train_dir={tmp_path}/new" in page.text
    assert "has not been evaluated" in page.text
    assert "Calibration" not in page.text
    page = page_of(tmp_path, write_run(tmp_path / "old", details=False))
    assert "earlier version" in page.text
    assert "best and the worst" not in page.text
    assert "AP against class frequency" in page.text


def test_several_runs_are_compared(tmp_path):
    runs = [
        write_run(tmp_path / "a", recipe={"batch_size": 64}),
        write_run(tmp_path / "b", seed=1, recipe={"batch_size": 128}),
    ]
    page = page_of(tmp_path, *runs)
    gaps = [json.loads((tmp_path / n / "eval/metrics.json").read_text())["gap"] for n in "ab"]
    text = (tmp_path / "page.html").read_text()
    assert f"<strong>{max(gaps):.4f}</strong>" in text
    assert f"<strong>{min(gaps):.4f}</strong>" not in text
    assert "recipe.batch_size 64 128" in page.text
    assert "model.name" not in page.text.partition("Settings that differ")[2].partition("All")[0]
    assert "perhaps not those of the same videos" not in page.text


def test_runs_measured_on_other_data_are_compared_with_a_warning(tmp_path):
    runs = [write_run(tmp_path / "a"), write_run(tmp_path / "b", evaluated=False)]
    assert "perhaps not those of the same videos" in page_of(tmp_path, *runs).text


def test_an_alternating_run_shows_its_steps(tmp_path):
    page = page_of(tmp_path, make_alternation(tmp_path / "run"))
    assert "GAP over the iterations of the alternating trainer" in page.text
    assert "step 1: joint, 2: mixture, 3: aggregator" in page.text
    assert sum(element.get("class") == "rule" for element in page.all("path")) == 3
    assert "cycle1_step3" in page.text
    assert "1m03s" in page.text  # all steps, in the one time that counts of each
    assert "(step 1)" not in page.text
    write_run(tmp_path / "run" / "step1", evaluated=False)
    assert "GAP while training (step 1)" in page_of(tmp_path, str(tmp_path / "run")).text


def test_a_fusion(tmp_path):
    details = {
        "format": 1, "kind": "fusion", "inputs": ["x/moe.scores", "x/vlad.scores"],
        "method": "l3", "num_videos": 160, "num_classes": 12,
        "weights": {"mean": [0.25, 0.75], "largest": [0.1, 0.9]},
        "correlation": [[1, 0.875], [0.875, 1]], "same_best_class": [[1, 0.6], [0.6, 1]],
        "metrics": [
            {"gap": g, "map": g, "loss": None, "num_examples": 160} for g in (0.5, 0.6, 0.64)
        ],
        "on_half": False, "fitted_on_the_same": True,
    }  # fmt: skip
    path = tmp_path / "fused.json"
    path.write_text(json.dumps(details))
    page = page_of(tmp_path, str(path))
    for shown in ("+0.0400", "0.875", "75", "90.0%", "vlad.scores", "--fit_on_half"):
        assert shown in page.text
    page = page_of(tmp_path, str(path), write_run(tmp_path / "run"))
    assert "+0.0400" in page.text
    assert "Mistakes" in page.text
    del details["metrics"]
    path.write_text(json.dumps(details))
    assert "--labels" in page_of(tmp_path, str(path)).text


def test_mistakes_of_the_user(tmp_path):
    assert "no run is named" in refused("report")
    (tmp_path / "empty").mkdir()
    out = f"--out={tmp_path}/page.html"
    assert "contains no config.json" in refused("report", str(tmp_path / "empty"), out)
    assert "does not exist" in refused("report", str(tmp_path / "none"), out)
    run = write_run(tmp_path / "run")
    for again in (run, f"{run}/", f"{run}/../run"):
        assert "one run twice" in refused("report", run, again, out)
    assert "--out" in refused("report", run, f"--out={tmp_path}")
    (tmp_path / "other.json").write_text("{}")
    assert "--output_details" in refused("report", str(tmp_path / "other.json"), out)
    (tmp_path / "run" / "eval" / "details.json").write_text("{")
    assert "details.json is not" in refused("report", run, out)
    assert not list(tmp_path.glob("page*"))


def test_a_session_that_repeats_steps_counts_once():
    events = [
        {"event": "started", "step": 0},
        *({"event": "train", "step": s, "loss": 1.0} for s in (1, 2, 3, 4)),
        {"event": "validation", "step": 4, "gap": 0.1},
        {"event": "resumed", "step": 2},
        {"event": "train", "step": 3, "loss": 2.0},
        {"event": "ended", "seconds": 2.5},
    ]
    found = learning(events)
    assert [(e["step"], e["loss"]) for e in found.train] == [(1, 1.0), (2, 1.0), (3, 2.0)]
    assert not found.validation
    assert found.seconds == 2.5
    assert not learning([*events, {"event": "started", "step": 0}]).train


def test_titles_are_short_and_different():
    assert titles(["runs/a", "runs/b/"]) == ["a", "b"]
    assert titles(["x/moe", "y/moe"]) == ["x/moe", "y/moe"]
    assert titles(["only/one"]) == ["one"]


def test_the_settings_of_a_run_are_shown(tmp_path):
    schema = RecordSchema("video", ("mean_rgb",), (4,), 12)
    assert new_run("x", "MoeModel", schema=schema).recipe.base_learning_rate
    page = page_of(tmp_path, write_run(tmp_path / "run"))
    assert "recipe.base_learning_rate" in page.text
    assert "x/train*" in page.text
