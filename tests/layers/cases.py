"""Every layer with small arguments and inputs, for the tests that hold for all of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf

from yt8m.layers.base import Yt8mLayer
from yt8m.layers.dequantize import DequantizeFrames, NormalizeVideo
from yt8m.layers.heads.gated_mixture import GatedMixture
from yt8m.layers.heads.grouped_mixture_of_experts import GroupedMixtureOfExperts
from yt8m.layers.heads.logistic_head import LogisticHead
from yt8m.layers.heads.mixture_of_experts import MixtureOfExperts
from yt8m.layers.normalisation.context_gating import ContextGating
from yt8m.layers.normalisation.debiased_batch_norm import DebiasedBatchNorm
from yt8m.layers.normalisation.layer_norm import LayerNorm
from yt8m.layers.normalisation.normalized_relu import NormalizedRelu
from yt8m.layers.pooling.attention import AttentionPooling
from yt8m.layers.pooling.frames import FramePooling
from yt8m.layers.pooling.net_fisher_vector import NetFisherVector
from yt8m.layers.pooling.net_vlad import NetVlad
from yt8m.layers.pooling.next_vlad import NextVlad
from yt8m.layers.pooling.next_vlad_network import NextVladNetwork
from yt8m.layers.pooling.sequences import LinearAnnealing
from yt8m.layers.pooling.shifting_attention import ShiftingAttention
from yt8m.layers.pooling.soft_assignment import SoftAssignment
from yt8m.layers.pooling.soft_bag import SoftBag
from yt8m.layers.pooling.unit_attention import UnitAttention
from yt8m.layers.pooling.vlad import AttnVlad
from yt8m.layers.recurrent.attention_decoder import AttentionDecoder
from yt8m.layers.recurrent.context_encoder import ContextEncoder
from yt8m.layers.recurrent.label_decoder import LabelDecoder
from yt8m.layers.recurrent.layer_norm_gru import LayerNormGruCell
from yt8m.layers.recurrent.random_order import RandomOrder
from yt8m.layers.recurrent.windowed import WindowedRecurrent
from yt8m.layers.residual_1d import Bottleneck1D, ConvNorm1D
from yt8m.layers.standardize import Standardize
from yt8m.layers.transformer.attentive_probe import AttentiveProbe
from yt8m.layers.transformer.class_token import ClassToken
from yt8m.layers.transformer.encoder_block import EncoderBlock
from yt8m.layers.transformer.positions import PlaceEmbedding

B, T, D, K = 3, 6, 4, 5
COUNTS = np.array([6, 2, 0], np.int32)  # the last video has no frame
_RNG = np.random.default_rng(0)


def floats(*shape: int) -> tf.Tensor:
    """Return random numbers of norm 1 or so."""
    return tf.constant(_RNG.normal(size=shape), tf.float32)


def mask_of(counts: np.ndarray, length: int) -> tf.Tensor:
    """Return the mask [B, length] of the first `counts` positions."""
    return tf.constant(np.arange(length)[None] < counts[:, None])


FRAMES, MASK = floats(B, T, D), mask_of(COUNTS, T)
TRUE_FRAMES = FRAMES * tf.cast(MASK, tf.float32)[:, :, None]


@dataclass
class Case:
    """A layer's arguments, none of them a default, and its input.

    Args:
      layer: the class.
      arguments: every argument of the constructor.
      x: the first argument of `call`.
      others: the other arguments of `call`.
      takes_empty_rows: whether a video may have no frame at all.
    """

    layer: type[Yt8mLayer]
    arguments: dict[str, Any]
    x: Any
    others: dict[str, Any] = field(default_factory=dict)
    takes_empty_rows: bool = True

    def make(self, **more: Any) -> Yt8mLayer:
        """Return a new layer."""
        return self.layer(**self.arguments, **more)

    def __str__(self) -> str:
        """Return the class's name, and what sets this case apart from others of it."""
        own = [v for v in self.arguments.values() if isinstance(v, str)]
        return "-".join([self.layer.__name__, *own])


_BYTES = tf.constant(_RNG.integers(0, 256, (B, T, D)), tf.uint8)
_WINDOWS = tf.reshape(TRUE_FRAMES, [B, 3, 2, D])
_WINDOW_MASK = tf.reshape(MASK, [B, 3, 2])
_COUNTS = tf.constant(COUNTS)
_GROUPS = [{"classes": [4, 0], "num_mixtures": 2}, {"classes": [3], "num_mixtures": 17}]
_MIXTURE = {"dummy_expert": False, "expert_bias": False, "l2": 0.5, "initial": "zeros"}
_VLAD = {"attention_size": 3, "alpha": 0.1, "auxiliary_weight": 0.2, "normalize": False}
_DECODER = {"cells": 3, "frame_size": D, "memory_size": 2, "attention_size": 3, "dropout": 0.1}
_DECODER_INPUTS = {"start": floats(B, 2), "memory": floats(B, T, 2), "memory_mask": MASK}
_SEQUENCE = {"max_labels": 2, "cells": 3, "layers": 1, "embedding_size": 2}
_NEXT_VLAD = {"groups": 2, "expansion": 4, "gating_reduction": 2, "dropout": 0.1}
_ENCODER = {"cells": 3, "projection_size": 2, "output_size": 5, "dropout": 0.1}
_WINDOWED = {"cells": 3, "num_mixtures": 2, "dropout": 0.1, "reset_after": False, "l2": 0.2}

CASES = [
    Case(DequantizeFrames, {"input_norm": "none"}, _BYTES, {"num_frames": _COUNTS}),
    Case(DequantizeFrames, {"input_norm": "l2"}, _BYTES, {"num_frames": _COUNTS}),
    Case(DequantizeFrames, {"input_norm": "standardize"}, FRAMES, {"num_frames": _COUNTS}),
    Case(NormalizeVideo, {"input_norm": "none"}, floats(B, D)),
    Case(NormalizeVideo, {"input_norm": "standardize"}, floats(B, D)),
    Case(Standardize, {}, FRAMES),
    Case(RandomOrder, {"mode": "always"}, _BYTES, {"num_frames": _COUNTS}),
    *(
        Case(FramePooling, {"method": method, "swap_weight": "l1"}, FRAMES, {"mask": MASK})
        for method in ("average", "max", "l2", "swap")
    ),
    Case(FramePooling, {"method": "swap", "swap_weight": "elementwise"}, FRAMES, {"mask": MASK}),
    Case(AttentionPooling, {"hops": 2, "projection": 3}, FRAMES, {"mask": MASK}),
    Case(LinearAnnealing, {}, FRAMES, {"mask": MASK}),
    Case(ShiftingAttention, {"units": 3}, FRAMES, {"mask": MASK}),
    Case(LayerNorm, {"epsilon": 1e-3}, FRAMES),
    Case(ClassToken, {}, FRAMES),
    Case(EncoderBlock, {"heads": 2, "hidden_size": 3, "dropout": 0.3}, FRAMES, {"mask": MASK}),
    Case(AttentiveProbe, {"heads": 2}, FRAMES, {"mask": MASK}),
    *(
        Case(PlaceEmbedding, {"positions": p, "entries": 5}, FRAMES, {"num_frames": _COUNTS})
        for p in ("none", "learned", "sinusoidal")
    ),
    Case(NormalizedRelu, {"units": 3, "dropout": 0.1}, FRAMES, {"mask": MASK}),
    *(
        Case(
            UnitAttention,
            {"units": K, "value": value, "weight": weight, "initial": "priors"},
            FRAMES,
            {"mask": MASK},
        )
        for value in ("linear", "sigmoid")
        for weight in ("sigmoid", "softmax")
    ),
    *(
        Case(
            AttnVlad,
            {"num_centers": 2, "kernel": kernel, "scheme": scheme, **_VLAD},
            FRAMES,
            {"mask": MASK},
        )
        for kernel in ("additive", "linear", "soft")
        for scheme in ("a", "b")
    ),
    Case(SoftAssignment, {"clusters": 3, "groups": 2, "stddev": 0.1}, FRAMES, {"mask": MASK}),
    Case(NetVlad, {"clusters": 3, "centers": False}, FRAMES, {"mask": MASK}),
    Case(NetVlad, {"clusters": 3, "centers": True}, FRAMES, {"mask": MASK}),
    Case(NetFisherVector, {"clusters": 3}, FRAMES, {"mask": MASK}),
    Case(SoftBag, {"clusters": 3, "gated": True, "maximum": True}, FRAMES, {"mask": MASK}),
    Case(NextVlad, {"clusters": 3, "groups": 2, "expansion": 3}, FRAMES, {"mask": MASK}),
    Case(
        NextVladNetwork,
        {"feature_sizes": [3, 1], "cluster_size": 3, "hidden_size": 4, **_NEXT_VLAD},
        FRAMES,
        {"mask": MASK},
    ),
    *(
        Case(
            ContextGating,
            {"add_batch_norm": add_batch_norm, "reduction": reduction, "stddev": 0.1},
            FRAMES,
            {"mask": MASK},
        )
        for add_batch_norm, reduction in ((False, 0), (True, 0), (True, 2))
    ),
    Case(
        DebiasedBatchNorm,
        {"momentum": 0.9, "epsilon": 0.01, "scale": False},
        FRAMES,
        {"mask": MASK},
    ),
    Case(
        ConvNorm1D,
        {"filters": 3, "kernel_size": 3, "stride": 2, "activation": False, "l2": 0.1},
        TRUE_FRAMES,
        {"counts": _COUNTS},
    ),
    Case(Bottleneck1D, {"width": 8, "stride": 2, "l2": 0.1}, TRUE_FRAMES, {"counts": _COUNTS}),
    Case(ContextEncoder, {**_ENCODER, "reset_after": False}, FRAMES, {"mask": MASK}, False),
    Case(AttentionDecoder, _DECODER, FRAMES, _DECODER_INPUTS),
    *(
        Case(
            WindowedRecurrent,
            {"cell": cell, "carry_state": carry, **_WINDOWED},
            _WINDOWS,
            {"mask": _WINDOW_MASK},
        )
        for cell, carry in (("ln_gru", "none"), ("gru", "moe_stopgrad"), ("gru", "gru_stopgrad"))
    ),
    *(
        Case(
            LabelDecoder,
            {
                "num_classes": K,
                "attention_size": attention,
                "order": "descending",
                "initial": "zeros",
                **_SEQUENCE,
            },
            FRAMES,
            {"mask": MASK},
        )
        for attention in (0, 2)
    ),
    Case(LayerNormGruCell, {"units": 3, "epsilon": 1e-3}, floats(B, D), {"states": [floats(B, 3)]}),
    *(
        Case(
            LogisticHead,
            {
                "num_classes": K,
                "l2": 0.1,
                "initial": "zeros",
                "activation": activation,
                "kernel_scale": 0.5,
            },
            floats(B, D),
        )
        for activation in ("sigmoid", "softmax")
    ),
    *(
        Case(
            MixtureOfExperts,
            {"num_classes": K, "num_mixtures": k, "activation": activation, **_MIXTURE},
            floats(B, D),
        )
        for k, activation in ((3, None), (16, "sigmoid"))
    ),
    Case(
        GatedMixture,
        {"num_classes": K, "num_mixtures": 3, "l2": 0.5, "initial": "zeros"},
        floats(B, D),
    ),
    Case(GroupedMixtureOfExperts, {"num_classes": K, "groups": _GROUPS, **_MIXTURE}, floats(B, D)),
]
