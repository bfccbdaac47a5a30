"""Train a model: `python train.py --model=AttnVLAD --train_data_pattern='...'`; the same command resumes."""

import yt8m.quiet  # noqa: F401

import tensorflow as tf
from absl import flags

from yt8m import cli
from yt8m import flags as yt8m_flags
from yt8m.data.files.count import count_records
from yt8m.data.files.shards import find_shards
from yt8m.data.find_schema import find_schema
from yt8m.models.core import registry
from yt8m.runs import build
from yt8m.runs.config import ModelConfig, RunConfig
from yt8m.runs.strategy import make_strategy
from yt8m.training import label_experiments, synthetic_sample, trainers

FLAGS = flags.FLAGS
yt8m_flags.define_training_flags()


def main() -> int:
    """Turn flags into a run's settings, and run it."""
    if FLAGS.list_models:
        print(registry.table())
        return 0
    model = registry.model_class(FLAGS.model)
    arguments = yt8m_flags.model_arguments_from_flags(FLAGS.model, model)
    tf.debugging.set_log_device_placement(FLAGS.log_device_placement)
    # Before anything touches TensorFlow's devices: workers must be joined first of all.
    strategy = make_strategy(
        FLAGS.strategy, FLAGS.num_gpu, [FLAGS.train_data_pattern, FLAGS.train_dir or ""]
    )
    if not FLAGS.train_data_pattern:
        synthetic_sample.use_synthetic_sample(FLAGS, model.level)
    files = find_shards(FLAGS.train_data_pattern)
    schema, found = find_schema(
        files,
        feature_names=yt8m_flags.split_list(FLAGS.feature_names),
        feature_sizes=yt8m_flags.sizes_list(FLAGS.feature_sizes),
        num_classes=yt8m_flags.num_classes(),
        segment_labels=FLAGS.segment_labels,
        frame_features=FLAGS.frame_features,
        max_frames=FLAGS.max_frames,
        vocabulary_file=FLAGS.vocabulary_file,
    )
    build.check_level(FLAGS.model, schema)
    records, exact = count_records(files)
    print(
        f"{found}; {len(files)} files, {'' if exact else 'about '}{records:,} records", flush=True
    )
    recipe, training = yt8m_flags.recipe_from_flags(model), yt8m_flags.training_from_flags(model)
    if exact:
        build.check_batch_size(recipe, records, schema)
    eval_files = (
        find_shards(training.eval_data_pattern, "--eval_data_pattern")
        if training.eval_data_pattern
        else []
    )
    config = RunConfig(
        schema=schema,
        model=ModelConfig(registry.own_name(FLAGS.model), arguments),
        recipe=recipe,
        training=training,
        alternation=yt8m_flags.alternation_from_flags(training.trainer),
        facts={**build.facts(files, eval_files), "records": records},
    )
    label_experiments.check(config)
    train = trainers.get(config.training.trainer)
    return train(
        config, FLAGS.train_dir or f"runs/{config.model.name}", FLAGS.start_new_model, strategy
    )


if __name__ == "__main__":
    cli.run(main)
