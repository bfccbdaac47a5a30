"""Where the published files are and what they are called.

The server was not contacted when this was written; docs/sources.md#published-files says where each
fact comes from.
"""

from __future__ import annotations

import dataclasses
import os
import re
import string

from yt8m.download.settings import DownloadSettings
from yt8m.errors import UserError

_LETTERS = string.ascii_lowercase + string.ascii_uppercase + string.digits
_NUMBERS = {a + b: i for i, (a, b) in enumerate((a, b) for a in _LETTERS for b in _LETTERS)}
_EXTENSION = ".tfrecord"

# Year -> (first folder, names of the level folders).
_FOLDERS = {
    "2017": ("1", {"video": "video_level", "frame": "frame_level"}),
    "2018": ("2", {"video": "video", "frame": "frame"}),
    "2019": ("3", {"frame": "frame", "segment": "frame"}),
}
# Bytes of one file of 2018, for an estimate where the server cannot be reached. The means of 290
# validation videos take 1.36 MB; the other splits follow from their numbers of videos, and the
# frames of all 6.13 million videos take 1.53 TB.
_VIDEO_BYTES, _FRAME_BYTES = 4_720, 249_400
_VIDEOS = {"train": 3_888_919, "validate": 1_112_356, "test": 1_133_323}


@dataclasses.dataclass(frozen=True)
class Partition:
    """One split of one level of a release.

    Attributes:
      release: year.
      level: "video", "frame" or "segment".
      split: "train", "validate" or "test".
      mirror: "us", "eu" or "asia".
      base_url: address of a private mirror, or "".
    """

    release: str
    level: str
    split: str
    mirror: str = "us"
    base_url: str = ""

    @property
    def folder(self) -> str:
        """The folder on the server, such as "2/video/train"."""
        first, levels = _FOLDERS[self.release]
        return f"{first}/{levels[self.level]}/{self.split}"

    @property
    def plan_url(self) -> str:
        """The address of the list of files and their MD5 sums."""
        first, level, split = self.folder.split("/")
        base = self.base_url or "http://data.yt8m.org"
        return f"{base}/{first}/download_plans/{level}_{split}.json"

    @property
    def vocabulary_url(self) -> str:
        """The address of the names of the classes."""
        base = self.base_url or "https://research.google.com/youtube8m"
        folder = {"2017": "1", "2018": "2", "2019": "segments"}[self.release]
        return f"{base}/csv/{folder}/vocabulary.csv"

    def url(self, name: str) -> str:
        """Return the address of a file."""
        base = self.base_url or f"http://{self.mirror}.data.yt8m.org"
        return f"{base}/{self.folder}/{name}"

    def gs_path(self, name: str) -> str:
        """Return the path of a file in the mirror's bucket, which bears the mirror's name."""
        return f"gs://{self.mirror}.data.yt8m.org/{self.folder}/{name}"

    def local_name(self, name: str) -> str:
        """Return the name of a file on disk: `trainaA.tfrecord` becomes `train0026.tfrecord`.

        The starter code's script does the same, because a disk that ignores case would take
        `trainaA` and `trainaa` for one file. A name of another form is kept.
        """
        stem, extension = os.path.splitext(name)
        number = _NUMBERS.get(stem[len(self.split) :])
        is_published = extension == _EXTENSION and stem.startswith(self.split)
        if self.release == "2017" or number is None or not is_published:
            return name
        return f"{self.split}{number:04d}{extension}"

    def usual_names(self) -> list[str]:
        """Return the names by the rule of the 2018 release; empty for the other releases."""
        if self.release != "2018":
            return []
        return [f"{self.split}{two}{_EXTENSION}" for two in _NUMBERS]

    def usual_bytes(self) -> int:
        """Return the estimated size of one file of the 2018 release."""
        per_video = _VIDEO_BYTES if self.level == "video" else _FRAME_BYTES
        return _VIDEOS[self.split] * per_video // len(_NUMBERS)


def partition_of(settings: DownloadSettings) -> Partition:
    """Return the partition that the settings name.

    Raises:
      UserError: it was never published, or is no longer published.
    """
    release = settings.release or ("2019" if settings.level == "segment" else "2018")
    if settings.level not in _FOLDERS[release][1]:
        known = ", ".join(f"--level={level}" for level in _FOLDERS[release][1])
        raise UserError(f"--release={release} has no --level={settings.level}; it has {known}.")
    if release == "2019" and settings.split == "train":
        raise UserError(
            "--split=train: the segments of 2019 have only --split=validate and --split=test."
        )
    if release == "2017" and not settings.base_url:
        raise UserError(
            "--release=2017 was withdrawn by its publisher in July 2018; name a private mirror that"
            " has it with --base_url."
        )
    base = settings.base_url.rstrip("/")
    if base and not re.match(r"https?://[^/]", base):
        raise UserError(
            f"--base_url={settings.base_url}: expected an address that begins with http:// or"
            " https://."
        )
    return Partition(release, settings.level, settings.split, settings.mirror, base)
