"""TensorFlow Model Garden's DBoF: its own train step, on a batch from memory.

Model Garden's Python runs this file. Its wheel (tf-models-official 2.15.0) lacks the yt8m reader
and a package for evaluation, which its task imports; they are replaced by empty modules here.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
import types

import numpy as np
import tensorflow as tf

_MISSING = {"dataloaders": "yt8m_input", "eval_utils": "eval_util"}
FRAMES = 30


def add_missing_modules() -> None:
    """Put empty modules in the place of those that the wheel lacks."""
    for package, module in _MISSING.items():
        name = f"official.projects.yt8m.{package}"
        parent, child = types.ModuleType(name), types.ModuleType(f"{name}.{module}")
        setattr(parent, module, child)
        sys.modules[name], sys.modules[child.__name__] = parent, child


def make_task(yt8m_task, configs):
    """Return Model Garden's task with the sizes of the starter code's DbofModel."""
    configuration = configs.YT8MTask()
    model = configuration.model
    model.backbone.dbof.cluster_size, model.backbone.dbof.hidden_size = 8192, 1024
    model.backbone.dbof.pooling_method = "max"
    model.norm_activation.activation = "relu6"
    model.head.moe.num_mixtures = 2
    configuration.train_data.num_sample_frames = FRAMES
    configuration.train_data.max_frames = FRAMES
    configuration.evaluation.average_precision = None
    return yt8m_task.YT8MTask(configuration)


def main() -> None:
    """Time single steps, and print the median examples/s as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch_size", type=int, default=128)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--dtype", default="float32", choices=("float32", "bfloat16"))
    arguments = parser.parse_args()
    add_missing_modules()
    from official.projects.yt8m.configs import yt8m as configs
    from official.projects.yt8m.tasks import yt8m_task

    policy = "mixed_bfloat16" if arguments.dtype == "bfloat16" else "float32"
    tf.keras.mixed_precision.set_global_policy(policy)
    task = make_task(yt8m_task, configs)
    model = task.build_model()
    optimizer, metrics = tf.keras.optimizers.Adam(0.01), task.build_metrics(training=True)
    size, rng = arguments.batch_size, np.random.default_rng(0)
    batch = {
        "video_matrix": tf.constant(rng.normal(size=(size, FRAMES, 1152)).astype(np.float32)),
        "labels": tf.constant((rng.random((size, 3862)) < 0.001).astype(np.float32)),
        "num_frames": tf.fill([size], float(FRAMES)),
    }
    step = tf.function(lambda inputs: task.train_step(inputs, model, optimizer, metrics))
    seconds = []
    for _ in range(arguments.steps):
        start = time.perf_counter()
        float(step(batch)[task.loss])
        seconds.append(time.perf_counter() - start)
    result = {"examples_per_second": size / statistics.median(seconds[2:])}
    result["million_parameters"] = (
        sum(int(np.prod(v.shape)) for v in model.trainable_variables) / 1e6
    )
    print(json.dumps(result))


if __name__ == "__main__":
    main()
