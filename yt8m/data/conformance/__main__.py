"""Command that compares the features of records with those of a published release.

`yt8m conformance PATTERN --like=v3` prints, for each feature, how its values are distributed beside
the release's, and says in a sentence what is wrong. A model that was trained on the release can
predict from one's own features only if they are made in the same way.
"""

from __future__ import annotations

if __name__ == "__main__":
    import yt8m.process.quiet  # noqa: F401

import os
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from yt8m import listing
from yt8m.data.conformance.compare import compare
from yt8m.data.conformance.statistics import FeatureStatistics, statistics_of
from yt8m.data.files.shards import find_shards
from yt8m.errors import UserError, near_misses
from yt8m.files import read_json, write_json
from yt8m.flags import Parser, bounded
from yt8m.output_paths import check_apart, check_replaceable, named_files
from yt8m.process.guard import ends_in_one_line, run_main

_FLAG = "PATTERN"
_STORED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "releases.json")
# AudioSet's records call it otherwise.
_OTHER_NAMES = {"audio": "audio_embedding", "audio_embedding": "audio"}

Features = dict[str, FeatureStatistics]


@ends_in_one_line
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return 0, 1 if the records are not like the release, 2 for a mistake."""
    releases = read_json(_STORED)
    parser = Parser(
        prog="yt8m conformance",
        description="Compare the features of records with those of a published release.",
    )
    parser.add_argument("pattern", nargs="+", help="files or globs")
    known = "; ".join(f"{name}: {value['about']}" for name, value in releases.items())
    parser.add_argument(
        "--like", default="v3", help=f"a release, or a file of --save (default: v3). {known}"
    )
    parser.add_argument(
        "--max_records",
        type=bounded(int, 0, 2**31 - 1),
        default=2000,
        help="number of records to read, evenly from all files; 0: all (default: %(default)s)",
    )
    parser.add_argument(
        "--save", default="", help="write the records' statistics to this JSON file"
    )
    a = parser.parse_args(argv)
    if a.save:
        check_apart({"--save": a.save}, {_FLAG: named_files(",".join(a.pattern))})
        check_replaceable(a.save, "--save", "a JSON file", ("{",))
    like = None if a.save else _release(a.like, releases)
    with listing.asked_once():
        own = statistics_of(find_shards(",".join(a.pattern), _FLAG), a.max_records, _FLAG)
    if like is None:
        write_json(a.save, {name: one.to_json() for name, one in own.items()}, indent=None)
        print(f"wrote {a.save}")
        return 0
    return _report(own, like, a.like)


def _release(name: str, releases: dict[str, Any]) -> Features:
    """Return the features of a stored release, or of a file."""
    try:
        values = releases[name]["features"] if name in releases else read_json(name)
        return {key: FeatureStatistics.from_json(value) for key, value in values.items()}
    except (tf.errors.OpError, ValueError, TypeError, AttributeError) as error:
        reason = getattr(error, "message", error)
        raise UserError(
            f"--like={name} is neither a release ({', '.join(releases)}) nor a file that --save"
            f" wrote ({reason}).{near_misses(name, releases)}"
        ) from None


def _report(own: Features, like: Features, name: str) -> int:
    """Print the comparison of each feature; return 1 if something is wrong."""
    problems: list[str] = []
    compared: list[str] = []
    for feature, theirs in like.items():
        mine = own.get(feature) or own.get(_OTHER_NAMES.get(feature, ""))
        if mine is None:
            print(f"{feature}: not in the records, which have {', '.join(own)}")
            continue
        compared.append(feature)
        found = compare(feature, mine, theirs)
        print(f"{feature}: {found.numbers}")
        problems += found.problems
    if not any(f in own or _OTHER_NAMES.get(f, "") in own for f in like):
        problems.append(f"the records have no feature of {name}.")
    left = [feature for feature in like if feature not in compared]
    said = f"nothing distinguishes these features from those of {name}"
    if left:
        said += f", but for {', '.join(left)}, which the records do not have: nothing was compared"
    print("\n".join(problems) or said)
    return 1 if problems else 0


if __name__ == "__main__":
    run_main(main)
