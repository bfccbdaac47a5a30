"""The analysis as a Markdown page that refers to the figures and the numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable

TITLE = "# Labels of the data set"

# The shares of labels that UTS gives for Fig. 1, over the 4716 classes of the 2017 training set.
_PAPER = ("about 80 %", "about 97 %", "under 1 %")

# The lines of the first table: a title, and the value for one set.
_LINES: dict[str, Callable[[dict[str, Any]], str]] = {
    "videos": lambda s: f"{s['videos']:,}",
    "videos without labels": lambda s: f"{s['videos_without_labels']:,}",
    "labels": lambda s: f"{s['label_instances']:,}",
    "labels per video: mean (maximum)": lambda s: (
        f"{s['labels_a_video']['mean']:.2f} ({s['labels_a_video']['max']})"
    ),
    "classes with positives": lambda s: f"{s['classes_with_positives']:,} of {s['num_classes']:,}",
    "fewest positives of a class that has any": lambda s: (
        f"{s['fewest_positives_of_a_class_seen']:,}"
    ),
    "rank correlation of vocabulary order and frequency": lambda s: (
        f"{s['rank_correlation_of_index_and_positives']:.3f}"
    ),
}


def markdown(
    sets: list[dict[str, Any]],
    together: dict[str, Any],
    names: Sequence[str] | None,
    figures: Sequence[str],
) -> str:
    """Return the report.

    Args:
      sets: one or two results of `statistics.describe`, each with "title" and "pattern".
      together: the result of `statistics.cooccurrences`.
      names: names of the classes, or None.
      figures: file names of Figs. 1 and 2; empty if they were not drawn.
    """
    shares, matrix = (list(figures) or ["", ""])[:2]
    lines = [
        TITLE,
        "",
        *(f"- {s['title']}: `{s['pattern']}`" for s in sets),
        "",
        *_table(["", *(s["title"] for s in sets)]),
        *(_row(title, *map(value, sets)) for title, value in _LINES.items()),
        "",
        *_positives(sets, names, shares),
        "",
        *_cooccurrence(sets, together, names, matrix),
        "",
        "All numbers, with the positives of every class and the matrices, are in analysis.json.",
        "",
    ]
    return "\n".join(lines)


def _positives(sets: list[dict[str, Any]], names: Sequence[str] | None, figure: str) -> list[str]:
    heads = [f"{s['title']}: {what}" for s in sets for what in ("labels", "videos with one")]
    first = sets[0]
    lines = ["## Fig. 1: positives of each class", ""]
    lines += [f"![positives of each class]({figure})", ""] if figure else []
    lines += _table(["classes", *heads, "UTS paper (2017, 4716 classes)"])
    for i, paper in enumerate(_PAPER):
        ranges = [s["label_ranges"][i] for s in sets]
        shares = [f"{r[k]:.2%}" for r in ranges for k in ("instance_share", "video_share")]
        lines.append(_row(f"[{ranges[0]['first']:,}, {ranges[0]['end']:,})", *shares, paper))
    lines += [
        "",
        "The paper does not say whether its shares count labels, or videos that have such a label;"
        " both are given.",
        "",
        f"The most frequent classes of {first['title']}:",
        "",
    ]
    lines += [
        f"{i}. {_name(c, names)}, {first['positives'][c]:,} videos"
        for i, c in enumerate(first["most_frequent"], 1)
    ]
    return lines


def _cooccurrence(
    sets: list[dict[str, Any]], together: dict[str, Any], names: Sequence[str] | None, figure: str
) -> list[str]:
    count = len(together["classes"])
    lines = [f"## Fig. 2: co-occurrence of the {count} most frequent classes", ""]
    lines += [f"![co-occurrence]({figure})", ""] if figure else []
    if len(sets) == 2:
        lines += [
            "Correlation between the matrices of the two sets, off the diagonal (Pearson):"
            f" {together['correlation_of_log_counts']:.4f} of log(1 + counts),"
            f" {together['correlation_of_conditional']:.4f} of P(column | row).",
            "",
        ]
    lines += ["The most frequent pairs:", ""]
    lines += [
        f"- {_name(a, names)} and {_name(b, names)}: {videos:,} videos"
        for a, b, videos in frequent_pairs(together, 5)
    ]
    return lines


def frequent_pairs(together: dict[str, Any], most: int) -> list[tuple[int, int, int]]:
    """Return (class, class, videos with both) for the most frequent pairs of the first set."""
    classes, counts = together["classes"], together["counts"][0]
    pairs = [
        (classes[i], classes[j], counts[i][j])
        for i in range(len(classes))
        for j in range(i + 1, len(classes))
        if counts[i][j] > 0
    ]
    return sorted(pairs, key=lambda pair: -pair[2])[:most]


def _name(c: int, names: Sequence[str] | None) -> str:
    if names is None or c >= len(names):
        return str(c)
    return f"{names[c].replace('|', '/')} ({c})"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _table(heads: Sequence[str]) -> list[str]:
    """Return the header and the separator line of a table."""
    return [_row(*heads), "|---" * len(heads) + "|"]
