"""The requests that the settings of `yt8m accelerators compile` stand for."""

from __future__ import annotations

from collections.abc import Iterator

from yt8m.accelerators import programs
from yt8m.accelerators.compilation.chips import chip_of
from yt8m.accelerators.compilation.request import Request
from yt8m.accelerators.settings import FLOAT32_TOO, CompileSettings
from yt8m.errors import UserError
from yt8m.models.core import registry
from yt8m.runs.settings.alternation import AlternationConfig
from yt8m.runs.settings.training import Dtype

SHARED = 4  # chips of each topology in `CHIPS`


def requests_of(settings: CompileSettings) -> list[Request]:
    """Return what to compile, training steps first.

    Raises:
      UserError: no model is named, or a model, a program or a topology is not known.
    """
    chip_of(settings.topology)
    if bool(settings.model) == settings.all:
        raise UserError("name models with --model=NAME, or take every one with --all.")
    named = (
        [registry.own_name(name) for name in settings.model.split(",")] if settings.model else []
    )
    models = named or registry.list_models(task=None)
    found = [request for model in models for request in _of_model(model, settings)]
    if not found:
        raise UserError(
            f"--program={settings.program}: {', '.join(models)} has no such program; there are"
            " train, evaluate and predict, and step2 and step3 of DbofBasic."
        )
    return sorted(found, key=lambda r: (r.dtype, r.replicas, r.program != "train"))


def _of_model(model: str, settings: CompileSettings) -> Iterator[Request]:
    wanted = [p for p in programs.names(model) if settings.program in ("", p)]
    for dtype in _dtypes(model, settings):
        for program in wanted:
            batch_size = settings.batch_size or _batch_size(model, program)
            shared = settings.all and model in FLOAT32_TOO and dtype == "bfloat16"
            for replicas in [1, SHARED] if shared and program == "train" else [settings.replicas]:
                yield Request(model, program, dtype, settings.topology, batch_size, replicas)


def _dtypes(model: str, settings: CompileSettings) -> list[Dtype]:
    if settings.dtype:
        return [settings.dtype]
    return ["bfloat16", "float32"] if settings.all and model in FLOAT32_TOO else ["bfloat16"]


def _batch_size(model: str, program: str) -> int:
    if program == "step2":
        return AlternationConfig().step2_batch_size
    return registry.model_class(model).recipe.batch_size
