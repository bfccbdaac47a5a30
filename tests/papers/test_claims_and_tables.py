"""Tables, marks and the report, from canned results."""

import copy
import os

import pytest

from yt8m.errors import UserError
from yt8m.papers import paper_row, results, tables
from yt8m.papers.__main__ import main
from yt8m.papers.claims import (
    ASSUMED_SD,
    CLAIMS,
    NOT_RUN,
    NOT_SEEN,
    SEEN,
    UNTESTABLE,
    Claim,
    holds,
    judge,
    noise_of,
    verdicts,
)
from yt8m.papers.is_current import commands_now, sort_out
from yt8m.papers.results_page import PATH, report
from yt8m.papers.small_data import describe

RECIPES = paper_row.load_all()


def result(recipe, gap, data="sample-video-all", seed=0, **more):
    metrics = {
        "gap": gap,
        "map": gap / 2,
        "perr": 0.6,
        "hit_at_1": 0.7,
        "hit_at_5": 0.9,
        "num_examples": 5701,
    }
    kept = {"shards": 20, "bytes": 26_000_000, "sha1": "0123456789"}
    return {
        "recipe": recipe, "variant": "small", "seed": seed, "metrics": metrics, "seconds": 90.0, "cpu_seconds": 150.0, "peak_bytes": 2_000_000_000,
        "data": {"name": data, "about": "some videos", "train": kept, "validate": kept}, "examples_per_second": 1700.0,
        "commands": ["python train.py --model=X"], "date": "2026-11-24", "versions": {"tensorflow": "2.15.1"}, **more,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        ("more", (0.50, 0.48), True),
        ("more", (0.50, 0.495), False),  # within the margin of 0.01
        ("more", (0.50, 0.48, 0.52), False),
        ("no more", (0.50, 0.495), True),
        ("no more", (0.50, 0.40), False),
        ("no more", (0.40, 0.50), True),
        ("equal", (0.50, 0.509), True),
        ("equal", (0.50, 0.52), False),
        ("rises", (0.50, 0.495, 0.52), True),  # a fall within the margin
        ("rises", (0.50, 0.52, 0.505, 0.53), False),  # a fall beyond it
        ("rises", (0.50, 0.502, 0.504), False),  # no more than noise
        ("ordered", (0.5, 0.5, 0.500001), True),
        ("ordered", (0.5, 0.499999), False),
    ],
)
def test_what_bears_a_claim_out(kind, values, expected):
    assert holds(kind, values, 0.01) is expected


def test_claims_are_about_recipes_that_exist():
    for claim in CLAIMS:
        for name in claim.names:
            for one in name.split("|"):
                assert one.partition(":")[0] in RECIPES, f"{claim.text}: {one}"
        assert claim.kind == "ordered" or holds(claim.kind, [0.5] * len(claim.names), 0.1) in (
            True,
            False,
        )


def test_noise_is_pooled_over_repeated_recipes():
    runs = [
        result("a", 0.50),
        result("a", 0.52, seed=1),
        result("b", 0.30),
        result("b", 0.30, seed=1),
        result("c", 0.9),
    ]
    noise = noise_of(runs, "sample-video-all", "gap")
    assert noise.runs == 4
    assert noise.sd == pytest.approx(0.01)
    assert noise.margin == pytest.approx(0.02828, abs=1e-5)
    assert noise_of(runs[-1:], "sample-video-all", "gap") == noise_of([], "x", "gap")
    assert noise_of([], "x", "gap").sd == ASSUMED_SD


def test_a_claim_is_judged_on_each_data_set_alone():
    claim = Claim(
        "GRU is better than LSTM", "more", ("gru", "lstm"), not_on={"frozen": "nothing moves"}
    )
    runs = [
        result("gru", 0.5, "a"),
        result("lstm", 0.4, "a"),
        result("gru", 0.4, "b"),
        result("lstm", 0.4, "b"),
    ]
    runs += [result("gru", 0.5, "frozen"), result("lstm", 0.4, "frozen"), result("gru", 0.5, "c")]
    marks = {v.data: v.mark for v in verdicts(runs, [claim])}
    assert marks == {"a": SEEN, "b": NOT_SEEN, "frozen": UNTESTABLE, "c": NOT_RUN}
    assert judge(claim, runs, "c").numbers == "lacks lstm"
    assert judge(claim, runs, "a").numbers == "GAP gru 0.5000, lstm 0.4000"
    assert [v.mark for v in verdicts([], [claim])] == [NOT_RUN]


def test_seeds_are_averaged_and_the_better_of_two_counts():
    runs = [result("h", 0.40), result("h", 0.44, seed=1), result("i", 0.3), result("g", 0.3)]
    verdict = judge(Claim("", "more", ("h|i", "g")), runs, "sample-video-all")
    assert verdict.numbers == "GAP h or i 0.4200, g 0.3000"
    assert verdict.mark == SEEN


def test_fusions_are_judged_by_their_parts():
    half = {"metrics": {"gap": 0.55}, "best_single": {"gap": 0.5}}
    runs = [
        result(f"fusion-{m}", gap, best_single={"gap": 0.5, "input": "gru"}, fit_on_half=half)
        for m, gap in (("average", 0.6), ("l1", 0.6), ("l2", 0.60001), ("l3", 0.60002))
    ]
    marks = {v.claim.text: v.mark for v in verdicts(runs) if v.data}
    assert marks["The fusion is better than its best model"] == SEEN
    assert {m for t, m in marks.items() if "l3 is at least" in t or "one half" in t} == {SEEN}


def test_a_table_shows_the_papers_column_and_ours():
    text = tables.as_text(
        "1",
        paper_row.of_table("1", RECIPES),
        [result("video-moe-2", 0.61234), result("video-moe-2", 0.613, seed=1)],
    )
    lines = text.splitlines()
    assert lines[0] == paper_row.TABLES["1"]
    first = next(line for line in lines if line.startswith("2 "))
    assert first.split() == [
        "2", "0.7820", "0.4150", "sample-video-all", "0.6123", "0.3062", "0.6000", "0.7000", "0.9000", "1.5", "2.5", "2.0", "1,700",
    ]  # fmt: skip
    assert "seed 1   0.6130" in text
    assert "seed 2  not run" in text
    assert any(line.startswith("4 ") and "not run" in line for line in lines)


def test_markdown_escapes_what_would_be_a_column():
    assert tables.as_markdown([["a|b", "c"], ["1", "2"]]).splitlines() == [
        "| a\\|b | c |",
        "| --- | --- |",
        "| 1 | 2 |",
    ]


def test_the_report_holds_tables_claims_and_commands():
    text = report(RECIPES, [result("video-moe-2", 0.61), result("video-moe-2", 0.613, seed=1)])
    assert "| 2 | 0.7820 | 0.4150 | sample-video-all | 0.6100 |" in text
    assert "2 runs of repeated recipes" in text
    assert "**not run yet**" in text
    assert "python train.py --model=X" in text
    assert report(RECIPES, [])  # nothing run yet is a report too


def test_record_keeps_small_results_and_the_recipes_expectation(tmp_path):
    import shutil

    settings = tmp_path / "settings"
    shutil.copytree(paper_row.FOLDER, settings)
    folder = str(tmp_path / "results")
    kept = [result("video-moe-2", 0.61), result("video-moe-2", 0.63, seed=1), result("gone", 0.5)]
    kept += [
        result("video-moe-2", 0.7, data="my-records"),
        {**result("video-moe-4", 0.5), "variant": "paper"},
    ]
    assert len(results.record(kept, RECIPES, folder, str(settings))) == 2
    assert [r["metrics"]["gap"] for r in results.committed(folder)] == [0.61, 0.63]
    again = paper_row.load(str(settings / "video-moe-2.json")).small.measured["sample-video-all"]
    assert again == {"minutes": 1.5, "gap": 0.61, "map": 0.305}
    broken = copy.deepcopy(kept[0])
    del broken["metrics"]["perr"]
    with pytest.raises(UserError, match="lacks metrics.perr"):
        results.record([broken], RECIPES, folder, str(settings))


def test_a_folder_without_results_or_with_broken_ones_is_told(tmp_path, capsys):
    assert main(["record", f"--out_dir={tmp_path}"]) == 2
    assert "holds no finished small run" in capsys.readouterr().err
    path = str(tmp_path / "gru" / "sample-frames-seed0" / results.RESULT)
    results.write_json(path, {"recipe": "gru"})
    for command in (["record"], ["table", "2", "--norun"]):
        assert main([*command, f"--out_dir={tmp_path}"]) == 2
        assert f"error: {path}, the result of gru, lacks variant, data" in capsys.readouterr().err


def test_what_is_recorded_is_checked_before_anything_is_written(tmp_path):
    broken = result("video-moe-4", 0.5)
    del broken["metrics"]["perr"]
    with pytest.raises(UserError, match="video-moe-4, lacks metrics.perr"):
        results.record([result("video-moe-2", 0.61), broken], RECIPES, str(tmp_path), str(tmp_path))
    assert not list(tmp_path.iterdir())


def test_results_on_other_records_are_not_recorded_beside_those_that_stay(tmp_path):
    """A data set is told by its name, whatever sample it was made from."""
    import shutil

    folder, settings = str(tmp_path / "results"), str(tmp_path / "settings")
    shutil.copytree(paper_row.FOLDER, settings)
    results.record([result("video-moe-2", 0.61)], RECIPES, folder, settings)
    other = result("video-moe-4", 0.62)
    other["data"]["train"] = {**other["data"]["train"], "sha1": "another"}
    with pytest.raises(
        UserError,
        match="video-moe-4--.* is of other train records of sample-video-all than the result of video-moe-2",
    ):
        results.record([other], RECIPES, folder, settings)
    assert [r["recipe"] for r in results.committed(folder)] == ["video-moe-2"]
    again = {**result("video-moe-2", 0.6), "data": other["data"]}
    assert len(results.record([other, again], RECIPES, folder, settings)) == 2, "all of them anew"


def test_results_of_other_settings_are_neither_recorded_nor_shown(tmp_path, monkeypatch, capsys):
    kept = next(r for r in results.committed() if (r["recipe"], r["seed"]) == ("video-moe-4", 0))
    old = {
        **result("video-moe-2", 0.9876),
        "commands": [c.replace("rate=0.25", "rate=0.01") for c in _commands("video-moe-2")],
    }
    for r in (kept, old):
        results.write_json(
            str(tmp_path / r["recipe"] / "sample-video-all-seed0" / results.RESULT), r
        )
    recorded = []
    monkeypatch.setattr(results, "record", lambda found, recipes: recorded.extend(found) or found)
    assert main(["record", f"--out_dir={tmp_path}"]) == 2
    assert recorded == []
    assert (
        "other settings gave than the recipes have now: video-moe-2 on sample-video-all, seed 0"
        in capsys.readouterr().err
    )
    assert main(["table", "1", "--norun", f"--out_dir={tmp_path}"]) == 0
    shown = capsys.readouterr().out
    assert "left out" in shown
    assert "0.9876" not in shown
    assert f"{kept['metrics']['gap']:.4f}" in shown
    (tmp_path / "video-moe-2" / "sample-video-all-seed0" / results.RESULT).unlink()
    assert main(["record", f"--out_dir={tmp_path}"]) == 0
    assert recorded == [kept]


def test_records_of_ones_own_named_as_a_data_set_are_not_taken_for_it(tmp_path):
    """--data=/somewhere/sample-video-all: its results bear the folder's name."""
    own = {
        **result("video-moe-2", 0.9),
        "commands": [
            c.replace("runs/recipes/data/", "/somewhere/") for c in _commands("video-moe-2")
        ],
    }
    assert sort_out([own], RECIPES) == ([], [own])


def _commands(name):
    return commands_now(
        RECIPES, name, "small", describe("sample-video-all", "runs/recipes/data"), 0
    )


def test_committed_results_are_of_the_settings_that_the_recipes_have():
    found = results.committed()
    for r in found:
        results.check(r)
        assert r["recipe"] in RECIPES
        assert r["data"]["name"] in RECIPES[r["recipe"]].small.data
    assert found
    assert sort_out(found, RECIPES) == (found, [])


def test_what_is_written_of_the_results_is_what_they_are():
    found = results.committed()
    with open(PATH, encoding="utf-8") as f:
        assert f.read() == report(RECIPES, found), "`python -m yt8m.papers report` writes it"
    m = {
        r["recipe"]: r["metrics"]
        for r in found
        if r["data"]["name"] == "sample-video-all" and r["seed"] == 0
    }
    basic, few, many, early, rprop, adam = (
        m[f"kdd-{n}"]
        for n in (
            "basic-baseline",
            "basic-retrained",
            "basic-large-moe",
            "early-baseline",
            "early-rprop",
            "early-adam",
        )
    )
    with open(os.path.join(results.ROOT, "README.md"), encoding="utf-8") as f:
        readme = " ".join(f.read().split())
    for sentence in (
        f"joint training GAP {basic['gap']:.3f}, MAP {basic['map']:.3f};",
        f"{few['gap']:.3f} and {few['map']:.3f} with 5 experts at most, {many['gap']:.3f} and {many['map']:.3f} with 50;",
        f"it gains {rprop['gap'] - early['gap']:.3f} GAP in eight iterations, and eight passes of Adam {adam['gap'] - early['gap']:.3f}.",
    ):
        assert sentence in readme


def test_what_show_prints_is_what_a_run_does(capsys):
    for name in ("kdd-basic-rprop", "labels-remove"):  # both take another recipe's trained folder
        assert main(["show", name]) == 0
        kept = next(r for r in results.committed() if r["recipe"] == name)
        shown = capsys.readouterr().out
        assert all(f"  {c}\n" in shown for c in kept["commands"])
