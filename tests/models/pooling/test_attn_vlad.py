"""AttnVLAD's options."""

import numpy as np
import tensorflow as tf

from yt8m.models.core import registry

SMALL = {
    "num_classes": 4,
    "feature_sizes": (5, 2),
    "num_centers": 3,
    "projection_size": 4,
    "attention_size": 3,
}


def test_utss_way_sums_over_the_padding():
    """A padded frame is the projection's bias there, and not nothing."""
    frames = np.random.RandomState(0).randint(0, 256, (1, 6, 7)).astype(np.uint8)

    def predictions(mask_padding, padding):
        tf.keras.utils.set_random_seed(1)
        model = registry.create("AttnVLAD", **SMALL, mask_padding=mask_padding).build_weights()
        model.project.bias.assign(tf.ones([4]))
        padded = tf.constant(np.pad(frames, [[0, 0], [0, padding], [0, 0]], constant_values=9))
        assert model.get_config()["mask_padding"] is mask_padding
        return model({"frames": padded, "num_frames": tf.constant([6])}, training=False).numpy()

    np.testing.assert_allclose(predictions(True, 3), predictions(True, 0), atol=1e-6)
    np.testing.assert_allclose(predictions(False, 0), predictions(True, 0), atol=1e-6)
    assert np.abs(predictions(False, 3) - predictions(True, 0)).max() > 1e-4
