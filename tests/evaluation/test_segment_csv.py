"""Scores of submissions of segments, against a slow version of the definition; refusals."""

import numpy as np
import pytest

from yt8m.data.records.writers import frame_record, write_shard
from yt8m.errors import UserError
from yt8m.evaluation.segment_csv import main, score_segment_csv

K = 6


@pytest.fixture(scope="module")
def rated(tmp_path_factory):
    """A folder with rated records and a submission; ratings, (segment, class) -> score; lists."""
    folder, rng = tmp_path_factory.mktemp("rated"), np.random.default_rng(0)
    frames = {"rgb": np.zeros((2, 3), np.uint8)}
    records, ratings = [], {}
    for i in range(20):
        pairs = zip(rng.integers(0, 3, 4), rng.integers(0, 5, 4))
        rows = [(5 * int(s), int(c), float(rng.random() < 0.5 and c != 4)) for s, c in pairs]
        records.append(frame_record(b"v%d" % i, frames, [0], segments=rows))
        for s, c, x in rows:
            ratings[f"v{i}:{s}", c] = max(x, ratings.get((f"v{i}:{s}", c), 0.0))
    for shard in (0, 1):
        write_shard(str(folder / f"validate{shard}.tfrecord"), records[shard::2])
    segments = [(i, s) for i in range(25) for s in range(4)]
    lists = {c: [f"v{i}:{5 * s}" for i, s in rng.permutation(segments)] for c in (5, 2, 0, 4)}
    lines = [f"{c},{' '.join(s)}\n" for c, s in lists.items()]
    (folder / "s.csv").write_text("Class,Segments\n" + "".join(lines))
    return folder, ratings, lists


def slow_ap(listed, ratings, label, top_n):
    total, hits, place = 0.0, 0, 0
    for segment in listed[: top_n or None]:  # the cut comes first
        if (segment, label) in ratings:
            place += 1
            if ratings[segment, label] > 0:
                hits += 1
                total += hits / place
    return total / sum(x > 0 for (_, c), x in ratings.items() if c == label)


@pytest.mark.parametrize("top_n", [0, 40])
def test_equals_the_slow_reference(rated, top_n):
    folder, ratings, lists = rated
    said = []
    got = score_segment_csv(
        str(folder / "s.csv"), str(folder / "validate*"), top_n, say=said.append
    )
    # Class 5 was never rated and 4 is never positive; 1 and 3 are not in the submission.
    aps = [slow_ap(lists[c], ratings, c, top_n) for c in (0, 2)]
    assert got["segment_map"] == pytest.approx(np.mean(aps))
    assert got["num_segment_map_classes"] == 2
    assert got["segment_map_all_classes"] == pytest.approx(sum(aps) / 4)
    assert got["num_segment_map_positive_classes"] == 4
    assert got["num_ratings"] == len(ratings)
    assert got["num_ratings_listed"] == sum(
        (s, c) in ratings for c in lists for s in lists[c][: top_n or None]
    )
    assert "mean over the 2 classes with a ranking" in said[0]
    assert "all classes with a positive rating" in said[1]
    assert "4 classes have positive" in said[2]


def test_the_cache_is_written_once_and_then_read(rated, tmp_path, capsys):
    folder, ratings, _ = rated
    cache = tmp_path / "cache" / "labels.csv"
    command = [f"--submission_file={folder}/s.csv", f"--label_cache={cache}"]
    assert main([*command, f"--eval_data_pattern={folder}/validate*"]) == 0
    first = capsys.readouterr().out
    lines = [line.split(",") for line in cache.read_text().splitlines()]
    assert {(s, int(c)): float(x) for s, c, x in lines} == ratings
    assert len(lines) == len(ratings)
    assert main([*command, "--eval_data_pattern=nowhere*"]) == 0
    message, rest = capsys.readouterr().out.split("\n", 1)
    assert rest == first
    assert "--eval_data_pattern is not read" in message
    for text in ("v1:0,3,1.0\nv1:5\n", "v1:0,3,1.0\nv1:5,3,x\n"):
        cache.write_text(text)
        assert main(command) == 2
        assert "labels.csv, line 2, is not" in capsys.readouterr().err


def test_a_failure_leaves_no_cache_behind(rated, tmp_path):
    folder, _, _ = rated
    write_shard(
        str(tmp_path / "unrated.tfrecord"),
        [frame_record(b"v1", {"rgb": np.zeros((2, 3), np.uint8)}, [0])],
    )
    for pattern, message in (
        ("unrated*", "has no segment with a positive rating"),
        ("none*", "matches no file"),
    ):
        with pytest.raises(UserError, match=message):
            score_segment_csv(
                str(folder / "s.csv"), str(tmp_path / pattern), label_cache=str(tmp_path / "c.csv")
            )
    assert [p.name for p in tmp_path.iterdir()] == ["unrated.tfrecord"]


def test_what_is_no_submission_of_these_videos_is_refused(rated, tmp_path, capsys):
    folder, _, _ = rated
    csv, pattern = tmp_path / "s.csv", f"--eval_data_pattern={folder}/validate*"
    for text, message in (
        ("Class,Segments\n0,other:0 other:5\n", "lists none of the"),
        ("Class,Segments\n", "has no line for any class"),
        ("VideoId,LabelConfidencePairs\nv1,3 0.5\n", "line 1: .*expected '<class>,<video>:<start>"),
        ("0,v1:0\n0,v2:0\n", "class 0 has two lines"),
    ):
        csv.write_text(text)
        with pytest.raises(UserError, match=message):
            score_segment_csv(str(csv), f"{folder}/validate*")
    csv.write_bytes(b"0,v1:0\n1,v2:\xff\xfe\n")
    assert main([f"--submission_file={csv}", pattern]) == 2
    assert main([f"--submission_file={tmp_path}/none.csv", pattern]) == 2
    assert main([f"--submission_file={folder}/s.csv", pattern, "--top_n=-1"]) == 2
    err = capsys.readouterr().err
    assert err.count("error: cannot read") == 2
    assert "--top_n: -1: expected a whole number of at least 0" in err
    assert "Traceback" not in err
