"""The names of the classes that a fusion shows and writes."""

from __future__ import annotations

import contextlib

from yt8m.data.files.shards import find_shards
from yt8m.data.vocabulary import beside
from yt8m.errors import UserError
from yt8m.fusion.align import AlignedInputs
from yt8m.fusion.settings import FusionSettings
from yt8m.runs.classes.names import ClassNames
from yt8m.submission.settings import refuse_names


def names_of(settings: FusionSettings, inputs: AlignedInputs) -> ClassNames:
    """Return the names of --vocabulary_file, of an input, or of a vocabulary beside --labels.

    Raises:
      UserError: the given vocabulary has another number of classes, or names are to be written and
        there are none.
    """
    names = _found(settings, inputs)
    refuse_names(settings, settings.output_file, names.are_known)
    return names


def _found(settings: FusionSettings, inputs: AlignedInputs) -> ClassNames:
    classes, given = inputs.num_classes, settings.vocabulary_file
    if given:
        names = ClassNames.read(given)
        if len(names) < classes:
            raise UserError(
                f"--vocabulary_file={given} has {len(names):,} classes, but the inputs have"
                f" {classes:,}; name the vocabulary of their records."
            )
        return names
    for one in inputs.inputs:
        if one.class_names is not None and len(one.class_names) == classes:
            return ClassNames(tuple(one.class_names), one.name)
    if settings.labels and not settings.labels.endswith(".csv"):
        with contextlib.suppress(UserError):
            path = beside(find_shards(settings.labels, "--labels"), classes)
            if path:
                return ClassNames.read(path)
    return ClassNames.numbers(classes)
