"""The user's settings for the records; anything left out is read from the records."""

from __future__ import annotations

import dataclasses

from yt8m.data.releases import RELEASES
from yt8m.errors import UserError
from yt8m.layers.dequantize import InputNorm
from yt8m.models.core.recipe import FRAMES
from yt8m.runs.settings.training import DATA
from yt8m.settings import MOST_CLASSES, MOST_FRAMES, setting


@dataclasses.dataclass(frozen=True)
class DataSettings:
    """Features, classes and length of the records. Each field is the flag of the same name."""

    feature_names: str | None = setting(
        None,
        help="comma-separated features in the order of concatenation; by default those of the"
        " release whose features the records have, or else all; whole-video features (embeddings)"
        " of frame-level records, and single numbers, are used only if they are named",
        group=DATA,
    )
    feature_sizes: str | None = setting(
        None,
        help="comma-separated sizes, one for each of --feature_names; by default read from the "
        "records",
        group=DATA,
    )
    frame_features: bool | None = setting(
        None,
        help="the records are frame-level (--noframe_features: video-level); by default read from "
        "the records",
        group=DATA,
    )
    segment_labels: bool = setting(
        False, help="train on rated five-second segments (2019 release)", common=True, group=DATA
    )
    num_classes: int | None = setting(
        None,
        help="number of classes (K); by default the rows of the vocabulary beside the "
        "records, or else those of the release that the records are recognized as",
        at_least=1,
        group=DATA,
        at_most=MOST_CLASSES,
    )
    release: str | None = setting(
        None,
        help="release of the data set, which determines the number of classes",
        choices=sorted(RELEASES),
        group=DATA,
    )
    max_frames: int | None = setting(
        None,
        help="maximum number of frames kept per video (T); by default 300, or fewer if the release"
        " has fewer (AudioSet: 10); cannot be combined with --segment_labels",
        at_least=1,
        group=FRAMES,
        at_most=MOST_FRAMES,
    )

    input_norm: InputNorm | None = setting(
        None,
        help="normalization of the inputs: l2 (each frame or video has norm 1), standardize (each"
        " feature by its mean and spread in the training data), or none; by default the model's"
        " own for the features of a release, and standardize for others",
        choices=InputNorm,
        group=DATA,
    )

    def names(self) -> list[str] | None:
        """Return the names of the features, or None if none were given.

        Raises:
          UserError: a name is there twice.
        """
        names = _split(self.feature_names)
        if names and len(set(names)) < len(names):
            raise UserError(f"--feature_names={self.feature_names}: one feature is named twice.")
        return names

    def sizes(self) -> list[int] | None:
        """Return the sizes of the features, or None if none were given.

        Raises:
          UserError: they are not whole numbers.
        """
        parts = _split(self.feature_sizes)
        try:
            return None if parts is None else [int(part) for part in parts]
        except ValueError:
            raise UserError(
                f"--feature_sizes={self.feature_sizes}: expected whole numbers, separated by "
                "commas, such as 1024,128."
            ) from None

    def classes(self) -> int | None:
        """Return K as given by `num_classes` or `release`, or None if neither was given.

        Raises:
          UserError: they contradict each other.
        """
        if not self.release:
            return self.num_classes
        classes = RELEASES[self.release].num_classes
        if self.num_classes not in (None, classes):
            raise UserError(
                f"--num_classes={self.num_classes}, but --release={self.release} has {classes} "
                "classes; "
                "drop one of the two."
            )
        return classes


def _split(text: str | None) -> list[str] | None:
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]
