"""Evaluate a trained model: `python eval.py --train_dir=RUN --eval_data_pattern='...'`; runs once and ends."""

import os

from absl import flags

from yt8m import cli
from yt8m.errors import UserError
from yt8m.evaluation.watch import evaluate_run, watch
from yt8m.flags import define_overrides, define_segment_flags, given_overrides
from yt8m.runs.folder import RunFolder
from yt8m.runs.overrides import check_overrides
from yt8m.runs.trained_model import TrainedModel
from yt8m.submission.kaggle_segments import read_whitelist

FLAGS = flags.FLAGS
flags.DEFINE_string("train_dir", "", "the run's folder")
flags.DEFINE_string(
    "eval_data_pattern",
    "",
    "comma list of globs of labelled records; default: what the run validated on",
)
flags.DEFINE_string(
    "output_dir",
    "",
    "for metrics.json and per_class_ap.json; default TRAIN_DIR/eval, of segments by a run on videos eval/segments",
)
flags.DEFINE_enum(
    "checkpoint", "", ["", "best", "last"], "which model; default the best validated, else the last"
)
flags.DEFINE_integer("batch_size", 0, "examples a step; 0: the run's", 0)
flags.DEFINE_integer("top_k", 20, "labels a video that enter GAP and MAP", 1)
flags.DEFINE_integer(
    "eval_frames", None, "evenly spaced frames of each video; 0: all; default the run's", 0
)
flags.DEFINE_integer("num_readers", 8, "shards read side by side", 1)
flags.DEFINE_integer("max_bad_records", 0, "broken records that may be skipped", 0)
flags.DEFINE_bool("run_once", True, "evaluate once and end (the default); --norun_once is --watch")
flags.DEFINE_bool("watch", False, "evaluate each new model of a run in training, and end with it")
flags.DEFINE_float("poll_seconds", 10.0, "between looks for a new model, with --watch", 0.1)
flags.DEFINE_enum("strategy", "auto", ["auto", "one", "mirrored", "tpu"], "tf.distribute strategy")
flags.DEFINE_integer("num_gpu", 0, "GPUs to use at most; 0: all", 0)
flags.DEFINE_bool("jit_compile", False, "compile with XLA")
define_segment_flags()
define_overrides()


def main() -> None:
    """Evaluate once, or follow a run."""
    if not FLAGS.train_dir:
        raise UserError("--train_dir is missing; name the folder that train.py wrote its run to.")
    if FLAGS.watch or not FLAGS.run_once:
        watch(FLAGS.train_dir, once, FLAGS.poll_seconds)
    else:
        once()


def once() -> None:
    """Evaluate the model that the run has now."""
    config = RunFolder(FLAGS.train_dir).load_config()
    check_overrides(config, given_overrides())
    pattern = FLAGS.eval_data_pattern or config.training.eval_data_pattern
    if not pattern:
        raise UserError(
            "--eval_data_pattern is missing, and the run was not validated on anything; name labelled records."
        )
    trained = TrainedModel(
        FLAGS.train_dir,
        FLAGS.checkpoint,
        FLAGS.strategy,
        FLAGS.num_gpu,
        FLAGS.jit_compile,
        FLAGS.segment_labels,
    )
    # A per-class AP of segments must not take the place of that of videos, which fusion.py may weigh by.
    folder = (
        "eval/segments" if FLAGS.segment_labels and not config.schema.segment_labels else "eval"
    )
    evaluate_run(
        trained,
        pattern,
        FLAGS.output_dir or os.path.join(FLAGS.train_dir, folder),
        batch_size=FLAGS.batch_size,
        top_k=FLAGS.top_k,
        eval_frames=FLAGS.eval_frames,
        max_bad_records=FLAGS.max_bad_records,
        num_readers=FLAGS.num_readers,
        segment_max_pred=FLAGS.segment_max_pred,
        whitelist=read_whitelist(FLAGS.segment_label_ids_file),
    )


if __name__ == "__main__":
    cli.run(main)
