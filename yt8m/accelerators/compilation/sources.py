"""A digest of the modules on which a model's programs depend, to tell which results are older."""

from __future__ import annotations

import ast
import functools
import hashlib
from collections.abc import Iterable
from pathlib import Path

import yt8m
from yt8m.models.core import registry

ROOT = Path(yt8m.__file__).parent
# What every program is made of, beside its model.
_STEPS = (
    "yt8m.training.step",
    "yt8m.training.optimizers",
    "yt8m.training.weight_average",
    "yt8m.runs.predictor",
)
_PARTITIONED = ("yt8m.largescale.mixtures.block_steps",)
_OF_PROGRAM = {"step2": _PARTITIONED, "step3": ("yt8m.largescale.gradient.shard_gradient",)}
# Their modules register losses, which nothing imports by name.
_LOSSES = "yt8m.losses"


def source_hash(model: str, program: str) -> str:
    """Return a digest of the source of a model's program: every module that it imports."""
    cls = registry.model_class(model)
    large = _PARTITIONED if cls.trainer == "partitioned" else _OF_PROGRAM.get(program, ())
    found = _closure((cls.__module__, *_STEPS, *large, *_losses()))
    digest = hashlib.sha256()
    for name in sorted(found):
        digest.update(f"{name}\0".encode() + _file(name).read_bytes())
    return digest.hexdigest()[:16]


def _losses() -> list[str]:
    return [f"{_LOSSES}.{path.stem}" for path in sorted((ROOT / "losses").glob("[a-z]*.py"))]


def _closure(names: Iterable[str]) -> set[str]:
    """Return modules of this package and all that they import from it, directly or not."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _imported(name)
    return found


@functools.cache
def _imported(name: str) -> tuple[str, ...]:
    """Return the modules of this package that a module imports."""
    found = []
    for node in ast.walk(ast.parse(_file(name).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("yt8m"):
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            found += [module for module in (str(node.module), *inner) if _file(module).is_file()]
    return tuple(found)


def _file(name: str) -> Path:
    path = ROOT.joinpath(*name.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
