"""What a fusion tells people: names of classes, and when its result should be doubted."""

import csv
import os

import numpy as np
import pytest

from yt8m.errors import UserError
from yt8m.evaluation.per_class_ap import write_per_class_ap
from yt8m.fusion.run import run_fusion
from yt8m.fusion.settings import FusionSettings
from yt8m.submission.score_files import ScoreWriter
from yt8m.submission.score_formats import open_scores

N, K = 200, 6
IDS = [f"v{i:03d}" for i in range(N)]
NAMES = ["Game", "Car", "Food", "3", "Song", "Cat"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A good model that knows the names, one as good with other mistakes, and a useless one."""
    path = tmp_path_factory.mktemp("findings")
    rng = np.random.default_rng(0)
    labels = rng.random((N, K)) < 0.3
    for name, signal, meta in (
        ("good", 3, {"class_names": NAMES}),
        ("other", 3, {}),
        ("bad", 0, {}),
    ):
        logits = signal * labels + (1 if signal else 30) * rng.normal(size=(N, K))
        with ScoreWriter(str(path / name), K, meta=meta) as out:
            out.write(IDS, (1 / (1 + np.exp(-logits))).astype(np.float32))
    lines = (
        f"{video},{' '.join(map(str, np.flatnonzero(row)))}\n" for video, row in zip(IDS, labels)
    )
    (path / "labels.csv").write_text("".join(lines))
    for name, positives in (("same", labels.sum(axis=0)), ("others", np.full(K, 7))):
        write_per_class_ap(str(path / f"{name}.json"), np.full(K, 0.5), positives)
    return path


def fuse(folder, names, **settings):
    said = []
    inputs = [str(folder / name) for name in names]
    run_fusion(FusionSettings(inputs=inputs, **settings), said.append)
    return "\n".join(said)


def test_a_fusion_below_its_best_input_warns_and_one_above_does_not(folder):
    labels = str(folder / "labels.csv")
    said = fuse(folder, ("good", "bad"), labels=labels)
    assert f"below that of {folder / 'good'} alone" in said
    assert "--fit_on_half" in said
    said = fuse(folder, ("good", "bad"), labels=labels, method="l2", fit_on_half=True)
    assert "alone. Leave out the weakest inputs" in said
    assert "--fit_on_half" not in said
    said = fuse(folder, ("good", "other"), labels=labels)
    assert "warning" not in said


def test_the_classes_that_gain_or_lose_most_have_their_names(folder):
    said = fuse(folder, ("good", "bad"), labels=str(folder / "labels.csv"))
    table = said.split("\n\n")[-1]
    assert "Game (0)" in table
    assert "class 3" in table
    assert f"AP of {folder / 'good'}" in table


def test_aps_of_the_same_videos_are_recognized(folder):
    def said(*files):
        paths = [str(folder / f"{name}.json") for name in files]
        labels = str(folder / "labels.csv")
        return fuse(folder, ("good", "other"), labels=labels, method="l2", ap_files=paths)

    assert "come from the same videos" in said("same", "same")
    assert "come from the same videos" not in said("others", "others")


def test_a_readable_file_and_the_fused_scores_have_the_names(folder, tmp_path):
    out = {"output_file": f"{tmp_path}/f.csv", "output_scores": f"{tmp_path}/f"}
    fuse(folder, ("good", "other"), with_names=True, top_k=2, **out)
    assert open_scores(out["output_scores"]).meta["class_names"] == NAMES
    with open(tmp_path / "f.named.csv") as source:
        lines = list(csv.DictReader(source))
    assert len(lines) == 2 * N
    assert all(NAMES[int(line["Class"])] == line["Name"] for line in lines)


def test_without_names_or_with_those_of_other_classes_nothing_is_written(folder, tmp_path):
    wanted = {"output_file": f"{tmp_path}/f.csv", "with_names": True}
    with pytest.raises(UserError, match="no vocabulary was found"):
        fuse(folder, ("other", "bad"), **wanted)
    (tmp_path / "v.csv").write_text("0,a\n1,b\n")
    with pytest.raises(UserError, match="has 2 classes, but the inputs have 6"):
        fuse(folder, ("other", "bad"), vocabulary_file=f"{tmp_path}/v.csv", **wanted)
    assert os.listdir(tmp_path) == ["v.csv"]
    (tmp_path / "v.csv").write_text("".join(f"{i},Name {i}\n" for i in range(6)))
    fuse(folder, ("other", "bad"), vocabulary_file=f"{tmp_path}/v.csv", **wanted)
    assert "Name 5" in (tmp_path / "f.named.csv").read_text()
