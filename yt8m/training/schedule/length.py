"""The number of examples and steps of a run."""

from __future__ import annotations

import dataclasses

from yt8m.data.files.count import count_records
from yt8m.data.records.ratings import segments_a_record
from yt8m.runs.config import RunConfig
from yt8m.runs.progress import Unit

# Facts of a run: the training records at its start, whether that was an estimate, and the whole
# batches of an epoch once the data of one have ended.
RECORDS, ESTIMATED, BATCHES = "records", "records_estimated", "batches_in_epoch"


@dataclasses.dataclass(frozen=True)
class RunLength:
    """The number of examples that a run trains on.

    Attributes:
      epoch_examples: examples in one epoch; it may be an estimate in the first.
      examples: examples in the whole run, without the partial batch at the end of each epoch.
      unit: what an example is, "videos" or "segments".
    """

    epoch_examples: int
    examples: int
    unit: Unit

    @classmethod
    def of(cls, config: RunConfig, files: list[str]) -> RunLength:
        """Count the training records, unless the run has recorded their number."""
        recipe, max_steps, facts = config.recipe, config.training.max_steps, config.facts
        segments = config.schema.segment_labels
        if BATCHES in facts:
            in_epoch = int(facts[BATCHES]) * recipe.batch_size
        else:
            counted = facts.get(RECORDS)
            in_epoch = count_records(files)[0] if counted is None else int(counted)
            if segments:
                in_epoch = round(in_epoch * segments_a_record(files))
        steps = recipe.num_epochs * (in_epoch // recipe.batch_size)
        steps = min(steps, max_steps) if max_steps else steps
        return cls(in_epoch, steps * recipe.batch_size, "segments" if segments else "videos")

    def steps(self, config: RunConfig) -> int:
        """Return the steps of the whole run."""
        return self.examples // config.recipe.batch_size
