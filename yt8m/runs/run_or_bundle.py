"""The flags that name a trained model: the folder of its run, or a bundle."""

from __future__ import annotations

import dataclasses

from yt8m.errors import UserError
from yt8m.settings import setting

_GROUP = "Bundled models"


@dataclasses.dataclass(frozen=True)
class RunOrBundle:
    """Where the model is. Each field is the flag of the same name."""

    train_dir: str = setting(
        "", help="folder of the run, or a model on the Hub, hf://OWNER/NAME", common=True
    )
    input_model_tgz: str = setting(
        "", help="use a bundled model instead of that in --train_dir", group=_GROUP
    )
    untar_model_dir: str = setting(
        "",
        help="folder where the bundle is unpacked (default: a temporary one of this process)",
        group=_GROUP,
    )

    def folder(self) -> str:
        """Return the run's folder, into which a bundle is unpacked first.

        Raises:
          UserError: both or neither are given, or there is no such bundle.
        """
        from yt8m.runs.bundle import open_bundle  # with TensorFlow, which --help does without

        if bool(self.train_dir) == bool(self.input_model_tgz):
            raise UserError(
                "set either --train_dir, the folder of a run, or --input_model_tgz, a bundled"
                " model."
            )
        return self.train_dir or open_bundle(self.input_model_tgz, self.untar_model_dir)
