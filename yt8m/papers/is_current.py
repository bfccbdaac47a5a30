"""Whether a result is of its recipe's settings as they are now: its commands tell."""

from __future__ import annotations

import os
from collections.abc import Iterable

from yt8m.papers import commands
from yt8m.papers.paper_row import PaperRow, find
from yt8m.papers.results import Result
from yt8m.papers.small_data import NAMES, DataSet, describe


def commands_now(
    recipes: dict[str, PaperRow],
    name: str,
    variant: str,
    data: DataSet,
    seed: int,
    out_dir: str = commands.USUAL_PLACE,
) -> list[str]:
    """Return the commands that a run of a recipe under `out_dir` has by its settings, as results keep them."""
    recipe = recipes[name]

    def at(of: str, data_name: str) -> str:
        return commands.folder_of(out_dir, of, variant, data_name, seed)

    fuse = recipe.variant(variant).fuse
    if fuse:
        inputs = [text.partition("@")[::2] for text in fuse.inputs]
        models = [
            (find(n, recipes), at(n, other if other and variant == "small" else data.name))
            for n, other in inputs
        ]
        predictions, steps = commands.fusion_steps(
            recipe, variant, data, at(name, data.name), models
        )
        return [s.shown() for s in [*(step for _, step in predictions), *steps]]
    trained = lambda n: commands.trained_folder(find(n, recipes), variant, at(n, data.name))  # noqa: E731
    return [
        s.shown() for s in commands.steps(recipe, variant, data, seed, at(name, data.name), trained)
    ]


def sort_out(
    results: Iterable[Result], recipes: dict[str, PaperRow]
) -> tuple[list[Result], list[Result]]:
    """Part small results of recipes that exist into those of today's settings and those of others.

    A result on records of one's own is neither: nothing is said of what they hold.
    """
    now: list[Result] = []
    others: list[Result] = []
    for r in results:
        if r["variant"] == "small" and r["recipe"] in recipes and r["data"]["name"] in NAMES:
            data = describe(r["data"]["name"], os.path.join(commands.USUAL_PLACE, "data"))
            same = r["commands"] == commands_now(recipes, r["recipe"], "small", data, r["seed"])
            (now if same else others).append(r)
    return now, others
