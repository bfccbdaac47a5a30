"""A report, from the folders of runs to the page."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import tensorflow as tf

from yt8m import hub
from yt8m.errors import UserError
from yt8m.files import WholeFile
from yt8m.report import compared, fused, one
from yt8m.report.page import page
from yt8m.report.read import read_run, titles
from yt8m.report.settings import ReportSettings


def write_report(
    settings: ReportSettings, evaluation_folder: str = "", say: Callable[[str], None] = print
) -> None:
    """Write the page about one or several runs and fusions.

    Args:
      settings: what, and where.
      evaluation_folder: where eval.py wrote the evaluation of the only run; "" is the run's own
        place.
      say: prints a line.

    Raises:
      UserError: a folder contains no run, a file is not a fusion's, or the page cannot be written.
    """
    places = [place.strip() for place in settings.runs if place.strip()]
    if not places:
        raise UserError(
            "no run is named; give the folders that train.py wrote: yt8m report runs/moe"
            " --out=report.html."
        )
    if len(set(map(os.path.realpath, places))) < len(places):
        raise UserError(f"--runs names one run twice: {', '.join(places)}.")
    with WholeFile(settings.out, "--out", what="a page", heads=("<!doctype html",)) as out:
        text = report(places, settings.vocabulary_file, evaluation_folder)
        out.write(text)
    say(f"wrote {settings.out} ({len(text.encode()) / 1e3:,.0f} kB)")


def report(places: Sequence[str], vocabulary_file: str = "", evaluation_folder: str = "") -> str:
    """Return the text of the page; see `write_report`."""
    try:
        return _page(places, vocabulary_file, evaluation_folder)
    # What a document lacks, or holds in another form, shows only where it is used.
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError) as error:
        raise UserError(
            f"a file of {', '.join(places)} has other contents than this program writes"
            f" ({type(error).__name__}: {str(error)[:100]}): metrics.jsonl, config.json, or a"
            " metrics.json, per_class_ap.json or details.json. Evaluate again, or delete what was"
            " changed; YT8M_TRACEBACK=1 shows where it was used."
        ) from error


def _page(places: Sequence[str], vocabulary_file: str, evaluation_folder: str) -> str:
    fusions, runs = [], []
    for place, title in zip(places, titles(places)):
        if _is_file(place):
            fusions.append(fused.read_fusion(place, title))
        else:
            runs.append(read_run(place, title, vocabulary_file, evaluation_folder))
    sections = [fused.section(fusion) for fusion in fusions]
    if len(runs) == 1:
        sections += one.sections(runs[0])
    elif runs:
        sections += compared.sections(runs)
    if len(runs) == 1 and not fusions:
        model, title = runs[0].config.model.name, runs[0].title
        return page(model if model == title else f"{model}, {title}", sections)
    named = ", ".join([run.title for run in runs] + [fusion.title for fusion in fusions])
    return page(f"{len(runs)} runs: {named}" if len(runs) > 1 and not fusions else named, sections)


def _is_file(place: str) -> bool:
    if hub.is_address(place):
        return False
    return tf.io.gfile.exists(place) and not tf.io.gfile.isdir(place)
