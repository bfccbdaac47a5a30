"""The command line: its output, exit codes, and what it says to a user's mistake."""

import os

import pytest

from tests.papers.helpers import ROWS, SIZES, Fake, invented_result
from yt8m.papers import __main__ as command_line
from yt8m.papers import results, row_files, runner
from yt8m.papers.__main__ import main
from yt8m.papers.is_current import commands_now, sort_out
from yt8m.papers.make_data import AUDIOSET, SAMPLE, lacking_source
from yt8m.papers.small_data import describe
from yt8m.runs.stop_signal import Stopped


@pytest.fixture
def small_runner(monkeypatch):
    """Make the command line's runner use small data sets."""
    start = runner.Runner.__init__
    monkeypatch.setattr(
        runner.Runner,
        "__init__",
        lambda self, *a, **sources: start(self, *a[:3], SIZES, lambda text: None, **sources),
    )


def test_run_all_continues_past_failures_and_ends_when_stopped(
    sample, tmp_path, faked, small_runner, capsys
):
    rows = {n: ROWS[n] for n in ("two", "logistic")}
    fake = faked(Fake(fail_at="train"))
    arguments = ["run-all", f"--out_dir={tmp_path}", f"--sample_dir={sample}"]
    a = command_line.parser().parse_args(arguments)
    assert command_line._run_all(a, rows) == 1
    assert fake.commands == ["train", "train"]
    assert "0 of 2 done" in capsys.readouterr().out
    faked(lambda command, log, say: (_ for _ in ()).throw(Stopped(15)))
    with pytest.raises(Stopped):
        command_line._run_all(a, rows)


def test_a_stopped_run_says_that_it_resumes(monkeypatch, capsys):
    def stopped(a, rows):
        raise Stopped(15)

    monkeypatch.setitem(command_line._DO, "run", stopped)
    assert main(["run", "lstm"]) == 143
    assert "stopped by signal 15; the same command resumes" in capsys.readouterr().err


def test_a_users_mistake_is_reported(sample, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("YT8M_SAMPLE_DIR", raising=False)
    (tmp_path / "file").write_text("")
    for arguments, expected in (
        (["run", "video-moe-2", f"--out_dir={tmp_path}"], "error: this row needs the real sample"),
        (["show", "video-moe"], "Did you mean"),
        (
            ["run", "video-moe-2", f"--out_dir={tmp_path / 'file'}", f"--sample_dir={sample}"],
            "Not a directory; --out_dir names a folder that can be written",
        ),
        (["record", f"--out_dir={tmp_path}"], "contains no finished run of a small variant"),
    ):
        assert main(arguments) == 2
        assert expected in capsys.readouterr().err


def test_a_broken_result_is_reported(tmp_path, capsys):
    path = str(tmp_path / "gru" / "sample-frames-seed0" / results.RESULT)
    results.write_json(path, {"recipe": "gru"})
    for command in (["record"], ["table", "2", "--norun"]):
        assert main([*command, f"--out_dir={tmp_path}"]) == 2
        assert f"error: {path}, the result of gru, has no variant, data" in capsys.readouterr().err


def test_a_closed_pipe_ends_only_what_prints(monkeypatch, capsys):
    def broken(*_):
        raise BrokenPipeError

    # It would close the stdout of the tests.
    monkeypatch.setattr(command_line.os, "dup2", lambda *_: None)
    for arguments, expected in (
        (["run", "lstm"], 141),
        (["run-all"], 141),
        (["list"], 0),
        (["table", "1", "--norun"], 0),
    ):
        monkeypatch.setitem(command_line._DO, arguments[0], broken)
        with capsys.disabled():
            assert main(arguments) == expected


def test_only_a_checkout_is_written_to(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(results, "ROOT", str(tmp_path))
    for command in ("record", "report"):
        assert main([command]) == 2
        assert "is not a checkout" in capsys.readouterr().err
    assert results.commit() is None


def test_show_prints_the_commands_and_numbers_of_the_committed_run(capsys):
    for name in ("kdd-basic-rprop", "labels-remove"):  # both use the trained model of another row
        assert main(["show", name]) == 0
        kept = next(r for r in results.committed() if r["recipe"] == name)
        shown = capsys.readouterr().out
        assert all(f"  {c}\n" in shown for c in kept["commands"])
        assert f"GAP {kept['metrics']['gap']:.4f}" in shown


def test_results_of_other_settings_are_neither_recorded_nor_shown(tmp_path, monkeypatch, capsys):
    kept = next(r for r in results.committed() if (r["recipe"], r["seed"]) == ("video-moe-4", 0))
    changed = [c.replace("rate=0.25", "rate=0.01") for c in _commands("video-moe-2")]
    old = invented_result("video-moe-2", 0.9876, commands=changed)
    for r in (kept, old):
        path = tmp_path / r["recipe"] / "sample-video-all-seed0" / results.RESULT
        results.write_json(str(path), r)
    recorded = []
    monkeypatch.setattr(results, "record", lambda found, rows: recorded.extend(found) or found)
    assert main(["record", f"--out_dir={tmp_path}"]) == 2
    assert recorded == []
    expected = (
        "settings differ from those of their rows now: video-moe-2 on sample-video-all, seed 0"
    )
    assert expected in capsys.readouterr().err
    assert main(["table", "1", "--norun", f"--out_dir={tmp_path}"]) == 0
    shown = capsys.readouterr().out
    assert "left out" in shown
    assert "0.9876" not in shown
    assert f"{kept['metrics']['gap']:.4f}" in shown
    (tmp_path / "video-moe-2" / "sample-video-all-seed0" / results.RESULT).unlink()
    assert main(["record", f"--out_dir={tmp_path}"]) == 0
    assert recorded == [kept]


def test_a_users_records_are_not_taken_for_a_data_set_of_the_same_name():
    """A result on --data=/somewhere/sample-video-all bears the folder's name."""
    own = [c.replace("runs/recipes/data/", "/somewhere/") for c in _commands("video-moe-2")]
    result = invented_result("video-moe-2", 0.9, commands=own)
    assert sort_out([result], row_files.load_all()) == ([], [result])


def _commands(name):
    data = describe("sample-video-all", "runs/recipes/data")
    return commands_now(row_files.load_all(), name, "small", data, 0)


def test_list_names_every_row(capsys):
    assert main(["list"]) == 0
    shown = capsys.readouterr().out
    assert all(f"  {name} " in shown for name in row_files.load_all())


def test_run_all_can_only_print(capsys):
    assert main(["run-all", "--tables=1", "--dry"]) == 0
    assert "video-moe-2              sample-video-all     seed 2" in capsys.readouterr().out


def test_a_table_without_the_sample_shows_the_committed_results_and_runs_nothing(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.delenv("YT8M_SAMPLE_DIR", raising=False)
    assert main(["table", "1", f"--out_dir={tmp_path}"]) == 0
    shown = capsys.readouterr()
    kept = next(r for r in results.committed() if r["recipe"] == "video-moe-4")
    assert f"{kept['metrics']['gap']:.4f}" in shown.out
    assert "runs need the real sample: --sample_dir=DIR" in shown.out.splitlines()[-1]
    assert shown.err == ""
    assert not os.listdir(tmp_path)


def test_what_a_data_set_is_made_from_is_named_where_it_is_not_known(tmp_path, monkeypatch, capsys):
    for variable in ("YT8M_SAMPLE_DIR", "YT8M_AUDIOSET_DIR"):
        monkeypatch.delenv(variable, raising=False)
    folder = str(tmp_path)
    for name in ("sample-video", "sample-frames-all", "sample-means-all"):
        assert lacking_source(name, folder) == lacking_source(name, folder, "", "a") == SAMPLE
        assert not lacking_source(name, folder, "a")
    assert lacking_source("audioset", folder) == lacking_source("audioset", folder, "a") == AUDIOSET
    assert not lacking_source("audioset", folder, "", "a")
    assert not lacking_source("synthetic-temporal", folder)
    assert main(["table", "4", f"--out_dir={tmp_path}"]) == 0
    said = capsys.readouterr().out.splitlines()[-1]
    assert "--sample_dir=DIR" in said
    assert "--audioset_dir=DIR" in said
