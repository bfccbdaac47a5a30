"""`yt8m papers table league`: its flags, and what it writes."""

from __future__ import annotations

import argparse
import os

from yt8m.errors import UserError
from yt8m.flags import Parser, bounded
from yt8m.papers import commands, results
from yt8m.papers.league import picture
from yt8m.papers.league.contests import CONTESTS, chosen, entrants
from yt8m.papers.league.page import counted, page
from yt8m.papers.league.store import Places, Store
from yt8m.papers.league.sweep import Plan, Sweep
from yt8m.papers.make_data import AUDIOSET_VARIABLE
from yt8m.papers.one_run import OutDir
from yt8m.settings import MINUTES

NAME = "league"


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line after `table league`."""
    about = (
        "Train every registered model by its default recipe on real frames, on real means and on"
        " frames around them, and write the league's page and picture. The same command resumes it."
    )
    p = Parser(prog="python -m yt8m.papers table league", description=about)
    plan = {field: getattr(Plan, field) for field in ("minutes_a_run", "best_minutes")}

    def number(flag: str, kind: type, default: float, text: str) -> None:
        least = 1 if kind is int else 1e-3
        p.add_argument(
            f"--{flag}",
            type=bounded(kind, least, MINUTES),
            default=default,
            help=f"{text} (default: {default})",
        )

    budget = "minutes of all commands, over all sessions with one --out_dir; more continues"
    number("budget_minutes", float, Plan.budget_minutes, budget)
    number("minutes_a_run", float, plan["minutes_a_run"], "minutes of each training of the sweep")
    number("best", int, Plan.best, "models of a data set that are trained for longer and fused")
    number("best_minutes", float, plan["best_minutes"], "minutes of each of their trainings")
    number("seeds", int, Plan.seeds, "seeds of the best models")
    p.add_argument("--only", default="", help="comma-separated models (default: all)")
    sets = f"comma-separated data sets out of {', '.join(CONTESTS)} (default: all)"
    p.add_argument("--data", default="", help=sets)
    again = "run again what failed before"
    p.add_argument("--retry_failed", action="store_true", help=again)
    nothing = "run nothing: write the page and the picture from the stored results"
    p.add_argument("--norun", action="store_true", help=nothing)
    runs = "folder of runs and data sets (default: %(default)s in the current folder)"
    p.add_argument("--out_dir", default=commands.USUAL_PLACE, help=runs)
    sample = "the real sample, with train/ and validate/ (default: $YT8M_SAMPLE_DIR)"
    p.add_argument("--sample_dir", default="", help=sample)
    audioset = f"AudioSet's embeddings, with train/ and validate/ (default: ${AUDIOSET_VARIABLE})"
    p.add_argument("--audioset_dir", default="", help=audioset)
    write_to = (
        "folder of the results, the page and the picture (default: the project's own in a"
        " checkout, else league/ in --out_dir)"
    )
    p.add_argument("--write_to", default="", help=write_to)
    p.set_defaults(what=NAME)
    return p


def main(a: argparse.Namespace) -> int:
    """Run the league, and write its page and picture.

    Returns:
      Exit code: 0, also where the budget left runs out, or 1 if a run failed.

    Raises:
      UserError: a flag or a data set is wrong.
      Stopped: a signal stopped a command.
    """
    places = _places(a)
    store = Store(places.results)
    if not a.norun:
        plan = _plan(a)
        out = OutDir(_shown(a.out_dir), lambda text: print(text, flush=True))
        _say_plan(plan)
        sweep = Sweep(
            plan, out, store, a.sample_dir, a.audioset_dir, stored=lambda: _write_page(places)
        )
        left_out = sweep.run()
        print(f"\n{sweep.spent_minutes():.1f} of {plan.budget_minutes:g} minutes are spent")
        if left_out:
            runs = counted(len(left_out), "run")
            print(f"the budget left out {runs}; a larger --budget_minutes goes on:")
            print("\n".join(f"  {title}" for title in left_out))
    _write_picture(places, store)
    _write_page(places)
    print(f"wrote {places.page}")
    failed = [r for r in (*store.runs(), *store.fusions()) if "failed" in r]
    for r in failed:
        print(f"failed: {r.get('model', 'the fusion')} on {r['contest']}: {r['failed']}")
    return 1 if failed and not a.norun else 0


def _plan(a: argparse.Namespace) -> Plan:
    plan = Plan(
        chosen(_names(a.data)),
        _names(a.only),
        a.budget_minutes,
        a.minutes_a_run,
        a.best,
        a.best_minutes,
        a.seeds,
        a.retry_failed,
    )
    if not any(entrants(contest, plan.only) for contest in plan.contests):
        raise UserError(
            f"none of --only={a.only} enters --data={a.data or 'all'}: a model enters the data"
            " sets of its level, frame or video."
        )
    return plan


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _say_plan(plan: Plan) -> None:
    for contest in plan.contests:
        count = len(entrants(contest, plan.only))
        best = min(plan.best, count)
        minutes = count * plan.minutes_a_run + best * plan.seeds * plan.best_minutes
        print(
            f"{contest.name}: {counted(count, 'model')} for {plan.minutes_a_run:g} min, then the"
            f" best {best} for {plan.best_minutes:g} min with {counted(plan.seeds, 'seed')};"
            f" at most {minutes:g} min of training"
        )
    print(f"budget: {plan.budget_minutes:g} min over all sessions", flush=True)


def _shown(out_dir: str) -> str:
    """Return a folder relative to the current one if it is inside it."""
    absolute, here = os.path.abspath(out_dir), os.getcwd()
    inside = absolute.startswith(here + os.sep)
    return os.path.relpath(absolute, here) if inside else absolute


def _places(a: argparse.Namespace) -> Places:
    if a.write_to:
        return Places.within(a.write_to)
    if results.is_checkout():
        return Places.of_project()
    return Places.within(os.path.join(a.out_dir, NAME))


def _write_picture(places: Places, store: Store) -> None:
    runs = store.runs()
    if not picture.can_draw():
        print("no picture: it needs matplotlib, which `pip install 'yt8m[figures]'` installs")
        return
    svg = picture.draw(runs)
    if svg is not None:
        _write(places.picture, svg)
        print(f"wrote {places.picture}")


def _write_page(places: Places) -> None:
    store = Store(places.results)
    models = {contest.level: entrants(contest) for contest in CONTESTS.values()}
    _write(places.page, page_of(places, store, models))


def page_of(places: Places, store: Store, models: dict[str, list[str]]) -> str:
    """Return the page of the stored results, with the picture if there is one.

    Args:
      places: where the page and the picture are.
      store: the results.
      models: see `yt8m.papers.league.page.page`.
    """
    shown = ""
    if os.path.isfile(places.picture):
        shown = os.path.relpath(places.picture, os.path.dirname(places.page))
    return page(store.runs(), store.fusions(), store.sweep(), models, shown)


def _write(path: str, text: str) -> None:
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path + ".tmp", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(path + ".tmp", path)
