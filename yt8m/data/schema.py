"""What a record holds: keys, sizes and releases, as one frozen value that every reader is given."""

from __future__ import annotations

import dataclasses

MAX_FRAMES = 300  # one frame a second; the releases keep the first 300 s at most
SEGMENT_FRAMES = 5  # a rated segment of the 2019 release lasts five seconds

# Where a record may keep its id: `video_id` became `id` in May 2018 (v3); MediaPipe has its own names.
ID_KEYS = ("id", "video_id", "clip/data_path", "clip/media_id")
# MediaPipe's names of the two features, as float lists.
KEY_ALIASES = {"rgb": "RGB/feature/floats", "audio": "AUDIO/feature/floats"}

# Release -> classes. v1: Sep 2016, v2: Feb 2017 (both papers), v3: May 2018; Sports-1M with features of the same
# kind, made by whoever has its videos (KDD 2019, Table 3): nothing in records tells it, so --release names it.
RELEASES = {"v1": 4800, "v2": 4716, "v3": 3862, "sports1m": 487}


@dataclasses.dataclass(frozen=True)
class RecordSchema:
    """The shape of one data set.

    Attributes:
      level: "video" (`tf.train.Example` with float means) or "frame" (`tf.train.SequenceExample`
        with one value a second).
      feature_names: in the order in which they are concatenated, e.g. `("rgb", "audio")`.
      feature_sizes: width of each, e.g. `(1024, 128)`.
      num_classes: K.
      max_frames: T, frames kept of a video.
      segment_labels: read five-second segments (2019), the rated ones or all, in place of whole videos.
      feature_keys: keys in the records where they differ from the names (MediaPipe); else empty.
      float_frames: frames are float lists, to be quantised by the reader, not byte strings.
      video_names, video_sizes: of frame-level records, the float features of whole videos that are read beside the
        frames (embeddings in the record's context), and the width of each.
    """

    level: str
    feature_names: tuple[str, ...]
    feature_sizes: tuple[int, ...]
    num_classes: int
    max_frames: int = MAX_FRAMES
    segment_labels: bool = False
    feature_keys: tuple[str, ...] = ()
    float_frames: bool = False
    video_names: tuple[str, ...] = ()
    video_sizes: tuple[int, ...] = ()

    @property
    def feature_size(self) -> int:
        """D, the width of the concatenated features."""
        return sum(self.feature_sizes)

    @property
    def keys(self) -> tuple[str, ...]:
        """The features' keys in the records."""
        return self.feature_keys or self.feature_names

    @property
    def all_names(self) -> tuple[str, ...]:
        """The features of the frames and those of whole videos, as --feature_names takes them."""
        return self.feature_names + self.video_names

    @property
    def all_sizes(self) -> tuple[int, ...]:
        """The width of each of `all_names`."""
        return self.feature_sizes + self.video_sizes
