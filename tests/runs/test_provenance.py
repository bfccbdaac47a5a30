"""Derived files are used again only for the inputs that they were made from."""

import json

import pytest

from yt8m.runs.provenance import Provenance

NOW = {"model": "a1", "shards": ("x", "y")}


@pytest.mark.parametrize(
    ("before", "changed", "known_changed"),
    [
        (None, [], []),
        ({"model": "a1", "shards": ["x", "y"]}, [], []),
        ({"model": "a1", "shards": ["x", "y"], "more": 1}, [], []),
        ({"model": "b2", "shards": ["x", "y"]}, ["model"], ["model"]),
        ({"shards": ["x"]}, ["model", "shards"], ["shards"]),
        ({}, ["model", "shards"], []),
    ],
)
def test_what_differs_is_named(before, changed, known_changed, tmp_path):
    path = tmp_path / "about.json"
    if before is not None:
        path.write_text(json.dumps(before))
    made = Provenance(str(path), NOW)
    assert made.changed() == changed
    assert made.changed(unknown_is_same=True) == known_changed


def test_what_was_recorded_is_read_back(tmp_path):
    path = tmp_path / "about.json"
    Provenance(str(path), NOW).record()
    assert json.loads(path.read_text()) == {"model": "a1", "shards": ["x", "y"]}
    assert not Provenance(str(path), NOW).changed()
    assert Provenance(str(path), {**NOW, "model": "c"}).changed() == ["model"]
