"""Whether a case fails: a bug's traceback, too long, too much memory, or another exit code."""

from __future__ import annotations

import contextlib
import faulthandler
import io
import os
import resource
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Iterator, Mapping
from types import FrameType
from typing import NamedTuple

from benchmarks.fuzz.case import HERE, Case, Target, lay_out
from yt8m import cli
from yt8m.process import guard

# Of computing in user mode, which other processes on the machine do not lengthen; 0 is no limit.
# The timer is not SIGPROF's: JAX's runtime starts timers of its own that send that signal.
SECONDS = 10
HUNG = 90  # seconds on the clock after which the whole process ends with its stack shown
MEMORY = 600 << 20  # bytes by which the process may grow during a case
# Bytes by which the address space may grow: TensorFlow's threads and arenas take most of it, and
# it ends the process where it gets no more.
ADDRESSES = 16 << 30
_NO_MEMORY = "not enough memory"


class Failure(NamedTuple):
    """Why a case failed.

    Attributes:
      signature: kind of the failure and its place, equal for all cases of one cause.
      text: the traceback or message.
    """

    signature: str
    text: str


class TooLong(BaseException):
    """A case computes for longer than it may."""


class Judge:
    """Runs cases, each in a folder of its own.

    Args:
      targets: by name.
      inputs: folder of the valid inputs.
      in_process: False runs each command in a process of its own.
      note: file of the case that is running, which is left if it ends this process; "" is none.
    """

    def __init__(
        self, targets: Mapping[str, Target], inputs: str, in_process: bool = True, note: str = ""
    ):
        self._note = note
        self.targets, self._inputs, self._in_process = targets, inputs, in_process

    def failure(self, case: Case) -> Failure | None:
        """Run a case, and return why it failed, or None."""
        target = self.targets[case.target]
        if self._note:
            with open(self._note, "w", encoding="utf-8") as text:
                text.write(case.to_json())
        scratch = tempfile.mkdtemp(prefix="yt8m-fuzz-")
        folder = os.path.join(scratch, "in")
        try:
            lay_out(case, target.needs, self._inputs, folder)
            with _folder(scratch):
                if self._in_process:
                    return _judged(target, case, folder)
                return _in_a_process(target, case, folder)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def limit_addresses() -> None:
    """Let the system refuse what would exhaust the machine."""
    with open("/proc/self/statm") as statm:
        now = int(statm.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + ADDRESSES, resource.RLIM_INFINITY))


@contextlib.contextmanager
def _folder(path: str) -> Iterator[None]:
    """Work in a folder: what a command writes without a path must not stay."""
    before = os.getcwd()
    os.chdir(path)
    try:
        yield
    finally:
        os.chdir(before)


def _run(target: Target, case: Case, folder: str) -> int:
    if target.function is not None:
        function = target.function
        return guard.guarded(lambda: (function(folder), 0)[1])
    name, *more = (argument.replace(HERE, folder) for argument in case.arguments)
    return cli.call(name, more)


@contextlib.contextmanager
def _timed() -> Iterator[None]:
    running = True

    def too_long(number: int, frame: FrameType | None) -> None:
        if running:  # Python may call it later than the system sent the signal.
            raise TooLong

    before = signal.signal(signal.SIGVTALRM, too_long)
    faulthandler.dump_traceback_later(HUNG, exit=True, file=sys.__stderr__)
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    try:
        yield
    finally:
        running = False
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        faulthandler.cancel_dump_traceback_later()
        signal.signal(signal.SIGVTALRM, before)


def _judged(target: Target, case: Case, folder: str) -> Failure | None:
    out, err = io.StringIO(), io.StringIO()
    before = _peak(reset=True)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), _timed():
            code = _run(target, case, folder)
    except (Exception, TooLong) as error:
        return Failure(f"{type(error).__name__} at {_place(error)}", traceback.format_exc())
    grown = _peak() - before
    if grown > MEMORY:
        return Failure("memory", f"{grown >> 20} MB more\n{err.getvalue()}")
    return verdict(target, code, err.getvalue())


def _peak(reset: bool = False) -> int:
    """Return the highest memory of this process in bytes, since the last call with `reset`."""
    if reset:
        with open("/proc/self/clear_refs", "w") as out:
            out.write("5")
    with open("/proc/self/status") as status:
        lines = dict(line.split(":", 1) for line in status if ":" in line)
    return int(lines["VmHWM"].split()[0]) * 1024


def verdict(target: Target, code: int, err: str) -> Failure | None:
    """Return what is wrong about an exit code and a standard error, or None."""
    if "Traceback (most recent call last)" in err:
        return Failure(f"traceback: {err.strip().splitlines()[-1][:60]}", err)
    if code not in (0, 2, *target.codes):
        return Failure(f"exit code {code}", err)
    if code == 2 and not err.strip():
        return Failure("no message", err)
    # Flags may ask for more than there is; a damaged file may not.
    if _NO_MEMORY in err and target.kind != "flags":
        return Failure("claimed memory", err)
    return None


def _place(error: BaseException) -> str:
    """Return the innermost line of this package in a traceback."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if f"{os.sep}yt8m{os.sep}" in f.filename] or frames
    last = ours[-1]
    return f"{'/'.join(last.filename.split(os.sep)[-3:])}:{last.name}"


def _in_a_process(target: Target, case: Case, folder: str) -> Failure | None:
    """Run a command as a process of its own; the imports are those of this process."""
    log = os.path.join(folder, os.pardir, "stderr.txt")
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        _be(target, case, folder, log)
    _, status = os.waitpid(pid, 0)
    with open(log, encoding="utf-8", errors="replace") as text:
        err = text.read()
    code = os.waitstatus_to_exitcode(status)
    if code == -signal.SIGVTALRM:
        return Failure("TooLong", err)
    return verdict(target, code, err)


def _be(target: Target, case: Case, folder: str, log: str) -> None:
    code = 1
    try:
        err = os.open(log, os.O_WRONLY | os.O_CREAT, 0o644)
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(err, 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w", buffering=1)
        limit_addresses()
        signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)  # whose signal ends the process
        faulthandler.dump_traceback_later(HUNG, exit=True, file=sys.__stderr__)
        if target.function is not None:
            code = _run(target, case, folder)
        else:
            cli.main([argument.replace(HERE, folder) for argument in case.arguments])
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
