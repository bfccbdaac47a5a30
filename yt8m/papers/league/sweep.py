"""The league's runs in order, within a budget: the sweep, the best models, their fusions, seeds."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence

from yt8m import locks
from yt8m.papers.league import fusing
from yt8m.papers.league.contests import Contest, entrants
from yt8m.papers.league.entry import Entry, defaults_of, fingerprints
from yt8m.papers.league.standings import ranked
from yt8m.papers.league.steps import Ledger
from yt8m.papers.league.store import Store
from yt8m.papers.make_data import make
from yt8m.papers.one_run import OutDir
from yt8m.papers.results import Result
from yt8m.papers.small_data import DEFAULT_SIZES, DataSet, Sizes

_LEAST_MINUTES = 0.5  # what is left of the budget when no other command begins


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is run, and how long it may take.

    Attributes:
      contests: the contests, in the order in which they are run.
      only: names of the models; empty stands for all.
      budget_minutes: minutes of all commands together, over all sessions with one --out_dir.
      minutes_a_run: limit of each training of the sweep.
      best: number of models of a contest that are trained for longer, with all seeds, and fused.
      best_minutes: limit of their trainings.
      seeds: number of seeds of the best models.
      retry_failed: run again what failed.
    """

    contests: Sequence[Contest]
    only: Sequence[str] = ()
    budget_minutes: float = 600.0
    minutes_a_run: float = 3.0
    best: int = 5
    best_minutes: float = 25.0
    seeds: int = 3
    retry_failed: bool = False


class Sweep:
    """Runs what is missing. Each result is stored before the next run begins.

    Args:
      plan: what is run.
      out: folder that runs are in.
      store: where results are kept.
      sample_dir: see `yt8m.papers.make_data.make`.
      audioset_dir: the same.
      sizes: sizes of the data sets that are made.
      stored: called after each result.
    """

    def __init__(
        self,
        plan: Plan,
        out: OutDir,
        store: Store,
        sample_dir: str = "",
        audioset_dir: str = "",
        sizes: Sizes = DEFAULT_SIZES,
        stored: Callable[[], None] = lambda: None,
    ):
        self.plan, self.out, self.store, self._stored = plan, out, store, stored
        self._sources = {"sample_dir": sample_dir, "audioset_dir": audioset_dir}
        self._sizes = sizes
        self._ledger = Ledger(os.path.join(out.path, "league", "spent.json"))
        self._data: dict[str, DataSet] = {}
        self._tried: set[str] = set()
        self.left_out: list[str] = []

    def run(self) -> list[str]:
        """Run everything that the budget allows, and return the titles of what it left out.

        Raises:
          UserError: a data set is missing, or differs from that of the stored results.
          Stopped: a signal stopped a command; the same call resumes.
        """
        league = os.path.join(self.out.path, "league")
        with locks.held(locks.inside(league), league):
            return self._run(self.plan)

    def _run(self, plan: Plan) -> list[str]:
        for contest in plan.contests:
            self._open(contest)
        for contest in plan.contests:
            for model in entrants(contest, plan.only):
                self._enter(contest, model, 0, plan.minutes_a_run)
                self._tidy(contest)
        for contest in plan.contests:
            for model in self._chosen_of_best(contest):
                self._enter(contest, model, 0, plan.best_minutes)
            self._fuse(contest)
        for seed in range(1, plan.seeds):
            for contest in plan.contests:
                for model in self._chosen_of_best(contest):
                    self._enter(contest, model, seed, plan.best_minutes)
        self._keep_sweep()
        return self.left_out

    def spent_minutes(self) -> float:
        """Return the minutes that all commands have taken so far."""
        return self._ledger.seconds / 60.0

    def _open(self, contest: Contest) -> None:
        folder = os.path.join(self.out.path, "data")
        data = make(contest.data, folder, sizes=self._sizes, say=self.out.say, **self._sources)
        self.store.check_records(contest.name, fingerprints(data))
        self._data[contest.name] = data

    def _entry(self, contest: Contest, model: str, seed: int) -> Entry:
        return Entry(self.out, contest, self._data[contest.name], model, seed, self._ledger)

    def _best(self, contest: Contest) -> list[str]:
        """Return the best models so far, whether chosen or not, by their results with seed 0."""
        found = [r for m in entrants(contest) if (r := self.store.run(contest.name, m, 0))]
        return [r["model"] for r in ranked(found, contest.metric)][: self.plan.best]

    def _chosen_of_best(self, contest: Contest) -> list[str]:
        chosen = entrants(contest, self.plan.only)
        return [model for model in self._best(contest) if model in chosen]

    def _enter(
        self, contest: Contest, model: str, seed: int, minutes: float, again: bool = False
    ) -> None:
        """Run one entry, unless its result is stored already.

        Args:
          contest: the contest.
          model: name of the model.
          seed: seed of the run.
          minutes: limit of the training.
          again: run it even so.
        """
        entry = self._entry(contest, model, seed)
        before = self.store.run(contest.name, model, seed)
        if before and not again and self._is_done(entry, before, minutes):
            return
        left = self.plan.budget_minutes - self.spent_minutes()
        if left < _LEAST_MINUTES:
            self.left_out.append(f"{entry.title} ({minutes:g} min)")
            return
        self._tried.add(entry.title)
        result = entry.run(min(minutes, left))
        self.store.put(result)
        # Other seeds are not fused. What only the budget cut short may go on.
        if seed and not (result.get("stopped") and left < minutes):
            entry.delete()
        self._keep_sweep()
        self._stored()

    def _is_done(self, entry: Entry, result: Result, minutes: float) -> bool:
        if result["defaults"] != defaults_of(entry.model):
            self.out.say(f"{entry.title}: its recipe or its arguments have changed since")
            return False
        if "failed" in result:
            return not self.plan.retry_failed or entry.title in self._tried
        return not result["stopped"] or result["limit_minutes"] >= minutes

    def _tidy(self, contest: Contest) -> None:
        """Delete the runs that are not among the best so far: their checkpoints are large."""
        kept = self._best(contest)
        for r in self.store.runs():
            is_measured = r["contest"] == contest.name and not r["seed"] and "failed" not in r
            if is_measured and r["model"] not in kept:
                self._entry(contest, r["model"], 0).delete()

    def _fuse(self, contest: Contest) -> None:
        models = self._best(contest)
        found = [r for m in models if (r := self.store.run(contest.name, m, 0))]
        before = self.store.fusion(contest.name)
        if len(found) < 2:
            return
        if before and before["made_of"] == fusing.made_of(found):
            failed = "failed" in before
            if not failed or not self.plan.retry_failed:
                return
        entries = [self._entry(contest, r["model"], 0) for r in found]
        for entry in entries:
            if not entry.has_model() and entry.model in self._chosen_of_best(contest):
                self._enter(contest, entry.model, 0, self.plan.best_minutes, again=True)
        gone = [entry.model for entry in entries if not entry.has_model()]
        left = self.plan.budget_minutes - self.spent_minutes()
        if left < _LEAST_MINUTES:
            self.left_out.append(f"the fusion on {contest.name}")
            return
        if gone:
            self.out.say(
                f"no fusion on {contest.name}: the trained models of {', '.join(gone)} are not in"
                f" {self.out.path}; name them in --only, or leave --only out"
            )
            return
        found = [r for e in entries if (r := self.store.run(contest.name, e.model, 0))]
        self.store.put(fusing.fuse(entries, found))
        self._stored()

    def _keep_sweep(self) -> None:
        """Store what the page says about the sweep itself."""
        plan = self.plan
        names = ("budget_minutes", "minutes_a_run", "best", "best_minutes", "seeds")
        self.store.put_sweep(
            {
                **{name: getattr(plan, name) for name in names},
                "spent_minutes": round(self.spent_minutes(), 1),
                "left_out": self.left_out,
            }
        )
