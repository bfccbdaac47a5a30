"""The list of a split's files with their MD5 sums, kept beside the data with its origin."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import os
import re
import time
from collections.abc import Iterator
from typing import Any

from yt8m import files, locks
from yt8m.download.published import Partition
from yt8m.download.web import BeyondEnd, Dropped, Refused, opened
from yt8m.errors import UserError

_PATIENCE = 10.0  # seconds that another process may take to write a plan
_NAME = re.compile(r"[\w-]+(\.\w+)+")


@dataclasses.dataclass
class Plan:
    """The files of a partition.

    Attributes:
      partition: what the files are.
      source: address of the published list; "" if the names come from the naming rule.
      fetched: when the list was fetched, ISO 8601.
      sums: published name -> MD5 sum; "" if it is unknown.
      sizes: published name -> size in bytes, as far as known.
      shares: the shares that were downloaded: {"share", "seed", "files", "date"}.
    """

    partition: Partition
    source: str
    fetched: str
    sums: dict[str, str]
    sizes: dict[str, int] = dataclasses.field(default_factory=dict)
    shares: list[dict[str, Any]] = dataclasses.field(default_factory=list)

    def note_share(self, share: str, seed: int, files: int) -> None:
        """Note a share that is being downloaded, once."""
        wanted = {"share": share, "seed": seed, "files": files}
        if not any(wanted.items() <= noted.items() for noted in self.shares):
            self.shares.append({**wanted, "date": now()})


def now() -> str:
    """Return the present time, ISO 8601."""
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")


def path_of(folder: str, partition: Partition) -> str:
    """Return the path of a partition's plan in a folder of data."""
    return os.path.join(folder, f"download_{partition.folder.replace('/', '_')}.json")


def load(folder: str, partition: Partition) -> Plan | None:
    """Return the plan kept in a folder, or None if there is none from this source.

    Raises:
      UserError: the folder holds the same split of another level or release, whose files have the
        same names.
    """
    path = path_of(folder, partition)
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        for name in sorted(os.listdir(folder)):
            other = name.startswith("download_") and name.endswith(f"_{partition.split}.json")
            if other and name != os.path.basename(path):
                raise UserError(
                    f"{folder} already holds other files of --split={partition.split}"
                    f" ({name}), and theirs have the same names; choose another --out_dir."
                )
    try:
        with open(path, encoding="utf-8") as kept:
            values = json.load(kept)
        if values.pop("source") != partition.plan_url:
            return None
        return Plan(partition, partition.plan_url, **values)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{path} is not a plan of this program; delete it or move it.") from None


def save(folder: str, plan: Plan) -> None:
    """Write a plan into the folder of its files; another process may do so at the same time."""
    values = dataclasses.asdict(plan)
    del values["partition"]
    path = path_of(folder, plan.partition)
    with _alone_with(path):
        files.remove_unfinished(path)  # of a process that was killed
        temporary = files.temporary(path)
        try:
            with files.naming(path), open(temporary, "w", encoding="utf-8") as out:
                json.dump(values, out, indent=1)
                out.write("\n")
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.remove(temporary)
            raise


@contextlib.contextmanager
def _alone_with(path: str) -> Iterator[None]:
    """Hold the lock of a plan, for which another download into the same folder is waited."""
    end = time.monotonic() + _PATIENCE
    with contextlib.ExitStack() as held:
        while True:
            try:
                held.enter_context(locks.held(locks.beside(path), path))
                break
            except locks.Locked:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)
        yield


def fetch(partition: Partition, timeout: float, retries: int, wait: float) -> Plan:
    """Fetch the published list.

    Raises:
      UserError: the list is missing or has another form.
      Dropped: the server cannot be reached.
    """
    url = partition.plan_url
    for attempt in range(retries + 1):
        try:
            with opened(url, timeout=timeout) as answer:
                return _parsed(partition, b"".join(answer.chunks()))
        except (Refused, BeyondEnd) as error:
            raise UserError(
                f"{url}: the server answered {error}. Check --level, --split, --release and"
                " --base_url."
            ) from None
        except Dropped:
            if attempt == retries:
                raise
            time.sleep(min(wait * 2**attempt, 60))
    raise AssertionError("the last attempt returns or raises")


def _parsed(partition: Partition, content: bytes) -> Plan:
    """Return the plan in a list of the published form (docs/sources.md#published-files)."""
    try:
        files = json.loads(content)["files"]
        sums = {str(name): str(value or "") for name, value in files.items()}
        if not all(_NAME.fullmatch(name) for name in sums):  # no path out of the folder
            raise ValueError
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError(
            f"{partition.plan_url} is not a list of files and MD5 sums, {{'files': {{name: sum}}}}."
        ) from None
    if not sums:
        raise UserError(f"{partition.plan_url} lists no files.")
    return Plan(partition, partition.plan_url, now(), sums)


def by_rule(partition: Partition) -> Plan | None:
    """Return a plan from the naming rule alone, or None where the names are not known."""
    names = partition.usual_names()
    if not names:
        return None
    sizes = dict.fromkeys(names, partition.usual_bytes())
    return Plan(partition, "", now(), dict.fromkeys(names, ""), sizes)
