"""Checks, by its commands, whether a result was made with its row's current settings."""

from __future__ import annotations

import os
from collections.abc import Iterable

from yt8m.papers import commands
from yt8m.papers.commands import Step
from yt8m.papers.paper_row import PaperRow, VariantName
from yt8m.papers.paper_tables import find
from yt8m.papers.results import Result
from yt8m.papers.small_data import NAMES, DataSet, describe


def commands_now(
    rows: dict[str, PaperRow],
    name: str,
    variant: VariantName,
    data: DataSet,
    seed: int,
    out_dir: str = commands.USUAL_PLACE,
) -> list[str]:
    """Return the current commands of a row's run under `out_dir`, as results record them."""
    return [s.shown() for s in _steps(rows, name, variant, data, seed, out_dir)]


def _steps(
    rows: dict[str, PaperRow],
    name: str,
    variant: VariantName,
    data: DataSet,
    seed: int,
    out_dir: str,
) -> list[Step]:
    row = rows[name]

    def folder(of: str, data_name: str = data.name) -> str:
        return commands.run_folder(out_dir, of, variant, data_name, seed)

    fuse = row.variant(variant).fuse
    if fuse:
        models = [commands.fused_model(t, rows, variant, data.name, folder) for t in fuse.inputs]
        scoring, scores = commands.scoring_steps(models, variant, data)
        fusions = commands.fusion_steps(row, variant, data, folder(name), scores)
        return [*(step for _, step in scoring), *fusions]

    def trained(of: str) -> str:
        return commands.trained_folder(find(of, rows), variant, folder(of))

    return commands.training_steps(row, variant, data, seed, folder(name), trained)


def sort_out(
    results: Iterable[Result], rows: dict[str, PaperRow]
) -> tuple[list[Result], list[Result]]:
    """Split the small results of existing rows into those with current settings and the others.

    Results on a user's own records are left out of both: nothing is known about those records.
    """
    now: list[Result] = []
    others: list[Result] = []
    for r in results:
        if r["variant"] == "small" and r["recipe"] in rows and r["data"]["name"] in NAMES:
            data = describe(r["data"]["name"], os.path.join(commands.USUAL_PLACE, "data"))
            same = r["commands"] == commands_now(rows, r["recipe"], "small", data, r["seed"])
            (now if same else others).append(r)
    return now, others
