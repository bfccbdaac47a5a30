"""The starter code's flags that set a model's arguments, and those that a run has recorded."""

from __future__ import annotations

import dataclasses

from yt8m.settings import setting

_GROUP = "Model (flags of the starter code)"


@dataclasses.dataclass(frozen=True)
class StarterModelFlags:
    """Flags that models map to their own arguments; None if the flag was not given."""

    moe_num_mixtures: int | None = setting(
        None,
        help="experts per class, without the dummy expert",
        group=_GROUP,
        at_least=1,
    )
    lstm_cells: int | None = setting(
        None,
        help="units of each LSTM layer",
        group=_GROUP,
        at_least=1,
    )
    lstm_layers: int | None = setting(
        None,
        help="number of LSTM layers",
        group=_GROUP,
        at_least=1,
    )
    dbof_cluster_size: int | None = setting(
        None,
        help="width of DBoF's frame-level layer",
        group=_GROUP,
        at_least=1,
    )
    dbof_hidden_size: int | None = setting(
        None,
        help="width of DBoF's video-level layer",
        group=_GROUP,
        at_least=1,
    )
    dbof_pooling_method: str | None = setting(
        None, help="average, max, l2, swap or attention", group=_GROUP
    )
    dbof_activation: str | None = setting(None, help="sigmoid, relu or relu6", group=_GROUP)
    dbof_add_batch_norm: bool | None = setting(
        None, help="use batch normalization in DBoF", group=_GROUP
    )
    video_level_classifier_model: str | None = setting(
        None,
        help="classifier on top of a frame-level model: MoeModel or LogisticModel",
        group=_GROUP,
    )


@dataclasses.dataclass(frozen=True)
class RecordedSettings:
    """Settings of a trained run that eval.py and inference.py take for the starter code's sake.

    The run's config.json contains them; a flag that agrees with it is accepted, and one that
    contradicts it is refused.
    """

    model: str | None = setting(None, help="name of the model")
    feature_names: str | None = setting(None, help="comma-separated features")
    feature_sizes: str | None = setting(None, help="comma-separated sizes of the features")
    frame_features: bool | None = setting(None, help="the records are frame-level")
    num_classes: int | None = setting(
        None,
        help="number of classes (K)",
        at_least=1,
    )
    label_loss: str | None = setting(None, help="loss used in training")
    iterations: int | None = setting(
        None, help="frames sampled in training; see --eval_frames for those used here", at_least=0
    )
    sample_random_frames: bool | None = setting(
        None, help="how frames were sampled in training; they are never sampled at random here"
    )
