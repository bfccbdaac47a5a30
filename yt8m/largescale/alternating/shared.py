"""Where step 2 keeps what its workers share: in --train_dir, or below --shared_store."""

from __future__ import annotations

import os
import uuid

import tensorflow as tf

from yt8m.files import read_text
from yt8m.largescale.alternating.context import Context
from yt8m.largescale.alternating.plan import Step
from yt8m.largescale.tasks.shared_folder import absolute

_NAME = "alternation/shared"


def folder(context: Context, step: Step, *names: str) -> str:
    """Return a folder of a step that every worker sees.

    Below --shared_store each run has a folder with a name of its own. A run that starts over gets
    another, so that it never continues with what the old one left there.
    """
    store = context.settings.shared_store.rstrip("/")
    if not store:
        return absolute(context.run.file(step.folder, *names))
    if not tf.io.gfile.exists(context.run.file(_NAME)):
        context.run.write_text(_NAME, uuid.uuid4().hex)
    return os.path.join(absolute(store), read_text(context.run.file(_NAME)), step.name, *names)


def cache_bytes(context: Context) -> int:
    """Return how many bytes of copies of them each node keeps."""
    return int(context.settings.shared_store_cache_gb * 1e9)
