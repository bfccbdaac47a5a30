"""An export of a run: its model, read once, in each format that is wanted."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Literal

from yt8m.data.records.sampling import FrameSampling
from yt8m.errors import UserError
from yt8m.runs.config import RunConfig
from yt8m.runs.folder import RunFolder
from yt8m.runs.load import load_saved, weights_file
from yt8m.runs.settings.training import Dtype, Which
from yt8m.runs.trained_model import check_task, on_segments
from yt8m.serving.class_names import class_names
from yt8m.serving.saved_model import write_saved_model
from yt8m.serving.settings import Signature
from yt8m.serving.signatures import Signatures

Format = Literal["saved_model"]
SAVED_MODEL = "saved_model"


def signatures_of(
    train_dir: str,
    checkpoint: Which = "",
    segment_labels: bool = False,
    eval_frames: int | None = None,
    vocabulary_file: str = "",
    top_k: int = 20,
    dtype: Dtype | None = None,
    say: Callable[[str], None] = print,
) -> Signatures:
    """Return the signatures of a run's model.

    Args:
      train_dir: the run's folder.
      checkpoint: "best", "last", or "" for the best there is.
      segment_labels: cut each record into five-second segments, even if the run was trained on
        whole videos.
      eval_frames: evenly spaced frames per video; 0 means all, None what the run validated with.
      vocabulary_file: names of the classes; see `class_names`.
      top_k: number of best classes in the answers.
      dtype: what the model computes in; None is the run's own.
      say: prints a line.

    Raises:
      UserError: there is no model, it predicts no labels, or a setting does not fit it.
    """
    run = RunFolder(train_dir)
    check_task(run.load_config(), train_dir)
    path = weights_file(run, checkpoint)
    config, model = load_saved(run, path, dtype)
    if segment_labels:
        config = on_segments(config, train_dir)
    names, names_file = class_names(run, config, vocabulary_file)
    origin = f"class names from {names_file}" if names_file else "class numbers as names"
    say(f"{config.model.name} from {path}; {origin}")
    return Signatures(model, config.schema, _sampling(config, eval_frames), names, top_k)


def _sampling(config: RunConfig, eval_frames: int | None) -> FrameSampling:
    if eval_frames and config.schema.segment_labels:
        raise UserError(
            f"--eval_frames={eval_frames}: all frames of a segment are always used; drop the flag."
        )
    frames = config.training.eval_frames if eval_frames is None else eval_frames
    return FrameSampling("even", frames) if frames else FrameSampling()


def export(
    signatures: Signatures,
    out_dir: str,
    default: Signature = "records",
) -> list[str]:
    """Write a model in each of the formats; return the paths.

    Args:
      signatures: the model's.
      out_dir: folder for the files.
      default: the signature that a SavedModel also calls `serving_default`.

    Raises:
      UserError: the model cannot be exported so, or a file cannot be written.
    """
    path = os.path.join(out_dir, SAVED_MODEL)
    write_saved_model(path, signatures, default)
    return [path]
