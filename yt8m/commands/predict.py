"""`yt8m predict`: predict, and write a Kaggle submission, all scores, or a bundled model."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from typing import TYPE_CHECKING, Any

from absl.flags import FlagValues

from yt8m import __version__, flags, listing
from yt8m.commands import overrides
from yt8m.commands.command import Command, say_next
from yt8m.commands.reading_settings import ReadingSettings
from yt8m.errors import UserError
from yt8m.flags import Section
from yt8m.output_paths import check_apart, named_files
from yt8m.runs.run_or_bundle import RunOrBundle
from yt8m.settings import MOST_BEST, setting, settings_of
from yt8m.submission.scores.settings import ScoresSettings, refuse_without_scores
from yt8m.submission.settings import NamesSettings, SegmentSettings, refuse_names

if TYPE_CHECKING:
    from yt8m.largescale.prediction.part import PredictionJob
    from yt8m.runs.evaluation_records import EvaluationRecords
    from yt8m.runs.trained_model import TrainedModel
    from yt8m.submission.journal.journal import Maker

# What the output does not depend on, or what the hashes of the model and of the records stand for.
_WITHOUT_EFFECT = {
    *("num_readers", "max_bad_records", "output_model_tgz", "input_json_pattern"),
    *("train_dir", "input_model_tgz", "untar_model_dir", "checkpoint", "input_data_pattern"),
}

_READ = ("input_data_pattern", "input_json_pattern", "input_model_tgz", "vocabulary_file")


@dataclasses.dataclass(frozen=True)
class PredictSettings(ScoresSettings, NamesSettings, RunOrBundle):
    """What to predict, and where to write it. Each field is the flag of the same name."""

    input_data_pattern: str = setting(
        "",
        help="comma-separated glob patterns of records, with or without labels",
        common=True,
    )
    output_file: str = setting("", help="the submission CSV", common=True)
    output_scores: str = setting(
        "",
        help="folder for the scores, of all classes unless --scores_top_k is given, for fusion.py",
        common=True,
    )
    top_k: int = setting(
        20,
        help="number of classes per video in the CSV; with segments, number of classes in which"
        " each segment may be ranked",
        at_least=1,
        common=True,
        at_most=MOST_BEST,
    )
    executor: str = setting(
        "in_process",
        help="where to predict: in_process, ray (a cluster on this machine), or the address of a"
        " Ray cluster, whose nodes share the records and the output's folder",
        group="Cluster",
    )
    output_model_tgz: str = setting(
        "", help="also bundle the model into this .tgz file", group="Bundled models"
    )
    input_json_pattern: str = setting(
        "",
        help="comma-separated glob patterns of predictions that TensorFlow Serving or a batch"
        " prediction of an exported model returned as JSON, to write as --output_file; no model is"
        " needed",
        group="Predictions of an exported model",
    )


def main(values: FlagValues) -> None:
    """Predict once over the records, and write every requested output."""
    from yt8m.runs.bundle import write_bundle
    from yt8m.runs.overrides import check_overrides
    from yt8m.runs.trained_model import TrainedModel
    from yt8m.submission.outputs import refuse_without_csv

    settings, reading = flags.read(PredictSettings, values), flags.read(ReadingSettings, values)
    segments = flags.read(SegmentSettings, values)
    _check_paths(settings, segments)
    if settings.input_json_pattern:
        _convert(settings, values)
        return
    _check(settings)
    if not settings.output_file:
        refuse_without_csv(segments.segment_max_pred, segments.segment_label_ids_file)
    train_dir = settings.folder()
    if settings.output_model_tgz:
        write_bundle(train_dir, settings.output_model_tgz, reading.checkpoint)
        print(f"wrote {settings.output_model_tgz}")
    if not (settings.output_file or settings.output_scores):
        return
    if not settings.input_data_pattern:
        raise UserError("--input_data_pattern is missing; name the records to predict.")
    trained = TrainedModel(
        train_dir,
        reading.checkpoint,
        reading.strategy,
        reading.num_gpu,
        reading.jit_compile,
        bool(reading.segment_labels),
    )
    check_overrides(trained.config, overrides.given_overrides(values))
    written = _predict(trained, settings, reading, segments)
    print(f"wrote {' and '.join(written)}")
    if settings.output_scores:
        inputs = f"--inputs={settings.output_scores},OTHER_SCORES"
        say_next("fuse", inputs, to_fill_in="--output_file=fused.csv")


def _convert(settings: PredictSettings, values: FlagValues) -> None:
    """Write the CSV from predictions that were made elsewhere."""
    from yt8m.submission.json_predictions import write_csv

    used = {"input_json_pattern", "output_file", "top_k"}
    names = settings_of(PredictSettings).keys() | settings_of(ReadingSettings).keys()
    names |= settings_of(SegmentSettings).keys()
    unused = sorted(name for name in names - used if values[name].present)
    if unused:
        raise UserError(
            f"--{', --'.join(unused)}: not used with --input_json_pattern, which converts finished"
            " predictions of whole videos; drop one or the other."
        )
    count = write_csv(settings.input_json_pattern, settings.output_file, settings.top_k)
    print(f"wrote {settings.output_file}: {count:,} videos")


def _check(settings: PredictSettings) -> None:
    """Refuse flags that leave the output undefined."""
    if not (settings.output_file or settings.output_scores or settings.output_model_tgz):
        raise UserError(
            "nothing to write: set --output_file (submission CSV), --output_scores (for fusion) or"
            " --output_model_tgz."
        )
    if not settings.output_scores:
        refuse_without_scores(settings)
    refuse_names(settings, settings.output_file)


def _check_paths(settings: PredictSettings, segments: SegmentSettings) -> None:
    """Refuse outputs that would replace an input or one another, before one is written."""
    from yt8m.submission.named import named_path

    outputs = {
        f"--{name}": getattr(settings, name)
        for name in ("output_file", "output_scores", "output_model_tgz")
    }
    if settings.with_names and settings.output_file:
        outputs["--with_names"] = named_path(settings.output_file, settings.names_format)
    read = {f"--{name}": named_files(getattr(settings, name)) for name in _READ}
    read["--segment_label_ids_file"] = named_files(segments.segment_label_ids_file)
    check_apart(outputs, read)


@listing.asked_once()
def _predict(
    trained: TrainedModel,
    settings: PredictSettings,
    reading: ReadingSettings,
    segments: SegmentSettings,
) -> list[str]:
    """Predict every record into the outputs, and return their paths."""
    from yt8m.data.files.bad_records import BadRecords
    from yt8m.largescale.executors import make_executor
    from yt8m.largescale.prediction.spread import parts_folder, parts_of, predict_spread
    from yt8m.runs.stop_signal import StopSignal
    from yt8m.submission.disk_space import check_space, expected_examples
    from yt8m.submission.ids_ahead import ids_ahead
    from yt8m.submission.journal.depends_on import depends_on
    from yt8m.submission.journal.journal import opened
    from yt8m.submission.kaggle_segments import read_whitelist
    from yt8m.submission.predict import predict_into

    makers, paths = _outputs(trained, settings, segments)
    spread = settings.executor not in ("", "in_process")
    given = {
        f"--{name}": value
        for part in (settings, reading, segments)
        for name, value in dataclasses.asdict(part).items()
        if name not in _WITHOUT_EFFECT
    }
    given["--executor"] = spread  # the order of the videos depends on it, and on nothing else of it
    # The file may have changed, and its name may not.
    given["--segment_label_ids_file"] = read_whitelist(segments.segment_label_ids_file)
    given.update(paths)
    remote = any("://" in path for path in paths.values())
    folder = "" if remote else next(iter(paths.values())).rstrip("/") + ".progress"
    if remote:
        _refuse_spread(spread)
        print("an output in a bucket cannot be appended to: if this is killed, it starts again")
    records = trained.opened(
        settings.input_data_pattern, "--input_data_pattern", reading.batch_size,
        reading.eval_frames, rated=False, say=print,
    )  # fmt: skip

    @functools.lru_cache
    def about() -> dict[str, Any]:
        return {**depends_on(trained, records.files, __version__), **given}

    with (
        # Before the outputs are opened, so that a mistake in the address deletes nothing.
        contextlib.closing(make_executor(settings.executor)) as executor,
        StopSignal() as stop,
        opened(folder, makers, about) as journal,
    ):
        examples, done = expected_examples(records.files, records.schema), journal.done.examples
        if done:
            print(f"going on after {done:,} of about {examples:,}")
        else:
            journal.check_ids(ids_ahead(records.files))
        check_space(dict(zip(paths.items(), journal.writers)), examples, done)
        if spread:
            job = _job(trained, records, reading, parts_folder(folder, about()))
            parts = parts_of(records.files, records.schema)
            predict_spread(executor, job, parts, journal, stop)
            return list(paths.values())
        predictor, bad = trained.predictor(records.batch_size), BadRecords(reading.max_bad_records)
        predict_into(journal, records, predictor, bad, reading.num_readers, stop=stop)
    return list(paths.values())


def _refuse_spread(spread: bool) -> None:
    if spread:
        raise UserError(
            "--executor: the workers leave their parts beside the output, so --output_file and"
            " --output_scores must be local, on a folder that all nodes share."
        )


def _job(
    trained: TrainedModel,
    records: EvaluationRecords,
    reading: ReadingSettings,
    folder: str,
) -> PredictionJob:
    """Return what the workers of a cluster need to know."""
    from yt8m.largescale.prediction.part import PredictionJob
    from yt8m.largescale.tasks.shared_folder import absolute

    return PredictionJob(
        absolute(trained.run.path),
        reading.checkpoint,
        reading.jit_compile,
        bool(reading.segment_labels),
        records.only([absolute(path) for path in records.files]),
        reading.num_readers,
        reading.max_bad_records,
        folder,
    )


def _outputs(
    trained: TrainedModel, settings: PredictSettings, segments: SegmentSettings
) -> tuple[dict[str, Maker], dict[str, str]]:
    """Return what opens each output, and its path, by its flag."""
    from yt8m.data.files.shards import find_shards
    from yt8m.submission.named import NamedWriter, named_path
    from yt8m.submission.outputs import csv_writer
    from yt8m.submission.score_formats import scores_writer

    schema, top_k = trained.config.schema, settings.top_k
    files = find_shards(settings.input_data_pattern, "--input_data_pattern")
    names = trained.class_names(settings.vocabulary_file, files)
    refuse_names(settings, settings.output_file, names.are_known)
    makers: dict[str, Maker] = {}
    paths: dict[str, str] = {}
    if settings.output_file:
        paths["--output_file"] = settings.output_file
        makers["--output_file"] = lambda at: csv_writer(
            settings.output_file,
            schema.segment_labels,
            top_k,
            segments.segment_max_pred,
            segments.segment_label_ids_file,
            at=at,
        )
    if settings.with_names:
        paths["--with_names"] = path = named_path(settings.output_file, settings.names_format)
        makers["--with_names"] = lambda at: NamedWriter(
            path, names, top_k, settings.names_format, at
        )
    if settings.output_scores:
        paths["--output_scores"] = settings.output_scores
        covered = trained.model.covered_classes
        meta: dict[str, Any] = {"segments": schema.segment_labels}
        if covered is not None:
            meta["covered_classes"] = covered
        if names.are_known:
            meta["class_names"] = list(names)
        makers["--output_scores"] = lambda at: scores_writer(
            settings.output_scores, schema.num_classes, settings, meta, at=at
        )
    return makers, paths


COMMAND = Command(
    about="Predict with a trained model, and write a Kaggle submission, the scores of all "
    "classes, or both.",
    usage="--train_dir=DIR --input_data_pattern=GLOBS --output_file=submission.csv",
    sections=(
        Section(PredictSettings),
        Section(ReadingSettings),
        Section(SegmentSettings),
        *overrides.SECTIONS,
    ),
    main=main,
)
