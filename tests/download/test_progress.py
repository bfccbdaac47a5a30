"""What is shown while files arrive."""

import pytest

from yt8m.download import progress
from yt8m.download.progress import Progress, size_text, time_text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0.00 MB"), (4_780_000, "4.78 MB"), (182e6, "0.18 GB"), (1.53e12, "1,530.00 GB")],
)
def test_sizes(count, text):
    assert size_text(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.5, "0 s"), (59, "59 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")]
)
def test_times(seconds, text):
    assert time_text(seconds) == text


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test sets: `clock[0]` is the time in seconds."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_lines_show_rate_and_time_left(clock, capsys):
    shown = Progress(total=100_000_000, files=4, done=20_000_000, done_files=1)
    shown.add(20_000_000)
    clock[0] += 4
    shown.show()
    assert not capsys.readouterr().out  # a line every five seconds
    clock[0] += 1
    shown.show()
    expected = " 40% 1/4 files, 40.00 MB of 0.10 GB, 4.00 MB/s, 15 s left\n"
    assert capsys.readouterr().out == expected


def test_bytes_from_elsewhere_do_not_count_for_the_rate(clock, capsys):
    shown = Progress(total=20_000_000, files=2, done=0, done_files=0)
    shown.adjust(10_000_000)
    shown.file_done()
    clock[0] += 1
    shown.show(last=True)
    assert capsys.readouterr().out == " 50% 1/2 files, 10.00 MB of 20.00 MB, 0.00 MB/s\n"


def test_more_bytes_than_were_known(clock, capsys):
    shown = Progress(total=0, files=1, done=0, done_files=0)
    shown.add(5_000_000)
    shown.show(last=True)
    assert "100% 0/1 files, 5.00 MB of 5.00 MB" in capsys.readouterr().out


def test_a_terminal_shows_one_line_that_changes(clock, capsys, monkeypatch):
    monkeypatch.setattr(progress.sys.stdout, "isatty", lambda: True, raising=False)
    shown = Progress(total=100, files=1, done=0, done_files=0)
    shown.add(50)
    clock[0] += 1
    shown.show()
    shown.add(50)
    shown.file_done()
    clock[0] += 1
    shown.show(last=True)
    out = capsys.readouterr().out
    assert out.count("\r") == 2
    assert out.count("\n") == 1
    assert f"[{'#' * 12}{'.' * 12}]  50% 0/1 files" in out
    assert f"[{'#' * 24}] 100% 1/1 files" in out
