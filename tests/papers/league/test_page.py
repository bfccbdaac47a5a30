"""The league's page and picture: what is missing is marked, and the committed page is current."""

import os
import re
import xml.etree.ElementTree as ET

import pytest

from tests.papers.helpers import invented_result
from yt8m.models.core import registry
from yt8m.papers.league import command
from yt8m.papers.league.page import page
from yt8m.papers.league.picture import draw
from yt8m.papers.league.store import Places, Store

MODELS = {"frame": ["AttnVLAD", "GruModel", "LstmModel"], "video": ["MoeModel"]}


def result(model, gap, contest="audioset", seed=0, limit=3, **more):
    found = invented_result(model, gap, contest, seed)
    found["metrics"]["map"] = gap / 2
    own = {"contest": contest, "model": model, "stopped": False, "limit_minutes": limit}
    own |= {"parameters": 1_234_567, "step": 300, "steps_of_run": 900, "dtype": "float32"}
    return {**found, **own, "devices": {"kind": "CPU", "threads": 2}, **more}


def failed(model):
    return {**result(model, 0.1), "failed": "train.py was killed by the system"}


def rows(text):
    return [line for line in text.splitlines() if line.startswith("| `")]


def test_without_results_every_model_is_not_run():
    text = page([], [], {}, MODELS)
    assert len(rows(text)) == 3 + 1 + 3
    assert all(line.endswith("| not run |") for line in rows(text))
    assert not re.search(r"\d\.\d{4}", text), "no numbers but the published ones"
    assert "| feature-level attention | 0.361 |" in text
    assert "90 times as many" in text


def test_rows_are_ranked_and_marked():
    runs = [
        result("GruModel", 0.5, stopped=True),
        result("AttnVLAD", 0.6, limit=25, stopped=True),
        result("AttnVLAD", 0.62, seed=1, limit=25, stopped=True),
        result("AttnVLAD", 0.9, seed=2, limit=3, stopped=True),
        failed("LstmModel"),
    ]
    first, second, third = rows(page(runs, [], {}, MODELS))[:3]
    expected = (
        "| `AttnVLAD` | 0.3050 ± 0.0071 | 0.6100 ± 0.0141 | 0, 1 | 1,234,567 | 1,700 | 2.0 | 1.5 |"
        " stopped after 25 min, at step 300 of 900 |"
    )
    assert first == expected, "the seed with a shorter limit is left out"
    assert second.startswith("| `GruModel` | 0.2500 | 0.5000 | 0 |")
    assert second.endswith("| stopped after 3 min, at step 300 of 900 |")
    assert third.endswith("| failed: train.py was killed by the system |")
    assert "more than 0.1271 MAP or 0.2541 GAP" in page(runs, [], {}, MODELS)


def test_the_page_says_what_the_budget_left_out_and_what_fusion_gives():
    sweep = dict(budget_minutes=600, minutes_a_run=3, best=5, best_minutes=25, seeds=3)
    sweep |= {"spent_minutes": 599.7, "left_out": ["a", "b"]}
    metrics = dict(gap=0.71, map=0.3, num_examples=2850)
    fusion = {"contest": "video", "made_of": {"MoeModel": "", "LogisticModel": ""}}
    fusion |= {"methods": {"l2": metrics}, "best_single": {**metrics, "model": "MoeModel"}}
    text = page([], [fusion], sweep, MODELS)
    assert "599.7 minutes of the budget of 600 were used. The budget left out 2 runs." in text
    assert "| l2 | 0.7100 | 0.3000 |" in text
    assert "| best single model: `MoeModel` | 0.7100 | 0.3000 |" in text
    assert "measured on the other (2,850)" in text


def test_the_committed_page_is_that_of_the_committed_results():
    """It lists the models that were registered as it was written; later ones enter it next."""
    places = Places.of_project()
    with open(places.page, encoding="utf-8") as file:
        text = file.read()
    listed = set(re.findall(r"^\| `(\w+)` \|", text, re.M)) & set(registry.list_models())
    models = {"frame": [], "video": []}
    for name in sorted(listed):
        models[registry.model_class(name).level].append(name)
    assert len(listed) > 20
    assert text == command.page_of(places, Store(places.results), models), (
        "`yt8m papers table league --norun` writes it"
    )


def test_committed_results_name_no_folder_of_a_machine():
    for r in Store(Places.of_project().results).runs():
        assert "runs/recipes/" in r["commands"][0]
        assert not re.search(r"=/", " ".join(r["commands"]))


def test_the_picture_follows_the_readers_color_scheme():
    pytest.importorskip("matplotlib")
    assert draw([]) is None
    assert draw([failed("LstmModel")]) is None
    runs = [result("AttnVLAD", 0.6), result("GruModel", 0.5, stopped=True)]
    runs.append(result("MoeModel", 0.7, "video"))
    svg = draw(runs)
    assert svg == draw(runs)
    texts = {e.text for e in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")}
    assert {"1  AttnVLAD", "2  GruModel", "1  MoeModel", "AudioSet: real frames"} <= texts
    assert "prefers-color-scheme: dark" in svg
    assert "#24292f" not in svg.replace("--ink:#24292f", ""), "no ink that ignores the scheme"


def test_the_page_shows_the_picture_only_if_there_is_one(tmp_path):
    places = Places.within(str(tmp_path))
    Store(places.results).put(result("MoeModel", 0.7, "video"))
    assert "![" not in command.page_of(places, Store(places.results), MODELS)
    (tmp_path / "league.svg").write_text("<svg/>")
    assert "](league.svg)" in command.page_of(places, Store(places.results), MODELS)
    assert os.listdir(places.results) == ["video--MoeModel--seed0.json"]
