"""Predict and write a Kaggle submission: `python inference.py --train_dir=RUN --input_data_pattern='...' --output_file=s.csv`."""

import contextlib

from absl import flags

from yt8m import cli
from yt8m.errors import UserError
from yt8m.flags import define_overrides, define_segment_flags, given_overrides
from yt8m.runs.bundle import open_bundle, write_bundle
from yt8m.runs.overrides import check_overrides
from yt8m.runs.trained_model import TrainedModel
from yt8m.submission.outputs import csv_writer, refuse_without_csv
from yt8m.submission.predict import predict
from yt8m.submission.score_files import ScoreWriter

FLAGS = flags.FLAGS
flags.DEFINE_string("train_dir", "", "the run's folder")
flags.DEFINE_string("input_model_tgz", "", "a bundled model in place of --train_dir")
flags.DEFINE_string("untar_model_dir", "/tmp/yt8m-model", "where the bundle is unpacked")
flags.DEFINE_string(
    "input_data_pattern", "", "comma list of globs of records, with or without labels"
)
flags.DEFINE_string("output_file", "", "the submission CSV")
flags.DEFINE_string(
    "output_scores", "", "a folder for every score at full precision, for fusion.py"
)
flags.DEFINE_enum("scores_dtype", "float32", ["float32", "float16"], "of --output_scores")
flags.DEFINE_string("output_model_tgz", "", "also bundle the model into this file")
flags.DEFINE_integer(
    "top_k", 20, "pairs a video in the CSV; of segments, classes each takes part in", 1
)
flags.DEFINE_enum(
    "checkpoint", "", ["", "best", "last"], "which model; default the best validated, else the last"
)
flags.DEFINE_integer("batch_size", 0, "examples a step; 0: the run's", 0)
flags.DEFINE_integer(
    "eval_frames", None, "evenly spaced frames of each video; 0: all; default the run's", 0
)
flags.DEFINE_integer("num_readers", 8, "shards read side by side", 1)
flags.DEFINE_integer("max_bad_records", 0, "broken records that may be skipped", 0)
flags.DEFINE_enum("strategy", "auto", ["auto", "one", "mirrored", "tpu"], "tf.distribute strategy")
flags.DEFINE_integer("num_gpu", 0, "GPUs to use at most; 0: all", 0)
flags.DEFINE_bool("jit_compile", False, "compile with XLA")
define_segment_flags()
define_overrides()


def main() -> None:
    """Predict once over the records, into every output that was asked for."""
    if bool(FLAGS.train_dir) == bool(FLAGS.input_model_tgz):
        raise UserError(
            "give either --train_dir, the folder of a run, or --input_model_tgz, a bundled model."
        )
    if not (FLAGS.output_file or FLAGS.output_scores or FLAGS.output_model_tgz):
        raise UserError(
            "nothing to write: give --output_file (submission CSV), --output_scores (for fusion) or --output_model_tgz."
        )
    segment_flags = (FLAGS.segment_max_pred, FLAGS.segment_label_ids_file)
    if not FLAGS.output_file:
        refuse_without_csv(*segment_flags)
    train_dir = FLAGS.train_dir or open_bundle(FLAGS.input_model_tgz, FLAGS.untar_model_dir)
    if FLAGS.output_model_tgz:
        write_bundle(train_dir, FLAGS.output_model_tgz, FLAGS.checkpoint)
        print(f"wrote {FLAGS.output_model_tgz}")
    if not (FLAGS.output_file or FLAGS.output_scores):
        return
    if not FLAGS.input_data_pattern:
        raise UserError("--input_data_pattern is missing; name the records to predict.")
    trained = TrainedModel(
        train_dir,
        FLAGS.checkpoint,
        FLAGS.strategy,
        FLAGS.num_gpu,
        FLAGS.jit_compile,
        FLAGS.segment_labels,
    )
    check_overrides(trained.config, given_overrides())
    schema = trained.config.schema
    with contextlib.ExitStack() as stack:
        writers = []
        if FLAGS.output_file:
            csv = csv_writer(FLAGS.output_file, schema.segment_labels, FLAGS.top_k, *segment_flags)
            writers.append(stack.enter_context(csv))
        if FLAGS.output_scores:
            covered = trained.model.covered_classes
            meta = {
                "segments": schema.segment_labels,
                **({} if covered is None else {"covered_classes": covered}),
            }
            writers.append(
                stack.enter_context(
                    ScoreWriter(FLAGS.output_scores, schema.num_classes, FLAGS.scores_dtype, meta)
                )
            )
        predict(
            trained,
            FLAGS.input_data_pattern,
            writers,
            FLAGS.batch_size,
            FLAGS.eval_frames,
            FLAGS.max_bad_records,
            FLAGS.num_readers,
        )
    print(f"wrote {' and '.join(x for x in (FLAGS.output_file, FLAGS.output_scores) if x)}")


if __name__ == "__main__":
    cli.run(main)
