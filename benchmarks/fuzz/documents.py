"""JSON: config.json and the other documents of a run and of a fusion."""

from __future__ import annotations

import copy
import json
import os
from typing import Any

from hypothesis import strategies as st

from benchmarks.fuzz.bytes_of import any_damage, encoded
from benchmarks.fuzz.case import Target
from benchmarks.fuzz.inputs import resumed

_VALUES = [
    None, True, False, 0, 1, -1, 2, 5, 10**9, 2**63, 10**30, 0.5, -0.5, 1e308, float("nan"),
    float("inf"), "", "a", "é", "\0", "../..", "LogisticModel", "MoeModel", "frame", "video",
    "a" * 300, [], [1], [None], ["a"], [[1]], [-1], [1e9], {}, {"a": 1}, {"": None},
    {"a": {"a": {"a": []}}},
]  # fmt: skip
_APS = "run/eval/per_class_ap.json"
_OF_RUN = (
    "config.json", "metrics.jsonl", "best/metrics.json", "last/metrics.json", "eval/metrics.json",
    "eval/details.json", "eval/per_class_ap.json", "classes.csv", "checkpoints/shards-0-of-1.json",
)  # fmt: skip


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value[:8])
    return [path, *(place for key, inner in items for place in _places(inner, (*path, key)))]


@st.composite
def document(draw: Any, content: bytes) -> bytes:
    """Return JSON with other values, without some, or with more."""
    lines = [] if is_json(content) else [json.loads(line) for line in content.decode().splitlines()]
    value = copy.deepcopy(lines or json.loads(content))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(_places(value)))
        what = draw(st.sampled_from(["set", "set", "set", "drop", "add"]))
        new = copy.deepcopy(draw(st.sampled_from(_VALUES)))
        if not path:
            value = new if what == "set" else value
            break
        parent = value
        for key in path[:-1]:
            parent = parent[key]
        if what == "drop":
            del parent[path[-1]]
            break
        if what == "add" and isinstance(parent, dict):
            parent[draw(st.sampled_from(["a", "", "format", "name"]))] = new
        else:
            parent[path[-1]] = new
    if lines and isinstance(value, list):
        text = "".join(json.dumps(one) + "\n" for one in value)
    else:
        text = json.dumps(value)
    return draw(encoded(text))


def is_json(content: bytes) -> bool:
    """Return whether bytes are one JSON value; JSON lines are several."""
    try:
        json.loads(content)
    except ValueError:
        return False
    return True


def of(folder: str, *names: str) -> Any:
    """Return a strategy that changes one of some documents."""

    def changed(name: str) -> Any:
        with open(os.path.join(folder, name), "rb") as source:
            content = source.read()
        made = any_damage(content) if name.endswith(".csv") else document(content)
        return (
            st.integers(0, 4)
            .flatmap(lambda n: any_damage(content) if n == 0 else made)
            .map(lambda new: {name: new})
        )

    return st.sampled_from(names).flatmap(changed)


def targets(folder: str) -> list[Target]:
    """Return the targets.

    Args:
      folder: the valid inputs.
    """
    from yt8m.runs.folder import RunFolder
    from yt8m.runs.load import load_run

    names = [f"run/{n}" for n in _OF_RUN if os.path.exists(os.path.join(folder, "run", n))]
    config = of(folder, "run/config.json")

    def settings(place: str) -> object:
        return RunFolder(os.path.join(place, "run")).load_config()

    def model(place: str) -> object:
        run = RunFolder(os.path.join(place, "run"))
        return load_run(run.path, "--train_dir")

    aps = ("fuse", "--inputs={in}/fuse.csv,{in}/other.csv", "--output_file={in}/out.csv",
           "--method=l1", f"--ap_files={{in}}/{_APS},{{in}}/{_APS}")  # fmt: skip
    report = ("report", "{in}/run", "--out={in}/page.html")
    resume = st.just(resumed(folder))
    return [
        Target("config.json", "settings", ("run",), config, None, settings, 6),
        Target("model of config.json", "settings", ("run",), config, None, model, 0.06),
        Target("report", "settings", ("run",), of(folder, *names), st.just(report), None, 2),
        Target(
            "APs", "settings", ("fuse.csv", "other.csv", _APS), of(folder, _APS), st.just(aps)
        ),
        Target(
            "evaluate the run", "settings", ("run", "video"), of(folder, *names),
            st.just(("eval", "--train_dir={in}/run")), None, 0.05,
        ),
        Target("resume", "settings", ("run", "video"), of(folder, *names), resume, None, 0.1),
    ]  # fmt: skip
