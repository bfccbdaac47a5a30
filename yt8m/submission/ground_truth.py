"""Which labels a video truly has, as CSV lines `VIDEO_ID,L1 L2 L3`, and what a submission scores against them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from yt8m.errors import UserError
from yt8m.files import WholeFile
from yt8m.metrics.average_precision import descending_order, ranked_average_precision
from yt8m.metrics.mean_average_precision import (
    mean_average_precision,
    ranked_class_average_precision,
)
from yt8m.submission.ids import decode_ids
from yt8m.submission.kaggle_videos import read_csv


class GroundTruth:
    """The labels of a set of videos, 4 bytes a label.

    Args:
      ids: N video ids, each once.
      labels: of each video, class indices.

    Raises:
      UserError: an id comes twice.
    """

    def __init__(self, ids: Sequence[str], labels: Iterable[Sequence[int]]):
        self.ids: list[str] = list(ids)
        rows = [
            np.unique(np.asarray(row, np.int32)) for row in labels
        ]  # duplicates in a row are harmless
        if len(rows) != len(self.ids):
            raise ValueError(f"{len(self.ids)} ids with {len(rows)} lists of labels")
        self._ends = np.cumsum([len(row) for row in rows], dtype=np.int64)
        self._classes = np.concatenate(rows) if rows else np.zeros(0, np.int32)
        self._row: dict[str, int] = {video: row for row, video in enumerate(self.ids)}
        if len(self._row) < len(self.ids):
            twice = next(v for row, v in enumerate(self.ids) if self._row[v] != row)
            raise UserError(
                f"the ground truth has video {twice!r} more than once, so its labels are not known."
            )

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, video: str) -> bool:
        return video in self._row

    def __getitem__(self, video: str) -> np.ndarray:
        """Return the classes of a video, ascending."""
        row = self._row[video]
        return self._classes[self._ends[row - 1] if row else 0 : self._ends[row]]

    @property
    def num_classes(self) -> int:
        """The highest class in use, plus one."""
        return int(self._classes.max(initial=-1)) + 1

    def class_positives(self, num_classes: int) -> np.ndarray:
        """Return how many videos have each class, int64 [K]."""
        self._check(num_classes)
        return np.bincount(self._classes, minlength=num_classes)

    def multi_hot(self, ids: Sequence[str], num_classes: int) -> np.ndarray:
        """Return bool [B, K] of the videos `ids`.

        Raises:
          UserError: a video that has no ground truth, or a label beyond the classes.
        """
        self._check(num_classes)
        out = np.zeros((len(ids), num_classes), bool)
        for row, video in enumerate(ids):
            if video not in self._row:
                raise UserError(
                    f"video {video!r} has no line in the ground truth; --labels needs one for every video."
                )
            out[row, self[video]] = True
        return out

    def _check(self, num_classes: int) -> None:
        if self.num_classes > num_classes:
            raise UserError(
                f"the ground truth has label {self.num_classes - 1}, but there are {num_classes} classes;"
                " the labels are of another release, or --num_classes is wrong."
            )


def read_ground_truth(path: str) -> GroundTruth:
    """Read `VIDEO_ID,L1 L2 L3` lines; a header is skipped, a video may have no label.

    Raises:
      UserError: no such file, or a bad line (with its number).
    """
    import tensorflow as tf

    ids, labels = [], []
    try:
        with tf.io.gfile.GFile(path, "r") as source:
            for number, line in enumerate(source, 1):
                line = line.strip().lstrip("\ufeff")
                video, comma, tail = line.partition(",")
                if not line or (number == 1 and video.lower().replace("_", "") == "videoid"):
                    continue
                try:
                    row = [int(c) for c in tail.split()]
                except ValueError:
                    row = [-1]
                if not comma or min(row, default=0) < 0:
                    raise UserError(
                        f"{path}, line {number}: {line[:60]!r}; expected '<id>,<label> <label> ...'."
                    )
                ids.append(video.strip())
                labels.append(row)
    except (tf.errors.OpError, UnicodeDecodeError) as error:
        reason = getattr(error, "message", None) or str(error)
        raise UserError(f"cannot read the ground truth {path!r}: {reason}.") from None
    return GroundTruth(ids, labels)


class GroundTruthWriter:
    """Writes `VIDEO_ID,L1 L2 L3` lines to `path`, whole or not at all."""

    def __init__(self, path: str, flag: str = "--output_file"):
        self._file = WholeFile(path, flag)

    def write(self, ids: Sequence[object], labels: np.ndarray) -> None:
        """Append videos: ids [B], labels multi-hot [B, K]."""
        lines = [
            f"{i},{' '.join(map(str, np.flatnonzero(row)))}\n"
            for i, row in zip(decode_ids(ids), labels)
        ]
        self._file.write("".join(lines))

    def close(self) -> None:
        """Finish the file and give it its name."""
        self._file.close()

    def abandon(self) -> None:
        """Delete what was written."""
        self._file.abandon()

    def __enter__(self) -> GroundTruthWriter:
        return self

    def __exit__(self, kind, error, trace) -> None:  # type: ignore[no-untyped-def]
        self.abandon() if kind else self.close()


def score_submission(
    path: str,
    truth: GroundTruth,
    num_classes: int | None = None,
    top_k: int = 20,
    filter_empty_classes: bool = True,
) -> dict[str, float | int]:
    """Return what a submission CSV scores against the ground truth, from its pairs alone.

    A video that the submission leaves out costs recall, as on Kaggle.

    Args:
      path: submission CSV.
      truth: labels of every video in it.
      num_classes: K; by default the highest class in the ground truth, plus one, and all classes are accepted.
      top_k: pairs of each line that count.
      filter_empty_classes: see `mean_average_precision`.

    Returns:
      `gap`, `map`, `perr` (exact where a video has at most `top_k` labels), `hit_at_1`, `hit_at_5`, `num_examples`
      (videos of the ground truth) and `num_missing` (those not in the submission).
    """
    seen = set()
    scores, classes, hits = [], [], []
    perr = hit_1 = hit_5 = 0.0
    for row in read_csv(path, num_classes):
        if row.id not in truth:
            raise UserError(f"{path}: video {row.id!r} has no line in the ground truth.")
        if row.id in seen:
            raise UserError(f"{path}: video {row.id!r} has two lines.")
        seen.add(row.id)
        best = np.argsort(-row.scores, kind="stable")[:top_k]
        true = truth[row.id]
        hit = np.isin(row.classes[best], true)
        scores.append(row.scores[best])
        classes.append(row.classes[best].astype(np.int32))
        hits.append(hit)
        hit_1 += bool(hit[:1].any())
        hit_5 += bool(hit[:5].any())
        perr += np.count_nonzero(hit[: len(true)] & (scores[-1][: len(true)] > 0)) / max(
            len(true), 1
        )
    if not seen:
        raise UserError(f"{path} has no line of a video.")
    pooled = np.concatenate(classes)
    width = num_classes or max(truth.num_classes, int(pooled.max(initial=-1)) + 1)
    positives = truth.class_positives(width)
    order = descending_order(np.concatenate(scores))
    ranked = np.concatenate(hits)[order]
    ap = ranked_class_average_precision(pooled[order], ranked, positives)
    return {
        "gap": ranked_average_precision(ranked, int(positives.sum())),
        "map": mean_average_precision(ap, positives, filter_empty_classes),
        "perr": perr / len(truth),
        "hit_at_1": hit_1 / len(truth),
        "hit_at_5": hit_5 / len(truth),
        "num_examples": len(truth),
        "num_missing": len(truth) - len(seen),
    }
