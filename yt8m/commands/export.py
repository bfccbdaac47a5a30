"""`yt8m export`: write a trained model in a form that other programs run."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, get_args

from absl.flags import FlagValues

from yt8m import flags, locks
from yt8m.commands.command import Command
from yt8m.commands.reading_settings import ModelSettings
from yt8m.errors import UserError
from yt8m.files import remove_unfinished_in
from yt8m.flags import Section
from yt8m.runs.run_or_bundle import RunOrBundle
from yt8m.serving.settings import Format, Quantize, Signature
from yt8m.settings import MOST_BEST, setting

if TYPE_CHECKING:
    from yt8m.runs.settings.training import Dtype
    from yt8m.serving.signatures import Signatures


@dataclasses.dataclass(frozen=True)
class ExportSettings(RunOrBundle):
    """What to export, and where to write it. Each field is the flag of the same name."""

    out_dir: str = setting("", help="folder for what is exported", common=True)
    format: Sequence[Format] = setting(
        ("saved_model",),
        flag_default="saved_model",
        help="what to write, separated by commas: saved_model (TensorFlow), onnx (ONNX Runtime;"
        " needs the extra onnx), litert (LiteRT, a .tflite file)",
        common=True,
    )
    vocabulary_file: str = setting(
        "",
        help="vocabulary.csv with class names; by default the one that the run was trained with, or"
        " else the numbers of the classes are their names",
        common=True,
    )
    top_k: int = setting(
        20,
        help="number of classes per video in the answers",
        at_least=1,
        common=True,
        at_most=MOST_BEST,
    )
    default_signature: Signature = setting(
        "records",
        help="the signature of a SavedModel that is also called serving_default",
        choices=Signature,
    )
    quantize: Quantize = setting(
        "none", help="how a LiteRT file stores the weights", choices=Quantize
    )


def main(values: FlagValues) -> None:
    """Export a model."""
    from yt8m.serving.export import export, signatures_of

    settings, model = flags.read(ExportSettings, values), flags.read(ModelSettings, values)
    if not settings.out_dir:
        raise UserError("--out_dir is missing; name a folder for the exported model.")
    unknown = sorted(set(settings.format) - set(get_args(Format)))
    if unknown or not settings.format:
        raise UserError(
            f"--format={','.join(settings.format)}: expected one or more of"
            f" {', '.join(get_args(Format))}, separated by commas."
        )
    if settings.quantize != "none" and "litert" not in settings.format:
        raise UserError(
            f"--quantize={settings.quantize} applies to LiteRT only; add --format=litert, or drop"
            " it."
        )
    folder = settings.folder()

    def load(dtype: Dtype | None) -> Signatures:
        return signatures_of(
            folder,
            model.checkpoint,
            bool(model.segment_labels),
            model.eval_frames,
            settings.vocabulary_file,
            settings.top_k,
            dtype,
        )

    out_dir = settings.out_dir
    with locks.held(locks.inside(out_dir), f"--out_dir={out_dir}"):
        remove_unfinished_in(out_dir)
        written = export(
            load, out_dir, settings.format, settings.default_signature, settings.quantize
        )
        for path in written:
            print(f"wrote {path}", flush=True)


COMMAND = Command(
    about="Export a trained model for programs that do not have this package.",
    usage="RUN --out_dir=DIR [--format=saved_model,onnx,litert]",
    sections=(Section(ExportSettings), Section(ModelSettings)),
    main=main,
    positional="train_dir",
)
