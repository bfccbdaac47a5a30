"""Command that prints the contents of record files.

`python -m yt8m.data.inspect PATTERN` examines a few records. With `--full` it reads all of them and
lists the broken ones by file and byte: those whose checksum is wrong, those that do not parse, and
those with values that are not finite.
"""

from __future__ import annotations

if __name__ == "__main__":
    import yt8m.process.quiet  # noqa: F401

import dataclasses
from collections.abc import Sequence

import numpy as np

from yt8m import listing
from yt8m.data.features.report import about_values
from yt8m.data.files.bad_records import BadRecord
from yt8m.data.files.count import count, lost_ends
from yt8m.data.files.scan import scan
from yt8m.data.files.shards import find_shards
from yt8m.data.find_schema import find_schema
from yt8m.data.findings import Findings, examine, look
from yt8m.data.num_classes import UnknownClasses, two_vocabularies
from yt8m.data.records.check import RecordCheck, checked_scan
from yt8m.data.schema import RecordSchema
from yt8m.errors import UserError
from yt8m.flags import Parser
from yt8m.process.guard import ends_in_one_line, run_main
from yt8m.settings import MOST_CLASSES

_FLAG = "PATTERN"
_NO_CLASS = "no training takes it; make the records again with the indices of classes"


def report(files: Sequence[str], full: bool) -> int:
    """Print the contents of files, and return the number of broken records found.

    Args:
      files: shards.
      full: read all records and find the broken ones.

    Raises:
      UserError: the files contain neither records of a known kind nor broken ones.
    """
    schema: RecordSchema | None = None
    try:
        found = examine(files, _FLAG)
        schema, line = _schema(files, found)
    except UserError as error:
        if not full:
            raise
        bad = _read_all(files, None)[1]
        _print_broken(bad)
        if not bad:
            raise
        print(f"{len(bad)} broken records; the contents of the files cannot be determined: {error}")
        return len(bad)
    bad = []
    if full:
        rated = dataclasses.replace(schema, segment_labels=found.has_segments)
        everything, bad = _read_all(files, rated)
        _print_broken(bad)
    print(line)
    _print_size(files)
    _print_contents(everything if full else found, schema.num_classes, full)
    for about in about_values(files, schema):
        print(about)
    keys = ", ".join(sorted(found.id_keys))
    print(f"id key: {keys or 'none'}" + ("; rated segments" if found.has_segments else ""))
    if mixed := two_vocabularies(found, _FLAG):
        print(mixed)
    if full:
        print(f"{len(bad)} broken records")
    else:
        print("not all records were read; --full finds the broken ones")
    return len(bad)


def _schema(files: Sequence[str], found: Findings) -> tuple[RecordSchema, str]:
    """Return the schema of files and its description, even if the number of classes is unknown."""
    try:
        return find_schema(files, flag=_FLAG)
    except UnknownClasses as unknown:
        highest = max((label for labels in found.labels for label in labels), default=0)
        seen = min(max(highest, 0) + 1, MOST_CLASSES)
        source = (
            f"by the labels seen; {unknown.why}, so training needs --num_classes or a vocabulary"
        )
        return find_schema(files, flag=_FLAG, num_classes=seen, num_classes_from=source)


def _read_all(
    files: Sequence[str], schema: RecordSchema | None
) -> tuple[Findings, list[BadRecord]]:
    """Return the good records' contents, and the broken ones; without a schema none is parsed."""
    everything, bad = Findings("video", records=0), []
    check = RecordCheck(schema) if schema else None
    for path in files:
        for record in checked_scan(path, check, finite=True) if check else scan(path):
            payload = record.payload if record.problem is None else None
            one = None if payload is None else look(payload, path=path)
            if one is None:
                bad.append(BadRecord(path, record.offset, record.problem or "not an example"))
            else:
                everything.add(one)
    return everything, bad


def _print_broken(bad: Sequence[BadRecord]) -> None:
    for record in bad:
        print(f"broken: {record.file} at byte {record.offset}: {record.problem}")


def _print_size(files: Sequence[str]) -> None:
    counted = count(list(files))
    size, about = sum(listing.sizes(files)), "" if counted.exact else "about "
    print(f"{len(files)} files, {size:,} bytes, {about}{counted.records:,} records")
    for line in lost_ends(counted, _FLAG):
        print(line)


def _print_contents(found: Findings, num_classes: int, full: bool) -> None:
    scope = f"of {found.records:,} records examined"
    labels = [label for labels in found.labels for label in labels]
    if labels:
        mean, seen, highest = len(labels) / found.records, len(set(labels)), max(labels)
        print(
            f"labels: {mean:.2f} per video, {seen:,} classes seen, the highest is {highest}"
            f" ({scope})"
        )
        if min(labels) < 0:
            print(f"label {min(labels)} is below 0: {_NO_CLASS}")
        if highest >= MOST_CLASSES:
            print(f"label {highest} is beyond the {MOST_CLASSES:,} possible classes: {_NO_CLASS}")
        elif highest >= num_classes:
            beyond = f"label {highest} is beyond the {num_classes} classes"
            print(f"{beyond}: set --num_classes in train.py")
    else:
        print(f"labels: none ({scope})")
    if found.frames:
        fewest, most, mean = min(found.frames), max(found.frames), float(np.mean(found.frames))
        print(f"frames: {fewest} to {most} per video, {mean:.1f} on average ({scope})")
    if full and found.unequal:
        print(f"unequal: {found.unequal:,} {scope} have more frames of one feature than of another")


@ends_in_one_line
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return 0, 1 if records are broken, or 2 for a user's mistake."""
    parser = Parser(
        prog="python -m yt8m.data.inspect", description="Print the contents of record files."
    )
    parser.add_argument("pattern", nargs="+", help="files or globs")
    parser.add_argument(
        "--full", action="store_true", help="read every record and list the broken ones"
    )
    arguments = parser.parse_args(argv)
    with listing.asked_once():
        files = find_shards(",".join(arguments.pattern), _FLAG)
        return 1 if report(files, arguments.full) else 0


if __name__ == "__main__":
    run_main(main)
