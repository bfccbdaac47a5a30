"""Formats of stored scores: what comes back, what is lost, and what is refused."""

import os
import sys

import numpy as np
import pyarrow.parquet
import pytest

from yt8m.errors import UserError
from yt8m.files import CannotGoOn
from yt8m.submission.score_files import ScoreFile
from yt8m.submission.score_formats import open_scores, scores_writer
from yt8m.submission.scores.settings import ScoresSettings

N, K = 50, 12
SCORES = np.random.default_rng(0).random((N, K), dtype=np.float32) ** 3
IDS = [f"v{i:02d}" for i in range(N)]
ORDERS = [np.arange(3, 20), np.random.default_rng(1).permutation(N), np.zeros(0, np.int64)]


def write(path, first=0, end=N, at=None, **settings):
    writer = scores_writer(str(path), K, ScoresSettings(**settings), {"segments": False}, at)
    for start in range(first, end, 10):
        rows = slice(start, min(start + 10, end))
        writer.write([i.encode() for i in IDS[rows]], SCORES[rows])
    return writer


def stored(path, **settings):
    write(path, **settings).close()
    return open_scores(str(path))


@pytest.mark.parametrize("scores_format", ["npy", "parquet"])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_all_classes(tmp_path, scores_format, dtype):
    back = stored(tmp_path / "s", scores_format=scores_format, scores_dtype=dtype)
    expected = SCORES.astype(dtype).astype(np.float32)
    assert (back.ids, back.num_classes, back.width) == (IDS, K, K)
    assert back.meta["segments"] is False
    for rows in ORDERS:
        np.testing.assert_array_equal(back.dense(rows), expected[rows])
        classes, scores = back.best(rows, 3)
        assert scores.dtype == np.float32
        np.testing.assert_array_equal(scores, np.sort(expected[rows])[:, ::-1][:, :3])
        np.testing.assert_array_equal(np.take_along_axis(expected[rows], classes, 1), scores)
    assert os.listdir(tmp_path) == ["s"]


@pytest.mark.parametrize("scores_format", ["npy", "parquet"])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_the_best_classes_and_the_mean_of_the_others(tmp_path, scores_format, dtype):
    back = stored(tmp_path / "s", scores_format=scores_format, scores_dtype=dtype, scores_top_k=4)
    order = np.argsort(-SCORES, axis=1)
    expected = SCORES.copy()
    others = np.take_along_axis(SCORES, order[:, 4:], 1).mean(axis=1, keepdims=True)
    np.put_along_axis(expected, order[:, 4:], others, 1)
    tolerance = 1e-6 if dtype == "float32" else 5e-4
    assert (back.ids, back.num_classes, back.width) == (IDS, K, 4)
    for rows in ORDERS:
        np.testing.assert_allclose(back.dense(rows), expected[rows], atol=tolerance)
        classes, scores = back.best(rows, 2)
        np.testing.assert_array_equal(classes, order[rows, :2])
        assert (classes.dtype, scores.dtype) == (np.int32, np.float32)
        np.testing.assert_array_equal(
            scores, np.take_along_axis(SCORES, order[:, :2], 1)[rows].astype(dtype)
        )
    with pytest.raises(ValueError, match="between 1 and the 4 classes stored, not 5"):
        back.best(np.arange(2), 5)
    sums = back.dense(np.arange(N)).sum(axis=1)
    np.testing.assert_allclose(sums, SCORES.sum(axis=1), rtol=2e-3)


def test_the_best_of_all_classes_are_all(tmp_path):
    back = stored(tmp_path / "s", scores_top_k=K)
    np.testing.assert_array_equal(back.dense(np.arange(N)), SCORES)


def test_many_classes_and_no_videos(tmp_path):
    scores = np.zeros((1, 70_000), np.float32)
    scores[0, 69_999] = 0.5
    with scores_writer(str(tmp_path / "wide"), 70_000, ScoresSettings(scores_top_k=1)) as out:
        out.write(["a"], scores)
    assert open_scores(str(tmp_path / "wide")).best(np.zeros(1, int), 1)[0] == [[69_999]]
    for settings in (dict(scores_top_k=2), dict(scores_format="parquet")):
        write(tmp_path / "none", end=0, **settings).close()
        assert open_scores(str(tmp_path / "none")).dense(np.zeros(0, int)).shape == (0, K)


@pytest.mark.parametrize("top_k", [0, 4])
def test_a_parquet_folder_goes_on_after_a_kill(tmp_path, top_k):
    settings = dict(scores_format="parquet", scores_top_k=top_k)
    whole, path = tmp_path / "whole", tmp_path / "stopped"
    expected = stored(whole, **settings)
    writer = write(path, end=20, **settings)
    writer.position()
    writer.write(IDS[20:30], SCORES[20:30])
    position = writer.position()
    writer.write(IDS[30:40], SCORES[30:40])
    writer._write_group()  # an unfinished part, as a killed process leaves it
    writer._folder.leave()
    write(path, first=30, at=position, **settings).close()
    back, rows = open_scores(str(path)), np.arange(N)
    assert back.ids == IDS
    np.testing.assert_array_equal(back.dense(rows), expected.dense(rows))
    assert sorted(os.listdir(path)) == [f"part-0000{i}.parquet" for i in range(3)]
    assert sorted(os.listdir(tmp_path)) == ["stopped", "whole"]


def test_a_parquet_part_that_changed_is_not_gone_on_with(tmp_path):
    writer = write(tmp_path / "s", end=20, scores_format="parquet")
    position = writer.position()
    writer.leave()
    os.truncate(tmp_path / "s.partial" / "part-00000.parquet", 3)
    with pytest.raises(CannotGoOn, match="has 3 bytes, not"):
        write(tmp_path / "s", at=position, scores_format="parquet")
    with pytest.raises(CannotGoOn, match="is not there"):
        write(tmp_path / "t", at=position, scores_format="parquet")
    stored(tmp_path / "s", scores_format="parquet")  # starts from the beginning
    assert os.listdir(tmp_path) == ["s"]


def test_what_other_programs_read(tmp_path):
    stored(tmp_path / "s", scores_format="parquet", scores_top_k=3)
    table = pyarrow.parquet.read_table(str(tmp_path / "s"))
    assert table.column_names == ["id", "classes", "scores", "rest"]
    row = table.slice(7, 1).to_pylist()[0]
    order = np.argsort(-SCORES[7])
    assert (row["id"], row["classes"]) == ("v07", order[:3].tolist())
    assert row["scores"] == SCORES[7][order[:3]].tolist()
    assert row["rest"] == pytest.approx(SCORES[7][order[3:]].mean())


def test_estimates(tmp_path):
    for number, settings in enumerate(
        (dict(), dict(scores_top_k=4), dict(scores_format="parquet", scores_dtype="float16"))
    ):
        path = tmp_path / str(number)
        writer = write(path, **settings)
        estimate = writer.estimated_bytes(N)
        writer.close()
        size = sum(file.stat().st_size for file in path.iterdir())
        assert 0.3 < estimate / size < 2


def test_a_format_replaces_another_but_no_folder_of_something_else(tmp_path):
    stored(tmp_path / "s", scores_top_k=4)
    stored(tmp_path / "s", scores_format="parquet")
    assert stored(tmp_path / "s").width == K
    stored(tmp_path / "s", scores_format="parquet")
    (tmp_path / "s" / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="not overwritten"):
        write(tmp_path / "s", scores_top_k=4)
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset" / "part-0.parquet").write_text("of pyarrow.dataset")
    with pytest.raises(UserError, match="not overwritten"):
        write(tmp_path / "dataset", scores_top_k=4)


@pytest.mark.parametrize("settings", [dict(), dict(scores_format="parquet")])
def test_a_folder_that_was_begun_again_is_not_gone_on_with(tmp_path, settings):
    path = tmp_path / "s"
    first = write(path, end=20, **settings)
    position = first.position()
    with pytest.raises(UserError, match="already writing --output_scores="):
        write(path, **settings)
    first.leave()
    second = write(path, end=40, **settings)
    with pytest.raises(UserError, match="already writing --output_scores="):
        write(path, first=20, at=position, **settings)
    second.leave()
    with pytest.raises(CannotGoOn, match="was begun again by another command"):
        write(path, first=20, at=position, **settings)
    stored(path, **settings)
    assert os.listdir(tmp_path) == ["s"]


@pytest.mark.parametrize("settings", [dict(), dict(scores_format="parquet")])
def test_more_classes_than_there_are(tmp_path, settings):
    with pytest.raises(UserError, match="--scores_top_k=13: the scores have 12 classes"):
        write(tmp_path / "s", scores_top_k=13, **settings)
    assert not list(tmp_path.iterdir())


def test_all_classes_are_needed_somewhere(tmp_path):
    stored(tmp_path / "best", scores_top_k=4)
    with pytest.raises(UserError, match=r"--label_noise_scores: .*written with --scores_top_k"):
        ScoreFile(str(tmp_path / "best"), "--label_noise_scores")
    stored(tmp_path / "parquet", scores_format="parquet")
    with pytest.raises(UserError, match="again without --scores_format=parquet"):
        ScoreFile(str(tmp_path / "parquet"))


def test_parquet_needs_its_extra(tmp_path, monkeypatch):
    stored(tmp_path / "s", scores_format="parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for use in (
        lambda: write(tmp_path / "t", scores_format="parquet"),
        lambda: open_scores(str(tmp_path / "s")),
    ):
        with pytest.raises(UserError, match=r"pip install 'yt8m\[parquet\]'"):
            use()
    assert os.listdir(tmp_path) == ["s"]


def test_parquet_files_of_others(tmp_path):
    stored(tmp_path / "s", scores_format="parquet", scores_top_k=3)
    part = str(tmp_path / "s" / "part-00000.parquet")
    table = pyarrow.parquet.read_table(part)
    short = table.set_column(2, "scores", [[[0.5]] * N])
    extra = str(tmp_path / "s" / "part-00001.parquet")
    for wrong, message in (
        (short, "has lists of 1 in the column 'scores'; expected 3"),
        (table.drop_columns("rest"), "has no column rest; expected id, classes"),
        (table.set_column(1, "classes", [[[0, 1, K]] * N]), "classes 0 to 12, but there are 12"),
    ):
        pyarrow.parquet.write_table(wrong, extra)
        with pytest.raises(UserError, match=message):
            open_scores(str(tmp_path / "s"))
    pyarrow.parquet.write_table(table.replace_schema_metadata(None), part)
    os.remove(extra)
    with pytest.raises(UserError, match="does not say what it holds"):
        open_scores(part)
    (tmp_path / "s" / "part-00000.parquet").write_text("not parquet")
    with pytest.raises(UserError, match="cannot be read"):
        open_scores(part)
