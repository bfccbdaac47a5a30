"""Parsing of several records at once, without those that do not parse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable, TypeVar

import tensorflow as tf

from yt8m.data.files.bad_records import PARSE_ERRORS, is_parse_error, message_of, parse_error

Parsed = TypeVar("Parsed")
Problems = list["str | None"]


def parse_or_isolate(
    parse: Callable[[Any], Parsed],
    payloads: tf.Tensor | Sequence[bytes],
    find: Callable[[Sequence[bytes]], Problems] | None = None,
) -> tuple[Parsed | None, Problems]:
    """Parse records together; if that fails, find those that do not parse and parse the others.

    The error of a batch does not say which of its records caused it, so they are searched for only
    after a failure, and reading costs nothing extra otherwise.

    Args:
      parse: function of serialised records, in a list or a tensor.
      payloads: serialised records; passed on as they are, so that a tensor is not copied.
      find: returns the problem of each record, or None; by default each is parsed alone.

    Returns:
      What `parse` made of the good records, or None if there are none, and the problem of each
      record, or None.

    Raises:
      tf.errors.OpError: an error that is not about parsing, or that no record causes alone.
    """
    try:
        return parse(payloads), [None] * len(payloads)
    except PARSE_ERRORS as error:
        if not is_parse_error(message_of(error)):
            raise
        records = payloads.numpy().tolist() if isinstance(payloads, tf.Tensor) else payloads
        problems = find(records) if find else [_problem(parse, record) for record in records]
        if not any(problems):
            raise
    good = [p for p, problem in zip(records, problems) if problem is None]
    return (parse(good) if good else None), problems


def _problem(parse: Callable[[Any], Any], payload: bytes) -> str | None:
    try:
        parse([payload])
    except PARSE_ERRORS as error:
        return cannot_be_parsed(error)
    return None


def cannot_be_parsed(error: BaseException) -> str:
    """Return the description of a record that raised one of `PARSE_ERRORS`."""
    return f"cannot be parsed ({parse_error(message_of(error))})"
