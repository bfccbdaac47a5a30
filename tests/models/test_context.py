"""Context injection: what the pre-training sees, eq. 2, and a run that starts from another."""

import numpy as np
import pytest
import tensorflow as tf

from tests.support.models import padded
from tests.support.runs import losses_of, metrics_of, prior_gap, run_config
from yt8m.errors import UserError
from yt8m.models.core import registry
from yt8m.runs.load import load_run
from yt8m.runs.trained_model import TrainedModel
from yt8m.training.trainer import train
from yt8m.training.weight_average import tf_variable

SIZES, K, CLIP = (5, 3), 4, 3
ENCODER = {
    "num_classes": K,
    "feature_sizes": SIZES,
    "cells": 6,
    "projection_size": 5,
    "attention_size": 4,
}
CLASSIFIER = {
    "num_classes": K,
    "feature_sizes": SIZES,
    "cells": 6,
    "encoder_cells": 6,
    "encoder_projection": 5,
    "window_size": 4,
}
RNG = np.random.default_rng(0)


def encoder(**more):
    tf.keras.utils.set_random_seed(1)
    return registry.create(
        "ContextEncoderModel", **{**ENCODER, "clip_size": CLIP, **more}
    ).build_weights()


def classifier(**more):
    tf.keras.utils.set_random_seed(2)
    return registry.create("StackGruContext", **{**CLASSIFIER, **more}).build_weights()


def video(frames, num_frames=None):
    bytes_ = RNG.integers(0, 256, (1, frames, sum(SIZES))).astype(np.uint8)
    return {"frames": tf.constant(bytes_), "num_frames": tf.constant([num_frames or frames])}


def changed(inputs, frame):
    bytes_ = inputs["frames"].numpy().copy()
    bytes_[:, frame] ^= 255
    return {**inputs, "frames": tf.constant(bytes_)}


def test_only_a_clip_and_its_neighbours_count():
    # 13 frames, the middle clip of 3 begins at 5: neighbours 2 to 4 and 8 to 10.
    model, inputs = encoder(), video(13)
    loss = model(inputs, training=False).numpy()
    moved = [
        np.abs(model(changed(inputs, t), training=False).numpy() - loss).max() > 1e-6
        for t in range(13)
    ]
    assert moved == [2 <= t <= 10 for t in range(13)]
    reversed_, own = encoder(target="self_reversed"), []
    loss = reversed_(inputs, training=False).numpy()
    for t in range(13):
        own.append(
            np.abs(reversed_(changed(inputs, t), training=False).numpy() - loss).max() > 1e-6
        )
    assert own == [5 <= t <= 7 for t in range(13)]


def test_frames_past_either_end_weigh_nothing():
    model = encoder()
    # 5 frames, and the clip begins at 1: only frame 0 is before it, and only frame 4 after it.
    x = video(5)
    q = x["frames"].numpy()[0] * (4.0 / 255.0) + 4.0 / 512.0 - 2.0
    zero = [w for d in model.decoders for w in (d.w_write, d.b_write)]
    for w in zero:
        w.assign(tf.zeros_like(w))  # every written frame is 0

    def huber(d):
        return np.where(np.abs(d) < 0.25, 2 * d * d, np.abs(d) - 0.125).sum()

    assert model(x, training=False).numpy() == pytest.approx([huber(q[0]) + huber(q[4])], rel=1e-4)
    assert model(video(8, num_frames=3), training=False).numpy() == pytest.approx([0.0])


def test_padding_and_the_batch_change_nothing():
    model, inputs = encoder(), video(9)
    loss = model(inputs, training=False)
    np.testing.assert_allclose(model(padded(inputs), training=False), loss, rtol=1e-5)
    both = {k: tf.concat([v, v], 0) for k, v in inputs.items()}
    np.testing.assert_allclose(model(both, training=False), [loss[0], loss[0]], rtol=1e-5)


def test_clips_begin_anywhere_in_training():
    model = encoder(dropout=0.0)
    starts = {int(model._start(tf.constant([10]), True)[0]) for _ in range(200)}
    assert starts == set(range(8))
    assert int(model._start(tf.constant([2]), True)[0]) == 0


def test_the_encoder_learns_by_its_last_output_alone():
    model, inputs = encoder(dropout=0.0), video(9)

    def gradients():
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(model(inputs, training=False))
        return tape.gradient(loss, [tf_variable(v) for v in model.trainable_variables])

    assert all(g is not None and np.any(np.abs(g) > 0) for g in gradients())
    # Cut the path from the last output; the attention still sees the earlier ones.
    for decoder in model.decoders:
        decoder.w_start.assign(tf.zeros_like(decoder.w_start))
    dead = {id(v) for v in model.encoder.trainable_variables}
    for v, g in zip(model.trainable_variables, gradients()):
        if id(v) in dead:
            np.testing.assert_array_equal(g, tf.zeros_like(g))


def test_clips_as_long_as_the_video_are_refused():
    with pytest.raises(UserError, match="clip_size=9 leaves no frame"):
        encoder(clip_size=9).training_loss(video(9), None, None, None)


@pytest.mark.parametrize("trunk", ["stacked", "hgru"])
def test_equation_2(trunk):
    model, inputs = classifier(trunk=trunk, freeze_encoder=True), video(7)
    x, mask = model.dequantize(inputs["frames"], num_frames=inputs["num_frames"])
    context = model.encoder(x, mask=mask)
    np.testing.assert_allclose(model.inject(x, mask), x + context, atol=1e-6)
    for w in model.encoder.project_out.weights:
        w.assign(tf.zeros_like(w))
    # An encoder that returns zeros leaves the frames as they are.
    np.testing.assert_array_equal(model.inject(x, mask), x)


def test_injection_as_in_the_code():
    model, inputs = classifier(inject="project_1024_l2", injected_size=6), video(7)
    x, mask = model.dequantize(inputs["frames"], num_frames=inputs["num_frames"])
    total = model.project(x) + model.encoder(x, mask=mask)
    np.testing.assert_allclose(
        model.inject(x, mask), total / np.linalg.norm(total, axis=-1, keepdims=True), atol=1e-5
    )


@pytest.mark.parametrize("trunk", ["stacked", "hgru"])
def test_every_form_predicts_whatever_the_padding(trunk):
    model, inputs = (
        classifier(trunk=trunk, inject="project_1024_l2", injected_size=6),
        video(7, num_frames=5),
    )
    p = model(inputs, training=False)
    np.testing.assert_allclose(model(padded(inputs), training=False), p, atol=1e-5)


def test_the_encoder_is_taken_and_frozen():
    source, model = encoder(), classifier(freeze_encoder=True)
    source.set_weights([RNG.normal(size=w.shape) for w in source.get_weights()])
    model.initialize_from(source)
    assert len(model.encoder.weights) == 7
    for mine, theirs in zip(model.encoder.get_weights(), source.encoder.get_weights()):
        np.testing.assert_array_equal(mine, theirs)
    assert not model.encoder.trainable_variables
    frozen = {id(w) for w in model.encoder.weights}
    assert not frozen & {id(v) for v in model.trainable_variables}
    assert len(classifier().trainable_variables) == len(model.trainable_variables) + 7


@pytest.mark.parametrize(
    ("there", "here", "message"),
    [
        ({"cells": 7}, {}, "cells 7 there and encoder_cells 6 here"),
        ({"input_norm": "l2"}, {}, "input_norm 'l2' there and 'none' here"),
        (
            {},
            {"inject": "project_1024_l2", "injected_size": 6},
            "returns 8 numbers per frame.*output_size=6",
        ),
    ],
)
def test_another_encoder_is_refused(there, here, message):
    with pytest.raises(UserError, match=message):
        classifier(**here).initialize_from(encoder(**there))


def test_from_the_encoders_run_to_the_classifiers(small_data, tmp_path):
    first, second = str(tmp_path / "encoder"), str(tmp_path / "classifier")
    sizes = {"projection_size": 16, "cells": 24}
    config = run_config(
        small_data,
        "ContextEncoderModel",
        epochs=3,
        arguments={**sizes, "clip_size": 4, "dropout": 0.0},
    )
    train(config, first)
    losses = losses_of(first)
    assert losses[-1] < 0.99 * losses[0]
    with pytest.raises(UserError, match="--init_from"):
        TrainedModel(first)
    arguments = {"freeze_encoder": True, "encoder_cells": 24, "encoder_projection": 16}
    with pytest.raises(UserError, match="needs --init_from=RUN_DIR"):
        train(
            run_config(small_data, "ContextGruModel", epochs=1, arguments=arguments),
            str(tmp_path / "refused"),
        )
    config = run_config(
        small_data,
        "ContextGruModel",
        epochs=2,
        recipe={"batch_size": 15},
        arguments=arguments,
        init_from=first,
    )
    train(config, second)
    best = metrics_of(tmp_path / "classifier")
    assert best["gap"] > prior_gap(config) + 0.05
    _, source, _ = load_run(first, "--train_dir")
    for mine, theirs in zip(
        TrainedModel(second).model.encoder.get_weights(), source.encoder.get_weights()
    ):
        np.testing.assert_array_equal(mine, theirs)
