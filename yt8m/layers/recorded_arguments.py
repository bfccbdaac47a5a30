"""A record of an object's constructor arguments, so that no `get_config` has to list them."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable
from typing import Any

_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class RecordedArguments:
    """A mixin that records the named constructor arguments of its subclasses.

    Every `__init__` from the object's class up to this one contributes its named parameters, with
    their defaults where the caller gave none. Arguments that no signature names, such as the `name`
    and `dtype` of a Keras layer, are not recorded. Neither is an argument of a base class that a
    subclass fixes (`super().__init__(method="max", **kwargs)`): the subclass does not accept it.

    List the mixin before the Keras class. Keras does not see the record, because it would wrap the
    lists in it and save them with the weights.

        class Scale(RecordedArguments, tf.keras.layers.Layer):
            def __init__(self, factor: float = 1.0, **kwargs):
                super().__init__(**kwargs)
                self.factor = factor

            def get_config(self):
                return {**super().get_config(), **self.recorded_arguments()}
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Make the class's own `__init__`, if it has one, record its arguments."""
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls):
            cls.__init__ = _recording(cls.__init__)  # type: ignore[method-assign]

    def recorded_arguments(self) -> dict[str, Any]:
        """Return the recorded arguments as JSON values, those of base classes first.

        A tuple is returned as a list, and a NumPy number as a Python number.

        Raises:
          TypeError: an argument is not a JSON value; `record_arguments` can replace it with one.
        """
        arguments = _record_of(self).merged()
        return {name: self._as_json(name, value) for name, value in arguments.items()}

    def record_arguments(self, **changes: Any) -> None:
        """Replace recorded arguments, for example the text "512,1024" with the list it stands for.

        Args:
          **changes: new values by argument. An argument that a subclass fixes is left unchanged.

        Raises:
          TypeError: no constructor has an argument of that name.
        """
        for name, value in changes.items():
            levels = [level for level in _record_of(self).levels if name in level]
            if not levels:
                raise TypeError(f"{type(self).__name__} has no constructor argument {name!r}")
            if levels[0][name] is not _FIXED:
                levels[0][name] = value

    def _as_json(self, name: str, value: Any) -> Any:
        try:
            return _json_copy(value)
        except TypeError:
            raise TypeError(
                f"the argument {name!r} of {type(self).__name__} is a {type(value).__name__}, and a"
                " configuration consists of numbers, texts, lists and dictionaries:"
                f" call record_arguments({name}=...) in the constructor, or override get_config"
            ) from None


_FIXED = object()  # the value of an argument that a subclass fixes for its base


class _Record:
    """The arguments by level, the object's own class first; a type that Keras does not track."""

    def __init__(self) -> None:
        self.levels: list[dict[str, Any]] = []
        self.passed_on: set[str] = set()  # the caller's arguments that no level has named so far

    def merged(self) -> dict[str, Any]:
        """Return the arguments that the object's class accepts, those of base classes first."""
        arguments: dict[str, Any] = {}
        for level in reversed(self.levels):
            arguments.update(level)
        return {name: value for name, value in arguments.items() if value is not _FIXED}


def _record_of(instance: Any) -> _Record:
    record: _Record = vars(instance)["_recorded"]
    return record


def _recording(init: Callable[..., None]) -> Callable[..., None]:
    """Return `init` preceded by the recording of its arguments."""
    signature = inspect.signature(init)
    parameters = list(signature.parameters.values())[1:]  # without self
    names = [p.name for p in parameters if p.kind not in _VARIADIC]
    extra = next((p.name for p in parameters if p.kind is inspect.Parameter.VAR_KEYWORD), "")

    @functools.wraps(init)
    def recording_init(self: Any, *args: Any, **kwargs: Any) -> None:
        outermost = "_recorded" not in vars(self)
        if outermost:
            # Keras's own `__setattr__` may not be called before Keras's constructor.
            object.__setattr__(self, "_recorded", _Record())
        try:
            bound = signature.bind(self, *args, **kwargs)
        except TypeError:
            init(self, *args, **kwargs)  # raises the error that the caller expects
            raise
        record = _record_of(self)
        fixed = set() if outermost else set(bound.arguments) - record.passed_on
        bound.apply_defaults()
        record.levels.append(
            {n: _FIXED if n in fixed else _snapshot(bound.arguments[n]) for n in names}
        )
        extras = set(bound.arguments.get(extra, ()))
        record.passed_on = extras if outermost else extras & record.passed_on
        init(self, *args, **kwargs)

    vars(recording_init)["__signature__"] = signature  # Keras reads the signature
    return recording_init


def _snapshot(value: Any) -> Any:
    """Return a copy that later changes to the caller's lists do not affect, or a non-JSON value."""
    try:
        return _json_copy(value)
    except TypeError:
        return value


def _json_copy(value: Any) -> Any:
    return json.loads(json.dumps(value, default=_python_value))


def _python_value(value: Any) -> Any:
    """Return a NumPy number or array as Python numbers."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError
