"""A SavedModel with the signatures of a model, and nothing that needs this package."""

from __future__ import annotations

from typing import Any, get_args

import tensorflow as tf

from yt8m.compat import tf_variable
from yt8m.errors import UserError
from yt8m.process.answered_signals import held
from yt8m.process.guard import reason
from yt8m.serving.settings import Signature
from yt8m.serving.signatures import Signatures


def write_saved_model(path: str, signatures: Signatures, default: Signature = "records") -> None:
    """Write a SavedModel, which replaces one that is there when it is complete.

    Args:
      path: the folder, local or remote.
      signatures: the model's.
      default: the signature that is also called `serving_default`.

    Raises:
      UserError: the model does not have that signature, or the folder cannot be written, or holds
        something else.
    """
    functions = signatures.all()
    if default not in functions:
        has = ", ".join(name for name in get_args(Signature) if name in functions)
        raise UserError(
            f"--default_signature={default}: this model takes"
            f" {' and '.join(signatures.model.input_keys)}, and MediaPipe gives frames and their"
            f" number only; choose one of {has}."
        )
    files, partial = tf.io.gfile, path.rstrip("/") + ".partial"
    if files.exists(path) and not files.exists(path.rstrip("/") + "/saved_model.pb"):
        raise UserError(
            f"{path} exists and is not a SavedModel, so it is not replaced; name another --out_dir."
        )
    try:
        _remove(partial)
        try:
            save_functions(
                partial, signatures, {**functions, "serving_default": functions[default]}
            )
        except BaseException:
            with held():
                _remove(partial)
            raise
        with held():
            _remove(path)
            files.rename(partial, path)
    except (tf.errors.OpError, OSError) as error:
        raise UserError(
            f"{path} cannot be written ({reason(error)}); set --out_dir to a writable folder."
        ) from None


def save_functions(folder: str, signatures: Signatures, functions: dict[Any, Any]) -> None:
    """Write a SavedModel with some functions of a model, and with its weights."""
    module = tf.Module()
    module.weights = [tf_variable(v) for v in signatures.model.variables]
    tf.saved_model.save(module, folder, signatures=functions)


def _remove(folder: str) -> None:
    if tf.io.gfile.exists(folder):
        tf.io.gfile.rmtree(folder)
