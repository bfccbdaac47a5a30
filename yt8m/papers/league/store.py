"""The stored results of the league, a small JSON file for each run and each fusion."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

from yt8m.errors import UserError
from yt8m.papers import results
from yt8m.papers.results import Result, read_json, write_json

_SWEEP = "sweep.json"  # the settings of the last sweep, and what it left out


@dataclasses.dataclass(frozen=True)
class Places:
    """Where the league writes what it finds.

    Attributes:
      results: folder of the results.
      page: the page with the tables.
      picture: the picture.
    """

    results: str
    page: str
    picture: str

    @classmethod
    def within(cls, folder: str) -> Places:
        """Return the places in one folder."""
        return cls(*(os.path.join(folder, n) for n in ("results", "LEAGUE.md", "league.svg")))

    @classmethod
    def of_project(cls) -> Places:
        """Return the places in the project's checkout."""
        papers = os.path.dirname(results.COMMITTED)
        return cls(
            os.path.join(results.COMMITTED, "league"),
            os.path.join(papers, "LEAGUE.md"),
            os.path.join(results.ROOT, "docs", "league.svg"),
        )


class Store:
    """The results in one folder.

    Args:
      folder: it need not exist yet.
    """

    def __init__(self, folder: str):
        self.folder = folder

    def runs(self) -> list[Result]:
        """Return the results of all runs, those that failed included."""
        return [r for r in self._every() if "model" in r]

    def run(self, contest: str, model: str, seed: int) -> Result | None:
        """Return the result of one run, or None."""
        return self._read(_name_of_run(contest, model, seed))

    def fusion(self, contest: str) -> Result | None:
        """Return the result of a contest's fusion, or None."""
        return self._read(f"{contest}--fusion.json")

    def fusions(self) -> list[Result]:
        """Return the results of all fusions."""
        return [r for r in self._every() if "methods" in r]

    def put(self, result: Result) -> None:
        """Store the result of a run or of a fusion, in place of an earlier one."""
        name = f"{result['contest']}--fusion.json"
        if "model" in result:
            name = _name_of_run(result["contest"], result["model"], result["seed"])
        write_json(os.path.join(self.folder, name), result)

    def sweep(self) -> dict[str, Any]:
        """Return the settings of the last sweep and what it left out; empty if there was none."""
        return self._read(_SWEEP) or {}

    def put_sweep(self, values: dict[str, Any]) -> None:
        """Store the settings of a sweep and what it left out."""
        write_json(os.path.join(self.folder, _SWEEP), values)

    def check_records(self, contest: str, data: dict[str, Any]) -> None:
        """Check that the stored results of a contest were made on these records.

        Raises:
          UserError: they were made on others, so that no table could compare them.
        """
        for r in self.runs():
            for split in ("train", "validate"):
                if r["contest"] == contest and r["data"][split]["sha1"] != data[split]["sha1"]:
                    raise UserError(
                        f"the results in {self.folder} were made on other {split} records of"
                        f" {contest}; give a folder of its own by --write_to, or the same records."
                    )

    def _read(self, name: str) -> Any:
        path = os.path.join(self.folder, name)
        return read_json(path) if os.path.isfile(path) else None

    def _every(self) -> list[Result]:
        names = sorted(os.listdir(self.folder)) if os.path.isdir(self.folder) else []
        return [self._read(n) for n in names if n.endswith(".json") and n != _SWEEP]


def _name_of_run(contest: str, model: str, seed: int) -> str:
    return f"{contest}--{model}--seed{seed}.json"
