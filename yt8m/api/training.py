"""Training from Python."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from yt8m.api.run import Run, load_run
from yt8m.commands.start_run import open_devices, start_run


def train(
    model: str,
    train_data: str,
    eval_data: str = "",
    *,
    train_dir: str,
    arguments: Mapping[str, Any] | None = None,
    start_new_model: bool = False,
    starter_defaults: bool = False,
    **settings: Any,
) -> Run:
    """Train a model, or resume its run, and return the trained run.

    Args:
      model: from `list_models`, or an alias.
      train_data: comma-separated glob patterns of the training records.
      eval_data: those of the validation records; empty for none.
      train_dir: folder of the run. The same call resumes it.
      arguments: arguments of the model's constructor.
      start_new_model: delete the run in `train_dir`, and start over.
      starter_defaults: use the starter code's values in place of the model's recipe.
      **settings: those of `python train.py --help`, by the names in `config.json`.

    Raises:
      UserError: a setting is wrong, the records do not match the model, or `train_dir` contains
        another run.
      yt8m.runs.stop_signal.Stopped: a signal or `max_minutes` ended the session; the same
        call resumes the run.

    Example:
      >>> import yt8m
      >>> run = yt8m.train(
      ...     "MoeModel",
      ...     train_data="data/video/train*.tfrecord",
      ...     eval_data="data/video/validate*.tfrecord",
      ...     train_dir="runs/moe",
      ...     num_epochs=1,
      ...     batch_size=64,
      ... )
      >>> run.config.model.name
      'MoeModel'
    """
    start_run(
        model,
        train_data,
        eval_data,
        train_dir,
        open_devices(model, settings, train_dir, start_new_model, starter_defaults),
        start_new_model=start_new_model,
        arguments=arguments,
        starter_defaults=starter_defaults,
        **settings,
    )
    return load_run(train_dir)
