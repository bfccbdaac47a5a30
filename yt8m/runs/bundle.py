"""A run's model in one .tgz file: its settings, its weights and the names of its classes."""

from __future__ import annotations

import atexit
import os
import shutil
import tarfile
import tempfile
from typing import IO

import tensorflow as tf

from yt8m import files, locks, stored
from yt8m.errors import UserError
from yt8m.output_paths import check_replaceable
from yt8m.process.guard import reason
from yt8m.runs.classes.names import vocabulary_of
from yt8m.runs.config import CONFIG_FILE
from yt8m.runs.folder import BEST, CLASSES, MODEL_FILE, WEIGHTS, RunFolder
from yt8m.runs.load import check_weights, config_of, weights_file
from yt8m.runs.settings.training import Which
from yt8m.runs.trained_model import check_task

_MEMBERS = (CONFIG_FILE, WEIGHTS)
_LARGEST = 1 << 38  # bytes
_HINT = "inference.py --output_model_tgz writes such a file."
_NO_BUNDLE = f"--input_model_tgz needs a whole .tgz bundle; {_HINT}"


def write_bundle(train_dir: str, path: str, which: Which = "") -> None:
    """Write a run's model into one .tgz file, which `open_bundle` reads.

    Args:
      train_dir: the run's folder.
      path: the .tgz, which is written whole or not at all.
      which: "best", "last", or "" for the best there is.

    Raises:
      UserError: the run holds no model that predicts labels, or `path` cannot be written.
    """
    run = RunFolder(train_dir)
    check_task(run.load_config(), train_dir)
    weights = weights_file(run, which)
    check_replaceable(path, "--output_model_tgz", "a .tgz bundle", ("\x1f\x8b",))
    try:
        with (
            locks.held(locks.beside(path), f"--output_model_tgz={path}"),
            tempfile.TemporaryDirectory() as folder,
        ):
            files.remove_unfinished(path)
            archive, config, copy = (
                os.path.join(folder, name) for name in ("bundle.tgz", *_MEMBERS)
            )
            tf.io.gfile.copy(weights, copy)
            check_weights(copy, weights)
            beside = os.path.join(os.path.dirname(weights), MODEL_FILE)
            if tf.io.gfile.exists(beside):
                tf.io.gfile.copy(beside, os.path.join(folder, MODEL_FILE))
            # The copy's arguments: the run may be replacing the original by another model.
            files.write_text(config, config_of(run, copy).to_json())
            names = vocabulary_of(run, run.load_config())
            if names:
                tf.io.gfile.copy(names, os.path.join(folder, CLASSES))
            with tarfile.open(archive, "w:gz") as tar:
                for name in (*_MEMBERS, CLASSES) if names else _MEMBERS:
                    tar.add(os.path.join(folder, name), arcname=name)
            with files.whole(path) as unfinished:
                tf.io.gfile.copy(archive, unfinished, overwrite=True)
    except (tf.errors.OpError, OSError) as error:
        message = getattr(error, "message", error)
        raise UserError(
            f"--output_model_tgz={path} cannot be written ({message}); name another file."
        ) from None


def open_bundle(path: str, folder: str = "") -> str:
    """Unpack a bundle into a folder, which then serves as a run's folder; return the folder.

    Args:
      path: the .tgz.
      folder: where; no other process can unpack a bundle there until this one ends. "" is a new
        folder, which is deleted when this process ends.

    Raises:
      UserError: there is no such file, or it is not a complete bundle, or `folder` cannot be
        written.
    """
    if not stored.exists(path):
        raise UserError(f"--input_model_tgz={path} does not exist; {_HINT}")
    with stored.intact(path, _NO_BUNDLE):
        stored.check_size(path, _LARGEST)
        contents = _read(path)
    try:
        if folder:
            _check_folder(folder)
            locks.take(locks.inside(folder), f"--untar_model_dir={folder}", until_exit=True)
        else:
            folder = tempfile.mkdtemp(prefix="yt8m-model-")
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
        # A bundle that is damaged has raised by now, and an earlier one in the folder stays.
        tf.io.gfile.makedirs(os.path.join(folder, BEST))
        names_before = os.path.join(folder, CLASSES)
        if tf.io.gfile.exists(names_before):
            tf.io.gfile.remove(names_before)
        for name, content in contents.items():
            place = os.path.join(BEST, WEIGHTS) if name == WEIGHTS else name
            files.write_bytes(os.path.join(folder, place), content)
    except (tf.errors.OpError, OSError) as error:
        raise UserError(
            f"--untar_model_dir={folder} cannot be written ({reason(error)}); name another folder."
        ) from None
    return folder


def _check_folder(folder: str) -> None:
    """Refuse a folder that has anything but an earlier bundle, which the new one replaces."""
    if not tf.io.gfile.exists(folder):
        return
    unpacked = {CONFIG_FILE, CLASSES, BEST, locks.IN_FOLDER}
    found = {name.rstrip("/") for name in tf.io.gfile.listdir(folder)} - {locks.IN_FOLDER}
    if found and (found - unpacked or not stored.exists(os.path.join(folder, BEST, WEIGHTS))):
        first = sorted(found - unpacked or found)[0]
        raise UserError(
            f"--untar_model_dir={folder} has other files than a bundle, such as {first}; name a new"
            " folder."
        )


def _content(member: IO[bytes]) -> bytes:
    """Return what a member has; a damaged header may declare more than memory could hold."""
    return b"".join(iter(lambda: member.read(1 << 20), b""))


def _read(path: str) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as scratch:
        archive = path
        if "://" in path:
            archive = os.path.join(scratch, "bundle.tgz")
            tf.io.gfile.copy(path, archive)
        with tarfile.open(archive) as tar:
            members = {os.path.basename(m.name): m for m in tar.getmembers() if m.isfile()}
            missing = [name for name in _MEMBERS if name not in members]
            if missing:
                raise UserError(
                    f"--input_model_tgz={path} does not contain {', '.join(missing)}; {_HINT}"
                )
            wanted = [name for name in (*_MEMBERS, CLASSES) if name in members]
            opened = {name: tar.extractfile(members[name]) for name in wanted}
            contents = {name: _content(member) for name, member in opened.items() if member}
            while tar.fileobj is not None and tar.fileobj.read(1 << 20):
                pass  # Reading to the end verifies the checksum.
    return contents
