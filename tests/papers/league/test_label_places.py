"""Numbers beside points cover neither the points nor one another."""

import itertools

from yt8m.papers.league.label_places import label_places


def boxes(points, places):
    return [(x + dx, y + dy) for (x, y), (dx, dy) in zip(points, places)]


def test_labels_of_neighbors_are_apart():
    points = [(100.0, 100.0), (101.0, 100.0), (103.0, 101.0), (100.0, 104.0), (140.0, 100.0)]
    labels = boxes(points, label_places(points))
    for (x, y), (u, v) in itertools.combinations(labels, 2):
        assert abs(x - u) >= 9 or abs(y - v) >= 8
    for (x, y), (u, v) in itertools.product(labels, points):
        assert abs(x - u) >= 7 or abs(y - v) >= 6.5


def test_a_label_avoids_points_without_one():
    alone = label_places([(0.0, 0.0)])
    beside = label_places([(0.0, 0.0)], [alone[0]])
    assert alone != beside


def test_points_at_one_place_still_get_labels():
    assert len(label_places([(0.0, 0.0)] * 40)) == 40
