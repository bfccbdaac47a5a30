"""Run the exported programs on this machine's device, and measure them.

    python run.py                                    # every program of the folder `programs`
    python run.py --only='MoeModel.*,*.predict.*' --seconds=5
    python run.py --json=h100.json                   # again: go on where it stopped

It needs jax and numpy alone. A program is StableHLO beside a JSON file that lists its arguments.
Those are drawn on the device: bytes for frames, a few labels for each video, weights as wide as
the model's own first ones. A training step gets the variables that the step before it returned.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import dataclasses
import fnmatch
import functools
import glob
import json
import math
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jax import export

Row = dict[str, Any]  # what was measured of a program
About = dict[str, Any]  # a program's JSON file, or what describes a device
PROGRAMS = Path(__file__).resolve().parent / "programs"
# Published peaks of one jax device: TFLOP/s of matrix products without sparsity in bfloat16, in
# float32 at the default precision (TF32 on NVIDIA's cards from Ampere on, bfloat16 on a TPU) and in
# full float32; GB/s of memory. Cards before Ampere compute bfloat16 in float32. A device is a core
# of a TPU v2 or v3, and a chip of a newer one. The first pattern that is found counts.
PEAKS: tuple[tuple[str, float, float, float | None, float], ...] = (
    (r"H200", 989.4, 494.7, 66.9, 4800),
    (r"H100 PCIe", 756, 378, 51.2, 2000),
    (r"H100 NVL", 835, 417.5, 60, 3900),
    (r"H100", 989.4, 494.7, 66.9, 3350),
    (r"A100.*80GB", 312, 156, 19.5, 2039),
    (r"A100", 312, 156, 19.5, 1555),
    (r"V100", 15.7, 15.7, 15.7, 900),
    (r"\bT4\b", 8.1, 8.1, 8.1, 320),
    (r"\bL4\b", 121, 60.5, 30.3, 300),
    (r"TPU v2", 22.5, 22.5, None, 350),
    (r"TPU v3", 61.5, 61.5, None, 450),
    (r"TPU v4", 275, 275, None, 1228),
    (r"TPU v5 ?(lite|e)", 197, 197, None, 819),
    (r"TPU v5", 459, 459, None, 2765),
    (r"TPU v6", 918, 918, None, 1640),
)


def describe(device: Any) -> About:
    """Return a device's name, its peaks, and the speed of a matrix product on it."""
    size = 2048 if device.platform == "cpu" else 8192
    products = {t: round(matrix_product(size, t), 3) for t in ("bfloat16", "float32")}
    about = {
        "kind": device.device_kind,
        "platform": device.platform,
        "jax": jax.__version__,
        "memory_bytes": free_memory(device),
        "matrix_product_tflops": products,
        "peak_from": "a matrix product",
        "peak_tflops": {**products, "float32_full": None},
        "peak_gb_per_second": None,
    }
    for pattern, bfloat16, float32, full, bandwidth in PEAKS:
        if re.search(pattern, device.device_kind):
            peaks = {"bfloat16": bfloat16, "float32": float32, "float32_full": full}
            about.update(peak_from="the data sheet", peak_tflops=peaks)
            return {**about, "peak_gb_per_second": bandwidth}
    return about


def matrix_product(size: int, dtype: str) -> float:
    """Return the TFLOP/s of the fastest of some products of two square matrices."""
    make = jax.jit(lambda key: jax.random.normal(key, (size, size), dtype))
    left, right = make(new_key(0)), make(new_key(1))
    product = jax.jit(lambda a, b: a @ b).lower(left, right).compile()
    times = []
    for _ in range(6):
        start = time.perf_counter()
        jax.block_until_ready([product(left, right) for _ in range(3)])
        times.append((time.perf_counter() - start) / 3)
    return 2 * size**3 / min(times) / 1e12


def free_memory(device: Any) -> int | None:
    """Return the bytes that are free for programs, on a CPU those of the machine."""
    stats = device.memory_stats() or {}
    if "bytes_limit" in stats:
        return int(stats["bytes_limit"]) - int(stats.get("bytes_in_use", 0))
    meminfo = Path("/proc/meminfo")
    found = meminfo.exists() and re.search(r"MemAvailable:\s+(\d+) kB", meminfo.read_text())
    return int(found.group(1)) * 1024 if found else None


def new_key(seed: int) -> Any:
    """Return a key of the generator whose code compiles fastest."""
    return jax.random.key(seed, impl="rbg")


def draw(arguments: list[About], num_frames: int, key: Any) -> list[Any]:
    """Return a random value for each argument.

    One long vector of noise is cut into the weights: a draw for each would take long to compile.
    """
    sizes = [math.prod(a["shape"]) if "std" in (a["init"] or {}) else 0 for a in arguments]
    noise_key, *keys = jax.random.split(key, 1 + sum(a["role"] == "data" for a in arguments))
    noise = jax.random.uniform(noise_key, (sum(sizes),), jnp.float32, -(3**0.5), 3**0.5)
    values, start = [], 0
    for argument, size in zip(arguments, sizes):
        shape, dtype, first = tuple(argument["shape"]), argument["dtype"], argument["init"] or {}
        if argument["role"] == "data":
            values.append(draw_data(argument["name"], shape, dtype, num_frames, keys.pop()))
        elif "values" in first:
            values.append(jnp.asarray(first["values"], dtype).reshape(shape))
        elif "constant" in first:
            values.append(jnp.full(shape, first["constant"], dtype))
        else:
            cut = noise[start : start + size].reshape(shape)
            values.append((cut * first["std"] + first["mean"]).astype(dtype))
        start += size
    return values


def draw_data(name: str, shape: tuple[int, ...], dtype: str, num_frames: int, key: Any) -> Any:
    """Return a random part of a batch."""
    if name == "frames":
        return jax.random.bits(key, shape, "uint8")
    if name == "num_frames":
        return jax.random.randint(key, shape, (num_frames + 1) // 2, num_frames + 1, dtype)
    if name == "labels":
        return jax.random.bernoulli(key, min(0.5, 3.4 / shape[-1]), shape).astype(dtype)
    if name == "rate":  # a mixture's step gets the rate of learning,
        return jnp.asarray(0.001, dtype)
    if name == "powers":  # and Adam's factors to the power of the step
        return jnp.asarray([0.9, 0.999], dtype)
    return jax.random.normal(key, shape, jnp.float32).astype(dtype)


def compile_program(path: Path, about: About) -> tuple[Any, Any, float]:
    """Return a program, a function of a key that makes its arguments, and the seconds it took.

    Both are compiled for the default device. The program may write the new values of variables
    where the old ones were.
    """
    start = time.perf_counter()
    inputs, outputs = (
        [jax.ShapeDtypeStruct(tuple(x["shape"]), x["dtype"]) for x in about[part]]
        for part in ("arguments", "outputs")
    )

    def same_types(*_: Any) -> tuple[Any, ...]:
        return tuple(jnp.zeros(x.shape, x.dtype) for x in outputs)

    # jax reads no plain StableHLO; an export of a function with the same types carries it.
    carrier = export.export(jax.jit(same_types, keep_unused=True))(*inputs)
    program = dataclasses.replace(carrier, mlir_module_serialized=path.read_bytes())
    donated = tuple(argument for argument, _ in about["updates"])
    function = jax.jit(program.call, donate_argnums=donated, keep_unused=True)
    compiled = function.lower(*inputs).compile()

    make = functools.partial(draw, about["arguments"], about["num_frames"])
    maker = jax.jit(make).lower(new_key(0)).compile()
    return compiled, maker, time.perf_counter() - start


class Steps:
    """Calls a program again and again, each time with the variables that it returned."""

    def __init__(self, program: Any, arguments: list[Any], about: About):
        self.program, self.arguments, self.about = program, arguments, about
        self.outputs: Any = None

    def run(self, count: int) -> float:
        """Return the seconds that a call took, the mean of `count` calls."""
        jax.block_until_ready(self.arguments)
        start = time.perf_counter()
        for _ in range(count):
            self.outputs = self.program(*self.arguments)
            for argument, output in self.about["updates"]:
                self.arguments[argument] = self.outputs[output]
        jax.block_until_ready(self.outputs)
        return (time.perf_counter() - start) / count

    def loss(self) -> dict[str, float]:
        """Return the mean loss of the steps so far, and how many had no finite gradient."""
        for argument, value in zip(self.about["arguments"], self.arguments):
            if argument["role"] == "sums" and argument["shape"] == [4]:
                loss, _, steps, broken = (float(x) for x in value)
                return {"loss": loss / max(steps, 1), "broken_steps": broken}
        return {}

    def finite(self) -> bool:
        """Return whether every number of the last results is finite, variables aside."""
        updates = {output for _, output in self.about["updates"]}
        results = [x for i, x in enumerate(self.outputs) if i not in updates]
        return all(bool(jnp.isfinite(x).all()) for x in results)


def measure(compiling: Any, about: About, args: Any, device: About) -> Row:
    """Run a program for about `args.seconds`, and return what was measured."""
    program, maker, compile_seconds = compiling.result(timeout=0)
    here = jax.devices()[0]
    stats, cost = program.memory_analysis(), program.cost_analysis() or {}
    memory = {
        "arguments": stats.argument_size_in_bytes,
        "outputs": stats.output_size_in_bytes - stats.alias_size_in_bytes,
        "temporaries": stats.temp_size_in_bytes,
    }
    row = {"memory": memory, "memory_bytes": sum(memory.values())}
    free = free_memory(here)
    if free is not None and row["memory_bytes"] > free:
        message = f"needs {row['memory_bytes'] / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free"
        return {"status": "out of memory", "message": message, **row}
    peak_before = (here.memory_stats() or {}).get("peak_bytes_in_use")
    steps = Steps(program, list(maker(new_key(args.seed))), about)
    seconds = steps.run(1)
    first_loss = steps.loss().get("loss")
    if seconds < args.limit / 2:
        seconds = steps.run(1)  # the first call also loads code
        if seconds < args.seconds:
            count = max(1, min(500, int(args.seconds / 3 / seconds)))
            seconds = statistics.median(steps.run(count) for _ in range(3))
    peak = (here.memory_stats() or {}).get("peak_bytes_in_use")
    flops, moved = about.get("flops") or cost.get("flops", 0), cost.get("bytes accessed", 0)
    tflops, peaks = flops / seconds / 1e12, device["peak_tflops"]
    row.update(
        status="measured",
        examples_per_second=about["batch_size"] / seconds,
        step_seconds=seconds,
        tflops=tflops,
        share_of_peak=tflops / peaks[about["dtype"]],
        finite=steps.finite(),
        first_loss=first_loss,
        **steps.loss(),
        # The peak is that of the whole process, so it is this program's only where it rose.
        peak_bytes_in_use=peak if peak != peak_before else None,
        flops=flops,
        compiler_flops=cost.get("flops"),
        compiler_bytes=moved,
        compile_seconds=compile_seconds,
    )
    if about["dtype"] == "float32" and peaks["float32_full"]:
        row["share_of_full_float32_peak"] = tflops / peaks["float32_full"]
    if device["peak_gb_per_second"] and not about.get("loops"):  # it counts a loop's body once
        row["share_of_bandwidth"] = moved / seconds / 1e9 / device["peak_gb_per_second"]
    if args.profile:
        found = guarded(profile, steps)
        row.update(found if "kernels" in found else {"profile_error": found["message"]})
    return row


def profile(steps: Steps) -> Row:
    """Return the five kernels that take most time, and the part of the time that any runs.

    A CPU's trace does not have them.
    """
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            seconds = 2 * steps.run(2)
        (trace,) = glob.glob(f"{folder}/**/*.xplane.pb", recursive=True)
        spent = kernel_seconds(jax.profiler.ProfileData.from_file(trace).planes)
    largest = sorted(spent, key=lambda name: -spent[name])[:5]
    return {
        "busy_share": sum(spent.values()) / seconds,
        "kernels": [{"name": name, "seconds": spent[name] / 2} for name in largest],
    }


def kernel_seconds(planes: Iterable[Any]) -> dict[str, float]:
    """Return how long each kernel of a trace ran: on a GPU's streams, or as a TPU's operations."""
    spent: dict[str, float] = {}
    for plane in planes:
        lines = list(plane.lines) if plane.name.startswith("/device:") else []
        streams = [line for line in lines if line.name.startswith("Stream")]
        for line in streams or [line for line in lines if line.name == "XLA Ops"]:
            for event in line.events:
                spent[event.name] = spent.get(event.name, 0) + event.duration_ns / 1e9
    return spent


def guarded(work: Callable[..., Row], *arguments: Any) -> Row:
    """Return what `work` returns, or a row that says what went wrong."""
    try:
        return work(*arguments)
    except concurrent.futures.TimeoutError:
        return {"status": "compiles too long", "message": "see --limit"}
    except Exception as error:  # one program must not stop the others
        message = " ".join(str(error).split())[:300]
        status = "out of memory" if "RESOURCE_EXHAUSTED" in message else "failed"
        return {"status": status, "message": f"{type(error).__name__}: {message}"}


def run_all(programs: dict[str, About], args: Any, device: About, add: Callable) -> None:
    """Measure programs one after another; groups of them compile in parallel before.

    Nothing compiles meanwhile, because a compiler tries kernels on the device. A program that is
    not ready when its group is, is measured with a later one.
    """
    stop_at = time.perf_counter() + args.stop_after
    # Training comes first, and what takes longest to compile.
    size = {name: (PROGRAMS / f"{name}.mlirbc").stat().st_size for name in programs}
    names = sorted(programs, key=lambda name: (programs[name]["program"] != "train", -size[name]))
    groups = [names[i : i + 2 * args.threads] for i in range(0, len(names), 2 * args.threads)]
    pool = concurrent.futures.ThreadPoolExecutor(args.threads)
    compiling: dict[str, Any] = {}
    done = 0
    for group in [*groups, []]:
        for name in group:
            path = PROGRAMS / f"{name}.mlirbc"
            compiling[name] = pool.submit(compile_program, path, programs[name])
        left = stop_at - time.perf_counter()
        concurrent.futures.wait(compiling.values(), timeout=max(0, min(args.limit, left)))
        for name in [name for name, future in compiling.items() if future.done() or not group]:
            if time.perf_counter() > stop_at:
                print("--stop_after is over; the same command goes on from here")
                return
            row = guarded(measure, compiling.pop(name), programs[name], args, device)
            add(name, row)
            done += 1
            print(f"[{done}/{len(names)}] {' | '.join(cells(name, row))}", flush=True)


HEADER = """\
| program | examples/s | ms/step | TFLOP/s | of peak | of GB/s | GB | loss | note |
|---|---:|---:|---:|---:|---:|---:|---|---|"""


def cells(name: str, row: Row) -> list[str]:
    """Return a row of the table."""
    if row["status"] != "measured":
        return [name, *[""] * 7, f"{row['status']}: {row['message']}"]
    moved, losses = row.get("share_of_bandwidth"), (row["first_loss"], row.get("loss"))
    return [
        name,
        f"{row['examples_per_second']:,.4g}",
        f"{row['step_seconds'] * 1e3:,.4g}",
        f"{row['tflops']:.4g}",
        f"{row['share_of_peak']:.1%}",
        "" if moved is None else f"{moved:.1%}",
        f"{row['memory_bytes'] / 1e9:.2f}",
        "" if None in losses else "{:.4g} to {:.4g}".format(*losses),
        "" if row["finite"] and not row.get("broken_steps") else "not finite",
    ]


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Return the values of the flags."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    add = parser.add_argument
    add("--only", default="*", help="names of programs, as *.train.* or MoeModel.*,AttnVLAD.*")
    add("--dtype", choices=("bfloat16", "float32"), help="only the programs of this type")
    add("--seconds", type=float, default=1, help="how long each program runs")
    add("--limit", type=float, default=300, help="seconds for which a group of programs compiles")
    add("--stop_after", type=float, default=1e9, help="seconds after which none is started")
    add("--json", default="results.json", help="where the results go, and are continued from")
    add("--threads", type=int, default=os.cpu_count(), help="programs that compile at a time")
    add("--seed", type=int, default=0, help="seed of the arguments")
    add("--profile", action="store_true", help="find the kernels that take most time")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    """Run the programs that the flags choose, and print the table."""
    args = parse(arguments)
    if "XLA_PYTHON_CLIENT_MEM_FRACTION" not in os.environ:
        os.environ.setdefault("XLA_CLIENT_MEM_FRACTION", "0.92")
    jax.config.update("jax_enable_x64", True)  # the counters of steps have 64 bits
    programs = {path.stem: json.loads(path.read_text()) for path in PROGRAMS.glob("*.json")}
    chosen = {
        name: about
        for name, about in programs.items()
        if any(fnmatch.fnmatch(name, pattern) for pattern in args.only.split(","))
        and args.dtype in (None, about["dtype"])
    }
    here, path = jax.devices()[0], Path(args.json)
    stored = json.loads(path.read_text()) if path.exists() else {"programs": {}}
    device = stored.get("device") or describe(here)
    if device["kind"] != here.device_kind:
        raise SystemExit(
            f"error: {path} has results of {device['kind']}, and this is {here.device_kind}; give"
            " --json another name."
        )
    print(json.dumps(device))
    rows: dict[str, Row] = stored["programs"]

    def add(name: str, row: Row) -> None:
        rows[name] = row
        new = path.with_name(path.name + ".new")
        new.write_text(json.dumps({"device": device, "programs": rows}, indent=1))
        new.replace(path)

    left = {n: about for n, about in chosen.items() if rows.get(n, {}).get("status") != "measured"}
    print(f"{len(left)} of {len(programs)} programs are to be run", flush=True)
    run_all(left, args, device, add)
    print(HEADER)
    for name in sorted(rows):
        if name in chosen:
            print(f"| {' | '.join(cells(name, rows[name]))} |")


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # not to wait for a program that still compiles
