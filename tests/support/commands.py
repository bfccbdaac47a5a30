"""Commands run within the test's own process, and flags parsed without running one."""

import contextlib
import dataclasses
import io
import logging

from absl.flags import FlagValues

from yt8m import cli, flags
from yt8m.commands import train


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


def run_command(name: str, *arguments: str) -> Ended:
    """Run a command of `yt8m` in this process; any exception but a user's mistake is raised."""
    out, err = io.StringIO(), io.StringIO()
    notices = logging.StreamHandler(err)
    logging.getLogger().addHandler(notices)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = cli.call(name, arguments)
    finally:
        logging.getLogger().removeHandler(notices)
    return Ended(code, out.getvalue(), err.getvalue())


def refused(name: str, *arguments: str) -> str:
    """Run a command that must refuse its flags or its data; return its message."""
    ended = run_command(name, *arguments)
    assert ended.code == 2, ended.out + ended.err
    assert "error: " in ended.err
    return ended.err


def train_flags(*arguments: str) -> FlagValues:
    """Return the parsed flags of the train command."""
    values = flags.define(train.COMMAND.sections)
    flags.parse(values, arguments)
    return values
