"""Every file of stored scores, damaged in every way: a message that names it, or scores."""

import numpy as np
import pytest

from tests.support.damages import DAMAGES, each_damage, problem_with, sweep
from yt8m.fusion.inputs import open_input
from yt8m.submission.score_formats import open_scores, scores_writer
from yt8m.submission.scores.settings import ScoresSettings

K, N = 12, 9
FORMATS = {
    "all classes": (ScoresSettings(), ("scores.npy", "ids.txt", "meta.json")),
    "float16": (ScoresSettings(scores_dtype="float16"), ("scores.npy",)),
    "the best": (
        ScoresSettings(scores_top_k=3),
        ("top_classes.npy", "top_scores.npy", "top_rest.npy", "ids.txt", "meta.json"),
    ),
    "Parquet": (ScoresSettings(scores_format="parquet"), ("part-00000.parquet",)),
    "the best in Parquet": (
        ScoresSettings(scores_format="parquet", scores_top_k=3),
        ("part-00000.parquet",),
    ),
}


def write(path, settings):
    scores = np.random.default_rng(0).random((N, K)).astype(np.float32)
    with scores_writer(str(path), K, settings, {"covered_classes": [0, 1, 5]}) as out:
        out.write([f"v{i}" for i in range(N)], scores)


@pytest.mark.parametrize("name", FORMATS)
def test_a_damaged_file_of_scores_is_named_or_does_no_harm(name, tmp_path):
    settings, names = FORMATS[name]
    if settings.scores_format == "parquet":
        pytest.importorskip("pyarrow")
    folder = tmp_path / "scores"
    write(folder, settings)

    def read():
        scores = open_scores(str(folder))
        assert scores.dense(np.arange(len(scores.ids))).shape == (len(scores.ids), K)
        if scores.width == K:
            open_input(str(folder)).covered(K)

    read()
    needed = [n for n in names if n != "meta.json"]
    assert not sweep(folder, {n: read for n in names}, tmp_path / "kept", needed)


def test_a_damaged_csv_to_fuse_is_named(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("VideoId,LabelConfidencePairs\n" + "v0,1 0.5 2 0.25\nv1,3 0.125\n" * 40)

    def read():
        return open_input(str(path)).rows(np.arange(3), K)

    read()
    harms = [d for d in DAMAGES if d != "a folder"]  # which would be a folder of scores
    problems = [problem_with("p.csv", d, read) for d in each_damage(path, tmp_path / "k", harms)]
    assert not "\n".join(filter(None, problems))
