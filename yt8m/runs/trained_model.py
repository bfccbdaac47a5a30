"""A trained model from a run's folder, or from a bundle made of one, ready to predict."""

from __future__ import annotations

import dataclasses
import os
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from typing import Any, Callable

import tensorflow as tf

from yt8m.data.files.bad_records import BadRecords
from yt8m.data.files.shards import find_shards
from yt8m.data.pipeline import read_batches
from yt8m.data.records.sampling import FrameSampling
from yt8m.data.schema import MAX_FRAMES, SEGMENT_FRAMES
from yt8m.errors import UserError
from yt8m.models.core import registry
from yt8m.models.core.base import Yt8mModel
from yt8m.runs.build import schema_like
from yt8m.runs.config import CONFIG_FILE, RunConfig
from yt8m.runs.folder import BEST, MODEL_FILE, RunFolder, config_of, weights_file
from yt8m.runs.predictor import Predictor
from yt8m.runs.saved_model import load_saved
from yt8m.runs.strategy import make_strategy

_BUNDLED = (CONFIG_FILE, "model.weights.h5")
_HEADS = {"moe": "MoeModel", "logistic": "LogisticModel"}  # a head may be called by either name


def check_task(config: RunConfig, train_dir: str) -> None:
    """Refuse a run that learnt to reconstruct frames.

    Raises:
      UserError: it has no predictions of labels.
    """
    task = registry.model_class(config.model.name).task
    if task != "classification":
        raise UserError(
            f"{train_dir} holds a {config.model.name}, trained for {task}: it predicts no labels. Its validation loss is in"
            f" best/metrics.json; train.py --init_from={train_dir} starts a classifier from it."
        )


def on_segments(config: RunConfig, train_dir: str) -> RunConfig:
    """Return the run's settings with five-second segments in place of whole videos.

    Raises:
      UserError: its model is one of video-level means.
    """
    if config.schema.level != "frame":
        raise UserError(
            f"--segment_labels: segments are cut from frames, and {train_dir} holds a {config.model.name}, which takes"
            " video-level means; name a run of a frame-level model."
        )
    # Segments are cut from all frames of a video, however many of them the run was trained on.
    schema = dataclasses.replace(config.schema, segment_labels=True, max_frames=MAX_FRAMES)
    return dataclasses.replace(config, schema=schema)


class TrainedModel:
    """A model with a run's weights.

    Args:
      train_dir: the run's folder.
      which: "best", "last", or "" for the best there is.
      strategy, num_gpu: where it computes; see `make_strategy`.
      jit_compile: with XLA.
      segment_labels: read five-second segments, though the run may have been trained on whole videos.

    Raises:
      UserError: see each step.
    """

    def __init__(
        self,
        train_dir: str,
        which: str = "",
        strategy: str = "auto",
        num_gpu: int = 0,
        jit_compile: bool = False,
        segment_labels: bool = False,
    ):
        run = RunFolder(train_dir)
        config = run.load_config()
        check_task(config, train_dir)
        self.path = weights_file(run, which)
        self._jit_compile = jit_compile
        dtype = config.training.dtype
        tf.keras.mixed_precision.set_global_policy(
            "mixed_bfloat16" if dtype == "bfloat16" else "float32"
        )
        self.strategy = make_strategy(strategy, num_gpu, [train_dir], workers=False)
        with self.strategy.scope():
            loaded: tuple[RunConfig, Yt8mModel] = load_saved(run, self.path)
            self.config, self.model = loaded
        if segment_labels:
            self.config = on_segments(self.config, train_dir)

    def predictor(self, batch_size: int) -> Predictor:
        """Return what turns batches of at most `batch_size` examples into probabilities."""
        return Predictor(self.strategy, self.model, batch_size, self._jit_compile)

    def records(
        self,
        pattern: str,
        flag: str,
        batch_size: int,
        eval_frames: int | None,
        bad: BadRecords,
        say: Callable[[str], None],
        **more: Any,
    ) -> tuple[Iterator[dict[str, tf.Tensor]], Predictor]:
        """Return the batches of `pattern` as the run would validate on them, and the predictor for their size; say what they are.

        Args:
          pattern: globs of records.
          flag: names the pattern in messages.
          batch_size: 0 is the run's.
          eval_frames: evenly spaced frames of each video; 0 is all, None what the run validated with.
          bad: counts broken records.
          say: prints.
          **more: for `read_batches`; without labels, segments need not be rated.

        Raises:
          UserError: nothing matches, or the records do not fit the model.
        """
        training = self.config.training
        if eval_frames and self.config.schema.segment_labels:
            raise UserError(
                f"--eval_frames={eval_frames}: all {SEGMENT_FRAMES} frames of a segment are used; drop the flag."
            )
        files = find_shards(pattern, flag)
        schema, found = schema_like(self.config, files, flag, rated=more.get("with_labels", True))
        say(f"{self.config.model.name} from {self.path}\n{found}; {len(files)} files")
        frames = training.eval_frames if eval_frames is None else eval_frames
        batch = batch_size or training.eval_batch_size or self.config.recipe.batch_size
        sampling = FrameSampling("even", frames) if frames else FrameSampling()
        batches = read_batches(files, schema, bad, batch_size=batch, sampling=sampling, **more)
        return batches, self.predictor(batch)


def write_bundle(train_dir: str, path: str, which: str = "") -> None:
    """Write configuration and weights into one .tgz, whole or not at all; `open_bundle` reads it."""
    run = RunFolder(train_dir)
    check_task(run.load_config(), train_dir)
    weights = weights_file(run, which)
    try:
        with tempfile.TemporaryDirectory() as folder:
            archive = os.path.join(folder, "bundle.tgz")
            local = [os.path.join(folder, name) for name in _BUNDLED]
            tf.io.gfile.copy(weights, local[1])
            beside = os.path.join(os.path.dirname(weights), MODEL_FILE)
            if tf.io.gfile.exists(beside):
                tf.io.gfile.copy(beside, os.path.join(folder, MODEL_FILE))
            with open(
                local[0], "w"
            ) as f:  # as the copy has it: the run may be putting another model in its place
                f.write(config_of(run, local[1]).to_json())
            with tarfile.open(archive, "w:gz") as tar:
                for name, path_here in zip(_BUNDLED, local):
                    tar.add(path_here, arcname=name)
            tf.io.gfile.copy(archive, path + ".tmp", overwrite=True)
        tf.io.gfile.rename(path + ".tmp", path, overwrite=True)
    except (tf.errors.OpError, OSError) as error:
        raise UserError(
            f"--output_model_tgz={path} cannot be written ({getattr(error, 'message', error)})."
        )


def open_bundle(path: str, folder: str) -> str:
    """Unpack a bundle under `folder`, and return a folder that stands for the run's.

    Raises:
      UserError: no such file, or it is not a bundle.
    """
    if not tf.io.gfile.exists(path):
        raise UserError(
            f"--input_model_tgz={path} does not exist; inference.py --output_model_tgz writes such a file."
        )
    try:
        with tempfile.TemporaryDirectory() as scratch:
            archive = os.path.join(scratch, "bundle.tgz")
            tf.io.gfile.copy(path, archive)
            with tarfile.open(archive) as tar:
                members: dict[str, Any] = {
                    os.path.basename(m.name): m for m in tar.getmembers() if m.isfile()
                }
                missing = [name for name in _BUNDLED if name not in members]
                if missing:
                    raise UserError(
                        f"--input_model_tgz={path} lacks {', '.join(missing)}; inference.py --output_model_tgz writes whole ones."
                    )
                contents = [tar.extractfile(members[name]).read() for name in _BUNDLED]
                while tar.fileobj.read(1 << 20):  # the checksum lies at the end
                    pass
        # A bundle that is cut off leaves an earlier one's folder alone.
        tf.io.gfile.makedirs(os.path.join(folder, BEST))
        for content, place in zip(contents, (CONFIG_FILE, os.path.join(BEST, "model.weights.h5"))):
            with tf.io.gfile.GFile(os.path.join(folder, place), "wb") as out:
                out.write(content)
    except (
        tarfile.TarError,
        OSError,
        EOFError,
        zlib.error,
    ) as error:  # the last two: cut off, or damaged within
        raise UserError(
            f"--input_model_tgz={path} is not a .tgz bundle, or not a whole one ({error}); inference.py --output_model_tgz writes such a file."
        )
    except tf.errors.OpError as error:
        raise UserError(f"--untar_model_dir={folder} cannot be written ({error.message}).")
    return folder


def _starter_values(config: RunConfig) -> dict[str, Any]:
    """Return what the starter code's model flags, those that the run's model has, are in it."""
    schema = config.schema
    model = registry.create(
        config.model.name,
        num_classes=schema.num_classes,
        feature_sizes=schema.feature_sizes,
        **config.model.arguments,
    )
    arguments = model.get_config()
    values = {flag: arguments[name] for flag, name in model.starter_flags.items()}
    head = values.get("video_level_classifier_model")
    return (
        values
        if head is None
        else {**values, "video_level_classifier_model": _HEADS.get(head, head)}
    )


def check_overrides(config: RunConfig, given: dict[str, Any | None]) -> None:
    """Refuse flags that contradict the run; those that agree with it are taken as said twice.

    A run on whole videos may be asked about segments, as with the starter code; not the reverse.

    Args:
      config: the run's.
      given: flag -> value, None where it was not given.

    Raises:
      UserError: shows each difference.
    """
    own: dict[str, Any] = {
        "model": config.model.name,
        "feature_names": list(config.schema.all_names),
        "feature_sizes": list(config.schema.all_sizes),
        "frame_features": config.schema.level == "frame",
        "num_classes": config.schema.num_classes,
        "label_loss": config.recipe.label_loss,
        "segment_labels": config.schema.segment_labels or given.get("segment_labels"),
        "iterations": config.recipe.train_frames,
        "sample_random_frames": config.recipe.frame_sampling == "random",
    }
    others = [flag for flag, value in given.items() if value is not None and flag not in own]
    if others:
        values = _starter_values(config)
        own.update(
            {
                flag: values.get(flag, f"(no such argument of {config.model.name})")
                for flag in others
            }
        )
    head = given.get("video_level_classifier_model")
    if head is not None:
        given = {**given, "video_level_classifier_model": _HEADS.get(head, head)}
    wrong: tuple[str, ...] = tuple(
        f"  --{flag}: the run has {own[flag]!r}, the flag says {value!r}"
        for flag, value in given.items()
        if value is not None and value != own[flag]
    )
    if wrong:
        raise UserError(
            "these flags contradict the run's config.json:\n"
            + "\n".join(wrong)
            + "\nDrop them; the run knows its own."
        )
