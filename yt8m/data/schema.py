"""The schema of records: keys and sizes, in one frozen value for all readers."""

from __future__ import annotations

import dataclasses
from typing import Literal

Level = Literal["video", "frame"]
# What frames that are float lists become on their way to the model.
Frames = Literal["bytes", "float16", "bfloat16", "float32"]

MAX_FRAMES = 300  # one frame a second; the releases keep the first 300 s at most
SEGMENT_FRAMES = 5  # a rated segment of the 2019 release lasts five seconds

# Keys under which a record may keep its id: `video_id` became `id` in May 2018 (v3); MediaPipe has
# names of its own.
ID_KEYS = ("id", "video_id", "clip/data_path", "clip/media_id")
# Keys of records that no feature can have.
KEYS_OF_RECORDS = (
    *ID_KEYS,
    "labels",
    "segment_start_times",
    "segment_end_times",
    "segment_labels",
    "segment_scores",
)
# MediaPipe's names of the two features, as float lists.
KEY_ALIASES = {"rgb": "RGB/feature/floats", "audio": "AUDIO/feature/floats"}


@dataclasses.dataclass(frozen=True)
class RecordSchema:
    """The shape of one data set.

    Attributes:
      level: "video" (`tf.train.Example` with float means) or "frame"
        (`tf.train.SequenceExample` with one value per second).
      feature_names: in the order in which they are concatenated, such as `("rgb", "audio")`.
      feature_sizes: width of each, such as `(1024, 128)`.
      num_classes: K.
      max_frames: T, the largest number of frames read from a video.
      segment_labels: whether five-second segments (2019), rated ones or all, are read instead of
        whole videos.
      feature_keys: keys in the records if they differ from the names (MediaPipe); else empty.
      float_frames: whether frames are float lists, not byte strings.
      frames_as: what float lists become on their way to the model. "bytes" quantises them and clips
        them to ±2, as the releases do; runs of earlier versions of this program have it.
      video_names: float features of whole videos (embeddings in the record's context) that are
        read along with the frames of frame-level records.
      video_sizes: width of each.
    """

    level: Level
    feature_names: tuple[str, ...]
    feature_sizes: tuple[int, ...]
    num_classes: int
    max_frames: int = MAX_FRAMES
    segment_labels: bool = False
    feature_keys: tuple[str, ...] = ()
    float_frames: bool = False
    video_names: tuple[str, ...] = ()
    video_sizes: tuple[int, ...] = ()
    frames_as: Frames = "bytes"

    @property
    def feature_size(self) -> int:
        """D, the width of the concatenated features."""
        return sum(self.feature_sizes)

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of the features in the records."""
        return self.feature_keys or self.feature_names

    @property
    def all_names(self) -> tuple[str, ...]:
        """The features of the frames and those of whole videos, as --feature_names takes them."""
        return self.feature_names + self.video_names

    @property
    def all_sizes(self) -> tuple[int, ...]:
        """The width of each of `all_names`."""
        return self.feature_sizes + self.video_sizes
