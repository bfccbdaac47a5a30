"""The contests of the league: a data set each, the models that enter, and the metric that ranks."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal

from yt8m.errors import UserError, near_misses
from yt8m.papers.small_data import TOP_K


@dataclasses.dataclass(frozen=True)
class Contest:
    """A data set on which all models of its level are compared.

    Attributes:
      name: name on the command line and in results.
      title: heading of its table.
      level: level of its records, and so of the models that enter.
      metric: what ranks the models.
      data: name of the data set in `yt8m.papers.small_data`.
    """

    name: str
    title: str
    level: str
    metric: Literal["gap", "map"]
    data: str

    @property
    def top_k(self) -> int:
        """Best classes of a video that enter the metrics."""
        return TOP_K.get(self.data, 20)


CONTESTS = {
    contest.name: contest
    for contest in (
        Contest("audioset", "AudioSet: real frames", "frame", "map", "audioset"),
        Contest("video", "YouTube-8M: real means", "video", "gap", "sample-video-all"),
        Contest(
            "frames",
            "YouTube-8M: frames generated around real means",
            "frame",
            "gap",
            "sample-frames-all",
        ),
    )
}


def chosen(names: Sequence[str]) -> list[Contest]:
    """Return the contests by name, all of them if none is named.

    Raises:
      UserError: there is no such contest.
    """
    for name in names:
        if name not in CONTESTS:
            raise UserError(
                f"--data={name} is not a data set of the league.{near_misses(name, CONTESTS)} They"
                f" are {', '.join(CONTESTS)}."
            )
    return [CONTESTS[name] for name in names or CONTESTS]


def entrants(contest: Contest, only: Sequence[str] = ()) -> list[str]:
    """Return the registered classification models of a contest's level.

    Args:
      contest: the contest.
      only: names or aliases of the models to keep; none keeps all.

    Raises:
      UserError: one of them is not a classification model.
    """
    from yt8m.models.core import registry

    every = registry.list_models()
    wanted = {registry.own_name(name) for name in only}
    for name in sorted(wanted - set(every)):
        raise UserError(
            f"--only={name}: the model classifies nothing, so it has no place in the league."
        )
    level = contest.level
    models = [name for name in every if registry.model_class(name).level == level]
    return [name for name in models if not wanted or name in wanted]
