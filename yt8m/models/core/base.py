"""The contract of every model: from a batch to probabilities, with every number an argument.

A new model is one file, in `yt8m/models` or in one of its families. This is a complete one:

    import tensorflow as tf

    from yt8m.layers.dequantize import DequantizeFrames
    from yt8m.layers.heads.mixture_of_experts import MixtureOfExperts
    from yt8m.layers.pooling.frames import FramePooling
    from yt8m.models.core.base import FrameModel
    from yt8m.models.core.recipe import Recipe
    from yt8m.models.core.registry import register


    @register("MyModel")
    class MyModel(FrameModel):
        '''One line, which --list_models shows.'''

        recipe = Recipe(base_learning_rate=0.001, batch_size=128)

        def __init__(self, num_classes, feature_sizes=(1024, 128), hidden_size=512, **kwargs):
            super().__init__(num_classes, feature_sizes, **kwargs)
            self.dequantize = DequantizeFrames(self.input_norm)
            self.hidden = tf.keras.layers.Dense(hidden_size, activation="relu")
            self.pool = FramePooling("average")
            self.head = MixtureOfExperts(num_classes, name="head")

        def call(self, inputs, training=None):
            x, mask = self.dequantize(inputs["frames"], num_frames=inputs["num_frames"])
            return self.head(self.pool(self.hidden(x), mask=mask))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import tensorflow as tf

from yt8m.errors import UserError, one_of
from yt8m.layers.dequantize import InputNorm
from yt8m.layers.recorded_arguments import RecordedArguments
from yt8m.layers.standardize import Standardize
from yt8m.models.core.arguments import default_arguments
from yt8m.models.core.recipe import Recipe
from yt8m.models.core.trunk import Trunk
from yt8m.models.core.weight_transfer import copy_values, copy_weights

Inputs = dict[str, tf.Tensor]
Loss = Callable[..., tf.Tensor]


class Yt8mModel(RecordedArguments, tf.keras.Model):
    """A classifier of videos.

    Call it with a dictionary that has exactly the keys `input_keys`; it returns probabilities
    float32 [B, K]. In inference, the prediction for a video depends neither on the other videos of
    its batch nor on padding.

    The base class records the constructor arguments, so that no model defines `get_config`.

    Args:
      num_classes: K.
      feature_sizes: width of each concatenated feature; D is their sum.
      input_norm: "l2" divides each frame (or video) vector by its L2 norm over all D features, as
        the starter code does; "standardize" subtracts from each feature its mean and divides it by
        its standard deviation (`standardize_inputs`); "none" leaves it as it is.
    """

    level: ClassVar[str] = ""  # "video" or "frame"
    input_keys: ClassVar[tuple[str, ...]] = ()
    # The training settings that a user gets without flags.
    recipe: ClassVar[Recipe] = Recipe()
    # Constructor arguments that belong to the recipe, for instance {"input_norm": "none"}. A new
    # run has them and records them. The constructor's defaults are no place for them: an earlier
    # run, whose settings name only the arguments that it was given, still has those.
    recipe_arguments: ClassVar[dict[str, Any]] = {}
    # The trainer that --trainer=auto chooses for this model; see `yt8m.training.trainers`.
    trainer: ClassVar[str] = "joint"
    # "reconstruction" is for a `ReconstructionModel`.
    task: ClassVar[Literal["classification", "reconstruction"]] = "classification"
    # Whether it learns from `--label_loss`, and so from labels between 0 and 1.
    uses_label_loss: ClassVar[bool] = True
    # Constructor argument that each flag of the starter code sets, for instance
    # {"moe_num_mixtures": "num_mixtures"}.
    starter_flags: ClassVar[dict[str, str]] = {}
    # Constructor arguments that reproduce the starter code's settings.
    starter_arguments: ClassVar[dict[str, Any]] = {}
    # Fields of the recipe for which the starter code has a value of its own for this model.
    starter_recipe: ClassVar[dict[str, Any]] = {}
    # Integer arguments for which 0 has a meaning without being their default; see
    # `yt8m.models.core.arguments.integer_bounds`.
    zero_has_meaning: ClassVar[tuple[str, ...]] = ()
    # Whether a frame-level model takes features of whole videos as well. Their widths are its
    # argument `video_sizes`, and if there are any, its inputs contain "video" float32 [B, E].
    takes_video_features: ClassVar[bool] = False
    # Defaults of constructor arguments in a run that starts with --init_from, for instance
    # {"freeze_encoder": True}.
    initialized_arguments: ClassVar[dict[str, Any]] = {}

    def __init__(
        self,
        num_classes: int,
        feature_sizes: Sequence[int] = (1024, 128),
        input_norm: InputNorm = "l2",
        **kwargs: Any,
    ):
        # The first layer casts. Keras would do so before it, and frames of floats, or features that
        # it standardizes, may need float32 there.
        keeps_inputs = self.level == "frame" or input_norm == "standardize"
        super().__init__(**{"autocast": not keeps_inputs, **kwargs})
        self.num_classes = int(num_classes)
        self.input_norm = one_of("input_norm", input_norm, InputNorm)

    def __dir__(self) -> list[str]:
        """Return every attribute but `layers`, so that weight files name a layer by its attribute.

        Keras saves a layer under the first attribute in which it finds the layer. Keras 2 reads the
        attributes backwards and Keras 3 forwards, and the two number the entries of `layers`
        differently, so a file written by one could fill another layer of the same shape in the
        other.
        """
        return [name for name in super().__dir__() if name != "layers"]

    @property
    def feature_sizes(self) -> tuple[int, ...]:
        """Width of each concatenated feature."""
        return tuple(self.recorded_arguments()["feature_sizes"])

    @property
    def feature_size(self) -> int:
        """D, the width of the concatenated features."""
        return sum(self.feature_sizes)

    @property
    def covered_classes(self) -> list[int] | None:
        """The classes that the model predicts, or None for all; fusion uses it only for these."""
        return None

    @property
    def sums_to_one(self) -> bool:
        """Whether the probabilities are a softmax over the classes."""
        return getattr(getattr(self, "head", None), "activation", "") == "softmax"

    @property
    def lacks(self) -> str:
        """What `initialize_from` must provide before the model can be trained, or ""."""
        return ""

    def example_inputs(self, batch_size: int = 2, num_frames: int = 4) -> Inputs:
        """Return a batch of zeros in the shapes of the model's inputs, to build its weights."""
        raise NotImplementedError

    def build_weights(self) -> Yt8mModel:
        """Create all weights by one call on zeros, and return the model.

        Raises:
          ValueError: the call did not return a tensor of the shape that the contract requires.
        """
        answer = self(self.example_inputs(2), training=False)
        expected = (2, self.num_classes) if self.task == "classification" else (2,)
        found = tuple(answer.shape) if hasattr(answer, "shape") else f"a {type(answer).__name__}"
        if found != expected:
            raise ValueError(
                f"for a batch of 2 and {self.num_classes} classes, the call must return a tensor of"
                f" shape {expected}, not {found}"
            )
        return self

    def training_loss(
        self, inputs: Inputs, labels: Any, weights: Any | None, loss: Loss
    ) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Return (loss of each example [B], probabilities [B, K]) of a training step.

        A model overrides this if its objective is not `loss` on its probabilities, or if training
        needs the labels as input (teacher forcing). Inference never sees labels.

        Args:
          inputs: as `call` takes them.
          labels: [B, K].
          weights: weight of each label [B, K], or None.
          loss: the run's `--label_loss`.
        """
        predictions = self(inputs, training=True)
        return loss(labels, predictions, weights), predictions

    def select_inputs(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Return only this model's inputs from a batch (Keras 3 binds extra keys wrongly)."""
        missing = [key for key in self.input_keys if key not in batch]
        if missing:
            raise ValueError(
                f"{type(self).__name__} needs {missing}; the batch has {sorted(batch)}"
            )
        return {key: batch[key] for key in self.input_keys}

    def initialize_from_priors(self, priors: np.ndarray) -> None:
        """Start every head at the label frequencies `priors` [K]; call it after `build_weights`."""
        layers = self._flatten_layers(include_self=False)
        heads = [layer for layer in layers if hasattr(layer, "initialize_from_priors")]
        # A head of several groups contains heads, and distributes the priors among them itself.
        inner = [layer for head in heads for layer in head._flatten_layers(include_self=False)]
        for head in heads:
            if not any(head is layer for layer in inner):
                head.initialize_from_priors(np.asarray(priors, np.float64))

    def standardize_inputs(self, mean: np.ndarray, std: np.ndarray) -> None:
        """Set the statistics of the layers that standardize the inputs.

        A feature with a standard deviation of 0 becomes 0. A model whose own input_norm is "l2" was
        tuned for vectors of norm 1, so its features are multiplied by 2.5/√D, which gives a frame
        or video a norm near 2.5. On 9,300 real videos (seed 0, bfloat16), norms near 1, 2.5 and 8
        give MoeModel a GAP of 0.607, 0.598 and 0.384, and LogisticModel 0.600, 0.587 and 0.397.

        Args:
          mean: mean of each feature [D].
          std: standard deviation of each feature [D].
        """
        usual = {**default_arguments(type(self)), **self.recipe_arguments}.get("input_norm")
        gain = min(1.0, 2.5 / np.sqrt(len(mean))) if usual == "l2" else 1.0
        factor = np.divide(gain, std, out=np.zeros_like(std), where=std > 0)
        for layer in self._flatten_layers(include_self=False):
            if isinstance(layer, Standardize):
                layer.set_statistics(mean, factor)

    def initialize_from(self, other: Yt8mModel) -> None:
        """Copy the weights of a trained model (--init_from); both models are built.

        This copies all weights of a model of the same class, or its trunk if it has another number
        of classes. A model that can use parts of another one overrides this method. Weights that
        are not copied keep their initial values.

        Raises:
          UserError: `other` does not fit. The message names both models and what differs.
        """
        mine, theirs = type(self).__name__, type(other).__name__
        if type(other) is not type(self):
            raise UserError(
                f"--init_from names a run of {theirs}, and {mine} can start only from a run of"
                f" {mine}."
            )
        texts = (f"the {theirs} in that run", f"this {mine}", other.differences(self))
        if other.num_classes == self.num_classes:
            copy_weights(other, self, *texts)
        else:
            copy_values(Trunk(other).weights(), Trunk(self).weights(), *texts)

    def differences(self, other: Yt8mModel) -> str:
        """Return the constructor arguments in which `other` differs, as text for a message.

        The number of classes is not among them, because a run may start from one with others.
        """
        mine, theirs = self.get_config(), other.get_config()
        return "; ".join(
            f"{name} {mine.get(name)!r} there and {value!r} here"
            for name, value in theirs.items()
            if mine.get(name) != value and name != "num_classes"
        )

    def get_config(self) -> dict[str, Any]:
        """Return every constructor argument as JSON values."""
        return self.recorded_arguments()

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Yt8mModel:
        """Return the model that `get_config` describes."""
        return cls(**config)


class VideoModel(Yt8mModel):
    """A model of video-level means: `{"video": float32 [B, D]} -> [B, K]`."""

    level = "video"
    input_keys = ("video",)

    def example_inputs(self, batch_size: int = 2, num_frames: int = 4) -> Inputs:
        """Return zeros in the shapes of the inputs; `num_frames` is not used."""
        return {"video": tf.zeros([batch_size, self.feature_size])}


class FrameModel(Yt8mModel):
    """A model of frames: `{"frames": [B, T, D], "num_frames": int32 [B]} -> [B, K]`.

    Frames are bytes (uint8), as in the releases, or floats.
    """

    level = "frame"
    input_keys = ("frames", "num_frames")

    def example_inputs(self, batch_size: int = 2, num_frames: int = 4) -> Inputs:
        """Return zeros in the shapes of the inputs, with T = `num_frames`."""
        return {
            "frames": tf.zeros([batch_size, num_frames, self.feature_size], tf.uint8),
            "num_frames": tf.fill([batch_size], num_frames),
        }


class ReconstructionModel(FrameModel):
    """A model that predicts frames: `{"frames", "num_frames"} -> loss of each video float32 [B]`.

    It is trained and validated on that loss, and other models start from it (--init_from).
    Evaluation, inference and fusion refuse it, because it predicts no probabilities. It ignores
    labels.
    """

    task = "reconstruction"

    def training_loss(
        self, inputs: Inputs, labels: Any, weights: Any | None, loss: Loss
    ) -> tuple[tf.Tensor, None]:
        """Return (loss of each video [B], None, because there are no predictions)."""
        return self(inputs, training=True), None
