"""Examples a second of a training step, beside this machine's matrix product in the same run.

`python benchmarks/step_speed.py --model=MoeModel --num_classes=3862 --batch_size=512`
"""

import time

import numpy as np
import tensorflow as tf
from absl import flags

from yt8m import cli
from yt8m.losses import registry as losses
from yt8m.models.core import registry
from yt8m.training.optimizers import make_optimizer, prepare
from yt8m.training.step import TrainStep
from yt8m.training.weight_average import WeightAverage

FLAGS = flags.FLAGS
flags.DEFINE_string("model", "MoeModel", "see train.py --list_models")
flags.DEFINE_integer("num_classes", 3862, "K")
flags.DEFINE_integer("batch_size", 512, "examples a step")
flags.DEFINE_integer("num_frames", 300, "frames a video, for frame-level models")
flags.DEFINE_integer("steps", 10, "a round")
flags.DEFINE_integer("rounds", 5, "rounds; medians are printed")
flags.DEFINE_enum("dtype", "float32", ["float32", "bfloat16"], "of the computation")


def timed(function, repeats: int) -> float:
    """Return seconds a call."""
    start = time.perf_counter()
    for _ in range(repeats):
        result = function()
    np.asarray(tf.nest.flatten(result)[0])
    return (time.perf_counter() - start) / repeats


def main() -> None:
    """Measure in turn, so that a machine whose speed drifts is the same for both."""
    tf.keras.mixed_precision.set_global_policy(
        "mixed_bfloat16" if FLAGS.dtype == "bfloat16" else "float32"
    )
    strategy = tf.distribute.OneDeviceStrategy(
        "/cpu:0" if not tf.config.list_logical_devices("GPU") else "/gpu:0"
    )
    cls = registry.model_class(FLAGS.model)
    recipe = cls.recipe.updated({"batch_size": FLAGS.batch_size})
    with strategy.scope():
        model = cls(FLAGS.num_classes).build_weights()
        optimizer = make_optimizer(recipe, 10**9)
        prepare(optimizer, model.trainable_variables)
        average = WeightAverage(model.trainable_variables, recipe.weight_average)
        step = TrainStep(strategy, model, losses.get(recipe.label_loss), optimizer, average, recipe)
    frames = recipe.train_frames or FLAGS.num_frames
    rng = np.random.default_rng(0)
    batch = {
        "video": rng.normal(size=(FLAGS.batch_size, 1152)).astype(np.float32),
        "frames": rng.integers(0, 256, (FLAGS.batch_size, frames, 1152), np.uint8),
        "num_frames": np.full(FLAGS.batch_size, frames, np.int32),
        "labels": (
            rng.random((FLAGS.batch_size, FLAGS.num_classes)) < 3.0 / FLAGS.num_classes
        ).astype(np.uint8),
    }
    batch = {k: tf.constant(v) for k, v in batch.items() if k in (*model.input_keys, "labels")}
    iterator = iter(
        strategy.distribute_datasets_from_function(
            lambda _: tf.data.Dataset.from_tensors(batch).repeat()
        )
    )
    a, b = (tf.cast(tf.random.normal(s), FLAGS.dtype) for s in ((1024, 1152), (1152, 11586)))
    product = tf.function(lambda: tf.matmul(a, b))

    def one_step():
        return step(iterator, tf.constant(1))[1]

    timed(one_step, 2), timed(product, 2)
    rounds = [
        (timed(one_step, FLAGS.steps), timed(product, FLAGS.steps)) for _ in range(FLAGS.rounds)
    ]
    seconds, one_product = np.median(rounds, axis=0)
    print(
        f"{FLAGS.model}, batch {FLAGS.batch_size}, {FLAGS.dtype}: {FLAGS.batch_size / seconds:,.0f} examples/s"
    )
    print(
        f"matrix product 1024 x 1152 x 11586, {FLAGS.dtype}: {2 * 1024 * 1152 * 11586 / one_product / 1e9:,.0f} GFLOP/s"
    )
    if cls.level == "video":
        flop = (
            2
            * 2
            * FLAGS.batch_size
            * sum(int(np.prod(v.shape)) for v in model.trainable_variables if len(v.shape) > 1)
        )
        print(
            f"share of that product's speed: {flop / seconds / (2 * 1024 * 1152 * 11586 / one_product):.2f}"
        )


if __name__ == "__main__":
    cli.run(main)
