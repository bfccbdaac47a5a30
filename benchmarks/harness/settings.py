"""The flags of `python -m benchmarks`."""

from __future__ import annotations

import argparse
import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

from yt8m.errors import UserError, near_misses

ROOT = Path(__file__).resolve().parents[2]


@dataclasses.dataclass(frozen=True)
class Settings:
    """What to measure, where, and beside whom; each field is a flag of the same name."""

    only: str = ""
    rounds: int = 2
    sample_dir: str = os.environ.get("YT8M_SAMPLE_DIR", "")
    work_dir: str = "runs/benchmarks"
    starter_python: str = ""
    starter_code: str = ""
    garden_python: str = ""
    quick: bool = False
    profile: bool = False
    list: bool = False

    @property
    def folder(self) -> Path:
        """The absolute path of `--work_dir`."""
        return Path(self.work_dir).resolve()

    @property
    def out_dir(self) -> Path:
        """The folder of results.json and RESULTS.md; reduced runs must not replace real ones."""
        return self.folder / "quick" if self.quick else ROOT / "benchmarks"

    def rivals(self) -> dict[str, bool]:
        """Return for each rival whether its flags are given."""
        return {
            "starter": bool(self.starter_python and self.starter_code),
            "garden": bool(self.garden_python),
        }


_HELP = {
    "only": "names of benchmarks, separated by commas; by default all",
    "rounds": "how often each contender is measured, in turn with the others",
    "sample_dir": "folder with train/ and validate/ shards (default: $YT8M_SAMPLE_DIR)",
    "work_dir": "folder for data and trained runs, which are made once (default: %(default)s)",
    "starter_python": "Python 3.7 with TensorFlow 1.15.5, see benchmarks/README.md",
    "starter_code": "folder of google/youtube-8m at e6f6bf6",
    "garden_python": "Python 3.11 with tf-models-official 2.15.0",
    "quick": "reduce everything to see that it works; the results go to WORK_DIR/quick",
    "profile": "also print and store where a training step's time goes, by operation",
    "list": "print the benchmarks, their rivals and their goals, and exit",
}


def parse(argv: Sequence[str] | None, about: str, names: Sequence[str]) -> Settings:
    """Return the settings that the command line gives.

    Args:
      argv: the arguments; None takes the process's.
      about: the text of `--help`.
      names: the names that `--only` may have.

    Raises:
      UserError: a name is unknown, or a path does not exist.
    """
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=about,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for field in dataclasses.fields(Settings):
        how = (
            {"action": "store_true"}
            if isinstance(field.default, bool)
            else {"type": type(field.default), "default": field.default}
        )
        parser.add_argument(f"--{field.name}", help=_HELP[field.name], **how)
    settings = Settings(**vars(parser.parse_args(argv)))
    _check(settings, names)
    return settings


def _check(settings: Settings, names: Sequence[str]) -> None:
    for name in filter(None, settings.only.split(",")):
        if name not in names:
            raise UserError(f"--only={name} is no benchmark.{near_misses(name, names)}")
    if settings.rounds < 1:
        raise UserError(f"--rounds={settings.rounds}: 1 or more was expected.")
    for flag in ("sample_dir", "starter_python", "starter_code", "garden_python"):
        path = getattr(settings, flag)
        if path and not os.path.exists(path):
            raise UserError(f"--{flag}={path} does not exist.")
    if not settings.sample_dir and not settings.list:
        raise UserError("--sample_dir, or the variable YT8M_SAMPLE_DIR, must name the records.")
