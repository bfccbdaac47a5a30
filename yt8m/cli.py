"""The `yt8m` command, and how every command starts and ends.

Exit codes: 0 on success, 1 if `download` could not get some of the files, 2 for a user's mistake,
75 if --max_minutes ended the session of a run that can be resumed, 141 if nobody reads the output
any more, and 128 + n if signal n ended the command (143: SIGTERM, 130: Ctrl-C); its last line then
says what stands. What the operating system refuses (a full disk, a missing permission) counts as a
user's mistake.
"""

from __future__ import annotations

import atexit
import faulthandler
import gc
import importlib
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from absl import flags as absl_flags
from absl import logging as absl_logging

from yt8m import IMPORTED_AT, flags
from yt8m.commands.command import Command
from yt8m.errors import UserError, near_misses
from yt8m.process import guard
from yt8m.process.answered_signals import Ended
from yt8m.runs.settings.session import begun_at
from yt8m.runs.stop_signal import Stopped

# Command -> (module with `COMMAND` or with `main(argv)`, what it does). Modules are imported on
# demand.
COMMANDS: dict[str, tuple[str, str]] = {
    "train": ("yt8m.commands.train", "train a model, or resume its run"),
    "eval": ("yt8m.commands.evaluate", "evaluate a trained model"),
    "predict": ("yt8m.commands.predict", "predict, and write a Kaggle submission or scores"),
    "export": ("yt8m.commands.export", "export a model for programs without this package"),
    "publish": ("yt8m.commands.publish", "write a run as a folder for a model hub"),
    "report": ("yt8m.commands.pages.report", "write a page about a run, or several compared"),
    "fuse": ("yt8m.commands.fuse", "fuse the scores of several models"),
    "download": ("yt8m.commands.download", "download a share of the published data set"),
    "convert": (
        "yt8m.commands.records.convert",
        "make records from arrays, tables, MediaPipe's files or other records",
    ),
    "extract": ("yt8m.extract.__main__", "make records from videos"),
    "inspect": ("yt8m.data.inspect", "show the contents of record files, and find corrupt records"),
    "conformance": (
        "yt8m.data.conformance.__main__",
        "compare the features of records with a release's",
    ),
    "synthetic": ("yt8m.data.synthetic.__main__", "make a synthetic data set"),
    "analyse": ("yt8m.commands.analyse", "describe the labels of a data set"),
    "score-segments": ("yt8m.evaluation.segment_csv", "score a segment submission"),
    "papers": ("yt8m.papers.__main__", "reproduce the papers' reported results"),
    "figures": ("yt8m.largescale.figures", "draw the learning curves of alternating training"),
    "accelerators": (
        "yt8m.commands.accelerators",
        "compile or export the steps of every model",
    ),
    "demo": ("yt8m.commands.demo", "run the main workflow on synthetic data"),
}

# What stands when a signal ends a command, for its last line. Everything that was unfinished has
# been removed by then, unless it is what the same command goes on with.
_STANDS = {
    "train": "the same command resumes the run from its last checkpoint",
    "eval": "metrics that have been written are whole; the same command evaluates again",
    "predict": "outputs that have their names are whole; the same command goes on after what it has"
    " kept, if it said so, and begins again otherwise",
    "download": "files that have their names are whole; the same command goes on from here",
    "convert": "shards that have their names are whole; the same command goes on after them",
    "papers": "steps that are done are kept; the same command goes on after them",
    "demo": "the outputs of the steps that are done are kept",
    "accelerators": "models that are done are kept; the same command goes on after them",
}
# What people type -> the command's name: the root scripts' names among it.
_OTHER_NAMES = {"inference": "predict", "infer": "predict", "evaluate": "eval", "fusion": "fuse"}


def call(name: str, arguments: Sequence[str], program: str = "") -> int:
    """Run a command in this process, and return its exit code.

    Args:
      name: one of `COMMANDS`.
      arguments: those of the command line, without the program's name.
      program: how the user called it, for `--help`.
    """
    module, _ = COMMANDS[name]
    asks_for_help = flags.asks_for_help(arguments)
    without_tensorflow = module.startswith("yt8m.commands.") and (
        asks_for_help or name in ("demo", "download")
    )

    def run_it() -> object:
        if not without_tensorflow:
            importlib.import_module("yt8m.process.quiet")
        command = getattr(importlib.import_module(module), "COMMAND", None)
        if not isinstance(command, Command):
            return importlib.import_module(module).main(list(arguments))
        if asks_for_help:
            print(command.help_text(program or f"yt8m {name}"), end="")
            return 0
        return command.run(arguments)

    resume = resume_command(program or f"yt8m {name}", arguments)
    return guarded(run_it, resume, _STANDS.get(name, guard.STANDS))


def resume_command(program: str, arguments: Sequence[str]) -> str:
    """Return the command line that resumes a run: this one, unless it says to delete the run."""
    deletes = ("start_new_model", *(f"start_new_model={yes}" for yes in ("true", "t", "1")))
    kept = [a for a in arguments if a.lstrip("-").lower() not in deletes]
    word, _, rest = program.partition(" ")
    if word == "python":  # The interpreter may have another name, or be that of an environment.
        word = shlex.quote(getattr(sys, "orig_argv", [sys.executable])[0])
    return " ".join([word, *filter(None, [rest]), *map(shlex.quote, kept)])


def guarded(main: Callable[[], object], resume: str = "", stands: str = guard.STANDS) -> int:
    """Return the exit code of `main`; what is not a bug becomes one message without a traceback.

    Args:
      main: does everything.
      resume: the command line that resumes a run whose session has ended, which is printed last.
      stands: what stands after a signal, which is printed last then.
    """

    def to_the_end() -> object:
        try:
            return main()
        except Stopped as stopped:
            if stopped.number is not None:
                raise Ended(stopped.number) from None
            if resume:
                print(resume, flush=True)
            return stopped.code

    return guard.guarded(to_the_end, stands)


def _start_logging() -> None:
    """Set up absl's logging as `absl.app.run` does, with the level of warnings."""
    guard.start()
    faulthandler.enable()
    # Otherwise the interpreter looks for cycles in all of TensorFlow when it ends: 0.5 to 0.8 s.
    atexit.register(gc.freeze)
    absl_flags.FLAGS.mark_as_parsed()
    absl_logging.use_absl_handler()
    absl_logging.set_verbosity(absl_logging.WARNING)


def _given_arguments() -> list[str]:
    try:
        return guard.arguments_of_process()
    except UserError as error:
        guard.say(f"error: {error}")
        sys.exit(2)


def run(name: str) -> NoReturn:
    """Run a command with this process's flags, and exit; for root scripts and `python -m` forms."""
    _start_logging()
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    program = f"-m {spec.name.removesuffix('.__main__')}" if spec else os.path.basename(sys.argv[0])
    with begun_at(IMPORTED_AT):
        sys.exit(call(name, _given_arguments(), f"python {program}"))


def run_script(main: Callable[[], object]) -> NoReturn:
    """Run a script that defines flags in `absl.flags.FLAGS` like a command, and exit."""
    _start_logging()

    def parse_and_run() -> object:
        flags.parse(absl_flags.FLAGS, guard.arguments_of_process())
        return main()

    sys.exit(guarded(parse_and_run))


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run `yt8m COMMAND --flag=value ...`; without a command, list the commands."""
    arguments = _given_arguments() if argv is None else list(argv)
    if not arguments or arguments[0] in ("help", "--help", "-h", "-help", "--helpfull"):
        guard.start()
        sys.exit(guarded(lambda: print(_overview())))
    name = arguments[0]
    if name in ("--version", "version"):
        from yt8m import __version__

        guard.start()
        sys.exit(guarded(lambda: print(__version__)))
    if name not in COMMANDS:
        meant = _OTHER_NAMES.get(name)
        hint = f" Did you mean {meant}?" if meant else near_misses(name, COMMANDS)
        guard.say(f"error: {name!r} is not a command of yt8m.{hint}\n\n{_overview()}")
        sys.exit(2)
    _start_logging()
    with begun_at(IMPORTED_AT):
        sys.exit(call(name, arguments[1:], f"yt8m {name}"))


def _overview() -> str:
    lines = [f"  {name:<16}{about}" for name, (_, about) in COMMANDS.items()]
    return "\n".join(
        [
            "Usage: yt8m COMMAND [--flag=value ...]",
            "",
            "Commands:",
            *lines,
            "",
            "`yt8m COMMAND --help` lists the flags of a command.",
        ]
    )
