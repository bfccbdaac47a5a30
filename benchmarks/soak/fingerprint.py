"""What must be equal of two outputs, and what a kill must not leave behind."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np

# Times, and how far the last checkpoints were; `metrics.jsonl` has times in each line.
_OTHERWISE = re.compile(r"(^|/)(checkpoints|logs|eval_logs|metrics\.jsonl|source)(/|$)|\.lock$")
# Keys of JSON files; the command and the server's address are those of the soak itself.
_TIMES = re.compile(r"second|minute|time|elapsed|date$|^date|fetched|^source$|^command$")
_LEFTOVERS = re.compile(r"\.(tmp|partial|progress|old)$|_temp(/|$)|\.tmp\.|\.probe$")


def fingerprint(folder: str) -> dict[str, str]:
    """Return a hash of what each file of an output says, without times, by its path.

    What should not be there is named as well.
    """
    found = {}
    for name in sorted(_files(folder)):
        if _LEFTOVERS.search(name):
            found[name] = "left behind"
        elif not _OTHERWISE.search(name):
            found[name] = _hash(os.path.join(folder, name))
    return found


def differences(before: dict[str, str], now: dict[str, str]) -> list[str]:
    """Return a line for each file that differs, is missing, or should not be there."""
    lines = []
    for name in sorted(before.keys() | now.keys()):
        if name not in now:
            lines.append(f"{name} is missing")
        elif name not in before:
            lines.append(f"{name} was left behind")
        elif before[name] != now[name]:
            lines.append(f"{name} differs")
    return lines


def _files(folder: str) -> Iterator[str]:
    for above, folders, names in os.walk(folder):
        for name in names:
            yield os.path.relpath(os.path.join(above, name), folder)
        for name in folders:
            if not os.listdir(os.path.join(above, name)):
                yield os.path.relpath(os.path.join(above, name), folder)


def _hash(path: str) -> str:
    if os.path.isdir(path):
        return "empty folder"
    sum_ = hashlib.sha256()
    for part in _parts(path):
        sum_.update(part)
    return sum_.hexdigest()[:16]


def _parts(path: str) -> Iterator[bytes]:
    """Yield what a file says: arrays instead of containers that may have a time in them."""
    if path.endswith(".h5"):
        with h5py.File(path, "r") as file:
            found: list[tuple[str, np.ndarray]] = []
            file.visititems(
                lambda name, item: (
                    found.append((name, item[()])) if isinstance(item, h5py.Dataset) else None
                )
            )
        for name, value in sorted(found, key=lambda pair: pair[0]):
            yield name.encode()
            is_json = name.endswith(".json")
            yield _json(json.loads(value)) if is_json else np.asarray(value).tobytes()
    elif path.endswith(".npz"):
        with np.load(path) as arrays:
            for name in sorted(arrays.files):
                yield name.encode()
                is_text = arrays[name].dtype.kind == "U"  # of the state of a step, as JSON
                yield _json(json.loads(str(arrays[name]))) if is_text else arrays[name].tobytes()
    elif path.endswith(".json"):
        with open(path, encoding="utf-8") as text:
            yield _json(json.load(text))
    else:
        with open(path, "rb") as source:
            yield source.read()


def _json(value: Any) -> bytes:
    return json.dumps(_without_times(value), sort_keys=True).encode()


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_times(v) for k, v in value.items() if not _TIMES.search(k)}
    return [_without_times(v) for v in value] if isinstance(value, list) else value
