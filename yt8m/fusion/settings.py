"""What to fuse, how to fuse it, and where to write the result."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from yt8m.fusion.weights import METHODS
from yt8m.settings import MOST_BEST, MOST_CLASSES, setting
from yt8m.submission.scores.settings import ScoresSettings
from yt8m.submission.settings import NamesSettings, SegmentSettings

WEIGHTS = "Weights"
MEASURING = "Labels and metrics"
READING = "Reading"


@dataclasses.dataclass(frozen=True)
class FusionSettings(ScoresSettings, NamesSettings, SegmentSettings):
    """Settings of a fusion. Each field is the flag of the same name."""

    inputs: Sequence[str] = setting(
        (),
        help="two or more score folders (inference.py --output_scores) or submission CSVs",
        common=True,
    )
    output_file: str = setting("", help="the submission CSV", common=True)
    output_scores: str = setting(
        "", help="folder for the fused scores, for another fusion or as a teacher", common=True
    )
    method: str = setting(
        "average",
        help="average; weighted (--weights); l1, l2, l3 (per-class AP divided by its norm); power "
        "(AP^power, as shares)",
        choices=METHODS,
        common=True,
    )
    weights: Sequence[float] = setting(
        (), help="weight of each input, for --method=weighted", common=True
    )
    ap_files: Sequence[str] = setting(
        (),
        help="per_class_ap.json of each input, as written by eval.py, for l1, l2, l3 and power",
        common=True,
    )
    labels: str = setting(
        "",
        help="true labels: a CSV with lines VIDEO_ID,L1 L2, or glob patterns of labelled records",
        common=True,
    )
    top_k: int = setting(
        20,
        help=("number of classes per video in the CSV and in the metrics"),
        at_least=1,
        common=True,
        at_most=MOST_BEST,
    )
    output_metrics: str = setting(
        "", help="JSON file for the metrics (requires --labels)", group=MEASURING
    )
    output_details: str = setting(
        "",
        help="JSON file of the weights, the gain and the correlation of the inputs, which `yt8m"
        " report` shows",
        group=MEASURING,
    )
    fit_on_half: bool = setting(
        False,
        help="compute the APs on a random half of the videos, and the metrics on the other",
        group=MEASURING,
    )
    seed: int = setting(
        0,
        help="seed for choosing the random half",
        group=MEASURING,
        at_least=0,
    )
    power: float = setting(
        2.0,
        help="exponent of --method=power",
        at_least=0,
        group=WEIGHTS,
        at_most=1000,
    )
    num_classes: int = setting(
        0,
        help="number of classes (K) if all inputs are CSVs; 0: one more than the highest class in"
        " them and in --labels",
        at_least=0,
        group=READING,
        at_most=MOST_CLASSES,
    )
    chunk_size: int = setting(
        1024,
        help="number of videos that are read at a time",
        at_least=1,
        group=READING,
        at_most=10**6,
    )
