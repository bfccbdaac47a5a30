"""How inference and fusion store scores."""

from __future__ import annotations

import dataclasses
from typing import Literal

from yt8m.errors import UserError
from yt8m.settings import setting

ScoresDtype = Literal["float32", "float16"]
ScoresFormat = Literal["npy", "parquet"]
SCORES = "Stored scores (--output_scores)"


@dataclasses.dataclass(frozen=True)
class ScoresSettings:
    """How scores are stored. Each field is the flag of the same name."""

    scores_top_k: int = setting(
        0,
        help="store only this many of the best classes of each video; 0: all classes",
        at_least=0,
        group=SCORES,
    )
    scores_dtype: ScoresDtype = setting(
        "float32",
        help="precision of the scores; float16 takes half the space",
        choices=ScoresDtype,
        group=SCORES,
    )
    scores_format: ScoresFormat = setting(
        "npy",
        help="npy: arrays that are memory-mapped; parquet: a table for pandas and DuckDB, a row per"
        " video (requires pip install 'yt8m[parquet]')",
        choices=ScoresFormat,
        group=SCORES,
    )


def refuse_without_scores(settings: ScoresSettings) -> None:
    """Refuse a format when no scores are stored.

    Raises:
      UserError: names the flags.
    """
    given = {
        "--scores_top_k": settings.scores_top_k != 0,
        "--scores_format": settings.scores_format != "npy",
    }
    unused = [flag for flag, is_given in given.items() if is_given]
    if unused:
        raise UserError(
            f"{', '.join(unused)}: applies only to stored scores, and there is no --output_scores;"
            " give one, or drop the flag."
        )
