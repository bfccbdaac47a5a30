"""`yt8m papers table league`: its output, its exit codes, and one league that is really run."""

import os

import pytest

from yt8m import cli
from yt8m.papers.__main__ import main
from yt8m.papers.league import fusing
from yt8m.papers.league.contests import CONTESTS
from yt8m.papers.league.store import Store
from yt8m.papers.make_data import make
from yt8m.process import child_process


@pytest.fixture
def arguments(tmp_path, sample, audioset):
    places = [f"--out_dir={tmp_path / 'runs'}", f"--write_to={tmp_path / 'page'}"]
    sources = [f"--sample_dir={sample}", f"--audioset_dir={audioset}"]
    return ["table", "league", *places, *sources, "--seeds=1", "--data=audioset"]


def test_norun_writes_the_page_alone(arguments, commands, tmp_path, capsys):
    assert main([*arguments, "--norun"]) == 0
    assert commands.ran == []
    text = (tmp_path / "page" / "LEAGUE.md").read_text()
    assert "| `AttnVLAD` |  |  |  |  |  |  |  | not run |" in text
    assert "wrote" in capsys.readouterr().out


def test_a_league_states_its_budget_and_ends_with_its_failures(
    arguments, commands, tmp_path, capsys
):
    commands.ends["GruModel"] = 1
    assert main([*arguments, "--only=AttnVLAD,GruModel", "--best=2"]) == 1
    shown = capsys.readouterr().out
    assert (
        "audioset: 2 models for 3 min, then the best 2 for 25 min with 1 seed; at most 56 min"
        in shown
    )
    assert "budget: 600 min over all sessions" in shown
    assert "failed: GruModel on audioset: train.py ended with exit code 1" in shown
    text = (tmp_path / "page" / "LEAGUE.md").read_text()
    assert "| `AttnVLAD` | 0.2500 | 0.5000 | 0 | 50 | 700 | 2.0 | 0.1 | by itself" in text
    assert "| failed: train.py ended with exit code 1" in text
    assert "| `LstmModel` |  |  |  |  |  |  |  | not run |" in text


def test_a_budget_that_is_spent_is_said(arguments, commands, capsys):
    commands.seconds = 120.0
    only = ["--only=AttnVLAD,GruModel", "--budget_minutes=4"]
    assert main([*arguments, *only]) == 0
    shown = capsys.readouterr().out
    assert "the budget left out 1 run; a larger --budget_minutes goes on:" in shown
    assert "GruModel on audioset, seed 0 (3 min)" in shown


@pytest.mark.parametrize(
    ("flag", "expected"),
    [
        ("--data=audio", "Did you mean"),
        ("--only=MoeModel", "none of --only=MoeModel enters --data=audioset"),
        ("--only=NoModel", "not a known model"),
    ],
)
def test_a_users_mistake_is_reported(arguments, commands, flag, expected, capsys):
    assert main([*arguments, flag]) == 2
    assert expected in capsys.readouterr().err
    assert commands.ran == []


@pytest.mark.slow
def test_two_models_are_really_trained_measured_and_fused(arguments, tmp_path, monkeypatch, capsys):
    """The commands run in this process, which saves the time to start each."""
    monkeypatch.chdir(tmp_path)

    def run(command, log, say, limit=0.0):
        code = cli.call(command[3], command[4:])
        return child_process.Finished(code, 1.0, 10**9, 1.0)

    monkeypatch.setattr(child_process, "run", run)
    monkeypatch.setattr(fusing, "FUSED_BY", ("average", "l2"))
    models = "--only=FrameLevelLogisticModel,AttentionPoolingModel"
    assert main([*arguments, models]) == 0
    store = Store(str(tmp_path / "page" / "results"))
    found = [store.run("audioset", m, 0) for m in models.partition("=")[2].split(",")]
    for r in found:
        assert 0 < r["metrics"]["map"] <= 1
        assert r["metrics"]["num_examples"] == 40
        assert r["parameters"] > 128 * 527
        assert r["examples_per_second"] > 0
    fusion = store.fusion("audioset")
    assert all(m["num_examples"] == 20 for m in fusion["methods"].values())
    text = (tmp_path / "page" / "LEAGUE.md").read_text()
    assert f"| l2 | {fusion['methods']['l2']['map']:.4f} |" in text
    capsys.readouterr()
    assert main([*arguments, models]) == 0
    assert "$ python" not in capsys.readouterr().out, "nothing is repeated"


@pytest.mark.skipif(
    not os.environ.get("YT8M_AUDIOSET_DIR"),
    reason="YT8M_AUDIOSET_DIR, a folder of AudioSet's embeddings, is not set",
)
def test_the_real_audioset_needs_no_flag(tmp_path):
    from yt8m.data.files.shards import find_shards
    from yt8m.data.find_schema import find_schema

    data = make(CONTESTS["audioset"].data, str(tmp_path))
    assert data.flags == ()
    for pattern in (data.train, data.validation()):
        schema, line = find_schema(find_shards(pattern))
        assert (schema.num_classes, schema.max_frames) == (527, 10)
        assert "AudioSet" in line
