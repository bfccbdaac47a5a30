"""Weights written with Keras 2 load on both lanes and give the predictions that they gave then.

For a NEW model only: `python tests/models/test_golden_weights.py NewModel` writes its files.
"""

import glob
import json
import os
import sys

import numpy as np
import pytest

from yt8m.models.core import registry

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden")
GOLDEN = sorted(
    os.path.basename(path)[: -len(".json")] for path in glob.glob(os.path.join(FOLDER, "*.json"))
)
SHRUNK = {
    "cluster_size": 6,
    "hidden_size": 5,
    "width": 5,
    "cells": 5,
    "projection_size": 4,
    "attention_size": 3,
    "group_size": 3,
    "window_size": 2,
    "clip_size": 1,
    "encoder_cells": 4,
    "encoder_projection": 3,
    "first_width": 4,
    "widths": [4, 8],
    "blocks": [2, 1],
    "relu_size": 3,
    "gating_reduction": 2,
}
OWN = {"MixNeXtVladModel": {"groups": 2}, "TransformerModel": {"width": 8, "heads": 2}}

# Of the written weights, where full ones would make every probability 1.
SCALE = {"ResNet1dModel": 0.5, "TransformerModel": 0.4}


def inputs_of(model):
    """Return fixed inputs, computed by a formula so that no generator's version matters."""
    count = np.arange(3 * 4 * model.feature_size).reshape(3, 4, model.feature_size)
    frames = (count * 37 % 256).astype(np.uint8)
    video = np.sin(count[:, 0]).astype(np.float32)
    return model.select_inputs(
        {"frames": frames, "num_frames": np.array([4, 1, 3], np.int32), "video": video}
    )


def test_models_with_many_layers_of_a_kind_have_golden_weights():
    assert {
        "VideoDbofCgate",
        "VideoDbofResNet",
        "MoeModel",
        "DbofResNet",
        "DbofCgate",
        "LstmModel",
        "AttnVLAD",
        "PmoeModel",
    } <= set(GOLDEN)
    assert {
        "AttentionPoolingModel",
        "ContextEncoderModel",
        "ContextGruModel",
        "ResNet1dModel",
        "NetVladModel",
        "SoftDbofModel",
        "MixNeXtVladModel",
        "ChainedMoeModel",
        "TransformerModel",
    } <= set(GOLDEN)


@pytest.mark.parametrize("name", GOLDEN)
def test_old_weights_give_the_old_answers(name):
    with open(os.path.join(FOLDER, f"{name}.json"), encoding="utf-8") as file:
        golden = json.load(file)
    model = registry.create(name, **golden["config"]).build_weights()
    model.load_weights(os.path.join(FOLDER, f"{name}.weights.h5"))
    np.testing.assert_allclose(
        model(inputs_of(model), training=False), golden["predictions"], rtol=1e-5, atol=1e-5
    )


def write(name):
    """Write the files of a small model whose weights are all different."""
    arguments = {"num_classes": 4, "feature_sizes": (5, 2)}
    own = registry.create(name, **arguments).get_config()
    shrunk = {k: v for k, v in SHRUNK.items() if k in own}
    shrunk.update(OWN.get(name, {}))
    model = registry.create(name, **arguments, **shrunk).build_weights()
    rng = np.random.default_rng(1)
    model.set_weights(
        [rng.uniform(0.1, 1.0, size=w.shape) * SCALE.get(name, 1.0) for w in model.get_weights()]
    )
    os.makedirs(FOLDER, exist_ok=True)
    model.save_weights(os.path.join(FOLDER, f"{name}.weights.h5"))
    golden = {
        "config": model.get_config(),
        "predictions": np.asarray(model(inputs_of(model), training=False)).tolist(),
    }
    with open(os.path.join(FOLDER, f"{name}.json"), "w", encoding="utf-8") as file:
        json.dump(golden, file)


if __name__ == "__main__":
    for new in sys.argv[1:]:
        write(new)
