"""An export of a run: its model, read once, in each format that is wanted."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence

import tensorflow as tf

from yt8m import files
from yt8m.data.records.sampling import FrameSampling
from yt8m.errors import UserError
from yt8m.process.guard import reason
from yt8m.runs.classes.names import class_names
from yt8m.runs.config import RunConfig
from yt8m.runs.folder import RunFolder
from yt8m.runs.load import described, load_saved, weights_file
from yt8m.runs.settings.training import Dtype, Which
from yt8m.runs.trained_model import check_task, on_segments
from yt8m.serving.litert_file import litert_file
from yt8m.serving.onnx_file import onnx_file
from yt8m.serving.saved_model import write_saved_model
from yt8m.serving.settings import Format, Quantize, Signature
from yt8m.serving.signatures import Signatures


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
    names = class_names(run, config, vocabulary_file)
    origin = f"class names from {names.file}" if names.are_known else "class numbers as names"
    say(f"{config.model.name} from {described(path)}; {origin}")
    return Signatures(model, config.schema, _sampling(config, eval_frames), list(names), top_k)


def _sampling(config: RunConfig, eval_frames: int | None) -> FrameSampling:
    if eval_frames and config.schema.segment_labels:
        raise UserError(
            f"--eval_frames={eval_frames}: all frames of a segment are always used; drop the flag."
        )
    frames = config.training.eval_frames if eval_frames is None else eval_frames
    return FrameSampling("even", frames) if frames else FrameSampling()


def export(
    load: Callable[[Dtype | None], Signatures],
    out_dir: str,
    formats: Sequence[Format] = ("saved_model",),
    default: Signature = "records",
    quantize: Quantize = "none",
) -> Iterator[str]:
    """Write a model in each of the formats; yield the paths.

    Args:
      load: returns the signatures of the model, computing in its own type or in that given.
      out_dir: folder for the files.
      formats: what to write.
      default: the signature that a SavedModel also calls `serving_default`.
      quantize: how a LiteRT file stores the weights.

    Raises:
      UserError: the model cannot be exported so, or a file cannot be written.
    """
    own = load(None)
    only_tensorflow = set(formats) <= {"saved_model"}
    in_floats = only_tensorflow or own.model.compute_dtype == "float32"
    floats = own if in_floats else load("float32")
    for name in dict.fromkeys(formats):
        path = os.path.join(out_dir, _file(name, quantize))
        if name == "saved_model":
            write_saved_model(path, own, default)
        else:
            content = onnx_file(floats) if name == "onnx" else litert_file(floats, quantize)
            _write(path, content)
        yield path


def _write(path: str, content: bytes) -> None:
    try:
        tf.io.gfile.makedirs(os.path.dirname(path))
        files.write_bytes(path, content)
    except (tf.errors.OpError, OSError) as error:
        raise UserError(
            f"{path} cannot be written ({reason(error)}); set --out_dir to a writable folder."
        ) from None


def _file(name: Format, quantize: Quantize) -> str:
    if name == "saved_model":
        return name
    if name == "onnx":
        return "model.onnx"
    return "model.tflite" if quantize == "none" else f"model_{quantize}.tflite"
