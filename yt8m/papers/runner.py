"""Runs rows: makes data, runs the rows that one depends on, trains or fuses, and evaluates."""

from __future__ import annotations

import yt8m.process.quiet  # noqa: F401

import os
from collections.abc import Callable

from yt8m import locks
from yt8m.errors import UserError
from yt8m.papers import commands, fused
from yt8m.papers.make_data import make
from yt8m.papers.one_run import OneRun, OutDir, facts_of_training, rounded_metrics
from yt8m.papers.paper_row import PaperRow, VariantName
from yt8m.papers.paper_tables import find
from yt8m.papers.results import Result, read_json
from yt8m.papers.small_data import DEFAULT_SIZES, Sizes


def _print(text: str) -> None:
    print(text, flush=True)


class Runner:
    """Runs rows under one folder. It needs only the package, not its checkout.

    Args:
      rows: all rows by name.
      out_dir: folder for the runs, each in a folder of its own, and for `data/`.
      sample_dir: see `yt8m.papers.make_data.make`.
      sizes: sizes of the data sets.
      say: prints a line.
      audioset_dir: see `yt8m.papers.make_data.make`.
    """

    def __init__(
        self,
        rows: dict[str, PaperRow],
        out_dir: str,
        sample_dir: str = "",
        sizes: Sizes = DEFAULT_SIZES,
        say: Callable[[str], None] = _print,
        audioset_dir: str = "",
    ):
        self.rows, self.sizes, self.say = rows, sizes, say
        self._sources = {"sample_dir": sample_dir, "audioset_dir": audioset_dir}
        absolute, here = os.path.abspath(out_dir), os.getcwd()
        inside = absolute.startswith(here + os.sep)
        self.out = OutDir(os.path.relpath(absolute, here) if inside else absolute, say)

    def run(
        self,
        name: str,
        variant: VariantName = "small",
        data_name: str = "",
        seed: int = 0,
        again: bool = False,
    ) -> Result:
        """Run a row on one data set and return its result; a finished run is not repeated.

        Args:
          name: name of the row.
          variant: "small", "paper" or "code".
          data_name: a data set or a folder of records; default the first of the small variant.
          seed: --seed of train.py.
          again: delete an earlier run first.

        Raises:
          UserError: there is no such row, no data, or an earlier run with other settings.
          Failed: a command failed.
          Stopped: a signal stopped a command.
        """
        row = find(name, self.rows)
        if variant == "code" and not (row.code or row.paper.fuse):
            raise UserError(
                f"{name}: no published code is known to differ from the paper's text;"
                " --variant=paper is its setting."
            )
        if not data_name:
            if variant != "small":
                raise UserError(
                    f"--variant={variant} needs --data=FOLDER with train*.tfrecord and"
                    " validate*.tfrecord of the release."
                )
            data_name = row.small.data[0]
        run = self._one_run(row, variant, data_name, seed)
        with locks.held(locks.beside(run.folder), run.folder):
            return self._result(run, data_name, again)

    def _result(self, run: OneRun, data_name: str, again: bool) -> Result:
        """Return the result of a run, which no other process makes meanwhile."""
        row, variant, seed = run.row, run.variant, run.seed
        if again:
            run.delete()
        if variant != "small":
            # The folder's own splits are used, which may differ from the paper's.
            own = " or ".join(run.data.validate.values())
            self.say(
                f"{run.title}: {run.data.train} to train on, {own} to evaluate on."
                f" The paper had: {', '.join(row.paper.data)}"
            )
        fuse = row.variant(variant).fuse
        if fuse:
            return fused.fuse(
                run, [self._input(text, variant, data_name, seed) for text in fuse.inputs]
            )
        used = {n: self.run(n, variant, data_name, seed) for n in commands.needed(row, variant)}
        return self._train(run, used)

    def _one_run(self, row: PaperRow, variant: VariantName, data_name: str, seed: int) -> OneRun:
        level = row.variant(variant).level
        if os.path.isdir(data_name):
            data_name = os.path.abspath(data_name)
        folder = os.path.join(self.out.path, "data")
        data = make(data_name, folder, sizes=self.sizes, say=self.say, level=level, **self._sources)
        return OneRun(self.out, row, variant, data, seed)

    def _input(self, text: str, variant: VariantName, data_name: str, seed: int) -> fused.Input:
        """Return a model of a fusion, trained if necessary."""
        name, _, other = text.partition("@")
        trained_on = other if other and variant == "small" else data_name
        result = self.run(name, variant, trained_on, seed)
        data = result["data"]["name"]

        def folder(of: str, on: str) -> str:
            return commands.run_folder(self.out.path, of, variant, on, seed)

        return fused.Input(
            text, commands.fused_model(name, self.rows, variant, data, folder), result
        )

    def _train(self, run: OneRun, used: dict[str, Result]) -> Result:
        def trained(name: str) -> str:
            folder = commands.run_folder(self.out.path, name, run.variant, run.data.name, run.seed)
            return commands.trained_folder(self.rows[name], run.variant, folder)

        steps = commands.training_steps(
            run.row, run.variant, run.data, run.seed, run.folder, trained
        )
        done = run.finished(steps, used)
        if done:
            return done
        expected = f": about {run.row.small.minutes:g} min" if run.variant == "small" else ""
        self.say(f"== {run.title}{expected}")
        state = run.state
        for step in steps:
            self.out.execute(state, step, run.folder)
        metrics = read_json(os.path.join(steps[-1].output, "metrics.json"))
        return run.finish(
            {
                **run.facts(steps, state),
                **facts_of_training(commands.trained_folder(run.row, run.variant, run.folder)),
                "metrics": rounded_metrics(metrics),
            }
        )
