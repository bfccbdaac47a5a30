"""Fuse the scores of several models: `python fusion.py --inputs=a,b --output_file=s.csv`."""

from absl import flags

from yt8m import cli
from yt8m.errors import UserError
from yt8m.flags import define_segment_flags
from yt8m.fusion.run import run_fusion
from yt8m.fusion.settings import FusionSettings
from yt8m.fusion.weights import METHODS

FLAGS = flags.FLAGS
flags.DEFINE_list(
    "inputs", [], "score folders (inference.py --output_scores) and submission CSVs, two or more"
)
flags.DEFINE_string("output_file", "", "the submission CSV")
flags.DEFINE_string("output_scores", "", "a folder for every fused score, for another fusion")
flags.DEFINE_enum("scores_dtype", "float32", ["float32", "float16"], "of --output_scores")
flags.DEFINE_enum(
    "method",
    "average",
    METHODS,
    "l1, l2, l3: per-class AP divided by its norm; power: AP^power, shares",
)
flags.DEFINE_list("weights", [], "of --method=weighted: a number for each input")
flags.DEFINE_list(
    "ap_files", [], "of l1, l2, l3 and power: each input's per_class_ap.json, as eval.py writes it"
)
flags.DEFINE_float("power", 2.0, "exponent of --method=power", 0.0)
flags.DEFINE_string(
    "labels", "", "truth: a VIDEO_ID,L1 L2 CSV, or globs of labelled records"
)
flags.DEFINE_bool(
    "fit_on_half", False, "take the APs on a random half of the videos and the metrics on the other"
)
flags.DEFINE_integer("seed", 0, "of the random half")
flags.DEFINE_integer("top_k", 20, "pairs a video in the CSV and in the metrics", 1)
flags.DEFINE_integer(
    "num_classes",
    0,
    "K, where all inputs are CSVs; 0: the highest class in them and in --labels",
    0,
)
flags.DEFINE_integer("chunk_size", 1024, "videos read at a time", 1)
flags.DEFINE_string("output_metrics", "", "a JSON file for the metrics, with --labels")
define_segment_flags()


def main() -> None:
    """Turn flags into settings, and fuse."""
    try:
        weights = [float(w) for w in FLAGS.weights]
    except ValueError:
        raise UserError(
            f"--weights={','.join(FLAGS.weights)}: expected numbers, separated by commas."
        ) from None
    run_fusion(
        FusionSettings(
            inputs=[i.strip() for i in FLAGS.inputs if i.strip()],
            output_file=FLAGS.output_file,
            output_scores=FLAGS.output_scores,
            scores_dtype=FLAGS.scores_dtype,
            method=FLAGS.method,
            weights=weights,
            ap_files=FLAGS.ap_files,
            power=FLAGS.power,
            labels=FLAGS.labels,
            fit_on_half=FLAGS.fit_on_half,
            seed=FLAGS.seed,
            top_k=FLAGS.top_k,
            num_classes=FLAGS.num_classes,
            chunk_size=FLAGS.chunk_size,
            output_metrics=FLAGS.output_metrics,
            segment_max_pred=FLAGS.segment_max_pred,
            segment_label_ids_file=FLAGS.segment_label_ids_file,
        )
    )
    print(
        f"wrote {' and '.join(x for x in (FLAGS.output_file, FLAGS.output_scores) if x) or 'nothing'}"
    )


if __name__ == "__main__":
    cli.run(main)
