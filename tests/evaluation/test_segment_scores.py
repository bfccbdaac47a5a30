"""Segment MAP of an evaluation is what the submission of the same segments scores."""

import json

import numpy as np
import pytest
import tensorflow as tf

from tests.support.records import rgb_audio_frames
from tests.support.runs import new_run
from tests.support.untrained import save_untrained
from yt8m.data.find_schema import find_schema
from yt8m.data.records.writers import write_shard
from yt8m.errors import UserError
from yt8m.evaluation.evaluate_run import evaluate_run
from yt8m.evaluation.segment_scores import SegmentScores
from yt8m.metrics.segment_map import segment_map
from yt8m.runs.trained_model import TrainedModel
from yt8m.submission.kaggle_segments import SegmentCsvWriter, read_segment_csv

K = 9


def batches(count=40, size=7):
    """Segments, each rated for two classes of the first six; class 5 is never positive."""
    rng = np.random.default_rng(0)
    for start in range(0, count, size):
        n = min(size, count - start)
        weights = np.zeros((n, K), np.float32)
        for row in weights:
            row[rng.choice(6, 2, replace=False)] = 1
        labels = ((rng.random((n, K)) < 0.5) & (weights > 0)).astype(np.uint8)
        labels[:, 5] = 0
        scores = np.clip(rng.random((n, K)), 0, 1).astype(np.float32)
        scores[:, 4] = 0  # is among nobody's best
        batch = {
            "id": [b"v%d:5" % (start + i) for i in range(n)],
            "labels": labels,
            "weights": weights,
        }
        yield {k: tf.constant(v) for k, v in batch.items()}, scores


@pytest.mark.parametrize(("whitelist", "limit"), [(None, 0), (None, 6), ([0, 3, 4], 10)])
def test_equals_the_map_of_the_submission(tmp_path, whitelist, limit):
    scores, ratings = SegmentScores(whitelist, 2, limit), {}
    with SegmentCsvWriter(str(tmp_path / "s.csv"), whitelist, 2) as csv:
        for batch, predictions in batches():
            scores.update(batch, predictions)
            csv.write(list(batch["id"].numpy()), predictions)
            for name, label, weight in zip(
                batch["id"].numpy(), batch["labels"].numpy(), batch["weights"].numpy()
            ):
                for c in np.flatnonzero(weight):
                    ratings.setdefault(int(c), {})[name.decode()] = float(label[c])
    positive = {c for c in (whitelist or range(5)) if c != 5}
    submitted = [(c, s) for c, s in read_segment_csv(str(tmp_path / "s.csv")) if c in positive]
    mean, ap = segment_map(submitted, ratings, limit)
    got = scores.result()
    assert got["segment_map"] == pytest.approx(mean)
    assert 0 < mean < 1
    assert got["num_segment_map_classes"] == len(ap) == (2 if whitelist else 4)
    assert got["segment_map_all_classes"] == pytest.approx(sum(ap.values()) / len(positive))


def test_eval_of_rated_segments_masks_and_reports(tmp_path):
    ratings = [(0, 1, 1.0), (0, 2, 0.0), (5, 2, 1.0), (5, 1, 0.0)]
    shard = str(tmp_path / "rated.tfrecord")
    frames = np.random.default_rng(1).integers(0, 256, (8, 12, 8), dtype=np.uint8)
    records = (rgb_audio_frames(i, x, [i % 4], segments=ratings) for i, x in enumerate(frames))
    write_shard(shard, records)
    config = new_run(
        shard,
        "FrameLevelLogisticModel",
        schema=find_schema([shard], num_classes=4)[0],
        recipe={"batch_size": 4},
    )
    save_untrained(config, tmp_path / "run")
    said = []
    trained = TrainedModel(str(tmp_path / "run"), segment_labels=True)  # of whole videos
    result = evaluate_run(trained, shard, str(tmp_path / "eval"), say=said.append, num_readers=1)
    assert result["num_examples"] == 16
    assert result["num_classes_with_positives"] == 2
    # Each segment has one label, and only rated classes score above 0.
    assert result["perr"] == result["hit_at_1"]
    assert "segment MAP" in "\n".join(said)
    written = json.loads((tmp_path / "eval" / "metrics.json").read_text())
    assert written["segment_map"] == result["segment_map"] > 0
    videos = TrainedModel(str(tmp_path / "run"))
    with pytest.raises(UserError, match="add --segment_labels, or drop them"):
        evaluate_run(videos, shard, str(tmp_path / "eval"), say=said.append, whitelist=[1])
