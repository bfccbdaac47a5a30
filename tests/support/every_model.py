"""The models on which the costliest tests run by default.

A model whose code is another's except for a cell or a level is tested by slow tests, which CI runs.
A new model is in no list here, so all its tests run by default. With YT8M_TEST_MODELS=half, which
CI sets on one of the lanes, every second model counts as slow too.
"""

import os

import pytest

from yt8m.models.core import registry

ALIKE = {
    "BiLstmModel": "BiGruModel",
    "DbofBasic": "DbofCgate",
    "LstmModel": "GruModel",
    "LayerNormHierarchicalGruModel": "HierarchicalGruModel",
    "VideoDbofCgate": "DbofCgate",
    "VideoDbofResNet": "DbofResNet",
    "VideoLabelDecoderModel": "LabelDecoderModel",
}


def every_model():
    """Return each registered model's name as a test parameter, slow where it is alike another."""
    names = registry.list_models()
    assert set(ALIKE) | set(ALIKE.values()) <= set(names)
    fewer = names[1::2] if os.environ.get("YT8M_TEST_MODELS") == "half" else []
    slow = {*ALIKE, *fewer}
    return [pytest.param(name, marks=pytest.mark.slow) if name in slow else name for name in names]
