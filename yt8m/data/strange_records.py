"""Records that are well-formed, and yet not what the readers take them for.

Each check returns what is to be said about some records, or None.
"""

from __future__ import annotations

from collections.abc import Sequence

from yt8m.data.features.encoding import numbers_in
from yt8m.data.findings import Findings
from yt8m.data.releases import RELEASES


def no_feature(found: Findings, flag: str) -> str | None:
    """Return the objection to records in which no feature is found, or None."""
    if found.sizes:
        return None
    others = ", ".join(f"{key} is {what}" for key, what in found.unread().items())
    start = f"the records of {flag} have no feature that can be read"
    if not others:
        keys = ", ".join(sorted(found.context)) or "nothing"
        return f"{start}: each of the {found.records} examined contains only {keys}."
    if found.level == "frame":
        return (
            f"{start} in the {found.records} examined: {others}. Frames are bytes or float lists,"
            " one for each second."
        )
    return (
        f"{start}: {others}. The features of a video-level record (tf.train.Example) are float"
        " lists, and frames belong into the feature lists of a tf.train.SequenceExample; write"
        " them so, or save them as .npy files and use `yt8m convert`."
    )


def numbers_as_bytes(found: Findings, names: Sequence[str], flag: str) -> str | None:
    """Return the objection to frames whose bytes are numbers of several bytes, or None."""
    for name in names:
        what = numbers_in(found.samples.get(name, []))
        if what:
            return (
                f"{name} has {found.sizes[name]:,} bytes a frame in the records of {flag},"
                f" and they are {what} by their sizes and by the places of their exponents."
                " Frames are one byte for each value, or float lists: write float lists, or save"
                " the numbers as .npy files and use `yt8m convert`."
                f" --feature_names={','.join(names)} with --feature_sizes reads the"
                " bytes as they are."
            )
    return None


def all_frames_in_one(found: Findings, names: Sequence[str], flag: str) -> str | None:
    """Return the objection to records whose frames are joined in one, or None.

    Their number and their widths must say so: each record has one frame, which is several times as
    wide as those of a release, and this in each feature, or otherwise in other records.
    """
    names = [name for name in names if name in found.sizes]
    if found.level == "frame" and set(found.frames) != {1}:
        return None
    widths = {**RELEASES["v3"].features(found.level), **RELEASES["audioset"].features(found.level)}
    known = [n for n in names if n in widths]
    times = {n: found.sizes[n] / widths[n] for n in known}
    varies = [n for n in known if len(found.widths[n]) > 1]
    whole = bool(times) and all(t == int(t) and t > 1 for t in times.values())
    agree = whole and len(set(times.values())) == 1 and len(times) > 1
    if not whole or not (varies or agree or (found.level == "frame" and max(times.values()) > 2)):
        return None
    shown = ", ".join(f"{found.sizes[n]:,} = {times[n]:.0f} x {widths[n]:,} of {n}" for n in known)
    differ = " and other multiples in other records" if varies else ""
    where = "one frame" if found.level == "frame" else "one list"
    return (
        f"each record of {flag} has {where} with all values of its video: {shown}{differ}."
        " Write each frame as an entry of its own in the feature list, or save the frames as .npy"
        " files and use `yt8m convert`. If the features have these widths, say so by"
        f" --feature_names={','.join(names)}"
        f" --feature_sizes={','.join(str(found.sizes[n]) for n in names)}."
    )


def strange_labels(found: Findings, flag: str) -> str | None:
    """Return the objection to labels that are no numbers, or None."""
    if not found.strange_labels or found.labels:
        return None
    return (
        f"the labels in the records of {flag} are {found.strange_labels}; expected a list of"
        " whole numbers (int64), the indices of the classes. `yt8m convert` makes such records from"
        " names and a table."
    )
