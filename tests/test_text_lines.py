"""Text is read as people's programs save it, and labels in every form that is in use."""

import pytest

from yt8m.convert.labels import read_labels
from yt8m.data.files.shards import find_shards
from yt8m.data.vocabulary import read_vocabulary
from yt8m.errors import UserError
from yt8m.submission.ground_truth import read_ground_truth
from yt8m.submission.kaggle_videos import read_csv
from yt8m.text_lines import numbered_lines

ROWS = "id,labels\na,3;1\nb,3|1\nc,3 1\nd,\ne,3\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_labels_in_every_form(tmp_path, encoding, end):
    path = tmp_path / "l.csv"
    path.write_bytes(ROWS.replace("\n", end).encode(encoding))
    assert read_labels(str(path)) == {
        **dict.fromkeys("abc", ("3", "1")), "d": (), "e": ("3",)
    }  # fmt: skip
    truth = read_ground_truth(str(path))
    assert [truth[i].tolist() for i in "abcde"] == [[1, 3]] * 3 + [[], [3]]


def test_other_encodings_are_named(tmp_path):
    path = tmp_path / "l.csv"
    path.write_bytes("a,Café;1\n".encode("latin-1"))
    for read in (read_labels, read_ground_truth, read_vocabulary, lambda p: find_shards("@" + p)):
        with pytest.raises(UserError, match=r"not UTF-8 text: the byte 0xe9 .*Latin-1"):
            read(str(path))
    path.write_bytes(b"a,1\n" + bytes(9) + b"\xff\n")
    with pytest.raises(UserError, match="it is not text"):
        list(numbered_lines(str(path), "the list"))


def test_a_separator_that_is_no_comma_is_named(tmp_path):
    (tmp_path / "l.csv").write_text("a;1\nb;2\n")
    with pytest.raises(UserError, match=r"line 1: 'a;1'.*separated by ';', not by a comma"):
        read_labels(str(tmp_path / "l.csv"))


def test_a_mark_hides_no_name(tmp_path):
    (tmp_path / "v.csv").write_bytes(b"\xef\xbb\xbf0,Game\r\n1,Car\r\n")
    assert read_vocabulary(str(tmp_path / "v.csv")).names == ("Game", "Car")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_last_line_without_an_end_is_shown(tmp_path, caplog, encoding):
    whole, cut = tmp_path / "whole.csv", tmp_path / "cut.csv"
    whole.write_text("v1,9 0.44 7 0.3\n", encoding=encoding)
    cut.write_text("v1,9 0.44 7 0.3\nv2,9 0.44 14 9.7", encoding=encoding)
    for path in (whole, cut, cut):
        rows = list(read_csv(str(path)))
    assert rows[1].scores.tolist() == pytest.approx([0.44, 9.7])
    [said] = caplog.messages
    assert said.startswith(f"{cut} does not end with a line break")
    assert said.endswith("'v2,9 0.44 14 9.7'")
