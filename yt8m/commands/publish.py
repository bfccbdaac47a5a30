"""`yt8m publish`: make a folder of a run that the Hugging Face Hub and Kaggle Models take."""

from __future__ import annotations

import dataclasses
import shlex

from absl.flags import FlagValues

from yt8m import flags
from yt8m.commands.command import Command
from yt8m.errors import UserError
from yt8m.flags import Section
from yt8m.publish.data_sets import DataSetName
from yt8m.publish.licenses import LicenseId
from yt8m.runs.settings.training import Which
from yt8m.settings import setting


@dataclasses.dataclass(frozen=True)
class PublishSettings:
    """What to publish, and what the model card says. Each field is the flag of the same name."""

    train_dir: str = setting("", help="folder of the run; the same as RUN", common=True)
    out_dir: str = setting(
        "",
        help="folder to write; an earlier publication there is replaced if nobody changed it",
        common=True,
    )
    name: str = setting(
        "", help="OWNER/NAME of the model on the hub, for the card's examples", common=True
    )
    license: LicenseId = setting(
        "cc-by-4.0", help="license of the weights", choices=LicenseId, common=True
    )
    vocabulary_file: str = setting(
        "",
        help="vocabulary.csv with the names of the classes; by default the run's own, or the one"
        " beside its records",
        common=True,
    )
    dataset: DataSetName = setting(
        "",
        help="which data set the records are from; by default as their classes and features say",
        choices=DataSetName,
    )
    checkpoint: Which = setting(
        "",
        help="which weights to publish: best or last; by default the best ones by validation, or"
        " else the last",
        choices=Which,
    )


def main(values: FlagValues) -> None:
    """Write the folder, and show how it is uploaded."""
    from yt8m.publish.publication import publish

    settings = flags.read(PublishSettings, values)
    if not settings.train_dir or not settings.out_dir:
        missing = "--out_dir" if settings.train_dir else "RUN"
        raise UserError(f"{missing} is missing; usage: yt8m publish RUN --out_dir=DIR.")
    publish(
        settings.train_dir,
        settings.out_dir,
        settings.name,
        settings.license,
        settings.vocabulary_file,
        settings.dataset,
        settings.checkpoint,
    )
    print(
        f"wrote {settings.out_dir}. Read README.md and config.json, which contain the paths of the"
        f" training command, then: hf upload {settings.name or 'OWNER/NAME'}"
        f" {shlex.quote(settings.out_dir)} ."
    )


COMMAND = Command(
    about="Write a folder with a run's weights, settings, vocabulary, metrics and model card, for"
    " the Hugging Face Hub or Kaggle Models. Nothing is uploaded.",
    usage="RUN --out_dir=DIR [--name=OWNER/NAME]",
    sections=(Section(PublishSettings),),
    main=main,
    positional="train_dir",
)
