"""The whole job: choose the files, say how large they are, and get those that are missing."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from yt8m.download import plan as plans
from yt8m.download import report
from yt8m.download.existing import missing_of, size_on_disk
from yt8m.download.partial_file import SUFFIX
from yt8m.download.plan import Plan
from yt8m.download.progress import Progress, size_text
from yt8m.download.published import Partition, partition_of
from yt8m.download.settings import DownloadSettings
from yt8m.download.shares import choose
from yt8m.download.transfer import Transfer
from yt8m.download.verify import Item
from yt8m.download.web import Dropped, size_of
from yt8m.download.workers import get_all
from yt8m.errors import UserError

_MANY = 200  # sizes to ask for that take a while
_REQUESTS = 16  # sizes asked for at the same time


def download(settings: DownloadSettings) -> int:
    """Download a share of a split, or say what it would be.

    Returns:
      The exit code: 0, or 1 if some files could not be had.

    Raises:
      UserError: the settings contradict each other, the server cannot be reached, the disk is too
        small, or files in the way would be overwritten.
    """
    partition = partition_of(settings)
    only_names = settings.dry_run or bool(settings.list_gs)
    if not settings.out_dir and not only_names:
        raise UserError("--out_dir is missing; name the folder for the files.")
    if "://" in settings.out_dir:
        raise UserError(
            f"--out_dir={settings.out_dir}: expected a local folder. To read the files where they"
            " are, write their paths with --list_gs=FILE and train with"
            " --train_data_pattern=@FILE."
        )
    plan = _plan(settings, partition, only_names)
    names = choose(plan.sums, settings.share, settings.seed)
    if settings.list_gs:
        report.write_list(settings, partition, names)
        return 0
    _add_sizes(plan, names, settings)
    items = _items(settings, plan, names)
    report.print_plan(settings, plan, items)
    if settings.dry_run:
        report.print_files(items)
        return 0
    try:
        os.makedirs(settings.out_dir, exist_ok=True)
        plan.note_share(settings.share, settings.seed, len(names))
        plans.save(settings.out_dir, plan)
        return _get(items, missing_of(items, settings), settings)
    except BrokenPipeError:  # nobody reads what is printed
        raise
    except OSError as error:
        raise UserError(
            f"--out_dir={settings.out_dir} cannot be written ({error}). Make room or choose another"
            " folder; the same command goes on from here."
        ) from None


def _plan(settings: DownloadSettings, partition: Partition, only_names: bool) -> Plan:
    """Return the plan in the folder, else the published one, else one from the naming rule."""
    kept = plans.load(settings.out_dir, partition) if settings.out_dir else None
    if kept:
        return kept
    retries = 0 if only_names else settings.retries
    try:
        return plans.fetch(partition, settings.timeout_seconds, retries, settings.retry_seconds)
    except Dropped as error:
        rule = plans.by_rule(partition) if only_names and not partition.base_url else None
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
        # A vocabulary that is there may be of another release, and is the user's choice.
        is_kept = settings.existing == "keep" and os.path.exists(path)
        size = None if is_kept else size_of(partition.vocabulary_url, settings.timeout_seconds)
        items.append(Item(partition.vocabulary_url, path, size=size, is_records=False))
    return items


def _get(items: Sequence[Item], missing: list[Item], settings: DownloadSettings) -> int:
    """Get the missing files, and return the exit code."""
    complete = len(items) - len(missing)
    if not missing:
        print(f"all {len(items)} files are complete in {settings.out_dir}")
        return 0
    received = sum(size_on_disk(item.path + SUFFIX) for item in missing)
    wanted = {item.path for item in missing}
    there = sum(size_on_disk(item.path) for item in items if item.path not in wanted)
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
    transfer = Transfer(
        Progress(there + received + left, len(items), there + received, complete),
        threading.Event(),
        settings.check,
        settings.retries,
        settings.retry_seconds,
        settings.timeout_seconds,
    )
    try:
        failed = get_all(missing, transfer, settings.parallel, settings.existing == "replace")
    except KeyboardInterrupt:
        transfer.progress.show(last=True)
        raise
    transfer.progress.show(last=True)
    report.print_end(settings.out_dir, len(items), failed)
    return int(bool(failed))
