"""The papers' tables: their titles, notes that apply to all of their rows, and their rows."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from yt8m.errors import UserError, near_misses
from yt8m.papers.paper_row import PaperRow

# Table -> its title. The rows that name a table are its rows, sorted by `order`.
TABLES = {
    "1": "Video-level mixtures of experts (UTS 2017, Table 1)",
    "2": "Stacked RNNs (UTS 2017, Table 2)",
    "3": "Hierarchical and other RNNs (UTS 2017, Table 3)",
    "4": "1D ResNet and AttnVLAD (UTS 2017, Table 4)",
    "5": "Fusion (UTS 2017, Table 5)",
    "5-alike": "Fusion of nearly equal models",
    "uts-losses": "Losses (UTS 2017, section 2.1)",
    "uts-labels": "Balanced batches, label weights, label noise (UTS 2017, section 2.1)",
    "kdd-1": "Steps of the large-scale trainer (KDD 2019, Table 1)",
    "kdd-2": "Size of the mixture (KDD 2019, Table 2)",
    "kdd-adaptive": "Experts by positives, q of KDD 2019, equation 4",
    "kdd-remedies": "Remedies tried where iRProp+ did not raise GAP",
    "kdd-slow": "RProp after a training as the paper's, and after an annealed one",
    "kdd-modes": "Experts where classes have many modes",
    "kdd-fig-4": "Cycles of steps 2 and 3 (KDD 2019, Fig. 4)",
    "kdd-fig-5": "Fraction of the data in a batch of iRProp+ (KDD 2019, Fig. 5)",
    "kdd-fig-6": "Growing training sets (KDD 2019, Fig. 6)",
    "kdd-pooling": "Pooling of frames (KDD 2019, eq. 1)",
    "kdd-3": "A single-label data set (KDD 2019, Table 3)",
    "kdd-4": "Evaluation on 30 frames (KDD 2019, Table 4)",
}

_VIDEOS = (
    "In 23,091 videos a class has 18 positives on average and a median of 3, so q = 3 gives 69 %"
    " of the classes one expert and 70 of 3,862 classes all 50."
)
_SINGLE = (
    "In 21,561 videos with one label each, a class has 44 positives on average and a median of"
    " 24, so q = 3 gives 2 % of the classes one expert and 18 of 487 classes all 50."
)
_KDD = (
    "The small variants are the paper's video-level mode on means, 512 units wide. {} They can"
    " show whether a step changes a metric on this training set and these validation videos; they"
    " cannot show what 6 million videos would give. As in the paper, each step stops by the GAP of"
    " the validation videos and passes on its best model. For step 3 that may be the model it"
    " started with; for step 2 it is not, since its mixture is trained from scratch. The tables of"
    " UTS have no such selection. The model that the last step passes on is evaluated"
    " (--checkpoint=last). Each row is run with one seed, except where others are shown."
    " Step 1 is trained once and shared by the other rows (--step1_from); their times do not"
    " include it."
)
_FRAMES = (
    "Every row has the same passes on a data set: four over the 80 shards of sample-frames-all,"
    " eight over AudioSet and over synthetic-temporal, with a rate that falls to zero. The frames"
    " of sample-frames-all are made: noise of a standard deviation of 0.5 around the mean of a real"
    " video, where a frame's noise correlates by 0.9 with that of the frame before. Of it 0.42 is"
    " left within a video of 50 frames, whose mean is kept exactly. That is as large as the signal:"
    " the means of different videos have a standard deviation of 0.46 (rgb) and 0.69 (audio) a"
    " feature. So a network that reads frames one by one has to average the noise away first, and"
    " its order tells it nothing; the mixture on exact means shows what that costs. AudioSet's"
    " frames are real, 10 of 128 features a clip, in their order."
)
# Table -> what all of its rows can and cannot show.
ABOUT = {table: _FRAMES for table in "234"}
ABOUT |= {table: _KDD.format(_VIDEOS) for table in ("kdd-1", "kdd-2", "kdd-adaptive", "kdd-fig-5")}
ABOUT["kdd-3"] = _KDD.format(_SINGLE)
ABOUT["kdd-3"] += (
    " Retraining the mixture loses GAP, no more than noise, after five epochs of step 1, and gains"
    " much after two (these rows are computed in float32). After five epochs the loss is 1.15 on"
    " the training videos and 3.00 on the others, and a retrained mixture makes that 0.78 and 3.31."
    " After two it is 2.57 and 3.23, and retraining lowers both, to 1.86 and 3.00 (seed 0)."
)
_TEST = "Results are of videos that no step selects by. "
ABOUT["kdd-slow"] = (
    _TEST + "The paper lowers its rate slowly and does not average weights, and so do the first"
    " three rows, on the 500 commonest classes of the real sample. iRProp+ then gains GAP in nearly"
    " every iteration. Passes of Adam at a small rate gain as much in less time, and the recipe's"
    " cosine and average of the weights gain more. After them iRProp+ gains nothing. So the gain is"
    " not one that only full batches give: what remains after a training without annealing is noise"
    " in the weights, and a full batch removes it, as small steps do. It is also not because the"
    " network has memorised its videos that iRProp+ gains nothing in the tables above: annealing"
    " has removed first what it would."
)
ABOUT["kdd-modes"] = (
    _TEST + "The videos are made: each class is 24 points of 32 features, with noise around them."
    " The network has 64 units, and more experts tell more of the points apart. Of the two"
    " controls, one has as many passes as the row of 50 experts, the other as much processor time."
    " On the real sample, with 18 positives a class, there is little for more experts to learn."
)
ABOUT["kdd-fig-4"] = (
    _TEST + "The videos are made, as in the table of experts above, and each row goes on from the"
    " same step 1. A cycle is three epochs of step 2 and eight iterations of step 3. The first"
    " cycle that loses is the last, which was the second one in both rows of three cycles. `python"
    " -m yt8m figures --train_dir=runs/recipes/kdd-modes-full-3/synthetic-modes-seed0/model` draws"
    " the cycles as the paper's figure does (it needs matplotlib). Only 2,240 weights are below"
    " the mixture here, so that step 3 has little to adjust."
)
ABOUT["kdd-fig-5"] += (
    " The rows on sample-common and on synthetic-modes go on from a step 1 as the paper trained,"
    " with 18 iterations, and are evaluated on videos that no step selects by."
)
ABOUT["kdd-fig-6"] = (
    "Only step 1 is trained, for five epochs each, on growing parts of the training videos, so a"
    " smaller part also takes fewer steps. Rows on frames share their validation videos, and so do"
    " rows on means, but the two differ. The frames are drawn around the real means and carry no"
    " further information, so these rows show how each mode gains from more data and not which"
    " mode is better. The paper's figure ends at 500 million videos."
)
ABOUT["kdd-pooling"] = (
    "Only step 1 is trained, on frames drawn around the real means: on 30 of the 40 to 60 frames"
    " of a video in training, on all of them in evaluation. The frames of a video differ only by"
    " noise: no frame is more informative than another, which is what SWAP's weights are for. So"
    " these rows show that each pooling trains and how it treats noise; they cannot show which is"
    " the best on real frames."
)
ABOUT["kdd-remedies"] = (
    "After the five epochs of Basic's step 1 the loss is 2.9 on the training videos and 7.4 on the"
    " validation videos: the 22 million weights of the mixture have memorised 23,091 videos. Every"
    " iteration of iRProp+ lowers the training loss and raises the validation loss (7.38 to 7.42"
    " in three iterations), so the model passed on is the one it started with; passes of Adam do"
    " the same, faster. Smaller initial step sizes lead the same way more slowly. An L2 penalty a"
    " thousand times larger lowers the validation loss to 7.2 and raises GAP by 0.0004. From a"
    " step 1 of two epochs, which leaves something to learn, iRProp+ gains GAP with every"
    " iteration, and as many passes of Adam gain more. So few videos cannot show what step 3 does"
    " where training and validation loss are close."
)


def find(name: str, rows: dict[str, PaperRow]) -> PaperRow:
    """Return the row `name`.

    Raises:
      UserError: there is no such row; the message names similar ones.
    """
    if name not in rows:
        raise UserError(
            f"{name!r} is not a row of a table.{near_misses(name, rows)}"
            " `python -m yt8m.papers list` lists the rows."
        )
    return rows[name]


def rows_of(table: str, rows: dict[str, PaperRow]) -> list[PaperRow]:
    """Return the rows of a table, as it shows them and in its order.

    Args:
      table: one of `TABLES`; "uts-2" also stands for "2".
      rows: all rows by name.

    Raises:
      UserError: there is no such table, or it has no rows.
    """
    table = table[len("uts-") :] if table in (f"uts-{n}" for n in "12345") else table
    if table not in TABLES:
        known = f"The tables are {', '.join(TABLES)}."
        raise UserError(f"{table!r} is not a table.{near_misses(table, TABLES)} {known}")
    found = [r for r in rows.values() if r.table == table]
    for row in rows.values():
        if table in row.also:
            found.append(dataclasses.replace(row, table=table, **row.also[table]))
    if not found:
        raise UserError(f"table {table} has no rows yet.")
    return sorted(found, key=lambda r: r.order)


def tables_with_rows(rows: dict[str, PaperRow]) -> list[str]:
    """Return the tables that have rows, in order."""
    return [t for t in TABLES if any(r.table == t or t in r.also for r in rows.values())]


def runs_of(rows: Iterable[PaperRow]) -> list[tuple[PaperRow, str, int]]:
    """Return every small run once as (row, data set, seed), trained models before fusions."""
    once = {r.name: r for r in rows}.values()
    runs = [(r, d, s) for r in once for d in r.small.data for s in r.small.seeds]
    return sorted(runs, key=lambda run: run[0].small.fuse is not None)
