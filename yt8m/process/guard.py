"""How every program of this package starts and ends, whatever the machine refuses meanwhile.

A user's mistake, and what the operating system, TensorFlow or memory refuses, end in one line and
exit code 2. Anything else is a bug of this package and keeps its traceback. `yt8m.cli` adds what
only commands have; the `python -m` forms of the lower packages use this module directly.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import io
import os
import re
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, NoReturn

from yt8m.errors import UserError
from yt8m.process.answered_signals import ending

# Set to anything, it shows the traceback of what otherwise becomes one line.
TRACEBACK = "YT8M_TRACEBACK"
_BUG = "This is a bug of yt8m: please report it with the lines above and the command."
_LESS_MEMORY = (
    "Free some, or give the command less at once: smaller inputs or models, or a lower --batch_size"
    " or --max_frames where it has them."
)
_NO_OUTPUT = "the standard output cannot be written to"
# What stands when a signal ends a command, if the command says nothing else.
STANDS = "files that have their names are whole; the same command begins again"
_PIPE_CLOSED = 128 + 13  # as if SIGPIPE had ended the process
_WHAT_TO_DO = {
    errno.ENOSPC: "free some space, or name a place on another disk",
    errno.EDQUOT: "free some of your quota, or name another place",
    errno.EROFS: "it cannot be written to; name another place",
    errno.EACCES: "change its permissions, or name another place",
    errno.EPERM: "change its permissions, or name another place",
    errno.EMFILE: "raise the limit with `ulimit -n`, or lower --num_readers",
    errno.ENAMETOOLONG: "shorten the name",
    errno.EIO: "the disk or the network file system fails; look at it, then repeat the command",
    errno.ELOOP: "its links lead in a circle; correct them",
    errno.EISDIR: "a file was expected",
    errno.ENOTDIR: "a folder was expected",
    errno.ENOENT: "correct the path",
}
_KERAS_VARIABLES = ("KERAS_BACKEND", "TF_USE_LEGACY_KERAS", "KERAS_HOME")
# What TensorFlow's file layer and its allocators raise. Others, such as InvalidArgumentError, come
# of a wrong program and keep their traceback, unless they end in an error of the operating system.
_OF_THE_MACHINE = {
    "AlreadyExistsError",
    "DataLossError",
    "DeadlineExceededError",
    "FailedPreconditionError",
    "NotFoundError",
    "PermissionDeniedError",
    "ResourceExhaustedError",
    "UnauthenticatedError",
    "UnavailableError",
}
_ALSO_WITHIN_A_GRAPH = {"ResourceExhaustedError", "PermissionDeniedError", "DataLossError"}
# The parameters of TensorFlow's file functions that are paths.
_PATHS = ("path", "src", "pattern", "filename")
_SYSTEM_TEXTS = tuple(os.strerror(number) for number in sorted(errno.errorcode))


def explanation(error: BaseException) -> str | None:
    """Return one line about an error that is not this package's, or None if it is a bug."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, MemoryError):
        return f"not enough memory{_after(': ', error)}. {_LESS_MEMORY}"
    if isinstance(error, OSError):
        return _of_the_system(error)
    if isinstance(error, ValueError) and str(error).startswith("embedded null"):
        return "a file's name has a null byte; correct the list or the argument that has it."
    if isinstance(error, UnicodeEncodeError) and sys.getfilesystemencoding() != "utf-8":
        letter = error.object[error.start]
        return (
            f"this locale has no files with {letter!r} in their names (its encoding is"
            f" {sys.getfilesystemencoding()}); set PYTHONUTF8=1, or another LC_ALL."
        )
    tf = sys.modules.get("tensorflow")
    if tf is not None and isinstance(error, tf.errors.OpError):
        return _of_tensorflow(error)
    return None


def _after(words: str, error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{words}{text[:200]}" if text else ""


def _of_the_system(error: OSError) -> str:
    paths = [str(p) for p in (error.filename, error.filename2) if p is not None and p != ""]
    if error.errno == errno.ENOENT and not paths and not _has_current_folder():
        return "the current folder was removed; change to another one."
    reason = error.strerror or " ".join(str(error).split()) or type(error).__name__
    what = _WHAT_TO_DO.get(error.errno or 0, "")
    return f"{' -> '.join(paths) + ': ' if paths else ''}{reason}{'; ' + what if what else ''}."


def _has_current_folder() -> bool:
    try:
        return bool(os.getcwd())
    except OSError:
        return False


def _of_tensorflow(error: Any) -> str | None:
    kind, text = type(error).__name__, str(error.message)
    first = _first_line(text)
    of_the_system = any(system in first or text.endswith(system) for system in _SYSTEM_TEXTS)
    outside = error.node_def is None and "OpKernel" not in text
    # gs:// without a bucket, and addresses that no file system is there for
    if outside and first.startswith(("GCS path", "File system scheme")):
        of_the_system = True
    if kind in _OF_THE_MACHINE and (outside or kind in _ALSO_WITHIN_A_GRAPH):
        of_the_system = True
    if not of_the_system:
        return None
    if kind == "ResourceExhaustedError" and "OOM" in text:
        return f"not enough memory: {first}. {_LESS_MEMORY}"
    number = next((n for n in _WHAT_TO_DO if first.endswith(os.strerror(n))), 0)
    place = _place(error)
    named = "" if not place or place in first else f"{place}: "
    return f"{named}{first}{'; ' + _WHAT_TO_DO[number] if number else ''}."


def _place(error: BaseException) -> str:
    """Return the path that TensorFlow's file functions were called with, or "" if none was.

    A bucket that cannot be reached is not named by the error, so it is taken from the call.
    """
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_globals.get("__name__") == "tensorflow.python.lib.io.file_io":
            known = [frame.f_locals.get(name) for name in _PATHS]
            known.append(getattr(frame.f_locals.get("self"), "name", None))
            return next((os.fspath(path) for path in known if path), "")
    return ""


def reason(error: Exception) -> str:
    """Return an error's text, or its type if it has none, as one line without a full stop."""
    text = str(getattr(error, "message", None) or error)
    return " ".join(text.split()).rstrip(".") or type(error).__name__


def _first_line(message: str) -> str:
    """Return the first line of a TensorFlow error that tells something."""
    message = re.sub(r"\{\{.*?\}\} ?", "", message)
    where = re.compile(r"\s*(Graph execution error|Detected at|File \"|\[\[|$)")
    lines = [line.strip() for line in message.splitlines() if not where.match(line)]
    return (lines or [message.strip() or "TensorFlow gives no reason"])[0][:400].rstrip(".")


def import_problem(error: Exception) -> str | None:
    """Return one line about an import of TensorFlow or Keras that the environment makes fail.

    It is None if nothing in the environment explains the error.
    """
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, ModuleNotFoundError) and error.name == "tensorflow":
        return (
            f"TensorFlow is not installed for {sys.executable}: use the Python of the environment"
            " that yt8m was installed in, or run `pip install .` for this one."
        )
    if sys.flags.optimize > 1:
        return (
            "TensorFlow cannot be imported without docstrings: unset PYTHONOPTIMIZE, and start"
            " Python without -OO."
        )
    line = explanation(error)
    if line is not None:
        return f"TensorFlow cannot be imported ({line.rstrip('.')})."
    given = [f"{name}={os.environ[name]}" for name in _KERAS_VARIABLES if os.environ.get(name)]
    file = os.path.join(
        os.environ.get("KERAS_HOME") or os.path.join(os.path.expanduser("~"), ".keras"),
        "keras.json",
    )
    if not given and os.path.exists(file):
        given = [file]
    if not given:
        return None
    why = reason(error)[:200]
    right = " (KERAS_BACKEND=tensorflow)" if "KERAS_BACKEND" in " ".join(given) else ""
    return (
        f"Keras cannot be imported with {' and '.join(given)} ({why}): this program needs"
        f" TensorFlow's own Keras, on TensorFlow. Unset or correct it{right}."
    )


def start() -> None:
    """Make the process's streams safe to print to, and let a traceback say that it shows a bug."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:  # closed: the next file opened would be taken for it
            os.open(os.devnull, os.O_RDWR)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))
        elif hasattr(stream, "reconfigure"):
            # A locale without a letter must not end a command that prints it.
            stream.reconfigure(errors="backslashreplace")
    sys.excepthook = _show_bug


def _show_bug(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    with contextlib.suppress(OSError):
        sys.__excepthook__(kind, error, trace)
        if issubclass(kind, Exception):
            print(_BUG, file=sys.stderr)


def guarded(main: Callable[[], object], stands: str = STANDS) -> int:
    """Return the exit code of `main`; what is not a bug becomes one message without a traceback.

    Args:
      main: does everything.
      stands: what stands after a signal, which is printed last then.
    """
    try:
        code = _ended(main, stands)
    except BrokenPipeError:
        if not _output_fails():
            raise
        _discard(sys.stdout)
        return _PIPE_CLOSED
    return _flushed(code)


def _ended(main: Callable[[], object], stands: str) -> int:
    try:
        with ending():
            code = main()
        return code if isinstance(code, int) else 0
    except KeyboardInterrupt as error:
        number = getattr(error, "number", signal.SIGINT)
        say(f"ended by {signal.Signals(number).name}: {stands}")
        return 128 + number
    except SystemExit as end:  # argparse
        if isinstance(end.code, str):
            say(end.code)
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except Exception as error:
        if isinstance(error, BrokenPipeError) and _output_fails():
            raise
        line = explanation(error)
        if line is None:
            raise
        if os.environ.get(TRACEBACK):
            traceback.print_exc()
        if isinstance(error, OSError) and error.filename is None and _output_fails(b"\n"):
            line = f"{_NO_OUTPUT}: {line}"
            _discard(sys.stdout)
        say(f"error: {line}")
        return 2


def say(line: str) -> None:
    """Print a line to the standard error, after what was printed; a full disk hides it."""
    with contextlib.suppress(OSError, AttributeError):
        sys.stdout.flush()
    try:
        print(line, file=sys.stderr, flush=True)
    except OSError:  # Python would try again at its end, and change the exit code to 120.
        _discard(sys.stderr)


def _output_fails(more: bytes = b"") -> bool:
    """Whether the standard output takes nothing more; an error of `print` names no file.

    Args:
      more: what is written to find out, if Python has forgotten what it could not write.
    """
    try:
        if more and isinstance(getattr(sys.stdout, "buffer", None), io.BufferedIOBase):
            os.write(sys.stdout.fileno(), more)
        # What is not buffered has to be written to: Python forgot what it could not print.
        print(
            end="" if isinstance(getattr(sys.stdout, "buffer", None), io.BufferedIOBase) else "\n"
        )
        sys.stdout.flush()
    except (OSError, ValueError):
        return True
    return False


def _flushed(code: int) -> int:
    """Write what is left of the output; return the exit code, which says if that fails."""
    try:
        if sys.stdout is not None and not sys.stdout.closed:
            sys.stdout.flush()
    except BrokenPipeError:
        _discard(sys.stdout)
        return code or _PIPE_CLOSED
    except OSError as error:
        _discard(sys.stdout)
        say(f"error: {_NO_OUTPUT}: {_of_the_system(error)}")
        return code or 2
    return code


def _discard(stream: Any) -> None:
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)


def arguments_of_process() -> list[str]:
    """Return the process's arguments, decoded as UTF-8 whatever the locale.

    Raises:
      UserError: one of them is not UTF-8.
    """
    found = []
    for argument in sys.argv[1:]:
        try:
            found.append(os.fsencode(argument).decode())
        except UnicodeError:
            raise UserError(
                f"the argument {os.fsencode(argument)!r} is not UTF-8, as all names must be; rename"
                " the file."
            ) from None
    return found


def ends_in_one_line(main: Callable[[Sequence[str] | None], int]) -> Callable[..., int]:
    """Let a main function return its exit code as `guarded` does; it raises nothing but bugs."""

    @functools.wraps(main)
    def guarded_main(argv: Sequence[str] | None = None) -> int:
        return guarded(lambda: main(argv))

    return guarded_main


def run_main(main: Callable[[Sequence[str]], object]) -> NoReturn:
    """Run a main function with this process's arguments, and exit."""
    start()
    sys.exit(guarded(lambda: main(arguments_of_process())))
