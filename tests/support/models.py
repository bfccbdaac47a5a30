"""Small models of any registered kind, and batches for them.

Sizes are shrunk by the defaults of the constructor arguments, so a new model needs no entry here.
"""

from __future__ import annotations

import inspect

import numpy as np
import tensorflow as tf

from yt8m.losses.registry import get
from yt8m.models.core import registry
from yt8m.models.core.arguments import constructor_arguments
from yt8m.training.weight_average import tf_variable

K, SIZES, B, T = 7, (12, 4), 6, 9
SMALL = 8  # what a larger integer argument is shrunk to
SHORT = {"clip_size": 3}  # of T frames
SHALLOW = {"layers": 1}


def tiny_arguments(name, shallow=False):
    """Return constructor arguments with large integers shrunk; a list keeps two entries, or one."""
    cls = registry.model_class(name)
    known, defaults = constructor_arguments(cls), {}
    for base in cls.__mro__:
        if "__init__" in vars(base):
            for key, parameter in inspect.signature(base.__init__).parameters.items():
                defaults.setdefault(key, parameter.default)
    arguments = {"num_classes": K, "feature_sizes": SIZES}
    for key in known:
        value = defaults[key]
        if type(value) is int and value > SMALL:
            arguments[key] = SMALL
        if isinstance(value, (list, tuple)):
            entries = value[: 1 if shallow else 2]
            arguments[key] = [SMALL if n > SMALL else 1 for n in entries]
    fixed = {**SHORT, **(SHALLOW if shallow else {})}
    return {**arguments, **{key: value for key, value in fixed.items() if key in known}}


def make(name, shallow=False, **more):
    """Return a small model with its weights built; the same weights each time."""
    tf.keras.utils.set_random_seed(3)
    arguments = {**tiny_arguments(name, shallow), **more}
    return registry.create(name, **arguments).build_weights()


def batch_for(model, rows=B, frames=T, seed=0):
    """Return inputs of a model; videos are shorter than the batch, but hold whole clips."""
    rng = np.random.default_rng(seed)
    batch = {
        "frames": tf.constant(rng.integers(0, 256, (rows, frames, sum(SIZES))), tf.uint8),
        "video": tf.constant(rng.normal(size=(rows, sum(SIZES))), tf.float32),
        "num_frames": tf.constant(rng.integers(1, frames + 1, rows), tf.int32),
    }
    if model.task == "reconstruction":
        batch["num_frames"] = tf.fill([rows], frames)
    return model.select_inputs(batch)


def padded(inputs, frames=5, byte=77):
    """Return the inputs with so many frames of padding, which hold something."""
    rows, _, width = inputs["frames"].shape
    padding = tf.fill([rows, frames, width], tf.constant(byte, tf.uint8))
    return {**inputs, "frames": tf.concat([inputs["frames"], padding], 1)}


def labels_for(rows=B, seed=1):
    """Return labels, uint8 [rows, K]."""
    return (np.random.default_rng(seed).random((rows, K)) < 0.4).astype(np.uint8)


def loss_of(model, inputs, training=True):
    """Return the mean loss of a batch, by the labels or by what the model reconstructs."""
    answer = model(inputs, training=training)
    if model.task == "classification":
        answer = get("CrossEntropyLoss")(tf.constant(labels_for()), answer, None)
    return tf.reduce_mean(answer)


def gradients_of(model, inputs, training=True):
    """Return the gradient of `loss_of` by each trainable weight."""
    with tf.GradientTape() as tape:
        loss = loss_of(model, inputs, training)
    variables = [tf_variable(v) for v in model.trainable_variables]
    return tape.gradient(loss, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO)


def dead_weights(model, inputs):
    """Return the names of the trainable weights that no gradient reaches.

    In training, one normalisation removes every constant that another one before it has added. The
    gradient of that constant is 0 then, but not in inference.
    """
    pairs = [gradients_of(model, inputs, training) for training in (True, False)]
    return [
        v.name
        for v, *both in zip(model.trainable_variables, *pairs)
        if all(not np.any(np.abs(g) > 0) for g in both)
    ]
