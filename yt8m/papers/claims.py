"""The papers' claims, each with the rows that test it; see `yt8m.papers.verdicts`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Literal

Kind = Literal["more", "no more", "equal", "rises", "ordered", "below twice"]
Measure = Literal["gap", "map", "cpu_seconds"]


@dataclasses.dataclass(frozen=True)
class Claim:
    """A claim of a paper and its test.

    Attributes:
      text: the claim.
      kind: what must hold for the numbers of `names`:
        "more": the first is above every other by more than the margin; if it is only not below one
        by more than that, noise decides, as it does for "rises";
        "no more": the first is above no other by more than the margin;
        "equal": the first differs from no other by more than the margin;
        "rises": none is below the one before by more than the margin, and the last is above the
        first by more than the margin;
        "ordered": none is below the one before. No margin applies, since fusions of the same
        scores do not differ by chance;
        "below twice": the first is below twice the second, without a margin.
      names: names of rows, compared within one data set. "A|B" is the better of several rows,
        "A:best_single" the best input of a fusion, "A:fit_on_half" a fusion measured on one half.
      metric: what is compared; "cpu_seconds" is the processor time of a row's own steps.
      not_on: data set -> why it cannot test the claim.
      main: whether it is one of the ten that the first screen of RESULTS.md shows.
    """

    text: str
    kind: Kind
    names: tuple[str, ...]
    metric: Measure = "gap"
    not_on: dict[str, str] = dataclasses.field(default_factory=dict)
    main: bool = False


_NO_ORDER = {"sample-frames-all": "the order of its frames carries no information, by construction"}
_ONLY_NOISE = {"sample-frames": "the frames of a video differ only by noise"}
_MIXTURES = (
    "video-moe-2", "video-moe-4", "video-moe-8", "video-moe-50", "video-moe-100", "pmoe-200",
)  # fmt: skip
_OTHER_FAMILIES = ("gru", "lstm", "bigru", "bilstm", "multi-scale-gru", "resnet-1d", "attn-vlad")


def _kdd_claims(stem: str, name: str) -> Iterator[Claim]:
    """Yield the claims of the KDD paper's Tables 1 and 2 about one aggregator."""
    basic = stem == "basic"
    baseline, retrained = f"kdd-{stem}-baseline", f"kdd-{stem}-retrained"
    rprop, large = f"kdd-{stem}-rprop", f"kdd-{stem}-large-moe"
    sizes = (f"kdd-{stem}-moe-10", f"kdd-{stem}-moe-20", large)
    yield Claim(f"{name}: RProp raises GAP", "more", (rprop, baseline))
    yield Claim(
        f"{name}: RProp raises GAP more than as many passes of Adam do (control)",
        "more",
        (rprop, f"kdd-{stem}-adam"),
    )
    yield Claim(f"{name}: Large MoE raises MAP", "more", (large, baseline), "map")
    yield Claim(
        f"{name}: Large MoE raises MAP more than 5 retrained experts do (control)",
        "more",
        (large, retrained),
        "map",
        main=basic,
    )
    yield Claim(
        f"{name}: 50 experts cost less than twice as much as 5 retrained ones",
        "below twice",
        (large, retrained),
        "cpu_seconds",
    )
    yield Claim(f"{name}: MAP grows with the experts, 5 to 50", "rises", (baseline, *sizes), "map")
    yield Claim(
        f"{name}: the same, starting from 5 retrained experts (control)",
        "rises",
        (retrained, *sizes),
        "map",
    )
    yield Claim(
        f"{name}: both together give the best GAP",
        "more",
        (f"kdd-{stem}-full", baseline, rprop, large),
    )


def _slow_claims() -> Iterator[Claim]:
    """Yield the claims about step 3 after a training like the paper's, and after annealing."""
    slow, annealed = "kdd-slow", "kdd-annealed"
    yield Claim(
        "RProp raises GAP after a training as the paper's: a rate that falls slowly, no average of"
        " the weights",
        "more",
        (f"{slow}-rprop", f"{slow}-baseline"),
        main=True,
    )
    yield Claim(
        "RProp raises it more than four passes of Adam do (control)",
        "more",
        (f"{slow}-rprop", f"{slow}-adam"),
    )
    yield Claim(
        "Annealing in as many epochs (cosine, averaged weights) gains more than RProp (control)",
        "more",
        (f"{annealed}-baseline", f"{slow}-rprop"),
        main=True,
    )
    yield Claim(
        "RProp adds nothing after annealing (control)",
        "no more",
        (f"{annealed}-rprop", f"{annealed}-baseline"),
        main=True,
    )


def _modes_claims() -> Iterator[Claim]:
    """Yield the claims about experts where classes have many modes and videos are many."""
    large = "kdd-modes-large-moe"
    controls = ("kdd-modes-retrained", "kdd-modes-retrained-longer", "kdd-modes-baseline")
    text = "Where classes have many modes, 50 experts raise {} more than 5 retrained ones (control)"
    yield Claim(text.format("GAP"), "more", (large, *controls), main=True)
    yield Claim(text.format("MAP"), "more", (large, *controls), "map")


def _cycles_claims() -> Iterator[Claim]:
    """Yield the claims about cycles of steps 2 and 3, where experts gain much."""
    small, full = "kdd-modes-small", "kdd-modes-full"
    where = "Where classes have many modes"
    yield Claim(
        f"{where}, 50 experts and RProp together give the best GAP",
        "more",
        (f"{full}-1", "kdd-modes-large-moe", "kdd-modes-rprop"),
    )
    yield Claim(f"{where}, three cycles do better than one", "more", (f"{full}-3", f"{full}-1"))
    yield Claim(
        "Three cycles of RProp and a small mixture do no better than the better of both alone",
        "no more",
        (f"{small}-3", "kdd-modes-retrained|kdd-modes-rprop"),
    )
    yield Claim(
        "Three cycles of RProp and a small mixture do no better than one",
        "no more",
        (f"{small}-3", f"{small}-1"),
    )


def _batch_claims(stem: str, where: str, fractions: tuple[str, ...]) -> Iterator[Claim]:
    """Yield the claims of the KDD paper's Fig. 5.

    Args:
      stem: name of the row with the whole training set.
      where: what step 3 starts from.
      fractions: the other rows' parts of the training set in percent, rising.
    """
    names = tuple(f"{stem}-{fraction}" for fraction in fractions)
    yield Claim(
        f"A larger batch of RProp is better, from {fractions[0]} % of the data to all{where}",
        "rises",
        (*names, stem),
    )
    yield Claim(f"Half of the data is enough for RProp{where}", "equal", (names[-1], stem))


def _made_batch_claims() -> Iterator[Claim]:
    """Yield the claims about batches of all 200,000 made videos and of 20 of them."""
    rprop = "kdd-modes-slow-rprop"
    where = "On 200,000 made videos, after a training as the paper's"
    yield Claim(f"{where}, RProp raises GAP", "more", (rprop, "kdd-modes-slow-baseline"))
    yield Claim(
        f"{where}, a batch of all is better for RProp than one of 0.01 %",
        "more",
        (rprop, f"{rprop}-0.01"),
    )


def _fusion_claims(stem: str, name: str) -> Iterator[Claim]:
    """Yield the claims of the UTS paper's Table 5."""
    fusions = tuple(f"{stem}-{method}" for method in ("average", "l1", "l2", "l3"))
    yield Claim(
        f"{name} is better than its best model",
        "more",
        (f"{stem}-l3", f"{stem}-l3:best_single"),
        main=stem == "fusion-alike",
    )
    yield Claim(
        f"{name}: l3 is at least l2, l2 at least l1, l1 at least the average (APs of the same"
        " videos)",
        "ordered",
        fusions,
    )
    yield Claim(
        f"{name}: the same with APs from one half and GAP on the other",
        "ordered",
        tuple(f"{fusion}:fit_on_half" for fusion in fusions),
    )


def _remedy_claims(stem: str, name: str) -> Iterator[Claim]:
    """Yield the claims about a remedy for step 3."""
    rprop = f"kdd-{stem}-rprop"
    yield Claim(f"Remedy: from {name} RProp raises GAP", "more", (rprop, f"kdd-{stem}-baseline"))
    yield Claim(
        f"Remedy: from {name} RProp raises GAP more than as many passes of Adam do (control)",
        "more",
        (rprop, f"kdd-{stem}-adam"),
    )


CLAIMS: tuple[Claim, ...] = (
    Claim(
        "GAP grows with the number of mixtures of the video-level model",
        "rises",
        _MIXTURES,
        main=True,
    ),
    Claim("MAP grows with the number of mixtures too", "rises", _MIXTURES, "map"),
    Claim(
        "A random split of the labels does as well as an ordered one (200; equal by construction:"
        " no class's mixture depends on the others of its group)",
        "equal",
        ("pmoe-200", "pmoe-200-random"),
    ),
    Claim(
        "Adding 1000 mixtures for the first 1000 labels helps",
        "more",
        ("pmoe-200-1000", "pmoe-200"),
    ),
    Claim("GRU is better than LSTM", "more", ("gru", "lstm"), main=True),
    Claim("BiLSTM is no better than LSTM", "no more", ("bilstm", "lstm")),
    Claim("BiGRU is no better than GRU", "no more", ("bigru", "gru")),
    Claim("4 mixtures on a GRU are no better than 2", "no more", ("gru-4-mixture", "gru")),
    Claim("A linear layer on the GRU is no better", "no more", ("gru-fc", "gru")),
    Claim("HGRU is the best family", "more", ("hgru|hgru-20", *_OTHER_FAMILIES), main=True),
    Claim("20 windows instead of 15 change HGRU little", "equal", ("hgru-20", "hgru")),
    Claim("Layer normalisation does not help HGRU", "no more", ("ln-hgru", "hgru")),
    Claim(
        "Frames in random order hurt HGRU", "more", ("hgru", "hgru-random-order"), not_on=_NO_ORDER
    ),
    Claim(
        "Context injection helps the stacked GRU",
        "more",
        ("gru-context", "gru"),
        not_on=_NO_ORDER,
        main=True,
    ),
    *_fusion_claims("fusion", "The fusion"),
    *_fusion_claims("fusion-alike", "The fusion of nearly equal models"),
    Claim(
        "Sigmoid cross-entropy is the best loss",
        "more",
        ("loss-sigmoid", "loss-softmax", "loss-label-decoding"),
    ),
    Claim("Balanced batches do worse", "more", ("video-moe-2", "labels-balanced")),
    Claim(
        "Class weights by frequency gain nothing",
        "no more",
        ("labels-weighted-half|labels-weighted-1", "video-moe-2"),
    ),
    Claim("Removing 5 % of the labels has no effect", "equal", ("labels-remove", "video-moe-2")),
    Claim("Adding 5 % of the labels has no effect", "equal", ("labels-complete", "video-moe-2")),
    Claim("Cgate is better than Basic", "more", ("kdd-cgate-baseline", "kdd-basic-baseline")),
    Claim("ResNet is better than Cgate", "more", ("kdd-resnet-baseline", "kdd-cgate-baseline")),
    *_slow_claims(),
    *_modes_claims(),
    *_cycles_claims(),
    *_kdd_claims("basic", "Basic"),
    *_kdd_claims("cgate", "Cgate"),
    *_kdd_claims("resnet", "ResNet"),
    Claim(
        "Remedy: smaller first steps let RProp raise GAP",
        "more",
        ("kdd-small-step-rprop", "kdd-basic-baseline"),
    ),
    *_remedy_claims("early", "a step 1 that ended early"),
    *_remedy_claims("l2", "a step 1 with stronger L2"),
    Claim(
        "MAP grows with the experts per positive (q from 30 to 10 to 3 to 1)",
        "rises",
        ("kdd-basic-q30", "kdd-basic-q10", "kdd-basic-large-moe", "kdd-basic-q1"),
        "map",
    ),
    Claim(
        "Single label: RProp raises GAP", "more", ("sports-basic-rprop", "sports-basic-baseline")
    ),
    Claim(
        "Single label: Large MoE raises GAP",
        "more",
        ("sports-basic-large-moe", "sports-basic-baseline"),
    ),
    Claim(
        "Single label: Large MoE raises GAP more than 5 retrained experts do (control)",
        "more",
        ("sports-basic-large-moe", "sports-basic-retrained"),
    ),
    Claim(
        "Single label: after two epochs of step 1, 5 retrained experts raise GAP (control)",
        "more",
        ("sports-early-retrained", "sports-early-baseline"),
    ),
    Claim(
        "SWAP is the best pooling",
        "more",
        ("kdd-pooling-swap", "kdd-pooling-average", "kdd-pooling-max", "kdd-pooling-l2"),
        not_on=_ONLY_NOISE,
    ),
    Claim(
        "Experts by number of positives do better than 10 for every class",
        "more",
        ("kdd-basic-moe-10", "kdd-basic-uniform-10"),
        "map",
    ),
    *_batch_claims("kdd-early-rprop", "", ("1", "10", "50")),
    *_batch_claims("kdd-slow-rprop", ", after a training as the paper's", ("0.1", "1", "10", "50")),
    *_made_batch_claims(),
)
