"""How every command starts and ends: flags parsed by absl, user mistakes as one message, exit code 2."""

from __future__ import annotations

import yt8m.quiet  # noqa: F401

import sys
from typing import Callable

from absl import app, flags
from absl import logging as absl_logging

from yt8m.errors import UserError
from yt8m.runs.stop_signal import Stopped

FLAGS = flags.FLAGS


def run(main: Callable[[], object]) -> None:
    """Parse the flags, run `main()`, and turn a `UserError` into a message and exit code 2 (an interrupt: 130)."""

    def guarded(argv: list[str]) -> int:
        try:
            if len(argv) > 1:
                raise UserError(
                    f"unexpected arguments {argv[1:]}: every option is a flag, --name=value."
                )
            code = main()
            return code if isinstance(code, int) else 0
        except UserError as error:
            sys.stdout.flush()
            print(f"error: {error}", file=sys.stderr)
            return 2
        except Stopped as stopped:
            return 128 + stopped.number
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            return 130

    absl_logging.set_verbosity(absl_logging.WARNING)
    # Flags that a script shares with others are its own too: --help lists them.
    for flag in FLAGS.get_flags_for_module("yt8m.flags"):
        FLAGS.register_key_flag_for_module(sys.argv[0], flag)
    app.run(guarded)
