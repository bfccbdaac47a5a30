"""The flags of every command, with values that nobody meant."""

from __future__ import annotations

import importlib
from typing import Any

from hypothesis import strategies as st

from benchmarks.fuzz.case import Target
from benchmarks.fuzz.inputs import TRAIN
from yt8m import cli
from yt8m.commands.command import Command

_NUMBERS = ["-1", "0", "1", "2", "3", "0.5", "1e-30", "1e30", "nan", "inf", "-inf", "1e999",
            "9" * 12, "9" * 19, "9" * 30, "1_0", "０", "0x10", "1,2", ""]  # fmt: skip
_TEXTS = ["", " ", ",", "a", "a,b", "\0", "é", "..", "/", "{in}", "{in}/nothing", "{in}/video/*",
          "[", "**", "gs://", "gs://nobody/x", "hf://", "hf://a", "~", "-", "--", "a" * 300,
          "a" * 5000,
          "{in}/video/train0000.tfrecord", "{in}/classes.csv", "{", "%s",
          "a=b"]  # fmt: skip
_FREE = ["--", "-", "---", "--=", "--a", "--flagfile={in}/classes.csv", "--flagfile=", "x",
         "--h", "--undefok=a", "--flagfile={in}", "--verbosity=9", "--help"]  # fmt: skip
# They ask for what a machine may well have or take, and not for what is wrong.
_HEAVY = {
    "strategy", "num_gpu", "executor", "log_device_placement", "worker_index", "workers", "profile",
    "seconds", "watch", "port", "push_to_hub",
}  # fmt: skip
# Without records: everything before them is checked.
_WITHOUT = {
    "train": ("--train_data_pattern={in}/no*", "--train_dir={in}/new"),
    "eval": ("--train_dir={in}/no",),
    "predict": ("--train_dir={in}/no", "--input_data_pattern={in}/no*", "--output_file={in}/o"),
    "export": ("--train_dir={in}/no",),
    "publish": ("--train_dir={in}/no",),
    "report": ("{in}/no",),
    "fuse": ("--inputs={in}/fuse.csv,{in}/other.csv", "--output_file={in}/o.csv"),
    "convert": ("--input={in}/table.csv", "--out_dir={in}/o", "--validate_fraction=0"),
    "analyse": ("--data_pattern={in}/no*", "--out_dir={in}/o"),
    "inspect": ("{in}/video/*.tfrecord",),
    "conformance": ("{in}/video/*.tfrecord",),
    "score-segments": ("--submission_file={in}/segments.csv", "--label_cache={in}/ratings.csv"),
    "figures": ("--train_dir={in}/no", "--output={in}/o.png"),
}
_OPTIONS = {
    "inspect": ["full"],
    "conformance": ["like", "max_records", "save"],
    "score-segments": ["top_n", "eval_data_pattern", "label_cache", "submission_file"],
    "figures": ["figure", "train_dir", "output"],
}
_NEEDS = (
    "video",
    "fuse.csv",
    "other.csv",
    "table.csv",
    "classes.csv",
    "segments.csv",
    "ratings.csv",
)
_SHORT = ("--max_steps=2", "--max_minutes=0.01")


def _values(setting: Any) -> Any:
    choices = [*setting.choices, *setting.switch]
    kinds = [_NUMBERS, _TEXTS] if setting.kind in (int, float) else [_TEXTS, _NUMBERS]
    value = st.sampled_from(kinds[0]) | st.sampled_from(kinds[0]) | st.sampled_from(kinds[1])
    return value | st.sampled_from(choices) if choices else value


def _given(command: Command | None, name: str, free: bool = True) -> Any:
    """Return a strategy of one flag with its value."""
    if command is None:
        one = st.builds(
            lambda flag, value: f"--{flag}={value}",
            st.sampled_from(_OPTIONS[name]),
            st.sampled_from(_NUMBERS + _TEXTS),
        )
    else:
        settings = {s.flag: s for section in command.sections for s in section.flags()}
        flags = [s for flag, s in sorted(settings.items()) if flag not in _HEAVY]
        one = st.sampled_from(flags).flatmap(
            lambda s: _values(s).map(lambda value: f"--{s.flag}={value}")
        )
    return st.integers(0, 11).flatmap(lambda n: st.sampled_from(_FREE) if n == 0 and free else one)


def targets(folder: str) -> list[Target]:
    """Return the targets: each command with records that are not there, and three that go on.

    Args:
      folder: the valid inputs.
    """
    out = []
    for name, start in _WITHOUT.items():
        command = getattr(importlib.import_module(cli.COMMANDS[name][0]), "COMMAND", None)
        more = st.lists(_given(command, name), min_size=1, max_size=4)
        line = more.map(lambda given, name=name, start=start: (name, *start, *given))
        share = 3.0 if name == "train" else 1.0
        out.append(
            Target(f"flags of {name}", "flags", _NEEDS, st.just({}), line, None, share, (1,))
        )
        if name in ("train", "eval", "predict"):
            whole = TRAIN if name == "train" else (name, "--train_dir={in}/run", *_of_records(name))
            last = _SHORT if name == "train" else ()
            few = st.lists(_given(command, name, free=False), min_size=1, max_size=2)
            line = few.map(lambda given, whole=whole, last=last: (*whole, *given, *last))
            needs = _NEEDS if name == "train" else (*_NEEDS, "run")
            title = f"{name} with flags"
            out.append(Target(title, "flags", needs, st.just({}), line, None, 0.05, (1, 75)))
    return out


def _of_records(name: str) -> tuple[str, ...]:
    pattern = "eval_data_pattern" if name == "eval" else "input_data_pattern"
    output = () if name == "eval" else ("--output_file={in}/o.csv",)
    return (f"--{pattern}={{in}}/video/val*.tfrecord", *output)
