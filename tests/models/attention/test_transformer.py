"""The transformer's options, and what a frame's place means in it."""

import numpy as np
import pytest

from tests.support.models import batch_for, dead_weights, make, padded


@pytest.mark.parametrize("pooling", ["probe", "class_token"])
@pytest.mark.parametrize("positions", ["sinusoidal", "learned", "none"])
def test_every_form_learns_and_ignores_padding(pooling, positions):
    model = make("TransformerModel", pooling=pooling, positions=positions, heads=2)
    inputs = batch_for(model)
    assert not dead_weights(model, inputs)
    whole = model(inputs, training=False).numpy()
    np.testing.assert_allclose(model(padded(inputs), training=False), whole, atol=1e-5)


def test_order_counts_only_with_positions():
    for positions, counts in (("sinusoidal", True), ("learned", True), ("none", False)):
        model = make("TransformerModel", positions=positions, heads=2)
        model.head.kernel.assign(1000 * model.head.kernel)  # the initial one is small
        inputs = batch_for(model)
        inputs["num_frames"] = inputs["num_frames"] * 0 + inputs["frames"].shape[1]
        backwards = {**inputs, "frames": inputs["frames"][:, ::-1]}
        difference = np.abs(model(inputs, training=False) - model(backwards, training=False)).max()
        assert (difference > 1e-4) == counts
