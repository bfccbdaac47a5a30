"""The recipe files: one JSON a reported result, read, checked for completeness, and found by name or by table.

A file opens with the command that runs it; its flags stand there as they would on a command line, and
`small.measured` says what time and score to expect.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
from collections.abc import Sequence
from typing import Any

from yt8m.errors import UserError, near_misses

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "rows")
METRICS = ("gap", "map", "perr", "hit_at_1", "hit_at_5")

# Table -> its title; a table's rows are the recipes that name it, by `order`.
TABLES = {
    "1": "Video-level mixtures of experts (UTS 2017, Table 1)",
    "2": "Stacked RNNs (UTS 2017, Table 2)",
    "3": "Hierarchical and other RNNs (UTS 2017, Table 3)",
    "4": "1D ResNet and AttnVLAD (UTS 2017, Table 4)",
    "5": "Fusion (UTS 2017, Table 5)",
    "uts-losses": "Losses (UTS 2017, section 2.1)",
    "uts-labels": "Balanced batches, label weights, label noise (UTS 2017, section 2.1)",
    "kdd-1": "Steps of the large-scale trainer (KDD 2019, Table 1)",
    "kdd-2": "Size of the mixture (KDD 2019, Table 2)",
    "kdd-adaptive": "Experts by positives, q of KDD 2019, equation 4",
    "kdd-remedies": "What was tried where iRProp+ did not raise GAP",
    "kdd-fig-5": "Part of the data in a batch of iRProp+ (KDD 2019, Fig. 5)",
    "kdd-fig-6": "Growing training sets (KDD 2019, Fig. 6)",
    "kdd-pooling": "Pooling of frames (KDD 2019, eq. 1)",
    "kdd-3": "A single-label data set (KDD 2019, Table 3)",
    "kdd-4": "Evaluation on 30 frames (KDD 2019, Table 4)",
}

_VIDEOS = (
    "Of 23,091 videos a class has 18 positives on average and 3 in the median, so that q = 3 gives 69 % of the classes one expert,"
    " and 70 of 3,862 all 50."
)
_SINGLE = (
    "Of 21,561 videos, one label each, a class has 44 positives on average and 24 in the median, so that q = 3 gives 2 % of the"
    " classes one expert, and 18 of 487 all 50."
)
_OF_KDD = (
    "The small variants are the paper's video-level mode, on means, 512 units wide. {} They can show"
    " whether a step moves a metric on this training set and these validation videos; they cannot show what 6 million videos"
    " would bear. Each step ends by the GAP of the validation videos, as in the paper, and hands on its best model: of step 3 that"
    " may be the one it began with, of step 2 it is not, whose mixture begins anew. The tables of UTS have no such selection. What is"
    " evaluated is what the last step hands on (--checkpoint=last). One seed each, but for Basic's baseline of Table 1. Step 1 is"
    " trained once and taken by the other rows (--step1_from); their times leave it out."
)
# Table -> what holds for all of its rows: what they can show, and what not.
ABOUT = {
    table: _OF_KDD.format(_VIDEOS) for table in ("kdd-1", "kdd-2", "kdd-adaptive", "kdd-fig-5")
}
ABOUT["kdd-3"] = _OF_KDD.format(_SINGLE)
ABOUT["kdd-fig-6"] = (
    "Step 1 alone, five epochs each, on growing parts of the training videos, so that a smaller part has fewer steps as well; the"
    " videos to evaluate on are the same within frames and within means, and differ between the two. Frames lie around the real"
    " means and carry nothing that the means do not, so that this shows how either mode grows with its data and not which mode is better. The paper's figure ends at 500 million videos."
)
ABOUT["kdd-pooling"] = (
    "Step 1 alone, on frames drawn around the real means, 30 of 40 to 60 a video in training and all of them in evaluation. A"
    " video's frames differ by noise alone: no frame tells more than another, which is what SWAP's weights are for. So these rows"
    " show that each pooling trains, and what it does with noise; they cannot show which is the best on real frames."
)
ABOUT["kdd-remedies"] = (
    "After the five epochs of Basic's step 1 the loss is 2.9 on the training videos and 7.4 on the validation videos: the mixture's"
    " 22 million weights have learned 23,091 videos by heart. iRProp+ lowers the first with every iteration and raises the second"
    " (7.38 to 7.42 in three), so that the model handed on is the one it began with; passes of Adam do the same, faster. Smaller"
    " first steps go the same way more slowly. A thousandfold L2 penalty brings the validation loss to 7.2, and raises GAP by"
    " 0.0004. From a step 1 of two epochs, with something left to learn, iRProp+ gains GAP with every iteration, and as many passes"
    " of Adam gain more. So few videos cannot tell what step 3 does where the training loss and the validation loss are close."
)


@dataclasses.dataclass(frozen=True)
class Stage:
    """One root script's call of a recipe.

    Attributes:
      name: its folder's name, and `{name}` in the flags of later stages.
      kind: "train" (train.py) or "predict" (inference.py, scores of a split).
      flags: of the script, without data, folder and seed. `{name}` stands for an earlier stage's
        folder, `{run:RECIPE}` for the trained folder of another recipe on the same data.
      flags_for: data set -> more flags, which win.
      of: "predict": the stage or `run:RECIPE` whose model predicts.
      split: "predict": "train" or "validate".
      validate: "train": validate after each epoch, for trainers that need it to choose.
    """

    name: str
    kind: str = "train"
    flags: tuple[str, ...] = ()
    flags_for: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    of: str = ""
    split: str = "train"
    validate: bool = False


@dataclasses.dataclass(frozen=True)
class Fuse:
    """A fusion of other recipes' models: `inputs` are `RECIPE` or `RECIPE@DATA`, `method` is fusion.py's."""

    method: str
    inputs: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Variant:
    """A way to run a recipe: stages, or a fusion.

    Attributes:
      data: of "small": names of `yt8m.papers.small_data`; of "paper": a sentence.
      level: "video" or "frame", of the records that its model takes; "" for a fusion.
      stages: in order; the last "train" stage's model is evaluated.
      fuse: in place of stages.
      eval_flags: of eval.py.
      seeds: each a run of its own.
      minutes: expected on 2 cores, a run.
      measured: data set -> {"minutes", "gap", "map"}, written by `record`.
    """

    data: tuple[str, ...]
    level: str = ""
    stages: tuple[Stage, ...] = ()
    fuse: Fuse | None = None
    eval_flags: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (0,)
    minutes: float = 0.0
    measured: dict[str, dict[str, float]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class PaperRow:
    """One reported result.

    Attributes:
      name: of the file, and on the command line.
      table: one of `TABLES`; `row`: its title there; `order`: its place there.
      source: paper and table, or section.
      reported: the paper's numbers, fractions; empty for controls and parts that it does not report.
      paper: the paper's whole setting.
      small: trains on 2 cores in minutes.
      notes: what differs, what is our choice, what the small variant cannot show.
      also: another table that has the same run -> its "row", "order" and "reported" there.
    """

    name: str
    table: str
    row: str
    order: int
    source: str
    reported: dict[str, float]
    paper: Variant
    small: Variant
    notes: str
    also: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)

    def variant(self, name: str) -> Variant:
        """Return "small" or "paper"."""
        return self.small if name == "small" else self.paper


def parse(values: dict[str, Any], where: str) -> PaperRow:
    """Return the recipe of a JSON's values.

    Raises:
      UserError: a field is missing, unknown or of another kind; `where` names the file.
    """
    try:
        recipe = PaperRow(
            **{
                **{k: v for k, v in values.items() if k != "run"},
                "paper": _variant(values["paper"], "paper"),
                "small": _variant(values["small"], "small"),
            }
        )
    except (TypeError, KeyError, ValueError) as error:
        raise UserError(f"{where} is not a recipe: {error}.") from None
    wrong = _first_fault(recipe)
    if wrong:
        raise UserError(f"{where}: {wrong}.")
    return recipe


def _variant(values: dict[str, Any], name: str) -> Variant:
    values = dict(values)
    if isinstance(values.get("data"), str):
        values["data"] = [values["data"]]
    values["stages"] = tuple(_stage(s) for s in values.get("stages", []))
    if values.get("fuse"):
        fuse = values["fuse"]
        values["fuse"] = Fuse(fuse["method"], tuple(fuse["inputs"]))
    values["eval_flags"] = tuple(shlex.split(values.get("eval_flags", "")))
    for key in ("data", "seeds"):
        if key in values:
            values[key] = tuple(values[key])
    return Variant(**values)


def _stage(values: dict[str, Any]) -> Stage:
    values = dict(values)
    values["flags"] = tuple(shlex.split(values.get("flags", "")))
    values["flags_for"] = {k: tuple(shlex.split(v)) for k, v in values.get("flags_for", {}).items()}
    return Stage(**values)


def _first_fault(recipe: PaperRow) -> str:
    if recipe.table not in TABLES:
        return f"table {recipe.table!r} is not one of {', '.join(TABLES)}"
    for table, view in recipe.also.items():
        if table not in TABLES or set(view) != {"row", "order", "reported"}:
            return f"also[{table!r}] is not a table with row, order and reported"
    for reported in (recipe.reported, *(view["reported"] for view in recipe.also.values())):
        unknown = set(reported) - {*METRICS, "gap_private"}
        if unknown:
            return f"reported holds {sorted(unknown)}, which are no metrics"
    for which in ("paper", "small"):
        variant = recipe.variant(which)
        if bool(variant.stages) == bool(variant.fuse):
            return f"{which} needs either stages or fuse"
        if variant.level not in (("",) if variant.fuse else ("video", "frame")):
            return (
                f"{which}.level is {variant.level!r}, not video or frame (or empty, for a fusion)"
            )
        if not variant.data or not variant.seeds:
            return f"{which} names no data or no seeds"
        if variant.stages and not any(s.kind == "train" for s in variant.stages):
            return f"{which} trains nothing"
        names: list[str] = []
        for stage in variant.stages:
            if stage.kind not in ("train", "predict") or stage.split not in ("train", "validate"):
                return (
                    f"{which}: stage {stage.name} is of kind {stage.kind!r}, split {stage.split!r}"
                )
            if stage.kind == "predict" and not (stage.of in names or stage.of.startswith("run:")):
                return f"{which}: stage {stage.name} predicts by {stage.of!r}, which no earlier stage is"
            names.append(stage.name)
        if len(set(names)) < len(names):
            return f"{which}: two stages have one name"
    if recipe.small.minutes <= 0:
        return "small.minutes is missing"
    return ""


def load(path: str) -> PaperRow:
    """Read one recipe file."""
    with open(path, encoding="utf-8") as f:
        try:
            values = json.load(f)
        except ValueError as error:
            raise UserError(f"{path} is not JSON: {error}.") from None
    recipe = parse(values, path)
    if os.path.basename(path) != f"{recipe.name}.json":
        raise UserError(f"{path}: its name is {recipe.name!r}; file and recipe have one name.")
    return recipe


def load_all(folder: str = FOLDER) -> dict[str, PaperRow]:
    """Return every recipe by name, in the order of the tables and their rows."""
    recipes = [
        load(os.path.join(folder, f)) for f in sorted(os.listdir(folder)) if f.endswith(".json")
    ]
    tables = list(TABLES)
    recipes.sort(key=lambda r: (tables.index(r.table), r.order, r.name))
    return {r.name: r for r in recipes}


def find(name: str, recipes: dict[str, PaperRow]) -> PaperRow:
    """Return the recipe `name`; a `UserError` names near misses."""
    if name not in recipes:
        raise UserError(
            f"{name!r} is not a recipe.{near_misses(name, recipes)} `python -m yt8m.papers list` lists them."
        )
    return recipes[name]


def of_table(table: str, recipes: dict[str, PaperRow]) -> list[PaperRow]:
    """Return a table's recipes, as they stand in it, in the order of its rows; "uts-2" is "2".

    Raises:
      UserError: there is no such table, or it has no recipes.
    """
    table = table[len("uts-") :] if table in (f"uts-{n}" for n in "12345") else table
    if table not in TABLES:
        raise UserError(
            f"{table!r} is not a table.{near_misses(table, TABLES)} They are {', '.join(TABLES)}."
        )
    rows = [r for r in recipes.values() if r.table == table]
    rows += [
        dataclasses.replace(r, table=table, **r.also[table])
        for r in recipes.values()
        if table in r.also
    ]
    if not rows:
        raise UserError(f"table {table} has no recipes yet.")
    return sorted(rows, key=lambda r: r.order)


def tables(recipes: dict[str, PaperRow]) -> list[str]:
    """Return the tables that have recipes, in order."""
    return [t for t in TABLES if any(r.table == t or t in r.also for r in recipes.values())]


def runs_of(recipes: Sequence[PaperRow]) -> list[tuple[PaperRow, str, int]]:
    """Return every small run once, as (recipe, data set, seed): trained models first, then what fuses them."""
    recipes = list({r.name: r for r in recipes}.values())
    runs = [(r, d, s) for r in recipes for d in r.small.data for s in r.small.seeds]
    return [x for x in runs if not x[0].small.fuse] + [x for x in runs if x[0].small.fuse]
