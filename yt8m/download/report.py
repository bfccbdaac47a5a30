"""What a download prints before and after, and the list for reading in place."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from yt8m.download.plan import Plan
from yt8m.download.progress import size_text
from yt8m.download.published import Partition
from yt8m.download.settings import DownloadSettings
from yt8m.download.verify import Item
from yt8m.files import WholeFile

_SHOWN = 10  # files that a dry run lists


def write_list(settings: DownloadSettings, partition: Partition, names: Sequence[str]) -> None:
    """Write the gs:// paths of the files to a text file."""
    about = f"YouTube-8M {partition.folder}, share {settings.share}, seed {settings.seed}"
    with WholeFile(
        settings.list_gs, "--list_gs", what="a list of paths", heads=("#", "gs://", "http")
    ) as out:
        out.write(f"# {about}\n")
        for name in names:
            out.write(partition.gs_path(name) + "\n")
    print(f"wrote the paths of {len(names)} files to {settings.list_gs}")


def print_plan(settings: DownloadSettings, plan: Plan, items: Sequence[Item]) -> None:
    """Print how many files there are of how many, and their size."""
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


def print_files(items: Sequence[Item]) -> None:
    """Print the first files of a dry run."""
    for item in items[:_SHOWN]:
        size = "" if item.size is None else f"  {size_text(item.size)}"
        print(f"  {item.url} -> {item.path}{size}")
    if len(items) > _SHOWN:
        print(f"  and {len(items) - _SHOWN} more")
    print("dry run: nothing was downloaded")


def print_end(folder: str, files: int, failed: Mapping[str, str]) -> None:
    """Print what became of the files.

    Args:
      folder: where they are.
      files: their number.
      failed: published name -> why it could not be had.
    """
    if not failed:
        print(f"all {files} files are complete in {folder}")
        return
    sys.stdout.flush()
    print(f"{len(failed)} of {files} files could not be had:", file=sys.stderr)
    for name, reason in sorted(failed.items()):
        print(f"  {name}: {reason}", file=sys.stderr)
    print("The others are complete; the same command tries these again.", file=sys.stderr)
