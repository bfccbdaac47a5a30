"""A chart as SVG, with a legend, and with its numbers in a table for those who cannot see it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from yt8m.report.axes import Axis, number
from yt8m.report.markup import Markup, join, tag
from yt8m.report.tables import folded

WIDTH, HEIGHT = 480, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 54, 22, 30, 46  # margins; they hold the text of a phone, too
COLORS = 6  # colors and dashes of the style sheet
_MARKED_POINTS = 60  # a line of more points has no dots


@dataclasses.dataclass(frozen=True)
class Series:
    """Points that belong together.

    Attributes:
      name: its entry in the legend; "" has none.
      points: (x, y).
      color: number of a color.
      tips: what each point says when it is pointed at; empty is its numbers.
      line: whether the points are joined.
      dots: whether they are dots; None is only where there are few.
      faint: whether it stays in the background.
    """

    name: str
    points: Sequence[tuple[float, float]]
    color: int = 0
    tips: Sequence[str] = ()
    line: bool = True
    dots: bool | None = None
    faint: bool = False


@dataclasses.dataclass(frozen=True)
class Mark:
    """A point to emphasize, such as the best validation.

    Attributes:
      x: its number on the horizontal axis.
      y: its number on the vertical axis.
      text: what is written beside it; "" is nothing.
      tip: what it says when it is pointed at; "" is the text.
    """

    x: float
    y: float
    text: str = ""
    tip: str = ""


def chart(
    title: str,
    about: str,
    x: Axis,
    y: Axis,
    series: Sequence[Series],
    marks: Sequence[Mark] = (),
    rules: Sequence[tuple[float, str]] = (),
    numbers: Markup | None = None,
) -> Markup:
    """Return a figure.

    Args:
      title: its caption.
      about: a sentence that says what is to be seen, for those who cannot see it.
      x: the horizontal axis.
      y: the vertical axis.
      series: what it shows; the first are drawn first.
      marks: points with names.
      rules: (x, text) of vertical lines, such as the boundaries of steps.
      numbers: a table of the numbers.
    """
    place = _Places(x, y)
    picture = tag(
        "svg",
        tag("title", title),
        tag("desc", about),
        _grid(place),
        join(*(_rule(place, at, text) for at, text in rules)),
        join(*(_series(place, one) for one in series)),
        join(*(_mark(place, mark) for mark in marks)),
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_label=f"{title}. {about}",
    )
    named = [one for one in series if one.name]
    legend = tag("ul", *(_entry(one) for one in named), class_="legend") if named else None
    table = None if numbers is None else folded("Numbers", numbers)
    return tag("figure", tag("figcaption", title), legend, picture, table)


class _Places:
    """Where numbers are in the picture."""

    def __init__(self, x: Axis, y: Axis):
        self.x, self.y = x, y

    def across(self, value: float) -> float:
        return _LEFT + self.x.share(value) * (WIDTH - _LEFT - _RIGHT)

    def down(self, value: float) -> float:
        return HEIGHT - _BOTTOM - self.y.share(value) * (HEIGHT - _TOP - _BOTTOM)

    def at(self, point: tuple[float, float]) -> tuple[float, float]:
        return self.across(point[0]), self.down(point[1])


def _grid(place: _Places) -> Markup:
    bottom = HEIGHT - _BOTTOM
    lines, texts = [], []
    for value in place.y.ticks:
        at = _round(place.down(value))
        lines.append(f"M{_LEFT} {at}H{WIDTH - _RIGHT}")
        texts.append(tag("text", number(value), x=_LEFT - 7, y=at, dy=".33em", class_="end"))
    for value in place.x.ticks:
        at = _round(place.across(value))
        lines.append(f"M{at} {bottom}v5")
        texts.append(tag("text", number(value), x=at, y=bottom + 20, class_="middle"))
    middle = _LEFT + (WIDTH - _LEFT - _RIGHT) / 2
    texts.append(tag("text", place.x.title, x=middle, y=HEIGHT - 7, class_="middle axis"))
    texts.append(tag("text", place.y.title, x=6, y=16, class_="axis"))
    return join(tag("path", d="".join(lines), class_="grid"), *texts)


def _rule(place: _Places, at: float, text: str) -> Markup:
    across = place.across(at)
    line = tag("path", d=f"M{_round(across)} {_TOP}V{HEIGHT - _BOTTOM}", class_="rule")
    label = tag("text", text, x=_round(across + 4), y=_TOP + 11, class_="small")
    return join(line, label)


def _series(place: _Places, one: Series) -> Markup:
    places = [place.at(point) for point in one.points]
    parts = []
    if one.line and len(places) > 1:
        path = "M" + "L".join(f"{_round(a)} {_round(b)}" for a, b in places)
        parts.append(tag("path", d=path, class_="line"))
    with_dots = len(places) <= _MARKED_POINTS if one.dots is None else one.dots
    if with_dots or len(places) == 1:
        name = f"{one.name}: " if one.name else ""
        tips = one.tips or [f"{name}{number(a)}, {b:.4g}" for a, b in one.points]
        for (a, b), tip in zip(places, tips):
            parts.append(tag("circle", cx=_round(a), cy=_round(b), r=3, data_tip=tip))
    kind = f"s{one.color % COLORS}" + (" faint" if one.faint else "")
    return tag("g", *parts, class_=kind)


def _mark(place: _Places, mark: Mark) -> Markup:
    across, down = place.at((mark.x, mark.y))
    tip = mark.tip or mark.text
    ring = tag("circle", cx=_round(across), cy=_round(down), r=7, data_tip=tip)
    if not mark.text:
        return tag("g", ring, class_="mark")
    # The text stays within the picture, and above the point unless that is at the top.
    anchor = "end" if across > WIDTH * 0.6 else "start"
    above = down > _TOP + 30
    text = tag(
        "text",
        mark.text,
        x=_round(across + (-9 if anchor == "end" else 9)),
        y=_round(down - 10 if above else down + 22),
        class_=f"marked {anchor}",
    )
    return tag("g", ring, text, class_="mark")


def _entry(one: Series) -> Markup:
    kind = f"s{one.color % COLORS}" + (" faint" if one.faint else "")
    middle = tag("path", d="M0 6H26", class_="line") if one.line else None
    dot = None if one.line and one.faint else tag("circle", cx=13, cy=6, r=3)
    key = tag("svg", tag("g", middle, dot, class_=kind), viewBox="0 0 26 12", aria_hidden="true")
    return tag("li", key, one.name)


def _round(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
