"""Figs. 4, 5 and 6 of the KDD paper from the logs of alternating runs.

matplotlib draws them (`pip install 'yt8m[figures]'`).

    # Fig. 4: GAP and MAP by iteration
    python -m yt8m.largescale.figures --train_dir=runs/full
    # Fig. 5: GAP of step 3 by batch fraction
    python -m yt8m.largescale.figures --figure=5 --train_dir=runs/f1,runs/f10,…
    # Fig. 6: GAP by time, for growing data
    python -m yt8m.largescale.figures --figure=6 --train_dir=runs/5,runs/20,runs/100
"""

from __future__ import annotations

if __name__ == "__main__":
    import yt8m.process.quiet  # noqa: F401

import io
import os
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from yt8m.errors import UserError
from yt8m.files import write_bytes
from yt8m.flags import Parser
from yt8m.largescale.alternating.context import alternation_of
from yt8m.largescale.curves import Curve, read_curve
from yt8m.process.guard import ends_in_one_line, run_main

_GAP, _MAP, _INK = "#1f5a99", "#d1752a", "#222222"
_STEPS = {1: "1: joint", 2: "2: large MoE", 3: "3: aggregator"}


def figure_4(curve: Curve) -> Any:
    """Return the figure of GAP and MAP by iteration, with the boundaries of the steps marked."""
    figure, (above, below) = _subplots(2, 1, (7.2, 5.6), sharex=True)
    x = range(1, len(curve.points) + 1)
    for axes, values, color, name in (
        (above, [100 * p.gap for p in curve.points], _GAP, "GAP (%)"),
        (below, [100 * p.map for p in curve.points], _MAP, "MAP (%)"),
    ):
        axes.plot(x, values, color=color, marker="o", markersize=3)
        axes.set_ylabel(name)
        for i, _ in curve.boundaries():
            axes.axvline(i + 0.5, color=_INK, linewidth=0.6, linestyle=":")
    transform = above.get_xaxis_transform()
    for i, _ in curve.boundaries():
        number = curve.points[i].number
        height = 1.02 + 0.07 * (number - 1)  # A step may be narrower than its label.
        above.text(i + 0.7, height, _STEPS[number], transform=transform, fontsize=8)
    below.set_xlabel("epochs of steps 1 and 2, iterations of step 3")
    return figure


def figure_5(curves: Sequence[Curve]) -> Any:
    """Return the figure of step 3's GAP by iteration and by time, one line per batch fraction.

    Raises:
      UserError: a run has no step 3.
    """
    figure, (left, right) = _subplots(1, 2, (9.6, 4.0), sharey=True)
    for curve in sorted(curves, key=_batch_fraction):
        points = curve.of_step(3)
        if not points:
            raise UserError(f"--train_dir={curve.path} has no iteration of step 3.")
        iterations, seconds, gaps = zip(*points)
        label = f"{100 * _batch_fraction(curve):g} %"
        style = {"marker": "o", "markersize": 3, "label": label}
        left.plot(iterations, [100 * g for g in gaps], **style)
        right.plot([s / 60 for s in seconds], [100 * g for g in gaps], **style)
    left.set_ylabel("GAP (%)")
    left.set_xlabel("iteration of step 3")
    right.set_xlabel("minutes of step 3, without validation")
    left.legend(title="fraction of the data in a batch", fontsize=8)
    return figure


def figure_6(curves: Sequence[Curve]) -> Any:
    """Return the figure of GAP by time over all steps, one line per run."""
    figure, axes = _subplots(1, 1, (7.2, 4.4))
    for curve in sorted(curves, key=_videos):
        minutes = [p.seconds / 60 for p in curve.points]
        gaps = [100 * p.gap for p in curve.points]
        axes.plot(minutes, gaps, marker="o", markersize=3, label=f"{_videos(curve):,}")
    axes.set_xlabel("minutes of training, without validation")
    axes.set_ylabel("GAP (%)")
    axes.legend(title="training videos", fontsize=8)
    return figure


def _batch_fraction(curve: Curve) -> float:
    return alternation_of(curve.config).batch_fraction


def _videos(curve: Curve) -> int:
    return int(curve.config.facts.get("records", 0))


def _subplots(rows: int, columns: int, size: Any, **shared: Any) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(rows, columns, **shared)
    for one in [axes] if rows * columns == 1 else list(axes):
        one.spines[["top", "right"]].set_visible(False)
        one.grid(alpha=0.25)
    return figure, axes


def write(figure: Any, path: str) -> None:
    """Write a complete figure or none; the path's suffix determines the format.

    Raises:
      UserError: the file cannot be written.
    """
    out = io.BytesIO()
    figure.savefig(out, format=path.rpartition(".")[2], dpi=150, facecolor="white")
    try:
        tf.io.gfile.makedirs(os.path.dirname(path) or ".")
        write_bytes(path, out.getvalue())
    except (tf.errors.OpError, OSError) as error:
        reason = getattr(error, "message", error)
        raise UserError(
            f"{path} cannot be written ({reason}); name another file with --output."
        ) from None


@ends_in_one_line
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return 0, or 2 for a user's mistake."""
    parser = Parser(
        prog="python -m yt8m.largescale.figures",
        description=("Draw Fig. 4, 5 or 6 of the KDD 2019 paper."),
    )
    parser.add_argument(
        "--train_dir",
        required=True,
        help=("comma-separated folders of runs of --trainer=alternating"),
    )
    parser.add_argument(
        "--figure", type=int, choices=(4, 5, 6), default=4, help="number of the figure in the paper"
    )
    parser.add_argument(
        "--output",
        default="",
        help="a .png or .svg file; by default figure_N.png in the first run's folder",
    )
    arguments = parser.parse_args(argv)
    folders = [d for d in arguments.train_dir.split(",") if d]
    return _draw(folders, arguments.figure, arguments.output)


def _draw(folders: Sequence[str], number: int, output: str) -> int:
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        raise UserError(
            "the figures need matplotlib, which is not installed; run `pip install"
            " 'yt8m[figures]'`."
        ) from None
    if not folders or (number == 4 and len(folders) > 1):
        raise UserError(
            f"--train_dir={','.join(folders)}: Fig. 4 shows one run, Figs. 5 and 6 show one or"
            " more."
        )
    output = output or os.path.join(folders[0], f"figure_{number}.png")
    if output.rpartition(".")[2] not in ("png", "svg"):
        raise UserError(f"--output={output} ends in neither .png nor .svg; use one of these.")
    curves = [read_curve(folder) for folder in folders]
    draw = {4: lambda: figure_4(curves[0]), 5: lambda: figure_5(curves)}
    figure = draw.get(number, lambda: figure_6(curves))()
    write(figure, output)
    print(f"wrote {output}")
    return 0


if __name__ == "__main__":
    run_main(main)
