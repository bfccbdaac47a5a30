"""Export the programs of several models, each model in a process of its own.

TensorFlow keeps what it has traced, so that the programs of all models would fill the memory.
"""

from __future__ import annotations

import dataclasses
import glob
import hashlib
import importlib.resources
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from yt8m.accelerators import programs
from yt8m.accelerators.export import export, name_of, write_runner
from yt8m.accelerators.lower import import_jax
from yt8m.accelerators.settings import FLOAT32_TOO, ExportSettings
from yt8m.accelerators.sizes import Sizes
from yt8m.errors import UserError
from yt8m.files import read_json
from yt8m.models.core import registry
from yt8m.process import child_process
from yt8m.runs.settings.training import Dtype


def export_models(settings: ExportSettings) -> None:
    """Write the programs that the settings choose; those that are there already are kept.

    Raises:
      UserError: jax is missing, a model or a program is unknown, or a model could not be exported.
    """
    import_jax()
    every = registry.list_models(task=None)
    names = settings.model.split(",") if settings.model else every
    models = [registry.own_name(name) for name in names]
    write_runner(settings.out_dir)
    if len(models) == 1:
        _export_model(models[0], settings)
        return
    for number, model in enumerate(models, start=1):
        print(f"[{number}/{len(models)}] {model}", flush=True)
        flags = {**dataclasses.asdict(settings), "model": model}
        given = [f"--{name}={value}" for name, value in flags.items() if value]
        command = [sys.executable, "-m", "yt8m", "accelerators", "export", *given]
        if child_process.run(command).code:
            raise UserError(
                f"{model} was not exported (see above); the same command goes on from there."
            )


def _export_model(model: str, settings: ExportSettings) -> None:
    source = source_of_package()
    for dtype, name in _chosen(model, settings):
        asked = [settings.batch_size, settings.num_frames]
        pattern = f"{glob.escape(settings.out_dir)}/programs/{model}.{name}.{dtype}.*.json"
        stored = [read_json(path) for path in glob.glob(pattern)]
        if any(s.get("source") == source and s.get("asked") == asked for s in stored):
            continue
        start = time.monotonic()
        sizes = Sizes(settings.batch_size, settings.num_frames, dtype=dtype)
        program = programs.make(model, name, sizes)
        about = export(program, settings.out_dir, {"source": source, "asked": asked})
        seconds = time.monotonic() - start
        print(
            f"{name_of(program)}: {about['flops'] / 1e9:,.1f} GFLOP ({seconds:.0f} s)", flush=True
        )


def _chosen(model: str, settings: ExportSettings) -> Iterator[tuple[Dtype, str]]:
    """Yield the type and the name of each program to export."""
    has = programs.names(model)
    names = settings.program.split(",") if settings.program else has
    unknown = set(names) - {"train", "evaluate", "predict", "step2", "step3"}
    if unknown:
        raise UserError(
            f"--program={settings.program}: {', '.join(sorted(unknown))} is no program; {model} has"
            f" {', '.join(has)}."
        )
    dtypes: list[Dtype] = ["bfloat16", "float32"] if model in FLOAT32_TOO else ["bfloat16"]
    for dtype in [settings.dtype] if settings.dtype else dtypes:
        for name in names:
            if name in has:
                yield dtype, name


def source_of_package() -> str:
    """Return a digest of this package's Python files, on which every program may depend."""
    root = Path(str(importlib.resources.files("yt8m")))
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]
