"""Runs and pages for the tests of reports."""

from __future__ import annotations

import html.parser
import json

import numpy as np

from tests.support.runs import new_run
from yt8m.data.schema import RecordSchema
from yt8m.evaluation.per_class_ap import write_per_class_ap
from yt8m.runs.folder import RunFolder

VOID = {"meta", "br", "link", "img", "input"}


class Page(html.parser.HTMLParser):
    """The elements of a page, its text, and whether every element that begins also ends."""

    def __init__(self, text: str):
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        assert not self.open, self.open
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "script"} & set(self.open):
            self.words.append(data)

    def all(self, tag):
        """Return the attributes of each element of a name."""
        return [attributes for name, attributes in self.elements if name == tag]


def write_run(folder, num_classes=12, seed=0, details=True, evaluated=True, **more):
    """Write the folder that training and evaluation leave, but for the model; return its path."""
    schema = RecordSchema("video", ("mean_rgb",), (4,), num_classes)
    run = RunFolder(str(folder))
    run.write_text("config.json", new_run("x/train*", "MoeModel", schema=schema, **more).to_json())
    run.log("started", step=0)
    for step in range(10, 210, 10):
        run.log("train", step=step, epoch=1, loss=9.0 / step, gap=step / 400)
        if step % 50 == 0:
            gap = 0.5 + step / 1000 - (0.2 if step == 200 else 0)
            run.log(
                "validation", step=step, epoch=step // 50, gap=gap, map=gap / 2, loss=5.0 / step
            )
    run.log("ended", seconds=75.0)
    if evaluated:
        _evaluation(run, num_classes, np.random.default_rng(seed), details)
    return str(folder)


def _evaluation(run, num_classes, rng, details):
    metrics = {
        "gap": 0.6 + rng.random() / 10, "map": 0.3, "perr": 0.6, "hit_at_1": 0.7, "hit_at_5": 0.9,
        "loss": 1.2, "num_examples": 160, "top_k": 20, "data": "x/validate*", "step": 150,
        "weights": f"{run.path}/best/model.weights.h5",
    }  # fmt: skip
    run.write_text("eval/metrics.json", json.dumps(metrics))
    positives = (rng.pareto(0.7, num_classes) * 3).astype(int) % 5000
    positives[:2] = 400, 0
    write_per_class_ap(
        run.file("eval", "per_class_ap.json"), rng.random(num_classes) * (positives > 0), positives
    )
    if details:
        run.write_text("eval/details.json", json.dumps(_details(num_classes, rng)))


def _details(num_classes, rng):
    classes = rng.integers(0, num_classes, (200, 4)).tolist()
    middles = [round(0.025 + 0.05 * i, 3) for i in range(20)]
    return {
        "format": 1,
        "calibration": {
            "count": [1000] * 19 + [0],
            "positives": [int(900 * m) for m in middles[:19]] + [0],
            "mean": [*middles[:19], 0.0],
        },
        "mistakes": [
            {"id": f"<{i}>", "class": a, "score": 0.9, "labels": [b, c], "label_scores": [0.1, 0.2]}
            for i, (a, b, c, _) in enumerate(classes[:100])
        ],
        "confusions": [[a, b, 200 - i, c] for i, (a, b, c, _) in enumerate(classes)],
    }
