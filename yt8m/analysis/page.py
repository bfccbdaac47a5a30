"""The analysis in words: a small Markdown page beside the figures and the numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

# What UTS says of Fig. 1, over the 4716 classes of the 2017 release's training set.
_PAPER = ("about 80 %", "about 97 %", "under 1 %")


def markdown(
    sets: list[dict[str, Any]],
    together: dict[str, Any],
    names: Sequence[str] | None,
    figures: Sequence[str],
) -> str:
    """Return the report.

    Args:
      sets: one or two of `statistics.describe`, each with "title" and "pattern".
      together: of `statistics.cooccurrences`.
      names: of the classes, or None.
      figures: file names of Figs. 1 and 2 beside the report, or none.
    """

    def name(c: int) -> str:
        return (
            f"{names[c].replace('|', '/')} ({c})"
            if names is not None and c < len(names)
            else str(c)
        )

    def row(title: str, values: Sequence[str]) -> str:
        return f"| {title} | " + " | ".join(values) + " |"

    def each(text) -> list[str]:  # type: ignore[no-untyped-def]
        return [text(s) for s in sets]

    lines = ["# Labels of the data set", ""]
    lines += [f"- {s['title']}: `{s['pattern']}`" for s in sets]
    lines += ["", row("", each(lambda s: s["title"])), "|---" * (len(sets) + 1) + "|"]
    lines += [
        row("videos", each(lambda s: f"{s['videos']:,}")),
        row("videos without labels", each(lambda s: f"{s['videos_without_labels']:,}")),
        row("labels", each(lambda s: f"{s['label_instances']:,}")),
        row(
            "labels a video, mean (most)",
            each(lambda s: f"{s['labels_a_video']['mean']:.2f} ({s['labels_a_video']['max']})"),
        ),
        row(
            "classes with positives",
            each(lambda s: f"{s['classes_with_positives']:,} of {s['num_classes']:,}"),
        ),
        row(
            "fewest positives of a class seen",
            each(lambda s: f"{s['fewest_positives_of_a_class_seen']:,}"),
        ),
        row(
            "rank correlation of vocabulary order and frequency",
            each(lambda s: f"{s['rank_correlation_of_index_and_positives']:.3f}"),
        ),
    ]
    lines += ["", "## Fig. 1: positives of each class", ""]
    lines += [f"![positives of each class]({figures[0]})", ""] if figures else []
    heads = [
        f"{s['title']}: {what}" for s in sets for what in ("labels", "videos with such a label")
    ]
    lines += [
        row("classes", [*heads, "UTS paper (2017, 4716 classes)"]),
        "|---" * (len(heads) + 2) + "|",
    ]
    for i, paper in enumerate(_PAPER):
        shares = [
            f"{s['label_ranges'][i][k]:.2%}"
            for s in sets
            for k in ("instance_share", "video_share")
        ]
        span = sets[0]["label_ranges"][i]
        lines.append(row(f"[{span['first']:,}, {span['end']:,})", [*shares, paper]))
    lines += [
        "",
        "The paper does not say whether its shares count labels or videos that have such a label; both are given.",
    ]
    first = sets[0]
    lines += ["", f"The most frequent classes of {first['title']}:", ""]
    lines += [
        f"{i}. {name(c)}, {first['positives'][c]:,} videos"
        for i, c in enumerate(first["most_frequent"], 1)
    ]
    lines += [
        "",
        f"## Fig. 2: co-occurrence of the {len(together['classes'])} most frequent classes",
        "",
    ]
    lines += [f"![co-occurrence]({figures[1]})", ""] if figures else []
    if len(sets) == 2:
        lines += [
            "Correlation between the two sets' matrices, off the diagonal (Pearson):"
            f" {together['correlation_of_log_counts']:.4f} of log(1 + counts),"
            f" {together['correlation_of_conditional']:.4f} of P(column | row).",
            "",
        ]
    lines += ["The pairs seen most often:", ""]
    lines += [f"- {name(a)} and {name(b)}: {n:,} videos" for a, b, n in frequent_pairs(together, 5)]
    lines += [
        "",
        "All numbers, with the positives of every class and the matrices, are in analysis.json.",
        "",
    ]
    return "\n".join(lines)


def frequent_pairs(together: dict[str, Any], most: int) -> list[tuple]:
    """Return (class, class, videos that have both) of the first set's most frequent pairs."""
    classes, counts = together["classes"], together["counts"][0]
    pairs = [
        (classes[i], classes[j], counts[i][j])
        for i in range(len(classes))
        for j in range(i + 1, len(classes))
    ]
    return sorted((p for p in pairs if p[2] > 0), key=lambda p: -p[2])[:most]
