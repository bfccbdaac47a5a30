"""The schema of shards, inferred from their records and checked against the user's flags."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from absl import logging

from yt8m import listing
from yt8m.data.features.encoding import numbers_in
from yt8m.data.features.frame_type import choose_frame_type
from yt8m.data.features.report import values_cut_off
from yt8m.data.files.bad_records import label_beyond
from yt8m.data.findings import Findings, examine
from yt8m.data.num_classes import number_of_classes, of_other_release, two_vocabularies
from yt8m.data.priors import sampled_counts
from yt8m.data.releases import has_names_of_release, recognized, usual_features
from yt8m.data.schema import MAX_FRAMES, SEGMENT_FRAMES, Frames, RecordSchema
from yt8m.data.strange_records import (
    all_frames_in_one,
    no_feature,
    numbers_as_bytes,
    strange_labels,
)
from yt8m.errors import UserError


@dataclasses.dataclass(frozen=True)
class _Asked:
    """What the user asked for; see `find_schema`."""

    flag: str
    feature_names: Sequence[str] | None
    feature_sizes: Sequence[int] | None
    frame_features: bool | None
    segment_labels: bool
    rated: bool
    max_frames: int | None
    of_run: bool = False

    def names(self, found: Findings) -> list[str]:
        return list(self.feature_names or usual_features(found))

    def frame_names(self, found: Findings) -> list[str]:
        """Return the names of the features of the records' level (of frames or of videos)."""
        return [n for n in self.names(found) if n in found.sizes]

    def video_names(self, found: Findings) -> list[str]:
        """Return the whole-video features that frame-level records have in their context."""
        return [n for n in self.names(found) if n not in found.sizes]


def find_schema(
    files: Sequence[str],
    feature_names: Sequence[str] | None = None,
    feature_sizes: Sequence[int] | None = None,
    num_classes: int | None = None,
    segment_labels: bool = False,
    frame_features: bool | None = None,
    max_frames: int | None = None,
    vocabulary_file: str = "",
    flag: str = "--train_data_pattern",
    num_classes_from: str = "--num_classes",
    rated: bool = True,
    frames_as: Frames | None = None,
    of_run: bool = False,
    labelled: bool = False,
) -> tuple[RecordSchema, str]:
    """Return the schema of shards, and a line that describes it and its source.

    Args:
      files: shards.
      feature_names: features to read, in this order; by default those of `usual_features`, and not
        those of whole videos in frame-level records.
      feature_sizes: their widths, checked against the records; None skips the check.
      num_classes: K; by default found, see `yt8m.data.num_classes`.
      segment_labels: read five-second segments in place of whole videos.
      frame_features: the level, checked against the records; None skips the check.
      max_frames: T; by default the most that a record of the release has, or else 300. Segments
        are read from all frames, so any other value is refused with `segment_labels`.
      vocabulary_file: path; by default a vocabulary beside the shards.
      flag: flag that named the shards, for messages.
      num_classes_from: source of `num_classes`, for the description.
      rated: whether segments must have ratings; any video can be cut into unrated ones.
      frames_as: what float frames become; None chooses by their values.
      of_run: whether names and sizes are those of a run, and no flag of this command gave them.
      labelled: whether the records must have labels, of one vocabulary.

    Raises:
      UserError: the records do not match the arguments.
    """
    asked = _Asked(
        flag,
        feature_names,
        feature_sizes,
        frame_features,
        segment_labels,
        rated,
        max_frames,
        of_run,
    )
    found = examine(files, flag)
    _refuse_first(_problems(found, asked))
    if labelled:
        _check_vocabulary(found, flag, is_known=bool(num_classes or vocabulary_file))
        other = of_other_release(found, num_classes, flag) if num_classes else None
        if other and listing.is_news(other):
            logging.warning("%s", other)
        if num_classes and not segment_labels:
            _refuse_beyond(found, num_classes, of_run=num_classes_from == "as in the run")
    if num_classes is None:
        num_classes, num_classes_from = number_of_classes(found, files, vocabulary_file, flag)
    _warn_of_unequal_lengths(found, asked)
    line = f"{found.level}-level records with {found.listed()}{_unread(found, asked)}"
    line = f"{line}; {num_classes} classes ({num_classes_from})"
    schema = _schema(found, asked, int(num_classes))
    if labelled and not segment_labels:
        if found.labels:
            _warn_of_unlabelled(found, flag)
        else:
            _refuse_unlabelled(files, schema, flag)
    if not schema.float_frames:
        return schema, line
    if frames_as is None:
        frames_as, why = _frame_type(files, schema)
        line = f"{line}; {why}"
    return dataclasses.replace(schema, frames_as=frames_as), line


def _check_vocabulary(found: Findings, flag: str, is_known: bool) -> None:
    """Refuse records of several vocabularies; warn of them if the user says what the classes are.

    Raises:
      UserError: the records are of several releases.
    """
    problem = two_vocabularies(found, flag)
    if problem and not is_known:
        raise UserError(
            f"{problem} Name the records of one release; or, if all have the same classes, say so"
            " with --num_classes or --vocabulary_file."
        )
    if problem and listing.is_news(problem):
        logging.warning("%s They are taken for classes of one vocabulary.", problem)


def _refuse_beyond(found: Findings, num_classes: int, of_run: bool) -> None:
    """Refuse labels that the user's number of classes does not have, before anything is read.

    Raises:
      UserError: there is one.
    """
    labels = [label for labels in found.labels for label in labels]
    outside = next((label for label in labels if not 0 <= label < num_classes), None)
    if outside is not None:
        raise UserError(label_beyond(outside, num_classes, of_run))


def _refuse_unlabelled(files: Sequence[str], schema: RecordSchema, flag: str) -> None:
    """Refuse records of which none has a label, in a sample of all shards.

    Raises:
      UserError: none has.
    """
    positives, looked = sampled_counts(list(files), schema)
    if not positives.any():
        raise UserError(
            f"{flag} has no labels: none of the {int(looked):,} records examined has one, as in a"
            " test split. Name a labelled split, such as train or validate."
        )


def _warn_of_unlabelled(found: Findings, flag: str) -> None:
    """Warn of files that have no labels where others have some."""
    without = sorted(path for path, has in found.has_labels.items() if not has)
    if not without:
        return
    text = (
        f"{flag}: none of the first records of {without[0]} has a label, as in a test split; they"
        f" count as videos of no class. So it is with {len(without)} of {len(found.has_labels)}"
        " files examined."
    )
    if listing.is_news(text):
        logging.warning("%s", text)


def _unread(found: Findings, asked: _Asked) -> str:
    """Return which features are not read although nobody said so, or ""."""
    names = asked.names(found)
    left = [n for n in found.feature_names() if n not in names] if not asked.feature_names else []
    text = f"; {_comma_list(left)} not read unless --feature_names has it" if left else ""
    others = ", ".join(f"{key} ({what})" for key, what in found.unread().items())
    return f"{text}; no feature: {others}" if others and found.level == "video" else text


def _frame_type(files: Sequence[str], schema: RecordSchema) -> tuple[Frames, str]:
    if has_names_of_release(schema):
        cut = values_cut_off(files, schema)
        why = "float frames are quantized to the 8 bits of the release, from -2 to 2"
        return "bytes", f"{why}; {cut}" if cut else why
    return choose_frame_type(files, schema)


def _schema(found: Findings, asked: _Asked, num_classes: int) -> RecordSchema:
    names, video_names = asked.frame_names(found), asked.video_names(found)
    keys = [found.keys[n] for n in names]
    return RecordSchema(
        level=found.level,
        feature_names=tuple(names),
        feature_sizes=tuple(found.sizes[n] for n in names),
        num_classes=num_classes,
        max_frames=_longest(found, asked),
        segment_labels=asked.segment_labels,
        feature_keys=() if keys == names else tuple(keys),
        float_frames=any(found.float_frames.get(n, False) for n in names),
        video_names=tuple(video_names),
        video_sizes=tuple(found.video_sizes[n] for n in video_names),
    )


def _longest(found: Findings, asked: _Asked) -> int:
    """Return T."""
    if asked.max_frames is not None:
        return asked.max_frames
    release = recognized(found)
    return release[0].max_frames if release else MAX_FRAMES


def _warn_of_unequal_lengths(found: Findings, asked: _Asked) -> None:
    # Once and here, because a check in the parser costs 3% of its speed.
    if found.unequal and len(asked.frame_names(found)) > 1:
        logging.warning(
            "%s: %d of the %d records examined have more frames of one feature than of another;"
            " only the leading frames that all features have are used. `python -m"
            " yt8m.data.inspect --full` counts such records.",
            asked.flag,
            found.unequal,
            found.records,
        )


def _refuse_first(problems: Iterator[str | None]) -> None:
    for problem in problems:
        if problem:
            raise UserError(problem)


def _problems(found: Findings, asked: _Asked) -> Iterator[str | None]:
    """Yield each rule's objection to the request, or None; later rules rely on earlier ones."""
    yield no_feature(found, asked.flag)
    yield _other_level(found, asked)
    yield _no_frames_for_segments(found, asked)
    yield _no_rated_segments(found, asked)
    yield _max_frames_of_segments(asked)
    yield _unknown_features(found, asked)
    yield _other_sizes(found, asked)
    yield _no_feature_of_frames(found, asked)
    yield _mixed_encodings(found, asked)
    if not asked.feature_sizes:  # The user does not know how wide they are.
        yield numbers_as_bytes(found, asked.names(found), asked.flag)
        yield all_frames_in_one(found, asked.names(found), asked.flag)
    if asked.rated:
        yield strange_labels(found, asked.flag)


def _other_level(found: Findings, asked: _Asked) -> str | None:
    if asked.frame_features is None or asked.frame_features == (found.level == "frame"):
        return None
    level = "frame" if asked.frame_features else "video"
    return (
        f"{asked.flag} contains {found.level}-level records with {found.listed()}, but"
        f" --frame_features={str(asked.frame_features).lower()} asks for {level}-level records;"
        f" drop the flag, or name {level}-level files."
    )


def _no_frames_for_segments(found: Findings, asked: _Asked) -> str | None:
    unrated = asked.segment_labels and not asked.rated
    if not unrated or found.level == "frame" or not found.sizes:
        return None
    return (
        f"--segment_labels: segments are cut from frames, but {asked.flag} contains"
        f" {found.level}-level records with {found.listed()}; name frame-level files."
    )


def _no_rated_segments(found: Findings, asked: _Asked) -> str | None:
    if not (asked.segment_labels and asked.rated) or found.has_segments:
        return None
    return (
        f"--segment_labels: the records of {asked.flag} have no segment_start_times; drop the flag"
        " or name the 2019 files."
    )


def _max_frames_of_segments(asked: _Asked) -> str | None:
    if not asked.segment_labels or asked.max_frames in (None, MAX_FRAMES):
        return None
    return (
        f"--max_frames={asked.max_frames} cannot be combined with --segment_labels: a segment has"
        f" {SEGMENT_FRAMES} frames, and may be anywhere in the first {MAX_FRAMES} seconds of its"
        " video. Drop --max_frames."
    )


def _unknown_features(found: Findings, asked: _Asked) -> str | None:
    names = asked.names(found)
    unknown = [n for n in asked.video_names(found) if n not in found.video_sizes]
    if names and not unknown:
        return None
    if asked.of_run:
        return (
            f"the run was trained on {_comma_list(names)}, but {_comma_list(unknown)} is not in the"
            f" {found.level}-level records of {asked.flag}, which contain {found.listed()}. Name"
            " records with the run's features."
        )
    return (
        f"--feature_names: {', '.join(unknown) or 'nothing'} is not in the records of {asked.flag},"
        f" which contain {found.listed()}."
    )


def _other_sizes(found: Findings, asked: _Asked) -> str | None:
    names = asked.names(found)
    sizes = [found.sizes.get(n) or found.video_sizes[n] for n in names]
    if not asked.feature_sizes or list(asked.feature_sizes) == sizes:
        return None
    if asked.of_run:
        seen = [
            f"{n} looks like {what}"
            for n in names
            if (what := numbers_in(found.samples.get(n, [])))
        ]
        return (
            f"the run was trained on {_listed(names, asked.feature_sizes)}, but the records of"
            f" {asked.flag} have {_listed(names, sizes)}{'; ' * bool(seen)}{', '.join(seen)}. Name"
            " records with the run's features."
        )
    return (
        f"--feature_sizes={_comma_list(asked.feature_sizes)} does not match"
        f" --feature_names={_comma_list(names)}: the records have {_comma_list(sizes)}."
    )


def _no_feature_of_frames(found: Findings, asked: _Asked) -> str | None:
    if asked.frame_names(found):
        return None
    return (
        f"--feature_names={_comma_list(asked.names(found))} names no feature of the frames in"
        f" {asked.flag}, which contain {found.listed()}; name one of those too."
    )


def _mixed_encodings(found: Findings, asked: _Asked) -> str | None:
    names = asked.frame_names(found)
    floats = [n for n in names if found.float_frames.get(n, False)]
    if len(floats) in (0, len(names)):
        return None
    return (
        f"--feature_names={_comma_list(names)}: in the records of {asked.flag},"
        f" {', '.join(floats)} is a float list and the rest are bytes; name features of one kind."
    )


def _listed(names: Sequence[str], sizes: Sequence[int]) -> str:
    return ", ".join(f"{name} ({size})" for name, size in zip(names, sizes))


def _comma_list(values: Sequence[object]) -> str:
    return ",".join(map(str, values))
