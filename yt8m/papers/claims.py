"""What the papers' tables say in words, each marked seen, not seen, not testable or not run by comparing numbers with their noise."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from typing import Any

Result = dict[str, Any]
SEEN, NOT_SEEN, UNTESTABLE, NOT_RUN = "seen", "not seen", "not testable here", "not run yet"

# Taken where no recipe was run with several seeds on a data set.
ASSUMED_SD = 0.002


@dataclasses.dataclass(frozen=True)
class Noise:
    """How much one number may differ from run to run.

    Attributes:
      sd: standard deviation of a run's number over seeds, pooled over the recipes that were repeated.
      runs: how many runs it is from; 0: it is assumed.
    """

    sd: float
    runs: int

    @property
    def margin(self) -> float:
        """Twice the standard deviation of a difference of two runs; a smaller difference counts as none."""
        return 2.0 * math.sqrt(2.0) * self.sd


@dataclasses.dataclass(frozen=True)
class Claim:
    """A sentence and its test.

    Attributes:
      text: the paper's claim.
      kind: "more": the first name's number is above every later one's by more than the margin;
        "rises": each name's is above the one before, none falls by more than the margin, and the last
        is above the first by more than it;
        "no more": the first name's is above no later one's by more than the margin;
        "equal": they differ by no more than the margin.
      names: recipes, "A|B" the better of several; compared within one data set.
      metric: "gap" or "map".
      not_on: data set -> why it cannot tell.
    """

    text: str
    kind: str
    names: tuple[str, ...]
    metric: str = "gap"
    not_on: dict[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Verdict:
    """A claim's mark on one data set, with the numbers that it stands on and, where untestable, why."""

    claim: Claim
    data: str
    mark: str
    numbers: str
    margin: float = 0.0


_NO_ORDER = {"sample-frames": "the order of its frames carries nothing by construction"}

CLAIMS: tuple[Claim, ...] = (
    Claim(
        "GAP grows with the number of mixtures of the video-level model",
        "rises",
        ("video-moe-2", "video-moe-4", "video-moe-8", "video-moe-50", "video-moe-100", "pmoe-200"),
    ),
    Claim("A random split of the labels does as well as an ordered one (200)", "equal", ("pmoe-200", "pmoe-200-random")),
    Claim("Adding 1000 mixtures for the first 1000 labels helps", "more", ("pmoe-200-1000", "pmoe-200")),
    Claim("GRU is better than LSTM", "more", ("gru", "lstm")),
    Claim("BiLSTM is no better than LSTM", "no more", ("bilstm", "lstm")),
    Claim("BiGRU is no better than GRU", "no more", ("bigru", "gru")),
    Claim("4 mixtures on a GRU are no better than 2", "no more", ("gru-4-mixture", "gru")),
    Claim("A linear layer on the GRU is no better", "no more", ("gru-fc", "gru")),
    Claim(
        "HGRU is the best family",
        "more",
        ("hgru|hgru-20", "gru", "lstm", "bigru", "bilstm", "multi-scale-gru", "resnet-1d", "attn-vlad"),
        not_on={},
    ),
    Claim("20 windows in place of 15 change HGRU little", "equal", ("hgru-20", "hgru")),
    Claim("Layer normalisation does not help HGRU", "no more", ("ln-hgru", "hgru")),
    Claim("Frames in random order hurt HGRU", "more", ("hgru", "hgru-random-order"), not_on=_NO_ORDER),
    Claim("Context injection helps the stacked GRU", "more", ("gru-context", "gru"), not_on=_NO_ORDER),
    Claim("The fusion is better than its best model", "more", ("fusion-l3", "fusion-l3:best_single")),
    Claim("l3 is at least l2, l2 at least l1, l1 at least the average (APs of the same videos)", "ordered",
          ("fusion-average", "fusion-l1", "fusion-l2", "fusion-l3")),
    Claim("The same with APs of one half and GAP of the other", "ordered",
          ("fusion-average:fit_on_half", "fusion-l1:fit_on_half", "fusion-l2:fit_on_half", "fusion-l3:fit_on_half")),
    Claim("Sigmoid cross-entropy is the best loss", "more", ("loss-sigmoid", "loss-softmax", "loss-label-decoding")),
    Claim("Balanced batches do worse", "more", ("video-moe-2", "labels-balanced")),
    Claim("Weights by frequency gain nothing", "no more", ("labels-weighted-half|labels-weighted-1", "video-moe-2")),
    Claim("Removing 5 % of the labels has no effect", "equal", ("labels-remove", "video-moe-2")),
    Claim("Adding 5 % of the labels has no effect", "equal", ("labels-complete", "video-moe-2")),
    *(
        claim
        for agg, name in (("basic", "Basic"), ("cgate", "Cgate"), ("resnet", "ResNet"))
        for claim in (
            Claim(f"{name}: RProp raises GAP", "more", (f"kdd-{agg}-rprop", f"kdd-{agg}-baseline")),
            Claim(f"{name}: so does it over as many passes of Adam (control)", "more", (f"kdd-{agg}-rprop", f"kdd-{agg}-adam")),
            Claim(f"{name}: Large MoE raises MAP", "more", (f"kdd-{agg}-large-moe", f"kdd-{agg}-baseline"), "map"),
            Claim(f"{name}: so does it over 5 experts retrained (control)", "more", (f"kdd-{agg}-large-moe", f"kdd-{agg}-retrained"), "map"),
            Claim(f"{name}: MAP grows with the experts, 5 to 50", "rises",
                  (f"kdd-{agg}-baseline", f"kdd-{agg}-moe-10", f"kdd-{agg}-moe-20", f"kdd-{agg}-large-moe"), "map"),
            Claim(f"{name}: so it does from 5 experts retrained (control)", "rises",
                  (f"kdd-{agg}-retrained", f"kdd-{agg}-moe-10", f"kdd-{agg}-moe-20", f"kdd-{agg}-large-moe"), "map"),
            Claim(f"{name}: both together have the best GAP", "more",
                  (f"kdd-{agg}-full", f"kdd-{agg}-baseline", f"kdd-{agg}-rprop", f"kdd-{agg}-large-moe")),
        )
    ),
    Claim("Remedy: smaller first steps let RProp raise GAP", "more", ("kdd-small-step-rprop", "kdd-basic-baseline")),
    *(
        claim
        for stem, name in (("early", "a step 1 ended early"), ("l2", "a step 1 with more L2"))
        for claim in (
            Claim(f"Remedy: from {name} RProp raises GAP", "more", (f"kdd-{stem}-rprop", f"kdd-{stem}-baseline")),
            Claim(f"Remedy: from {name} so does it over as many passes of Adam (control)", "more", (f"kdd-{stem}-rprop", f"kdd-{stem}-adam")),
        )
    ),
    Claim("MAP grows as a positive buys more experts, q from 30 to 10 to 3 to 1", "rises",
          ("kdd-basic-q30", "kdd-basic-q10", "kdd-basic-large-moe", "kdd-basic-q1"), "map"),
    Claim("Single label: RProp raises GAP", "more", ("sports-basic-rprop", "sports-basic-baseline")),
    Claim("Single label: Large MoE raises GAP", "more", ("sports-basic-large-moe", "sports-basic-baseline")),
    Claim("Single label: so does it over 5 experts retrained (control)", "more", ("sports-basic-large-moe", "sports-basic-retrained")),
    Claim("SWAP is the best pooling", "more", ("kdd-pooling-swap", "kdd-pooling-average", "kdd-pooling-max", "kdd-pooling-l2"),
          not_on={"sample-frames": "a video's frames differ by noise alone"}),
    Claim("Experts by positives do better than 10 for every class", "more", ("kdd-basic-moe-10", "kdd-basic-uniform-10"), "map"),
    Claim("A larger batch of RProp is better, 1 % to all", "rises",
          ("kdd-early-rprop-1", "kdd-early-rprop-10", "kdd-early-rprop-50", "kdd-early-rprop")),
)  # fmt: skip


def noise_of(results: Iterable[Result], data: str, metric: str) -> Noise:
    """Return the noise of a metric on a data set, from the recipes that were run with several seeds there."""
    squares, freedom, runs = 0.0, 0, 0
    for values in _by_recipe(results, data, metric).values():
        if len(values) > 1:
            mean = sum(values) / len(values)
            squares += sum((v - mean) ** 2 for v in values)
            freedom += len(values) - 1
            runs += len(values)
    return Noise(math.sqrt(squares / freedom), runs) if freedom else Noise(ASSUMED_SD, 0)


def judge(claim: Claim, results: Sequence[Result], data: str) -> Verdict | None:
    """Return a claim's verdict on one data set; None where none of its recipes was run there."""
    found = _by_recipe(results, data, claim.metric)
    values = [_value(name, found, results, data, claim.metric) for name in claim.names]
    if all(v is None for v in values):
        return None
    if data in claim.not_on:
        return Verdict(claim, data, UNTESTABLE, claim.not_on[data])
    lacking = [n for n, v in zip(claim.names, values) if v is None]
    if lacking:
        return Verdict(claim, data, NOT_RUN, f"lacks {', '.join(lacking)}")
    numbers = [float(v) for v in values if v is not None]
    noise = noise_of(results, data, claim.metric)
    margin = 0.0 if claim.kind == "ordered" else noise.margin
    shown = (
        claim.metric.upper()
        + " "
        + ", ".join(
            f"{_short(n)} {v:.4f}" if claim.kind != "ordered" else f"{_short(n)} {v:.6f}"
            for n, v in zip(claim.names, numbers)
        )
    )
    return Verdict(
        claim, data, SEEN if holds(claim.kind, numbers, margin) else NOT_SEEN, shown, margin
    )


def holds(kind: str, values: Sequence[float], margin: float) -> bool:
    """Tell whether numbers bear a claim out; see `Claim.kind`. "ordered": none is below the one before.

    "ordered" takes no margin: fusions of the same scores do not differ by chance of training.
    """
    first, rest = values[0], values[1:]
    if kind == "more":
        return all(first - v > margin for v in rest)
    if kind == "no more":
        return all(first - v <= margin for v in rest)
    if kind == "equal":
        return all(abs(first - v) <= margin for v in rest)
    steps = [b - a for a, b in zip(values, rest)]
    if kind == "ordered":
        return all(s >= 0 for s in steps)
    if kind == "rises":
        return all(s >= -margin for s in steps) and values[-1] - first > margin
    raise ValueError(f"unknown kind of claim {kind!r}")


def verdicts(results: Sequence[Result], claims: Sequence[Claim] = CLAIMS) -> list[Verdict]:
    """Return the verdict of every claim on every data set that bears on it; a claim without any was not run."""
    found = []
    for claim in claims:
        own = [
            v
            for v in (
                judge(claim, results, d) for d in sorted({r["data"]["name"] for r in results})
            )
            if v
        ]
        found += own or [Verdict(claim, "", NOT_RUN, "–")]
    return found


def _by_recipe(results: Iterable[Result], data: str, metric: str) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for r in results:
        if r["data"]["name"] == data and r["variant"] == "small":
            found.setdefault(r["recipe"], []).append(float(r["metrics"][metric]))
    return found


def _value(
    name: str, found: dict[str, list[float]], results: Sequence[Result], data: str, metric: str
) -> float | None:
    if "|" in name:
        several = [_value(n, found, results, data, metric) for n in name.split("|")]
        return None if None in several else max(v for v in several if v is not None)
    recipe, _, part = name.partition(":")
    if not part:
        return sum(found[recipe]) / len(found[recipe]) if recipe in found else None
    for r in results:
        if r["recipe"] == recipe and r["data"]["name"] == data and part in r:
            return float(r[part].get("metrics", r[part])[metric])
    return None


def _short(name: str) -> str:
    return (
        name.replace(":best_single", "'s best model")
        .replace(":fit_on_half", "")
        .replace("|", " or ")
    )
