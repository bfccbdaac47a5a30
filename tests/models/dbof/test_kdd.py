"""Features of whole videos in the KDD paper's models, concatenated to the pooled frames."""

import json

import numpy as np
import pytest
import tensorflow as tf

from yt8m.data.schema import RecordSchema
from yt8m.errors import UserError
from yt8m.models.core import registry
from yt8m.models.core.arguments import constructor_arguments
from yt8m.models.dbof.kdd import VIDEO_HALF
from yt8m.runs.build import check_level

K, SIZES, OF_VIDEO, B, T = 5, (6, 2), (3, 2), 4, 7


def inputs():
    rng = np.random.default_rng(0)
    return {
        "frames": tf.constant(rng.integers(0, 256, (B, T, sum(SIZES))), tf.uint8),
        "num_frames": tf.constant([7, 3, 1, 5]),
        "video": tf.constant(rng.normal(size=(B, sum(OF_VIDEO))), tf.float32),
    }


@pytest.mark.parametrize("name", VIDEO_HALF)
def test_they_meet_what_was_pooled_before_the_video_level_network(name):
    model = registry.create(
        name, num_classes=K, feature_sizes=SIZES, width=8, video_sizes=OF_VIDEO
    ).build_weights()
    half = registry.create(
        VIDEO_HALF[name],
        num_classes=K,
        feature_sizes=(8, *OF_VIDEO),
        width=8,
        input_norm="none",
        input_batch_norm=False,
    ).build_weights()
    for part in ("video_fc", "video_bn", "video_gate", "head"):
        if getattr(half, part) is not None:
            getattr(half, part).set_weights(getattr(model, part).get_weights())
    given = model.select_inputs({**inputs(), "id": None})
    together = tf.concat([model.pooled_frames(given), given["video"]], -1)
    np.testing.assert_allclose(
        model(given, training=False), half({"video": together}, training=False), atol=1e-6
    )
    again = (
        registry.model_class(name)
        .from_config(json.loads(json.dumps(model.get_config())))
        .build_weights()
    )
    again.set_weights(model.get_weights())
    np.testing.assert_allclose(
        again(given, training=False), model(given, training=False), atol=1e-6
    )


def test_in_bfloat16():
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    model = registry.create(
        "DbofBasic", num_classes=K, feature_sizes=SIZES, width=8, video_sizes=OF_VIDEO
    ).build_weights()
    assert model(inputs(), training=True).dtype == tf.float32


def test_without_them_the_model_is_as_it_was():
    model = registry.create("DbofBasic", num_classes=K, feature_sizes=SIZES, width=8)
    assert model.input_keys == (
        "frames",
        "num_frames",
    )
    assert "video_sizes" not in constructor_arguments(type(model))


def test_models_without_a_place_for_them_are_refused():
    schema = RecordSchema(
        "frame", ("rgb", "audio"), SIZES, K, video_names=("cdml",), video_sizes=(3,)
    )
    check_level("DbofCgate", schema)
    with pytest.raises(
        UserError,
        match=r"--feature_names: cdml .*--model=LstmModel takes only frames.* DbofBasic, DbofCgate",
    ):
        check_level("LstmModel", schema)
