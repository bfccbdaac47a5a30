"""A conversion from its settings to complete shards, a vocabulary and the next command."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from yt8m import files, locks, stored
from yt8m.convert.open_source import input_files, open_source
from yt8m.convert.plan import shards, split, waves
from yt8m.convert.record import RecordMaker, level_of, renamed
from yt8m.convert.settings import ConvertSettings
from yt8m.convert.source import Features, Unusable
from yt8m.convert.videos import Video, list_videos
from yt8m.data import vocabulary
from yt8m.data.files.shards import fingerprint
from yt8m.data.records.writers import write_shard
from yt8m.data.schema import KEYS_OF_RECORDS, Level
from yt8m.errors import UserError
from yt8m.runs.provenance import Provenance

ABOUT = "convert.json"
_EXAMINED = 100  # videos among which one must be usable
_NOT_OF_THE_RECORDS = ("input", "out_dir", "labels", "vocabulary_file", "max_bad_videos")


def convert(settings: ConvertSettings, say: Callable[[str], None] = print) -> None:
    """Convert, or go on with a conversion that was interrupted.

    A shard appears under its name only when it is complete. The same settings and input always
    make the same shards, so that those that exist are kept.

    Args:
      settings: what to convert, and into what.
      say: prints a line.

    Raises:
      UserError: a setting is wrong, the input cannot be used, or the folder has another conversion.
    """
    if not settings.out_dir:
        raise UserError("--out_dir is empty; name a folder for the records.")
    _check_name(settings.feature_name, f"--feature_name={settings.feature_name}")
    conversion = _Conversion(settings, input_files(settings.input), say)
    conversion.run()


class _Conversion:
    """One conversion.

    Args:
      settings: what to convert, and into what.
      files: the input.
      say: prints a line.
    """

    def __init__(self, settings: ConvertSettings, files: list[str], say: Callable[[str], None]):
        self.settings, self.files, self.say = settings, files, say
        self.source = open_source(files, settings)
        self._renames = _renames(settings.rename)
        self._bad = 0
        self.videos, self.class_names = list_videos(self.source, files, settings, say)

    def run(self) -> None:
        """Write the missing shards."""
        out_dir = self.settings.out_dir
        examined = self._examine()
        with locks.held(locks.inside(out_dir), f"--out_dir={out_dir}"):
            self._write(*examined)

    def _write(self, level: Level, features: Features, size: int) -> None:
        splits = split(len(self.videos), self.settings)
        parts = shards(splits, size, self.settings.shards)
        self._record_provenance([*parts, *([vocabulary.FILE] if self.class_names else [])])
        files.remove_unfinished_in(self.settings.out_dir)
        if self.class_names:
            self._write_vocabulary(splits.get("train", ()))
        listed = ", ".join(f"{name} ({v.shape[-1]})" for name, v in features.items())
        self.say(
            f"{len(self.videos):,} videos: {level}-level records with {listed};"
            f" {len(self.class_names):,} classes; "
            + ", ".join(f"{len(places):,} to {name}" for name, places in splits.items())
        )
        out, maker = self.settings.out_dir, RecordMaker(level)
        missing = {n: p for n, p in parts.items() if not tf.io.gfile.exists(os.path.join(out, n))}
        if len(missing) < len(parts):
            self.say(f"{len(parts) - len(missing)} of {len(parts)} shards are there already")
        bar = _bar(sum(map(len, missing.values())))
        self.source.remarks()  # of the examined video, which is read again
        for wave in waves(missing, size):
            payloads = dict(self._records(maker, wave, bar))
            for name, numbers in wave.items():
                records = (payloads.pop(n) for n in numbers if n in payloads)
                write_shard(os.path.join(out, name), records)
        if self._bad:
            self.say(f"{self._bad:,} videos could not be used and were left out")
        for line in self.source.remarks():
            self.say(line)
        # A part of the shards does not say how long the longest video of all is.
        self._say_next(level, maker.longest if len(missing) == len(parts) else 0, splits)

    def _examine(self) -> tuple[Level, Features, int]:
        """Return the level, the first usable video's features, and the size of its record.

        Raises:
          UserError: none is usable.
        """
        problem = "the input has no video"
        for video in self.videos[:_EXAMINED]:
            try:
                found = next(iter(self.source.read([video.place])))
                if isinstance(found, Unusable):
                    raise found
                self._check_names(found)
                features = renamed(found, self._renames)
                asked = self.settings.level
                level = level_of(features) if asked == "auto" else asked
                size = len(RecordMaker(level).make(video.id, features, video.labels))
                return level, features, size
            except Unusable as error:
                problem = f"{video.id!r}: {error}"
        raise UserError(
            f"--input: none of the first {min(_EXAMINED, len(self.videos))} videos can be used"
            f" ({problem})."
        )

    def _check_names(self, features: Features) -> None:
        """Refuse names that features of a record cannot have, and --rename where it does nothing.

        Raises:
          UserError: there is one.
        """
        unknown = set(self._renames) - set(features)
        if unknown:
            raise UserError(
                f"--rename={self.settings.rename}: the input has no feature {min(unknown)}; it has"
                f" {', '.join(sorted(features))}."
            )
        names = sorted(self._renames.get(name, name) for name in features)
        for name, following in zip(names, [*names[1:], ""]):
            if name == following:
                raise UserError(
                    f"--rename={self.settings.rename}: two features would be called {name}."
                )
            if name in KEYS_OF_RECORDS:
                raise UserError(
                    f"a feature would be called {name}, under which records keep something else;"
                    " give it another name with --rename=OLD:NEW, or with --feature_name where the"
                    " input has none."
                )

    def _usable(self, features: Features | Unusable) -> Features:
        if isinstance(features, Unusable):
            raise features
        return renamed(features, self._renames)

    def _records(
        self, maker: RecordMaker, wave: Mapping[str, Sequence[int]], bar: Any
    ) -> Iterator[tuple[int, bytes]]:
        """Yield (number of the video, its record) for the videos of some shards."""
        numbers = sorted(int(n) for n in itertools.chain.from_iterable(wave.values()))
        places = [self.videos[n].place for n in numbers]
        for number, features in zip(numbers, self.source.read(places)):
            video = self.videos[number]
            try:
                yield number, maker.make(video.id, self._usable(features), video.labels)
            except Unusable as error:
                self._count(video, error)
            bar.add(1)

    def _count(self, video: Video, error: Unusable) -> None:
        self._bad += 1
        most = self.settings.max_bad_videos
        if self._bad > most:
            raise UserError(
                f"--input: the video {video.id!r} cannot be used: {error}. Fix or remove it, or"
                f" leave out up to N such videos with --max_bad_videos=N (now {most})."
            ) from None

    def _record_provenance(self, outputs: Sequence[str]) -> None:
        """Record what is converted.

        Args:
          outputs: names of the files that will be written.

        Raises:
          UserError: the folder has a conversion of something else, or files of these names that are
            of none.
        """
        s = self.settings
        named = [path for path in (s.labels, s.vocabulary_file) if path]
        about = {
            "input": fingerprint(self.files),
            "labels": fingerprint(named) if named else None,
            "settings": {n: v for n, v in vars(s).items() if n not in _NOT_OF_THE_RECORDS},
        }
        made = Provenance(os.path.join(s.out_dir, ABOUT), about)
        if made.changed():
            raise UserError(
                f"--out_dir={s.out_dir} has a conversion with other {', '.join(made.changed())};"
                " name another folder, or delete that one."
            )
        for name in outputs if made.before is None else ():
            if stored.exists(os.path.join(s.out_dir, name)):
                raise UserError(
                    f"--out_dir={s.out_dir} has {name}, but no {ABOUT} of a conversion; name"
                    " another folder, or delete the file."
                )
        made.record()

    def _write_vocabulary(self, training: Sequence[int]) -> None:
        """Write the names of the classes, and how many training videos each has."""
        counts = np.zeros(len(self.class_names), np.int64)
        for number in training:
            counts[self.videos[number].labels or []] += 1
        path = os.path.join(self.settings.out_dir, vocabulary.FILE)
        vocabulary.write_vocabulary(path, self.class_names, counts.tolist())

    def _say_next(self, level: Level, longest: int, splits: Mapping[str, Sequence[int]]) -> None:
        out = self.settings.out_dir
        lines = [
            f"the records are in {out}; next:",
            f"  yt8m inspect --full '{out}/*.tfrecord'",
        ]
        if "train" in splits and self.class_names:
            model = "AttnVLAD" if level == "frame" else "MoeModel"
            train = f"  yt8m train --model={model} --train_data_pattern='{out}/train*.tfrecord'"
            if "validate" in splits:
                train += f" --eval_data_pattern='{out}/validate*.tfrecord'"
            lines.append(train + (f" --max_frames={longest}" if longest else ""))
        self.say("\n".join(lines))


def _check_name(name: str, flag: str) -> None:
    """Refuse a name that --feature_names, a list separated by commas, could not have."""
    if not name.strip() or name != name.strip() or "," in name:
        raise UserError(f"{flag}: expected a feature's name without commas, such as clip.")


def _renames(text: str) -> dict[str, str]:
    """Return old name -> new name.

    Raises:
      UserError: a part is not OLD:NEW.
    """
    found = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        old, colon, new = part.partition(":")
        if not (old and colon and new):
            raise UserError(f"--rename={text}: expected OLD:NEW, separated by commas.")
        _check_name(new, f"--rename={text}")
        if old in found:
            raise UserError(f"--rename={text}: {old} would get two names.")
        found[old] = new
    return found


def _bar(total: int) -> Any:
    """Return a progress bar, drawn again each second; not on a terminal, one line at its end."""
    verbose = (1 if sys.stdout.isatty() else 2) if total else 0
    return tf.keras.utils.Progbar(max(total, 1), verbose=verbose, interval=1.0, unit_name="video")
