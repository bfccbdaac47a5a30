"""`yt8m eval`: evaluate a trained model once, or each model that a run in training saves."""

from __future__ import annotations

import dataclasses
import os

from absl.flags import FlagValues

from yt8m import flags, hub
from yt8m.commands import overrides
from yt8m.commands.command import Command, say_next
from yt8m.commands.reading_settings import ReadingSettings
from yt8m.errors import UserError
from yt8m.flags import Section
from yt8m.metrics.mean_average_precision import MapClasses
from yt8m.settings import MOST_BEST, SECONDS, setting
from yt8m.submission.settings import SegmentSettings, VocabularySettings


@dataclasses.dataclass(frozen=True)
class EvalSettings(VocabularySettings):
    """What to evaluate. Each field is the flag of the same name."""

    train_dir: str = setting(
        "", help="folder of the run, or a model on the Hub, hf://OWNER/NAME", common=True
    )
    eval_data_pattern: str = setting(
        "",
        help="comma-separated glob patterns of labelled records; by default those on which the run"
        " was validated",
        common=True,
    )
    output_dir: str = setting(
        "",
        help="folder for metrics.json, per_class_ap.json and details.json; by default "
        "TRAIN_DIR/eval, or TRAIN_DIR/eval/segments for segments from a run on whole videos",
        common=True,
    )
    top_k: int = setting(
        20,
        help="number of labels per video that enter GAP and MAP",
        at_least=1,
        common=True,
        at_most=MOST_BEST,
    )
    map_classes: MapClasses = setting(
        "positive",
        help="classes over which MAP is the mean: positive (those with a positive among the"
        " records, as in the starter code since May 2019), or all (the others count as 0, as in"
        " older numbers)",
        choices=MapClasses,
    )
    report: bool = setting(
        False,
        help="write report.html beside the metrics: a page with the run's curves, classes and "
        "mistakes",
        common=True,
    )
    watch: bool = setting(
        False,
        help="evaluate each new model that a run in training saves, and exit when the run ends",
        common=True,
    )
    run_once: bool = setting(
        True, help="evaluate once and exit; --norun_once is the same as --watch", group="Watching"
    )
    poll_seconds: float = setting(
        10.0, help="seconds between checks for a new model, with --watch", at_least=0.1,
        group="Watching", at_most=SECONDS,)  # fmt: skip


def main(values: FlagValues) -> None:
    """Evaluate a model once, or each new model of a run."""
    from yt8m.evaluation.watch import watch

    settings = flags.read(EvalSettings, values)
    if not settings.train_dir:
        raise UserError("--train_dir is missing; name the folder to which train.py wrote the run.")
    if not settings.output_dir and hub.is_address(settings.train_dir):
        raise UserError(
            f"--output_dir is missing: the metrics of {settings.train_dir} need a folder on this"
            " machine."
        )
    if settings.watch or not settings.run_once:
        watch(settings.train_dir, lambda: _once(settings, values), settings.poll_seconds)
    else:
        _once(settings, values)
        outputs = "--input_data_pattern=GLOBS --output_file=submission.csv --output_scores=scores"
        say_next("predict", f"--train_dir={settings.train_dir}", to_fill_in=outputs)


def _once(settings: EvalSettings, values: FlagValues) -> None:
    """Evaluate the current model of the run."""
    from yt8m.evaluation.evaluate_run import evaluate_run
    from yt8m.runs.folder import WEIGHTS, RunFolder
    from yt8m.runs.overrides import check_overrides
    from yt8m.runs.trained_model import TrainedModel
    from yt8m.submission.kaggle_segments import read_whitelist

    reading, segments = flags.read(ReadingSettings, values), flags.read(SegmentSettings, values)
    config = RunFolder(settings.train_dir).load_config()
    check_overrides(config, overrides.given_overrides(values))
    pattern = settings.eval_data_pattern or config.training.eval_data_pattern
    if not pattern:
        raise UserError(
            "--eval_data_pattern is missing, and the run was not validated on any records; name "
            "labelled records."
        )
    trained = TrainedModel(
        settings.train_dir,
        reading.checkpoint,
        reading.strategy,
        reading.num_gpu,
        reading.jit_compile,
        bool(reading.segment_labels),
    )
    # The per-class AP of segments must not replace that of videos, which fusion.py may use as
    # weights.
    only_here = reading.segment_labels and not config.schema.segment_labels
    folder = os.path.join("eval", "segments") if only_here else "eval"
    out_dir = settings.output_dir or os.path.join(settings.train_dir, folder)
    if os.path.exists(os.path.join(out_dir, WEIGHTS)):
        raise UserError(
            f"--output_dir={out_dir} has a model, whose own metrics would be replaced; name"
            " another folder."
        )
    evaluate_run(
        trained,
        pattern,
        out_dir,
        batch_size=reading.batch_size,
        top_k=settings.top_k,
        eval_frames=reading.eval_frames,
        max_bad_records=reading.max_bad_records,
        num_readers=reading.num_readers,
        segment_max_pred=segments.segment_max_pred,
        whitelist=read_whitelist(segments.segment_label_ids_file),
        vocabulary_file=settings.vocabulary_file,
        map_classes=settings.map_classes,
    )
    if settings.report:
        from yt8m.report.settings import ReportSettings
        from yt8m.report.write import write_report

        page = ReportSettings(
            runs=(settings.train_dir,),
            out=os.path.join(out_dir, "report.html"),
            vocabulary_file=settings.vocabulary_file,
        )
        write_report(page, out_dir)


COMMAND = Command(
    about="Evaluate a trained model on labelled records. Every example counts exactly once.",
    usage="--train_dir=DIR [--eval_data_pattern=GLOBS]",
    sections=(
        Section(EvalSettings),
        Section(ReadingSettings),
        Section(SegmentSettings),
        *overrides.SECTIONS,
    ),
    main=main,
)
