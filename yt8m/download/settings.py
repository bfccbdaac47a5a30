"""What to download, from where, and how."""

from __future__ import annotations

import dataclasses
from typing import Literal

from yt8m.settings import SECONDS, setting

Split = Literal["train", "validate", "test"]
Level = Literal["video", "frame", "segment"]
Mirror = Literal["us", "eu", "asia"]
Existing = Literal["keep", "repair", "replace"]

SERVER = "Server"
FILES = "Files"


@dataclasses.dataclass(frozen=True)
class DownloadSettings:
    """Settings of a download. Each field is the flag of the same name."""

    split: Split = setting("train", help="part of the data set", choices=Split, common=True)
    level: Level = setting(
        "video",
        help="video: the means of each video (small); frame: one value per second (large); "
        "segment: the frames and ratings of 2019",
        choices=Level,
        common=True,
    )
    share: str = setting(
        "1/100",
        help="share of the files: 1/100, 0.01 or 1, where a larger share contains a smaller one; "
        "or K,N, the K-th of N parts as the starter code's script divides them",
        common=True,
    )
    seed: int = setting(
        0,
        help="another seed takes other files; not for K,N",
        common=True,
        at_least=-(2**31),
    )
    out_dir: str = setting("", help="folder for the files", common=True)
    dry_run: bool = setting(
        False, help="print how many files and bytes there are, and download nothing", common=True
    )
    vocabulary: bool = setting(
        False, help="also download vocabulary.csv, the names of the classes", common=True
    )
    list_gs: str = setting(
        "",
        help="write the gs:// path of each file to this text file and download nothing; "
        "--train_data_pattern=@FILE reads the files in place",
        common=True,
    )
    release: str = setting(
        "",
        help="year of the release; by default 2018, or 2019 for segments. 2017 is no longer "
        "published and needs --base_url",
        choices=("", "2017", "2018", "2019"),
        group=FILES,
    )
    existing: Existing = setting(
        "keep",
        help="keep: files that have the right size are complete; repair: read them all, and "
        "download those with a wrong checksum again; replace: download all again",
        choices=Existing,
        group=FILES,
    )
    check: bool = setting(True, help="check the checksums of each file's first record", group=FILES)
    mirror: Mirror = setting("us", help="nearest mirror", choices=Mirror, group=SERVER)
    base_url: str = setting(
        "", help="address of a private mirror with the published folders", group=SERVER
    )
    parallel: int = setting(
        8, help="files downloaded at the same time", at_least=1, at_most=64, group=SERVER
    )
    retries: int = setting(
        6,
        help="attempts after a dropped connection or a busy server, before a file is given up; "
        "each that brings new bytes starts the count again",
        at_least=0,
        group=SERVER,
        at_most=10_000,
    )
    retry_seconds: float = setting(
        1.0,
        help="seconds before the first retry; they double each time, up to a minute",
        at_least=0,
        group=SERVER,
        at_most=SECONDS,
    )
    timeout_seconds: float = setting(
        30.0, help="seconds of silence after which a connection counts as dropped", above=0,
        group=SERVER, at_most=1e6,)  # fmt: skip
