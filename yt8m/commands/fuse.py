"""`yt8m fuse`: fuse the scores of several models."""

from __future__ import annotations

import dataclasses

from absl.flags import FlagValues

from yt8m import flags
from yt8m.commands.command import Command
from yt8m.errors import UserError
from yt8m.flags import Section
from yt8m.fusion.settings import FusionSettings


def main(values: FlagValues) -> None:
    """Turn the flags into settings, and fuse."""
    from yt8m.fusion.run import run_fusion
    from yt8m.submission.named import named_path

    settings = flags.read(FusionSettings, values)
    try:
        weights = [float(weight) for weight in settings.weights]
    except ValueError:
        raise UserError(
            f"--weights={','.join(values.weights)}: expected numbers, separated by commas."
        ) from None
    inputs = [path.strip() for path in settings.inputs if path.strip()]
    run_fusion(dataclasses.replace(settings, inputs=inputs, weights=weights))
    readable = settings.with_names and named_path(settings.output_file, settings.names_format)
    more = (settings.output_scores, settings.output_details, settings.output_metrics)
    outputs = [path for path in (settings.output_file, readable, *more) if path]
    print(f"wrote {' and '.join(outputs) or 'nothing'}")


COMMAND = Command(
    about="Fuse the scores of several models into one submission.",
    usage="--inputs=A,B --output_file=submission.csv",
    sections=(Section(FusionSettings),),
    main=main,
)
