"""Charts show each point where its number is, and axes have round ticks."""

import re

import numpy as np
import pytest

from yt8m.evaluation.per_class_ap import PerClassAp
from yt8m.report.axes import linear, logarithmic, number
from yt8m.report.charts import Mark, Series, chart
from yt8m.report.classes import mean_by_frequency
from yt8m.report.markup import Markup, join, tag


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([0.61, 0.69], (0.6, 0.62, 0.64, 0.66, 0.68, 0.7)),
        ([0, 1], (0, 0.2, 0.4, 0.6, 0.8, 1.0)),
        ([5, 5], (5, 6)),
        ([], (0, 0.2)),
        ([float("nan"), 3.0, 900.0], (0, 200, 400, 600, 800, 1000)),
    ],
)
def test_linear_ticks(values, ticks):
    axis = linear("", values)
    assert axis.ticks == pytest.approx(ticks)
    assert (axis.low, axis.high) == (axis.ticks[0], axis.ticks[-1])


def test_logarithmic_axis():
    axis = logarithmic("", [3, 700])
    assert axis.ticks == pytest.approx((1, 10, 100, 1000))
    assert axis.share(10) == pytest.approx(1 / 3)
    assert logarithmic("", [1]).ticks == pytest.approx((1, 10))


def test_numbers_are_short():
    shown = [number(v) for v in (0, 0.1 + 0.2, 1000, 20000, 1.5e6, 2e9)]
    assert shown == ["0", "0.3", "1000", "20k", "1.5M", "2G"]


def test_points_are_where_their_numbers_are():
    x, y = linear("x", [0, 10]), linear("y", [0, 1])
    text = chart("t", "a", x, y, [Series("s", [(0, 0), (10, 1)])], [Mark(10, 1, "best")])
    circles = re.findall(r'cx="([\d.]+)" cy="([\d.]+)" r="3" data-tip', text)
    (left, bottom), (right, top) = (tuple(map(float, c)) for c in circles)
    assert (left, bottom, right, top) == (54, 254, 458, 30)
    assert f'cx="{right:g}" cy="{top:g}" r="7"' in text
    assert f"M54 254L{right:g} {top:g}" in text


def test_mean_by_frequency():
    ap = PerClassAp(np.array([0.2, 0.4, 0.9, 0.5]), np.array([1, 1, 5, 0]))
    assert mean_by_frequency(ap) == [(1.0, pytest.approx(0.3), 2), (5.0, 0.9, 1)]


def test_markup_is_escaped_once():
    inner = tag("b", "<&>", title='"', hidden=False, open=True)
    assert inner == '<b title="&quot;" open>&lt;&amp;&gt;</b>'
    assert join(inner, None, "<") == Markup(f"{inner}&lt;")
