"""The whole job: choose the files, say how large they are, and get those that are missing."""

from __future__ import annotations

import os
import shutil
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from yt8m.download import plan as plans
from yt8m.download.partial_file import SUFFIX
from yt8m.download.plan import Plan
from yt8m.download.progress import Progress, size_text
from yt8m.download.published import Partition, partition_of
from yt8m.download.settings import DownloadSettings
from yt8m.download.shares import choose
from yt8m.download.transfer import Transfer
from yt8m.download.verify import Item, problem_of
from yt8m.download.web import Dropped, size_of
from yt8m.download.workers import Outcome, get_all
from yt8m.errors import UserError

_SHOWN = 10  # files that a dry run lists
_MANY = 200  # sizes to ask for that take a while
_REQUESTS = 16  # sizes asked for at the same time


def download(settings: DownloadSettings) -> int:
    """Download a share of a split, or say what it would be.

    Returns:
      The exit code: 0, or 1 if some files could not be had.

    Raises:
      UserError: the settings contradict each other, the server cannot be reached, the disk is too
        small, or files in the way would be overwritten.
      KeyboardInterrupt: after the message that says how to go on.
    """
    partition = partition_of(settings)
    only_lists = settings.dry_run or bool(settings.list_gs)
    if not settings.out_dir and not only_lists:
        raise UserError("--out_dir is missing; name the folder for the files.")
    if "://" in settings.out_dir:
        raise UserError(
            f"--out_dir={settings.out_dir}: expected a local folder. To read the files where they"
            " are, write their paths with --list_gs=FILE and train with"
            " --train_data_pattern=@FILE."
        )
    plan = _plan(settings, partition, only_lists)
    names = choose(plan.sums, settings.share, settings.seed)
    if settings.list_gs:
        return _write_list(settings, plan, names)
    _add_sizes(plan, names, settings)
    items = _items(settings, plan, names)
    _print_plan(settings, plan, items)
    if settings.dry_run:
        _print_files(items)
        return 0
    os.makedirs(settings.out_dir, exist_ok=True)
    plan.note_share(settings.share, settings.seed, len(names))
    plans.save(settings.out_dir, plan)
    missing = _missing(items, settings)
    return _get(items, missing, settings)


def _plan(settings: DownloadSettings, partition: Partition, only_lists: bool) -> Plan:
    """Return the plan in the folder, else the published one, else one from the naming rule."""
    kept = plans.load(settings.out_dir, partition) if settings.out_dir else None
    if kept:
        return kept
    retries = 0 if only_lists else settings.retries
    try:
        return plans.fetch(partition, settings.timeout_seconds, retries, settings.retry_seconds)
    except Dropped as error:
        rule = plans.by_rule(partition) if only_lists and not partition.base_url else None
        if rule is None:
            raise UserError(
                f"{partition.plan_url} cannot be reached ({error}). Check the network;"
                " --base_url names another server."
            ) from None
        print(
            f"{partition.plan_url} cannot be reached ({error}): the names follow the rule of this"
            " release, and the sizes are estimates."
        )
        return rule


def _write_list(settings: DownloadSettings, plan: Plan, names: Sequence[str]) -> int:
    """Write the gs:// paths of the files to a text file."""
    folder = os.path.dirname(settings.list_gs)
    os.makedirs(folder or ".", exist_ok=True)
    lines = [
        f"# YouTube-8M {plan.partition.folder}, share {settings.share}, seed {settings.seed}",
        *(plan.partition.gs_path(name) for name in names),
    ]
    temporary = f"{settings.list_gs}.{os.getpid()}.tmp"
    with open(temporary, "w", encoding="utf-8") as out:
        out.write("\n".join(lines) + "\n")
    os.replace(temporary, settings.list_gs)
    print(f"wrote the paths of {len(names)} files to {settings.list_gs}")
    return 0


def _add_sizes(plan: Plan, names: Sequence[str], settings: DownloadSettings) -> None:
    """Ask the server for the sizes that the plan does not have; the published list has none."""
    unknown = [name for name in names if name not in plan.sizes]
    if len(unknown) > _MANY:
        print(f"asking the server for the sizes of {len(unknown)} files", flush=True)
    urls = [plan.partition.url(name) for name in unknown]
    pool = ThreadPoolExecutor(max(settings.parallel, _REQUESTS))
    try:
        sizes = pool.map(lambda url: size_of(url, settings.timeout_seconds), urls)
        plan.sizes.update({n: s for n, s in zip(unknown, sizes) if s is not None})
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _items(settings: DownloadSettings, plan: Plan, names: Sequence[str]) -> list[Item]:
    partition = plan.partition
    items = [
        Item(
            partition.url(name),
            os.path.join(settings.out_dir, partition.local_name(name)),
            plan.sums[name],
            plan.sizes.get(name),
        )
        for name in names
    ]
    if settings.vocabulary:
        path = os.path.join(settings.out_dir, "vocabulary.csv")
        size = size_of(partition.vocabulary_url, settings.timeout_seconds)
        items.append(Item(partition.vocabulary_url, path, size=size, is_records=False))
    return items


def _print_plan(settings: DownloadSettings, plan: Plan, items: Sequence[Item]) -> None:
    records = [item for item in items if item.is_records]
    known = [item.size for item in records if item.size is not None]
    if len(known) == len(records):
        size = size_text(sum(known)) + (" in total" if plan.source else " estimated in total")
    elif known:
        size = f"about {size_text(sum(known) / len(known) * len(records))} in total"
    else:
        size = "of unknown size"
    seed = "" if "," in settings.share else f", seed {settings.seed}"
    print(
        f"YouTube-8M {plan.partition.folder}, share {settings.share}{seed}: {len(records)} of"
        f" {len(plan.sums)} files, {size}",
        flush=True,
    )


def _print_files(items: Sequence[Item]) -> None:
    for item in items[:_SHOWN]:
        size = "" if item.size is None else f"  {size_text(item.size)}"
        print(f"  {item.url} -> {item.path}{size}")
    if len(items) > _SHOWN:
        print(f"  and {len(items) - _SHOWN} more")
    print("dry run: nothing was downloaded")


def _missing(items: Sequence[Item], settings: DownloadSettings) -> list[Item]:
    """Return the files that are not complete under their final names."""
    there = [item for item in items if os.path.exists(item.path)]
    if settings.existing == "replace":
        return list(items)
    if settings.existing == "repair":
        print(f"reading {len(there)} existing files", flush=True)
        for item in there:
            problem = problem_of(item.path, item, settings.check)
            if problem:
                print(f"{item.path}: {problem}; it is downloaded again", flush=True)
                os.remove(item.path)
    else:
        wrong = [i for i in there if i.size is not None and os.path.getsize(i.path) != i.size]
        if wrong:
            raise UserError(
                f"{len(wrong)} existing files do not have the published size; the first is"
                f" {wrong[0].path}, with {os.path.getsize(wrong[0].path)} bytes instead of"
                f" {wrong[0].size}. Choose another --out_dir, or have such files downloaded again"
                " with --existing=repair."
            )
    return [item for item in items if not os.path.exists(item.path)]


def _get(items: Sequence[Item], missing: list[Item], settings: DownloadSettings) -> int:
    """Get the missing files, and return the exit code."""
    complete = len(items) - len(missing)
    if not missing:
        print(f"all {len(items)} files are complete in {settings.out_dir}")
        return 0
    received = sum(_size_on_disk(item.path + SUFFIX) for item in missing)
    there = sum(_size_on_disk(item.path) for item in items if item not in missing)
    left = max(0, sum(item.size or 0 for item in missing) - received)
    free = shutil.disk_usage(settings.out_dir).free
    print(
        f"{complete} of {len(items)} files are complete; {size_text(left)} to download to"
        f" {settings.out_dir}, which has {size_text(free)} free",
        flush=True,
    )
    if left > free:
        raise UserError(
            f"{settings.out_dir} has {size_text(free)} free, and {size_text(left)} are needed;"
            " give a smaller --share or an --out_dir on a larger disk."
        )
    total = there + left + received
    transfer = Transfer(
        Progress(total, len(items), there + received, complete),
        threading.Event(),
        settings.check,
        settings.retries,
        settings.retry_seconds,
        settings.timeout_seconds,
    )
    try:
        outcome = get_all(missing, transfer, settings.parallel, settings.existing == "replace")
    except KeyboardInterrupt:
        transfer.progress.show(last=True)
        print("stopped; the same command goes on from here", file=sys.stderr)
        raise
    transfer.progress.show(last=True)
    return _report(items, outcome, settings)


def _size_on_disk(path: str) -> int:
    try:
        return os.path.getsize(path)
    except FileNotFoundError:
        return 0


def _report(items: Sequence[Item], outcome: Outcome, settings: DownloadSettings) -> int:
    if isinstance(outcome.broken, OSError):
        raise UserError(
            f"cannot write to {settings.out_dir}: {outcome.broken}. Make room or choose another"
            " --out_dir; the same command goes on from here."
        )
    if outcome.broken:
        raise outcome.broken
    if not outcome.failed:
        print(f"all {len(items)} files are complete in {settings.out_dir}")
        return 0
    sys.stdout.flush()
    print(f"{len(outcome.failed)} of {len(items)} files could not be had:", file=sys.stderr)
    for name, reason in sorted(outcome.failed.items()):
        print(f"  {name}: {reason}", file=sys.stderr)
    print("The others are complete; the same command tries these again.", file=sys.stderr)
    return 1
