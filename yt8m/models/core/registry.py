"""Models by name: `@register` puts one in, `create` makes one, `list_models` shows all; files are found, not listed."""

from __future__ import annotations

import fnmatch
import importlib
import pkgutil
import traceback
from typing import Any, Callable, TypeVar

from yt8m.errors import UserError, near_misses
from yt8m.models.core.arguments import out_of_bounds
from yt8m.models.core.base import Yt8mModel

_MODELS: dict[str, type[Yt8mModel]] = {}
_ALIASES: dict[str, str] = {}
_M = TypeVar("_M", bound=type[Yt8mModel])


def register(name: str, *aliases: str) -> Callable[[_M], _M]:
    """Class decorator: make the model known as `name`, and under each alias."""

    def add(cls: _M) -> _M:
        for key in (name, *aliases):
            if key in _MODELS or key in _ALIASES:
                other = _MODELS[_ALIASES.get(key, key)]
                raise ValueError(
                    f"two models are registered as {key}; the other is {other.__name__} of {other.__module__}"
                )
        if not issubclass(cls, Yt8mModel) or not cls.level:
            raise ValueError(
                f"{cls.__name__}, registered as {name}, is to be a VideoModel or a FrameModel of yt8m.models.core.base"
            )
        _MODELS[name] = cls
        _ALIASES.update({alias: name for alias in aliases})
        return cls

    return add


def _import_all() -> None:
    package = importlib.import_module("yt8m.models")
    for module in pkgutil.walk_packages(package.__path__, "yt8m.models."):
        try:
            importlib.import_module(module.name)
        except Exception as error:  # whatever a file that someone is writing may raise
            path = module.module_finder.find_spec(module.name).origin
            lines = [
                frame.lineno
                for frame in traceback.extract_tb(error.__traceback__)
                if frame.filename == path
            ]
            where = f"{path}, line {lines[-1]}," if lines else path
            raise UserError(
                f"{where} cannot be imported: {type(error).__name__}: {error}. Mend the file or move it away; every model's is imported."
            ) from error


def model_class(name: str) -> type[Yt8mModel]:
    """Return the class registered as `name` or under an alias; a `UserError` names near misses."""
    _import_all()
    name = _ALIASES.get(name, name)
    if name not in _MODELS:
        known = list(_MODELS) + list(_ALIASES)
        raise UserError(
            f"--model={name} is not a known model.{near_misses(name, known)} train.py --list_models lists them all."
        )
    return _MODELS[name]


def own_name(name: str) -> str:
    """Return a model's registered name, given it or an alias."""
    model_class(name)
    return _ALIASES.get(name, name)


def name_of(model: type[Yt8mModel]) -> str:
    """Return the name under which a class is registered."""
    _import_all()
    for name, cls in _MODELS.items():
        if cls is model:
            return name
    raise ValueError(f"{model.__name__} is not registered; put @register(name) before the class")


def create(name: str, **arguments: Any) -> Yt8mModel:
    """Make the model `name` with constructor `arguments`; a `ValueError` where a whole number is out of bounds."""
    model = model_class(name)
    for key, value in arguments.items():
        wrong = out_of_bounds(model, key, value)
        if wrong:
            raise ValueError(f"{key}={value!r}, {wrong}")
    return model(**arguments)


def list_models(pattern: str = "*", task: str | None = "classification") -> list[str]:
    """Return the sorted names, without aliases, that match a shell-style pattern.

    Args:
      pattern: such as "Dbof*".
      task: "classification", "reconstruction", or None for every model.
    """
    _import_all()
    return sorted(
        name for name in fnmatch.filter(_MODELS, pattern) if task in (None, _MODELS[name].task)
    )


def aliases_of(name: str) -> list[str]:
    """Return the other names of a model."""
    return sorted(a for a, n in _ALIASES.items() if n == name)


def table() -> str:
    """Return every model with its level, task and first docstring line, a line each, for --list_models."""
    lines = []
    for name in list_models(task=None):
        cls = model_class(name)
        about = (cls.__doc__ or "").strip().split("\n")[0] or "(no docstring)"
        also = f" (also {', '.join(aliases_of(name))})" if aliases_of(name) else ""
        task = "" if cls.task == "classification" else f"[{cls.task}] "
        lines.append(f"{name:<26} {cls.level:<6} {task}{about}{also}")
    return "\n".join(lines)
