"""The scenes of a synthetic data set, and the videos drawn from them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from yt8m.data.records.quantization import quantize
from yt8m.data.synthetic.ratings import rate_segments


@dataclasses.dataclass(frozen=True)
class SyntheticSpec:
    """Size and difficulty of a synthetic data set.

    Attributes:
      videos: number of videos of each split; the test split has no labels.
      num_classes: K; the last two fifths are pairs that differ only in the order of their scenes.
      feature_sizes: widths of rgb and audio.
      min_frames: fewest frames of a video.
      max_frames: most frames of a video.
      noise: standard deviation of a frame's noise in each dimension; that of a scene is 0.25.
      num_shards: shards of a split.
      seed: equal specs give equal bytes.
      segment_labels: whether frame-level records, except those of the test split, have ratings of
        five-second segments; everything else stays the same.
    """

    videos: tuple[tuple[str, int], ...] = (("train", 3000), ("validate", 600), ("test", 600))
    num_classes: int = 30
    feature_sizes: tuple[int, int] = (1024, 128)
    min_frames: int = 24
    max_frames: int = 48
    noise: float = 0.5
    num_shards: int = 4
    seed: int = 0
    segment_labels: bool = False

    def about(self) -> str:
        """Return JSON that identifies the data set, with `segment_labels` only if that is set."""
        values = dataclasses.asdict(self)
        if not self.segment_labels:
            del values["segment_labels"]
        return json.dumps(values, sort_keys=True)


class Video(NamedTuple):
    """One synthetic video.

    Attributes:
      labels: its classes, ascending.
      frames: uint8 [n, D].
      shown: scene of each frame, [n].
    """

    labels: list[int]
    frames: np.ndarray
    shown: np.ndarray


class World:
    """The scenes of a data set, and how videos are drawn from them.

    Attributes:
      spec: size and difficulty.
      scenes: float32 [scenes, D]; those of the classes come first, then the distractors.
      frequency: probability of each class, [K].
    """

    def __init__(self, spec: SyntheticSpec):
        self.spec = spec
        rng = np.random.default_rng(spec.seed)
        k = spec.num_classes
        num_pairs = k // 5
        self.first_paired = k - 2 * num_pairs
        # One scene for a plain class, two for a pair of classes; as many distractors as classes.
        self.num_label_scenes = self.first_paired + 2 * num_pairs
        shape = (self.num_label_scenes + k, sum(spec.feature_sizes))
        self.scenes = rng.normal(0.0, 0.25, shape).astype(np.float32)
        # A random order, so that both plain and paired classes are rare.
        weight = 1.0 / (rng.permutation(k) + 2.0)
        self.frequency = weight / weight.sum()

    def class_name(self, label: int) -> str:
        """Return the name of a class."""
        if label < self.first_paired:
            return f"scene {label}"
        pair, order = divmod(label - self.first_paired, 2)
        return f"pair {pair} {'in order' if order == 0 else 'reversed'}"

    def scenes_of(self, label: int) -> list[int]:
        """Return the scenes of a class, in order."""
        if label < self.first_paired:
            return [label]
        pair, order = divmod(label - self.first_paired, 2)
        scenes = [self.first_paired + 2 * pair, self.first_paired + 2 * pair + 1]
        return scenes if order == 0 else scenes[::-1]

    def video(self, rng: np.random.Generator) -> Video:
        """Draw a video."""
        labels, scenes = self._script(rng)
        return Video(labels, *self._frames(rng, scenes))

    def ratings(self, video: Video, rng: np.random.Generator) -> list[tuple[int, int, float]]:
        """Draw ratings (start, class, score) of five-second segments of a video."""
        return rate_segments(video.shown, video.labels, self.scenes_of, self.frequency, rng)

    def _script(self, rng: np.random.Generator) -> tuple[list[int], list[int]]:
        """Draw the labels of a video and its scenes, in order."""
        count = int(np.clip(rng.poisson(2.0) + 1, 1, 6))
        labels = rng.choice(self.spec.num_classes, count, replace=False, p=self.frequency)
        blocks: list[list[int]] = []
        kept = []
        for label in sorted(labels.tolist()):
            scenes = self.scenes_of(label)
            if any(sorted(scenes) == sorted(block) for block in blocks):
                continue  # a video cannot show the scenes of a pair in both orders
            blocks.append(scenes)
            kept.append(label)
        distractors = rng.integers(self.num_label_scenes, len(self.scenes), int(rng.integers(2, 5)))
        blocks += [[int(d)] for d in distractors]
        rng.shuffle(blocks)
        return kept, [scene for block in blocks for scene in block]

    def _frames(
        self, rng: np.random.Generator, scenes: Sequence[int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw frames that show `scenes`, each at least once; return them and the scene of each."""
        spec = self.spec
        n = max(int(rng.integers(spec.min_frames, spec.max_frames + 1)), len(scenes))
        cuts = np.array([], int)
        if len(scenes) > 1:
            cuts = np.sort(rng.choice(np.arange(1, n), len(scenes) - 1, replace=False))
        shown = np.asarray(scenes)[np.searchsorted(cuts, np.arange(n), side="right")]
        x = self.scenes[shown]
        x = x + spec.noise * rng.standard_normal(x.shape, dtype=np.float32)
        return quantize(x), shown
