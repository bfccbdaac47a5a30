"""The base class of every layer: registration, configuration and masks, written once."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from yt8m.layers.recorded_arguments import RecordedArguments


class Yt8mLayer(RecordedArguments, tf.keras.layers.Layer):
    """A Keras layer whose configuration is its constructor's arguments.

    A subclass is registered with Keras as "yt8m>ClassName", the name that saved models contain, and
    needs no `get_config`. It accepts a mask but passes none on: a layer that needs a mask takes it
    as the argument `mask` of its `call`.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Register the subclass with Keras."""
        super().__init_subclass__(**kwargs)
        tf.keras.utils.register_keras_serializable(package="yt8m")(cls)

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True  # without it Keras 3 warns that the mask is lost

    def build(self, input_shape: Any) -> None:
        """Create the weights; a layer with weights overrides this."""
        self.built = True

    def new_weight(
        self,
        name: str,
        shape: tuple[int, ...],
        initializer: Any = "glorot_uniform",
        **options: Any,
    ) -> Any:
        """Return a new weight, trainable unless the options of `add_weight` say otherwise."""
        options = {"trainable": True, **options}
        return self.add_weight(name=name, shape=shape, initializer=initializer, **options)

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """Return None: the output carries no mask."""

    def get_config(self) -> dict[str, Any]:
        """Return Keras's own arguments and those of the constructor."""
        config: dict[str, Any] = super().get_config()
        own = self.recorded_arguments()
        return {**config, **{name: value for name, value in own.items() if name not in config}}
