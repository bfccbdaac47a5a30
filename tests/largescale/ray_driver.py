"""The process that the tests of Ray run: `python ray_driver.py PART WORK_DIR` prints JSON.

It is a process of its own because a driver's TensorFlow must have as many threads as its workers',
and because WORK_DIR then identifies every process that Ray starts, so that the tests can end them.
"""

import yt8m.process.quiet  # noqa: F401

import contextlib
import dataclasses
import glob
import json
import os
import signal
import sys
import threading
import time

import numpy as np
import ray_tasks
import tensorflow as tf

from tests.support.runs import new_run
from tests.support.untrained import save_untrained
from yt8m.data.records.writers import video_record, write_shard
from yt8m.data.schema import RecordSchema
from yt8m.errors import UserError
from yt8m.largescale.executors import make_executor, ray_executor
from yt8m.largescale.gradient.full_batch import FullBatchGradient
from yt8m.largescale.tasks.record_source import RecordSource
from yt8m.largescale.tasks.shard_parts import ShardTask
from yt8m.largescale.validation.spread import SpreadValidation
from yt8m.models.core import registry
from yt8m.training.validation import Validation

SIZES, K, SHARDS = (
    (48, 16),
    300,
    12,
)  # a gradient of 380 KB: too large for Ray to keep with the driver
SCHEMA = RecordSchema("video", ("mean_rgb", "mean_audio"), SIZES, K)


@dataclasses.dataclass(frozen=True)
class LoggedSource(RecordSource):
    """Logs which process reads which shard, slowly, so that a test can kill one while it reads."""

    log: str = ""
    delay: float = 0.0

    def batches(self, shards, rows, broken):
        import ray

        with open(self.log, "a") as f:
            node = ray.get_runtime_context().get_node_id() if ray.is_initialized() else ""
            f.write(f"{os.getpid()} {node} {os.path.basename(shards[0])}\n")
        time.sleep(self.delay)
        yield from super().batches(shards, rows, broken)


def data(folder):
    """Write uneven shards; return a task for each, and the number of records."""
    rng = np.random.default_rng(0)
    paths = []
    for s in range(SHARDS):
        path = os.path.join(folder, f"{s:02d}.tfrecord")
        rows = [rng.normal(size=sum(SIZES)).astype(np.float32) for _ in range(20 + s)]
        means = [{"mean_rgb": x[:48], "mean_audio": x[48:]} for x in rows]
        write_shard(path, [video_record(b"v", m, rng.integers(0, K, 3)) for m in means])
        paths.append(path)
    return [ShardTask((p,)) for p in paths], sum(20 + s for s in range(SHARDS))


def model():
    made = registry.create("MoeModel", num_classes=K, feature_sizes=SIZES).build_weights()
    rng = np.random.default_rng(1)
    made.set_weights(
        [rng.normal(scale=0.3, size=w.shape).astype(np.float32) for w in made.get_weights()]
    )
    return made


def same(a, b):
    """Whether two results are equal to the last bit."""
    return a.loss == b.loss and all((x == y).all() for x, y in zip(a.gradients, b.gradients))


def lines(path):
    with open(path) as f:
        return [line.split(" ") for line in f.read().splitlines()]


def engine(work):
    """Plain tasks: map, map_reduce over two levels of the tree, errors, time-outs."""
    executor = make_executor("ray?workers=2&task_timeout=3&max_retries=1")
    shared = {
        "offset": executor.broadcast(np.arange(5)),
        "work": executor.broadcast(work),
    }
    out = {
        "map": sorted(executor.map(ray_tasks.plus, range(20), shared)),
    }
    out["listening"] = ray_tasks.listening(work)
    out["auth"] = os.environ["RAY_AUTH_MODE"]
    out["order"] = executor.map_reduce(ray_tasks.name, range(70), shared, ray_tasks.bracket)
    out["again"] = executor.map_reduce(ray_tasks.stuck_once, range(4), shared, ray_tasks.add)
    patience, ray_executor._GRACE = ray_executor._GRACE, 0.5
    out["long"] = executor.map_reduce(ray_tasks.long, range(2), shared, ray_tasks.add)
    ray_executor._GRACE = patience
    for name in ["user_error"] * 200 + [
        "stuck_always"
    ]:  # often: while the other tasks of such a call complete
        began = time.monotonic()
        try:
            executor.map_reduce(getattr(ray_tasks, name), range(4), shared, ray_tasks.add)
        except UserError as error:
            out[name] = str(error)
        out[name + "_seconds"] = time.monotonic() - began
    executor.close()
    return out


def gpu(work):
    """A node that claims to have a GPU: tasks ask for it, and its process is kept."""
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "num_gpus": 1})
    executor = make_executor(cluster.address)
    out = {"who": []}
    for _ in range(2):
        out["who"] += [value for _, value in executor.map(ray_tasks.who, range(3), {})]
    executor.close()
    cluster.add_node(num_cpus=2)
    cluster.wait_for_nodes()
    shared = make_executor(f"{cluster.address}?gpus=0.5&cpu_nodes=1")
    out["shared"] = [value for _, value in shared.map(ray_tasks.who_takes_time, range(60), {})]
    shared.close()
    try:
        make_executor(f"{cluster.address}?gpus=3")
    except UserError as error:
        out["too_many"] = str(error)
    cluster.shutdown()
    return out


def closed(work):
    """An error on a cluster that goes on: closing the executor ends the rest of the job."""
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2})
    executor = make_executor(cluster.address)
    shared = {"work": executor.broadcast(work)}
    out = {}
    try:
        list(executor.map(ray_tasks.error_after_the_others_began, range(2), shared))
    except UserError as error:
        out["error"] = str(error)
    with open(os.path.join(work, "begun")) as f:
        pid = f.read()
    running = lambda: os.path.exists(f"/proc/{pid}")  # noqa: E731
    out["before"] = running()
    executor.close()
    for _ in range(600):
        if not running():
            break
        time.sleep(0.1)
    out["after"], out["nodes"] = running(), len(cluster.list_all_nodes())
    cluster.shutdown()
    return out


def wait_to_be_killed(work):
    """Ray started here, a task done, and then nothing."""
    executor = make_executor("ray?workers=1")
    list(executor.map(ray_tasks.who, range(1), {}))
    open(os.path.join(work, "ready"), "w").close()
    time.sleep(600)


def wide_model():
    """A model whose products are so large that kernels for them differ in how they round.

    Its head, when frozen, is read from the object store.
    """
    groups = [
        {"classes": list(range(20, K)), "num_mixtures": 1},
        {"classes": list(range(20)), "num_mixtures": 17},
    ]
    tf.keras.utils.set_random_seed(1)
    made = registry.create(
        "VideoDbofBasic", num_classes=K, feature_sizes=SIZES, width=1500, groups=groups
    )
    return made.build_weights()


def equal(work):
    """Gradient and validation in this process, on one worker and on two, also after an update.

    The head is frozen, and so computed by blocks.
    """
    tasks, count = data(work)
    results, source = [], RecordSource(SCHEMA, 16)
    pattern, metrics = os.path.join(work, "*.tfrecord"), []
    config = new_run(pattern, "VideoDbofBasic", schema=SCHEMA, eval_data_pattern=pattern)
    records = Validation(config, tf.distribute.OneDeviceStrategy("/cpu:0"))
    for workers in (0, 1, 2):
        executor = make_executor("ray", workers=workers) if workers else make_executor("")
        executor.task_memory = 300 << 20
        full = FullBatchGradient(executor, wide_model(), source, tasks, ("head",))
        first = full(iteration=0)
        full.set_weights(
            [
                w - 0.1 * np.sign(g).astype(np.float32)
                for w, g in zip(full.weights(), first.gradients)
            ]
        )
        found = SpreadValidation(executor, records, config, 1).on_records(full.shared)
        metrics.append({name: value for name, value in found.items() if name != "seconds"})
        results.append((first, full(iteration=1), full(iteration=2, fraction=0.3)))
        executor.close()
    return {
        "count": count,
        "examples": [[r.num_examples for r in rs] for rs in results],
        "equal": [[same(a, b) for a, b in zip(results[0], other)] for other in results[1:]],
        "moved": not same(results[0][0], results[0][1]),
        "metrics": metrics,
    }


def faults(work):
    """Two nodes on this machine; a worker and then a node are killed within an iteration."""
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # all ports on the loopback interface
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
    tasks, count = data(work)
    out = {"count": count, "tasks": len(tasks)}
    executor = make_executor(cluster.address, task_timeout=60)
    out["listening"] = ray_tasks.listening(work)

    def run(name, disturb=None):
        log = os.path.join(work, name)
        open(log, "w").close()
        full = FullBatchGradient(
            executor, model(), LoggedSource(SCHEMA, 16, log=log, delay=0.4), tasks
        )
        killer = threading.Thread(target=disturb, args=(log,)) if disturb else None
        if killer:
            killer.start()
        began = time.monotonic()
        result = full()
        if killer:
            killer.join()
        out[name] = {
            "runs": len(lines(log)),
            "examples": result.num_examples,
            "seconds": time.monotonic() - began,
        }
        out[name]["nodes"] = len({line[1] for line in lines(log)})
        return result

    def wait_for(log, ready):
        for _ in range(1200):
            if ready(lines(log)):
                return lines(log)
            time.sleep(0.05)
        raise TimeoutError("the tasks never came that far")

    def kill_worker(log):
        pid = wait_for(log, lambda seen: len(seen) >= 4)[-1][0]
        os.kill(int(pid), signal.SIGKILL)
        out["killed_worker"] = int(pid)

    def kill_node(log):
        victim = nodes[1].node_id
        seen = wait_for(log, lambda seen: sum(line[1] == victim for line in seen) >= 3)
        raylets = {p.process.pid for p in nodes[1].all_processes["raylet"]}
        for pid in raylets | {int(line[0]) for line in seen if line[1] == victim}:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        out["killed_node"] = victim

    undisturbed = run("undisturbed")
    out["worker_equal"] = same(undisturbed, run("worker_lost", kill_worker))
    out["node_equal"] = same(undisturbed, run("node_lost", kill_node))
    out["after_equal"] = same(undisturbed, run("after"))
    executor.close()
    cluster.shutdown()
    return out


def spread(work):
    """A prediction on two workers, of which one is killed in the middle of a part."""
    from yt8m import cli
    from yt8m.largescale.prediction import spread

    spread.PART_BYTES["video"] = 1  # each shard is a part
    data(work)
    config = new_run(os.path.join(work, "00.tfrecord"), "LogisticModel", schema=SCHEMA)
    run = save_untrained(config, os.path.join(work, "run"))
    out = {"killed": 0}

    def kill_one():
        pattern = os.path.join(work, "disturbed.csv.progress", "parts-*", "*.partial")
        while not glob.glob(pattern):
            time.sleep(0.005)
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as text:
                if b"ray::run_task" in text.read():
                    with open(f"/proc/{pid}/environ", "rb") as environment:
                        if work.encode() in environment.read():
                            os.kill(int(pid), signal.SIGKILL)
                            out["killed"] += 1
                            return

    for name in ("undisturbed", "disturbed"):
        if name == "disturbed":
            threading.Thread(target=kill_one, daemon=True).start()
        csv = os.path.join(work, name + ".csv")
        out[name] = cli.call(
            "predict",
            [
                f"--train_dir={run}",
                f"--input_data_pattern={work}/*.tfrecord",
                f"--output_file={csv}",
                "--executor=ray?workers=2",
            ],
        )
        with open(csv) as source:
            out[name + "_csv"] = source.read()
    out["left"] = sorted(n for n in os.listdir(work) if "progress" in n or "partial" in n)
    return out


if __name__ == "__main__":
    part, folder = sys.argv[1:]
    named = (engine, gpu, closed, wait_to_be_killed, equal, faults, spread)
    parts = {f.__name__: f for f in named}
    print("RESULT " + json.dumps(parts[part](folder)))
