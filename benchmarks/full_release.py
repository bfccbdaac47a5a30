"""A day with the full release: 3,844 shards and 1.1 million videos, from first step to fusion.

    python -m benchmarks.full_release --sample_dir=DATA --work_dir=/tmp/full

`DATA` has `train/` and `validate/` shards of the May 2018 release, such as `yt8m download` gets.
Their records are written again with ids of their own until there are 3,844 shards. Then a mixture
of experts is trained on them, stopped by `--max_minutes` in mid-epoch, resumed, evaluated and used
for predictions that are killed once, and its scores are fused with those of a second model.
`--delay` seconds pass for each request to the shards, as in a bucket. Each step is stored in
`WORK_DIR/log.json` when it ends, and the same command resumes after the last one.
`docs/full-release.md` has the table that it prints.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import os
import re
import signal
import string
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SHARDS = 3844  # of a split of the May 2018 release
_LETTERS = string.digits + string.ascii_letters
_RESUMES = 75  # exit code of a run that --max_minutes stopped


@dataclasses.dataclass(frozen=True)
class Step:
    """A command of the day.

    Attributes:
      name: its line in the table.
      command: script and flags; "{data}" and the like stand for the paths of `_places`.
      code: exit code that it must have.
      kill_at: a pattern; the process is killed (SIGKILL) when a line matches it.
      moments: what to report the time of: the first line that matches a pattern.
      says: a pattern of lines that the table quotes.
    """

    name: str
    command: tuple[str, ...]
    code: int = 0
    kill_at: str = ""
    moments: tuple[tuple[str, str], ...] = ()
    says: str = ""


_FIRST_STEP = (("first step", r"^epoch .*\bstep \d"),)
_TRAIN = (
    "train.py", "--train_data_pattern={data}", "--eval_data_pattern={validate}", "--num_epochs=1",
    "--validate_every_minutes=1", "--validate_examples=2000",
)  # fmt: skip
_MOE = (*_TRAIN, "--model=MoeModel", "--train_dir={moe}")
_PREDICT = (
    "inference.py", "--input_data_pattern={data}", "--train_dir={moe}", "--output_file={csv}",
    "--output_scores={moe_scores}", "--scores_top_k=100",
)  # fmt: skip
STEPS = (
    Step("train, stopped by --max_minutes", (*_MOE, "--max_minutes=2"), _RESUMES,
         moments=_FIRST_STEP, says=r"GAP|max_minutes|resume"),
    Step("evaluate what there is by then", ("eval.py", "--train_dir={moe}",
         "--eval_data_pattern={validate}"), says="GAP|last"),
    Step("resume to the end", _MOE, moments=_FIRST_STEP, says="GAP|resum"),
    Step("train a second model", (*_TRAIN, "--model=LogisticModel", "--train_dir={logistic}"),
         moments=_FIRST_STEP),
    Step("evaluate on every video", ("eval.py", "--train_dir={moe}",
         "--eval_data_pattern={data}"), says="GAP"),
    Step("predict, killed on the way", _PREDICT, -signal.SIGKILL, kill_at=r"^[5-9]\d\d,\d\d\d "),
    Step("predict by the same command", _PREDICT, says="going on|predicted"),
    Step("predict with the second model", ("inference.py", "--input_data_pattern={data}",
         "--train_dir={logistic}", "--output_scores={logistic_scores}", "--scores_top_k=100")),
    Step("fuse both", ("fusion.py", "--inputs={moe_scores},{logistic_scores}",
         "--output_file={fused}"), says="wrote|fused"),
)  # fmt: skip


def make_shards(sample: str, folder: Path, shards: int = SHARDS) -> None:
    """Write shards of the sample's records, each with an id that no other record has.

    A shard that is there stays.

    Args:
      sample: folder with `train/` and `validate/` shards of video-level records.
      folder: where they go.
      shards: how many.
    """
    import tensorflow as tf

    sources = sorted(map(str, Path(sample).glob("*/*.tfrecord")))
    if not sources:
        raise SystemExit(f"error: --sample_dir={sample} has no train/ or validate/ shards")
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(shards):
        path = folder / f"train{number:04d}.tfrecord"
        if path.exists():
            continue
        with tf.io.TFRecordWriter(f"{path}.tmp") as out:
            for row, record in enumerate(tf.data.TFRecordDataset(sources[number % len(sources)])):
                example = tf.train.Example.FromString(record.numpy())
                example.features.feature["id"].bytes_list.value[0] = _id(number, row)
                out.write(example.SerializeToString())
        os.rename(f"{path}.tmp", path)


def _id(shard: int, row: int) -> bytes:
    """Return four characters, as the release has, that are of this record alone."""
    value, text = shard * 2000 + row, ""
    for _ in range(4):
        value, digit = divmod(value, len(_LETTERS))
        text += _LETTERS[digit]
    return text.encode()


def run(step: Step, places: dict[str, str], delay: float, log: Path) -> dict[str, object]:
    """Run a step, and return its seconds, exit code, memory and the lines that the table quotes.

    Args:
      step: the step.
      places: what stands in its command in braces.
      delay: seconds of a request to the shards.
      log: file for the lines, each after the seconds since the start.
    """
    script = [part.format(**places) for part in step.command]
    command = [sys.executable, "-m", "tests.support.bucket", str(delay), *script]
    began = time.perf_counter()
    lines: list[tuple[float, str]] = []
    child = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1
    )
    for line in _lines(child):
        lines.append((time.perf_counter() - began, line))
        if step.kill_at and re.search(step.kill_at, line):
            child.kill()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - began
    log.write_text("".join(f"{at:8.1f} {line}\n" for at, line in lines))
    found = {
        name: next((at for at, line in lines if re.search(pattern, line)), None)
        for name, pattern in step.moments
    }
    said = [line for _, line in lines if step.says and re.search(step.says, line)]
    return {
        "command": " ".join(step.command),
        "seconds": round(seconds, 1),
        "code": child.returncode,
        "expected_code": step.code,
        "peak_gb": round(usage.ru_maxrss * 1024 / 1e9, 2),
        "moments": found,
        "requests": lines[-1][1] if lines else "",
        "says": said[:3] + said[-3:] if len(said) > 6 else said,
    }


def _lines(child: subprocess.Popen[str]) -> Iterator[str]:
    if child.stdout is not None:
        yield from map(str.rstrip, child.stdout)


def table(results: dict[str, dict]) -> str:
    """Return the day as a Markdown table, which says which steps have not run."""
    rows = ["| step | time | first step after | memory | exit code |", "|---|---|---|---|---|"]
    for step in STEPS:
        if step.name not in results:
            rows.append(f"| {step.name} | not run | | | |")
            continue
        of = results[step.name]
        minutes, seconds = divmod(round(of["seconds"]), 60)
        first = of["moments"].get("first step")
        after = f"{first:.0f} s" if first is not None else ""
        rows.append(
            f"| {step.name} | {minutes} min {seconds:02d} s | {after} | {of['peak_gb']:.1f} GB |"
            f" {of['code']} |"
        )
    return "\n".join(rows)


def _places(work: Path, sample: str) -> dict[str, str]:
    names = ("moe", "logistic", "moe_scores", "logistic_scores")
    return {
        "data": f"file://{work}/shards/*.tfrecord",
        "validate": f"file://{Path(sample).resolve()}/validate/*.tfrecord",
        "csv": str(work / "submission.csv"),
        "fused": str(work / "fused.csv"),
        **{name: str(work / name) for name in names},
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Make the shards, run the steps that have not run, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.full_release")
    parser.add_argument("--sample_dir", default=os.environ.get("YT8M_SAMPLE_DIR", ""))
    parser.add_argument("--work_dir", default="runs/full_release", help="6 GB, and 2 GB of scores")
    parser.add_argument("--shards", type=int, default=SHARDS)
    parser.add_argument("--delay", type=float, default=0.05, help="seconds of a request")
    parser.add_argument("--steps", type=int, default=len(STEPS), help="stop after so many steps")
    flags = parser.parse_args(argv)
    work = Path(flags.work_dir).resolve()
    make_shards(flags.sample_dir, work / "shards", flags.shards)
    stored = work / "log.json"
    results = json.loads(stored.read_text()) if stored.exists() else {}
    places = _places(work, flags.sample_dir)
    for number, step in enumerate(itertools.islice(STEPS, flags.steps)):
        if step.name in results:
            continue
        print(f"{step.name} ...", flush=True)
        results[step.name] = of = run(step, places, flags.delay, work / f"{number}.log")
        if of["code"] != step.code:
            print(table(results))
            raise SystemExit(f"{step.name}: exit code {of['code']}, not {step.code}; {number}.log")
        stored.write_text(json.dumps(results, indent=1) + "\n")
        print(table({step.name: of}).splitlines()[2 + number], flush=True)
    print(table(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
