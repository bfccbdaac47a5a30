"""Task functions that Ray's workers import, without TensorFlow so that the workers start fast."""

import os
import pathlib
import time

from yt8m.errors import UserError
from yt8m.largescale.executors import progress


def plus(task, shared):
    return int(shared["offset"].value[task % 5]) + task


def name(task, shared):
    time.sleep(0.05 * (task % 3))  # so that they do not end in order
    return str(task)


def who(task, shared):
    return [os.getpid(), os.environ.get("CUDA_VISIBLE_DEVICES", "")]


def who_takes_time(task, shared):
    time.sleep(1.0)
    return who(task, shared)


def bracket(total, part):
    return f"({part})" if total is None else f"{total[:-1]} {part})"


def add(total, part):
    return part if total is None else total + part


def stuck_once(task, shared):
    """Hang the first time that task 2 runs; the time-out ends it, and its next attempt counts."""
    mark = os.path.join(shared["work"].value, "stuck")
    if task == 2 and not os.path.exists(mark):
        open(mark, "w").close()
        time.sleep(600)
    return 10**task


def stuck_always(task, shared):
    if task == 1:
        time.sleep(600)
    return 1


def long(task, shared):
    """Go on for three times as long as the driver waits for a worker that tells it nothing."""
    for _ in range(100):
        time.sleep(0.2)
        progress()
    return 10**task


def user_error(task, shared):
    if task == 0:
        raise UserError("shard 0 is not there; name another by --train_data_pattern.")
    return 1


def error_after_the_others_began(task, shared):
    """Let task 0 fail once task 1, which takes ten minutes, has written its process id."""
    begun = os.path.join(shared["work"].value, "begun")
    if task == 0:
        while not os.path.exists(begun):
            time.sleep(0.05)
        raise UserError("shard 0 is not there; name another by --train_data_pattern.")
    with open(begun + ".part", "w") as f:
        f.write(str(os.getpid()))
    os.rename(begun + ".part", begun)
    time.sleep(600)


def listening(mark):
    """Return the ports of the processes that have `mark` in their environment.

    The second list holds the ports on other interfaces than the loopback interface.
    """
    sockets = set()
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (process / "environ").read_bytes():
                sockets.update(os.readlink(f) for f in (process / "fd").iterdir())
        except OSError:  # it ended, or is another user's
            continue
    ports, beyond = [], []
    for table in ("tcp", "tcp6"):
        for line in pathlib.Path("/proc/net", table).read_text().splitlines()[1:]:
            fields = line.split()
            address, port = fields[1].split(":")
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:  # 0A: listening
                ports.append(int(port, 16))
                if (
                    not address.endswith("0100007F")
                    and address != "00000000000000000000000001000000"
                ):
                    beyond.append(int(port, 16))
    return ports, beyond
