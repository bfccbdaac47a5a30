"""Refuses teachers, mixtures and other changes to the batches that would have no effect."""

from __future__ import annotations

from yt8m.errors import UserError
from yt8m.losses.registry import list_losses, sums_over_classes
from yt8m.models.core import registry
from yt8m.runs.config import RunConfig
from yt8m.runs.settings.training import TrainingConfig
from yt8m.training.targets.teacher import open_teacher


def check(config: RunConfig) -> None:
    """Refuse what the run's records, model, loss or trainer do not allow.

    Raises:
      UserError: the message names the flags and what to drop.
    """
    t = config.training
    _check_teacher_is_given(t)
    on_targets = [
        flag
        for flag, given in {
            "--teacher_scores": t.teacher_scores,
            "--label_smoothing": t.label_smoothing,
            "--mixup": config.recipe.mixup,
        }.items()
        if given
    ]
    given = on_targets + (["--drop_frames"] if t.drop_frames else [])
    if not given:
        return
    flags = ", ".join(given)
    if t.trainer != "joint":
        raise UserError(
            f"{flags} works only with --trainer=joint, but this run's trainer is {t.trainer}; drop"
            " one of the two."
        )
    if registry.model_class(config.model.name).task != "classification":
        raise UserError(
            f"{flags}: --model={config.model.name} does not learn labels; drop the flag."
        )
    if t.drop_frames and config.schema.level != "frame":
        raise UserError(
            "--drop_frames: these records have no frames, only their mean; drop the flag."
        )
    if on_targets:
        _check_targets(config, ", ".join(on_targets))
    open_teacher(config)


def _check_teacher_is_given(t: TrainingConfig) -> None:
    if t.teacher_scores:
        return
    for name in ("teacher_weight", "teacher_temperature"):
        if getattr(t, name) != getattr(TrainingConfig, name):
            raise UserError(f"--{name} is given without --teacher_scores; name a teacher.")


def _check_targets(config: RunConfig, flags: str) -> None:
    if config.schema.segment_labels:
        raise UserError(
            f"{flags} works on labels of whole videos and not with --segment_labels; drop one of"
            " the two."
        )
    if not registry.model_class(config.model.name).uses_label_loss:
        raise UserError(
            f"{flags}: --model={config.model.name} has a loss of its own, on labels that are"
            " certain; drop the flag."
        )
    loss = config.recipe.label_loss
    if not sums_over_classes(loss):
        usable = ", ".join(name for name in list_losses() if sums_over_classes(name))
        raise UserError(
            f"{flags} needs a loss that is a sum over classes, which --label_loss={loss} is not;"
            f" choose one of {usable}."
        )
