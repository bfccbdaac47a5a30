"""Licenses of published weights, by the identifiers of the Hugging Face Hub."""

from __future__ import annotations

import dataclasses
from typing import Literal

LicenseId = Literal[
    "cc-by-4.0",
    "cc-by-sa-4.0",
    "cc-by-nc-4.0",
    "cc-by-nc-sa-4.0",
    "cc0-1.0",
    "apache-2.0",
    "mit",
    "bsd-3-clause",
]


@dataclasses.dataclass(frozen=True)
class License:
    """The names of a license: in prose, and in Kaggle's list."""

    name: str
    kaggle: str


LICENSES: dict[str, License] = {
    "cc-by-4.0": License(
        "Creative Commons Attribution 4.0", "Attribution 4.0 International (CC BY 4.0)"
    ),
    "cc-by-sa-4.0": License("Creative Commons Attribution-ShareAlike 4.0", "CC BY-SA 4.0"),
    "cc-by-nc-4.0": License(
        "Creative Commons Attribution-NonCommercial 4.0",
        "Attribution-NonCommercial 4.0 International (CC BY-NC 4.0)",
    ),
    "cc-by-nc-sa-4.0": License(
        "Creative Commons Attribution-NonCommercial-ShareAlike 4.0", "CC BY-NC-SA 4.0"
    ),
    "cc0-1.0": License("Creative Commons Zero 1.0", "CC0: Public Domain"),
    "apache-2.0": License("Apache License 2.0", "Apache 2.0"),
    "mit": License("MIT License", "MIT"),
    "bsd-3-clause": License("BSD 3-Clause License", "BSD-3-Clause"),
}
