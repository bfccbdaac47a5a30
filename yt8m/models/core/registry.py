"""Models by name: a file with `@register` in `yt8m/models` or a family folder is enough."""

from __future__ import annotations

import fnmatch
import importlib
import importlib.util
import pkgutil
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from yt8m.errors import UserError, near_misses
from yt8m.models.core.arguments import out_of_bounds
from yt8m.models.core.base import Yt8mModel

_PACKAGE = "yt8m.models"
_MODELS: dict[str, type[Yt8mModel]] = {}
_ALIASES: dict[str, str] = {}
_M = TypeVar("_M", bound=type[Yt8mModel])


def register(name: str, *aliases: str) -> Callable[[_M], _M]:
    """Return a class decorator that registers a model as `name` and under each alias."""

    def add(cls: _M) -> _M:
        for key in (name, *aliases):
            if key in _MODELS or key in _ALIASES:
                other = _MODELS[_ALIASES.get(key, key)]
                raise ValueError(
                    f"two models are registered as {key}; the other is {other.__name__} of"
                    f" {other.__module__}"
                )
        if not issubclass(cls, Yt8mModel) or not cls.level:
            raise ValueError(
                f"{cls.__name__}, registered as {name}, must be a VideoModel or a FrameModel of"
                " yt8m.models.core.base"
            )
        _MODELS[name] = cls
        _ALIASES.update({alias: name for alias in aliases})
        return cls

    return add


def model_class(name: str) -> type[Yt8mModel]:
    """Return the class registered as `name` or under an alias.

    Raises:
      UserError: there is none; the message suggests similar names.
    """
    _import_all()
    name = _ALIASES.get(name, name)
    if name not in _MODELS:
        known = list(_MODELS) + list(_ALIASES)
        raise UserError(
            f"--model={name} is not a known model.{near_misses(name, known)} train.py --list_models"
            " lists all models."
        )
    return _MODELS[name]


def own_name(name: str) -> str:
    """Return the registered name of a model, given that name or an alias."""
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
    """Return a new model.

    Args:
      name: registered name or alias.
      **arguments: constructor arguments.

    Raises:
      UserError: there is no such model.
      ValueError: an argument is not one of its choices or is out of bounds.
    """
    model = model_class(name)
    for key, value in arguments.items():
        wrong = out_of_bounds(model, key, value)
        if wrong:
            raise ValueError(f"{key}={value!r}, {wrong}")
    return model(**arguments)


def list_models(pattern: str = "*", task: str | None = "classification") -> list[str]:
    """Return the sorted names, without aliases, that match a shell-style pattern.

    Args:
      pattern: for instance "Dbof*".
      task: "classification", "reconstruction", or None for every model.
    """
    _import_all()
    names = fnmatch.filter(_MODELS, pattern)
    return sorted(name for name in names if task in (None, _MODELS[name].task))


def aliases_of(name: str) -> list[str]:
    """Return the other names of a model."""
    return sorted(alias for alias, own in _ALIASES.items() if own == name)


def table() -> str:
    """Return the text of --list_models: one line per model, with its level and description."""
    return "\n".join(
        f"{name:<26} {level:<6} {description}" for name, level, description in _descriptions()
    )


def markdown_table() -> str:
    """Return the table of models in Markdown, as the documentation shows it."""
    rows = [("`" + name + "`", level, text) for name, level, text in _descriptions()]
    lines = [("Model", "Records", "Description"), ("---", "---", "---"), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _descriptions() -> list[tuple[str, str, str]]:
    """Return each model's name, level and description (first docstring line, task and aliases)."""
    found = []
    for name in list_models(task=None):
        cls = _MODELS[name]
        about = (cls.__doc__ or "").strip().split("\n")[0] or "(no docstring)"
        task = "" if cls.task == "classification" else f"[{cls.task}] "
        also = f" (also {', '.join(aliases_of(name))})" if aliases_of(name) else ""
        found.append((name, cls.level, f"{task}{about}{also}"))
    return found


def _import_all() -> None:
    """Import every file of the package and its families, so that each model registers itself."""
    package = importlib.import_module(_PACKAGE)
    _import_files(package.__path__, _PACKAGE)


def _import_files(folders: Iterable[str], package: str) -> None:
    for folder in folders:
        for path in Path(folder).glob("*/*.py"):
            if not (path.parent / "__init__.py").exists():
                raise UserError(
                    f"{path} cannot be imported: {path.parent} needs an empty __init__.py."
                )
    for _, name, is_package in pkgutil.iter_modules(folders, f"{package}."):
        if name == f"{_PACKAGE}.core":
            continue
        try:
            module = importlib.import_module(name)
        except Exception as error:  # whatever a file that someone is writing may raise
            spec = importlib.util.find_spec(name)
            raise UserError(_broken_file(str(spec and spec.origin), error)) from error
        if is_package:
            _import_files(module.__path__, name)


def _broken_file(path: str, error: Exception) -> str:
    """Return the message for a file that cannot be imported, with the line that failed."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == path]
    if isinstance(error, SyntaxError) and error.filename == path:
        lines.append(error.lineno)
    where = f"{path}, line {lines[-1]}," if lines else path
    return (
        f"{where} cannot be imported: {type(error).__name__}: {error}. Fix the file or move it"
        " elsewhere: every model file is imported, whichever model is used."
    )
