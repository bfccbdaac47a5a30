"""`yt8m export`: write a trained model in a form that other programs run."""

from __future__ import annotations

import dataclasses

from absl.flags import FlagValues

from yt8m import flags
from yt8m.commands.command import Command
from yt8m.commands.reading_settings import ModelSettings
from yt8m.commands.run_or_bundle import RunOrBundle
from yt8m.errors import UserError
from yt8m.flags import Section
from yt8m.serving.settings import Signature
from yt8m.settings import setting


@dataclasses.dataclass(frozen=True)
class ExportSettings(RunOrBundle):
    """What to export, and where to write it. Each field is the flag of the same name."""

    out_dir: str = setting("", help="folder for what is exported", common=True)
    vocabulary_file: str = setting(
        "",
        help="vocabulary.csv with class names; by default the one that the run was trained with, or"
        " else the numbers of the classes are their names",
        common=True,
    )
    top_k: int = setting(
        20, help="number of classes per video in the answers", at_least=1, common=True
    )
    default_signature: Signature = setting(
        "records", help="the signature that is also called serving_default", choices=Signature
    )


def main(values: FlagValues) -> None:
    """Export a model."""
    from yt8m.serving.export import export, signatures_of

    settings, model = flags.read(ExportSettings, values), flags.read(ModelSettings, values)
    if not settings.out_dir:
        raise UserError("--out_dir is missing; name a folder for the exported model.")
    signatures = signatures_of(
        settings.folder(),
        model.checkpoint,
        bool(model.segment_labels),
        model.eval_frames,
        settings.vocabulary_file,
        settings.top_k,
    )
    for path in export(signatures, settings.out_dir, settings.default_signature):
        print(f"wrote {path}")


COMMAND = Command(
    about="Export a trained model for programs that do not have this package.",
    usage="RUN --out_dir=DIR",
    sections=(Section(ExportSettings), Section(ModelSettings)),
    main=main,
    positional="train_dir",
)
