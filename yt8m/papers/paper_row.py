"""A reported result: one row of a table of the papers, with the paper's setting and a small one."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

METRICS = ("gap", "map", "perr", "hit_at_1", "hit_at_5")

VariantName = Literal["small", "paper", "code"]


@dataclasses.dataclass(frozen=True)
class Stage:
    """One command of a row that trains.

    Attributes:
      name: name of its folder; `{name}` in the flags of later stages stands for that folder.
      kind: "train" runs train.py; "predict" runs inference.py and writes the scores of a split.
      flags: flags of the script, without data, folder and seed. `{name}` stands for the folder of
        an earlier stage, `{run:ROW}` for the trained folder of another row on the same data.
      flags_for: data set -> further flags, which override `flags`.
      of: for "predict", the stage or `run:ROW` whose model predicts.
      split: for "predict", "train" or "validate".
      validate: for "train", whether to validate after each epoch, which a trainer that selects a
        model requires.
    """

    name: str
    kind: Literal["train", "predict"] = "train"
    flags: tuple[str, ...] = ()
    flags_for: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    of: str = ""
    split: Literal["train", "validate"] = "train"
    validate: bool = False


@dataclasses.dataclass(frozen=True)
class Fuse:
    """A fusion of the models of other rows.

    Attributes:
      method: --method of fusion.py.
      inputs: `ROW`, or `ROW@DATA` for a model that is trained on another data set.
    """

    method: str
    inputs: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Variant:
    """One way to run a row: stages, or a fusion.

    Attributes:
      data: for "small", names of `yt8m.papers.small_data`; otherwise a sentence.
      level: level of the records that the model reads, "video" or "frame"; "" for a fusion.
      stages: stages in order; the model of the last "train" stage is evaluated.
      fuse: a fusion, in place of stages.
      eval_flags: flags of eval.py.
      seeds: seeds; each is a run of its own.
      minutes: expected minutes per run on 2 cores.
    """

    data: tuple[str, ...]
    level: str = ""
    stages: tuple[Stage, ...] = ()
    fuse: Fuse | None = None
    eval_flags: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (0,)
    minutes: float = 0.0


@dataclasses.dataclass(frozen=True)
class PaperRow:
    """One reported result.

    Attributes:
      name: name on the command line, and of the file in `rows/`.
      table: one of `yt8m.papers.paper_tables.TABLES`.
      row: title in that table.
      order: place in that table.
      source: paper and table, or section.
      paper: the full setting of the paper's text, and of its code where the text is silent.
      small: a setting that trains on 2 cores in minutes.
      reported: the paper's numbers as fractions; empty where it reports none, as for controls.
      notes: what differs from the paper, what we chose ourselves, and what the small variant
        cannot show.
      also: another table that shows the same run -> its "row", "order" and "reported" there.
      code: the setting of the published code; None where none is known to differ from the text.
    """

    name: str
    table: str
    row: str
    order: int
    source: str
    paper: Variant
    small: Variant
    reported: dict[str, float] = dataclasses.field(default_factory=dict)
    notes: str = ""
    also: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    code: Variant | None = None

    def variant(self, name: VariantName) -> Variant:
        """Return a variant; for "code", the paper's if the row has none of its own."""
        if name == "code":
            return self.code or self.paper
        return self.small if name == "small" else self.paper
