"""The contract of a model: probabilities from a batch, numbers as constructor arguments, priors in the head.

A new model is one file in this folder:

    @register("MyModel")
    class MyModel(FrameModel):
        '''One line, shown by --list_models.'''

        recipe = Recipe(base_learning_rate=0.001, batch_size=128)

        def __init__(self, num_classes, feature_sizes=(1024, 128), hidden_size=512, **kwargs):
            super().__init__(num_classes, feature_sizes, **kwargs)
            self.hidden_size = hidden_size
            self.frames = DequantizeFrames(self.input_norm)
            self.hidden = tf.keras.layers.Dense(hidden_size, activation="relu")
            self.head = MixtureOfExperts(num_classes)

        def call(self, inputs, training=None):
            frames, mask = self.frames(inputs["frames"], num_frames=inputs["num_frames"])
            ...
            return self.head(x)

        def get_config(self):
            return {**super().get_config(), "hidden_size": self.hidden_size}
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable, ClassVar

import numpy as np
import tensorflow as tf

from yt8m.errors import UserError
from yt8m.models.core.recipe import Recipe
from yt8m.models.core.weight_transfer import copy_weights


class Yt8mModel(tf.keras.Model):
    """A classifier of videos.

    Args:
      num_classes: K.
      feature_sizes: width of each concatenated feature; D is their sum.
      input_norm: "l2" divides each frame (or video) vector by its L2 norm over all D features,
        as the starter code does; "none" leaves it.

    Call: a dict with exactly the keys `input_keys` -> probabilities [B, K], float32.

    In inference a video's answer depends neither on the other videos of its batch nor on padding.
    """

    level: ClassVar[str] = ""
    input_keys: ClassVar[tuple[str, ...]] = ()
    recipe: ClassVar[Recipe] = Recipe()
    # What --trainer=auto means for this model; see yt8m.training.trainers.
    trainer: ClassVar[str] = "joint"
    # "classification", or "reconstruction": see `ReconstructionModel`.
    task: ClassVar[str] = "classification"
    # Starter-code flag -> constructor argument, e.g. {"moe_num_mixtures": "num_mixtures"}.
    starter_flags: ClassVar[dict[str, str]] = {}
    # Integer arguments of which 0 has a meaning, though it is not their default; see `arguments.integer_bounds`.
    zero_has_meaning: ClassVar[tuple[str, ...]] = ()
    # Constructor arguments with which the starter code's own settings are reproduced.
    starter_arguments: ClassVar[dict[str, Any]] = {}
    # Fields of the recipe that the starter code sets for this model otherwise than in general.
    starter_recipe: ClassVar[dict[str, Any]] = {}
    # Whether a frame-level model takes features of whole videos too: `video_sizes` are their widths, and its inputs have
    # "video" float32 [B, E] where there are any.
    takes_video_features: ClassVar[bool] = False
    # Constructor arguments of a run begun with --init_from, unless given, e.g. {"freeze_encoder": True}.
    initialized_arguments: ClassVar[dict[str, Any]] = {}

    def __init__(
        self,
        num_classes: int,
        feature_sizes: Sequence[int] = (1024, 128),
        input_norm: str = "l2",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if input_norm not in ("l2", "none"):
            raise ValueError(f'input_norm is "l2" or "none", not {input_norm!r}')
        self.num_classes = int(num_classes)
        self.input_norm = input_norm
        self._sizes = ",".join(
            str(s) for s in feature_sizes
        )  # a string: Keras 2 would wrap a tuple

    def __dir__(self) -> list[str]:
        """Every attribute but `layers`, so that weight files name each layer by its own attribute.

        Keras saves a layer under the first attribute in which it meets it: Keras 2 goes through them
        backwards and Keras 3 forwards, and the two number the entries of `layers` differently. A file
        of one could then fill another layer of the same shape in the other.
        """
        return [name for name in super().__dir__() if name != "layers"]

    @property
    def feature_sizes(self) -> tuple[int, ...]:
        """Width of each concatenated feature."""
        return tuple(int(s) for s in self._sizes.split(","))

    @property
    def feature_size(self) -> int:
        """D, the width of the concatenated features."""
        return sum(self.feature_sizes)

    @property
    def covered_classes(self) -> list[int] | None:
        """The classes that the model predicts, where these are not all; fusion then asks it about no others."""
        return None

    def example_inputs(self, batch_size: int = 2, num_frames: int = 4) -> dict[str, tf.Tensor]:
        """Return a batch of zeros in the shape of this model's inputs, to build its weights."""
        raise NotImplementedError

    def build_weights(self) -> Yt8mModel:
        """Create every weight by one call on zeros, and return the model.

        Raises:
          ValueError: its answer is not of the shape that the contract says.
        """
        answer = self(self.example_inputs(2), training=False)
        expected = (2, self.num_classes) if self.task == "classification" else (2,)
        found = tuple(answer.shape) if hasattr(answer, "shape") else f"a {type(answer).__name__}"
        if found != expected:
            raise ValueError(
                f"for a batch of 2 with K = {self.num_classes} its call must return a tensor of shape {expected}, not {found}"
            )
        return self

    def training_loss(
        self,
        inputs: dict[str, Any],
        labels: Any,
        weights: Any | None,
        loss: Callable[..., tf.Tensor],
    ) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Return (loss of each example [B], probabilities [B, K]) of a training step.

        Models whose objective is not `loss` of their probabilities, or whose training needs the
        labels as input (teacher forcing), override this; inference never sees labels.

        Args:
          inputs: as `call` takes them.
          labels: [B, K].
          weights: [B, K], or None.
          loss: the run's `--label_loss`.
        """
        predictions = self(inputs, training=True)
        return loss(labels, predictions, weights), predictions

    @property
    def sums_to_one(self) -> bool:
        """Whether the probabilities are a softmax over the classes, not a probability a class."""
        return getattr(getattr(self, "head", None), "activation", "") == "softmax"

    def select_inputs(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Return exactly this model's inputs out of a batch (Keras 3 mis-binds extra keys)."""
        missing = [k for k in self.input_keys if k not in batch]
        if missing:
            raise ValueError(
                f"{type(self).__name__} needs {missing}; the batch has {sorted(batch)}"
            )
        return {k: batch[k] for k in self.input_keys}

    def initialize_from_priors(self, priors: np.ndarray) -> None:
        """Start every classification head at the label frequencies `priors` [K] (after `build_weights`)."""
        heads = [
            layer
            for layer in self._flatten_layers(include_self=False)
            if hasattr(layer, "initialize_from_priors")
        ]
        # A head of several groups of classes is one of mixtures, and gives each of them its part of the priors itself.
        inner = [layer for head in heads for layer in head._flatten_layers(include_self=False)]
        for head in heads:
            if not any(head is layer for layer in inner):
                head.initialize_from_priors(np.asarray(priors, np.float64))

    @property
    def lacks(self) -> str:
        """What the model must be given by `initialize_from` before it can be trained, in words; "" is nothing."""
        return ""

    def initialize_from(self, other: Yt8mModel) -> None:
        """Take weights of a trained model, after both are built (--init_from): here all of a model of the same kind.

        A model that can use parts of another overrides this. What it does not take stays as it began.

        Raises:
          UserError: `other` does not fit; it names both models and what differs.
        """
        if type(other) is not type(self):
            raise UserError(
                f"--init_from names a run of {type(other).__name__}, and {type(self).__name__} takes weights of its own kind alone."
            )
        copy_weights(
            other,
            self,
            f"the {type(other).__name__} there",
            f"this {type(self).__name__}",
            other.differences(self),
        )

    def differences(self, other: Yt8mModel) -> str:
        """Return the constructor arguments in which `other` differs, as text for a message."""
        mine, theirs = self.get_config(), other.get_config()
        pairs = [
            f"{k} {mine.get(k)!r} there and {theirs.get(k)!r} here"
            for k in theirs
            if mine.get(k) != theirs.get(k)
        ]
        return "; ".join(pairs)

    def get_config(self) -> dict[str, Any]:
        """Every constructor argument, JSON-ready."""
        return {
            "num_classes": self.num_classes,
            "feature_sizes": list(self.feature_sizes),
            "input_norm": self.input_norm,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Yt8mModel:
        """Make the model that `get_config` described."""
        return cls(**config)


class VideoModel(Yt8mModel):
    """A model of video-level means: `{"video": float32 [B, D]} -> [B, K]`."""

    level = "video"
    input_keys = ("video",)

    def example_inputs(self, batch_size: int = 2, num_frames: int = 4) -> dict[str, tf.Tensor]:
        """Zeros of the inputs' shapes; `num_frames` is not used."""
        return {"video": tf.zeros([batch_size, self.feature_size])}


class FrameModel(Yt8mModel):
    """A model of frames: `{"frames": uint8 [B, T, D], "num_frames": int32 [B]} -> [B, K]`."""

    level = "frame"
    input_keys = ("frames", "num_frames")

    def example_inputs(self, batch_size: int = 2, num_frames: int = 4) -> dict[str, tf.Tensor]:
        """Zeros of the inputs' shapes, T = `num_frames`."""
        return {
            "frames": tf.zeros([batch_size, num_frames, self.feature_size], tf.uint8),
            "num_frames": tf.fill([batch_size], num_frames),
        }


class ReconstructionModel(FrameModel):
    """A model that learns to predict frames, not labels: `{"frames", "num_frames"} -> loss of each video, float32 [B]`.

    It is trained and validated on that loss, and gives other models a start (--init_from); what needs
    probabilities (evaluation, inference, fusion) refuses it. The labels are not looked at.
    """

    task = "reconstruction"

    def training_loss(
        self,
        inputs: dict[str, Any],
        labels: Any,
        weights: Any | None,
        loss: Callable[..., tf.Tensor],
    ) -> tuple[tf.Tensor, None]:
        """Return (loss of each video [B], None: there are no predictions)."""
        return self(inputs, training=True), None
