"""Weight files and checkpoints: their bytes, and what HDF5 lets a file declare."""

from __future__ import annotations

import contextlib
import io
import os
from typing import Any

import h5py
import numpy as np
from hypothesis import strategies as st

from benchmarks.fuzz.bytes_of import any_damage
from benchmarks.fuzz.case import Target
from benchmarks.fuzz.inputs import resumed

_WEIGHTS = "run/best/model.weights.h5"
_CHANGES = ["drop", "shape", "huge", "type", "nan", "link", "loop", "outside", "group", "attribute"]


@st.composite
def hdf5(draw: Any, content: bytes) -> bytes:
    """Return a weight file in which groups and arrays are others, and which HDF5 can open."""
    held = io.BytesIO(content)
    with h5py.File(held, "r+") as file:
        names: list[str] = []
        file.visit(names.append)
        for _ in range(draw(st.integers(1, 2))):
            name, what = draw(st.sampled_from(names)), draw(st.sampled_from(_CHANGES))
            with contextlib.suppress(KeyError, RuntimeError):  # a link that leads nowhere
                _change(draw, file, name, what)
    return held.getvalue()


def _change(draw: Any, file: Any, name: str, what: str) -> None:
    old = file[name]
    shape = old.shape if isinstance(old, h5py.Dataset) else (1,)
    if what == "attribute":
        values = [b"", "a", 1, np.zeros(3), b"\xff"]
        old.attrs[draw(st.sampled_from(["keras_version", "name", "layer_names", "vars"]))] = draw(
            st.sampled_from(values)
        )
        return
    del file[name]
    if what == "shape":
        file[name] = np.zeros(draw(st.sampled_from([(), (0,), (1,), shape[::-1], (*shape, 1)])))
    elif what == "huge":
        wide = (2**40, *shape[1:])
        file.create_dataset(name, shape=wide, dtype="f4", chunks=(1,) * len(wide))
    elif what == "type":
        kinds = [np.int8, np.float64, "S3", np.complex64, bool, h5py.string_dtype()]
        file.create_dataset(name, shape=shape, dtype=draw(st.sampled_from(kinds)))
    elif what == "nan":
        file[name] = np.full(shape if np.prod(shape, dtype=float) < 10_000 else (1,), np.nan)
    elif what == "link":
        file[name] = h5py.SoftLink("/nowhere")
    elif what == "loop":
        file[name] = h5py.SoftLink(f"/{name}")
    elif what == "outside":
        file[name] = h5py.ExternalLink("other.h5", "/a")
    elif what == "group":
        file.create_group(name)


def targets(folder: str) -> list[Target]:
    """Return the targets.

    Args:
      folder: the valid inputs.
    """
    from yt8m.runs.load import load_run, load_weights

    with open(os.path.join(folder, _WEIGHTS), "rb") as source:
        content = source.read()
    _, model, _ = load_run(os.path.join(folder, "run"), "--train_dir")

    def weights(place: str) -> None:
        load_weights(model, os.path.join(place, _WEIGHTS))

    def loaded(place: str) -> object:
        return load_run(os.path.join(place, "run"), "--train_dir")

    made = st.integers(0, 3).flatmap(lambda n: any_damage(content) if n == 0 else hdf5(content))
    changes = made.map(lambda new: {_WEIGHTS: new})
    state = _of_state(folder)
    predict = (
        "predict", "--train_dir={in}/run", "--input_data_pattern={in}/video/val*.tfrecord",
        "--output_file={in}/out.csv",
    )  # fmt: skip
    return [
        Target("weights", "weights", (_WEIGHTS,), changes, None, weights, 2),
        Target("model of weights", "weights", ("run",), changes, None, loaded, 0.1),
        Target(
            "predict by weights", "weights", ("run", "video"), changes, st.just(predict), None, 0.03
        ),
        Target(
            "resume a state",
            "weights",
            ("run", "video"),
            state,
            st.just(resumed(folder)),
            None,
            0.1,
        ),
    ]


def _of_state(folder: str) -> Any:
    """Return a strategy that changes a file of the checkpoint of a run that is not done."""
    place = os.path.join("run", "checkpoints")
    names = [os.path.join(place, n) for n in sorted(os.listdir(os.path.join(folder, place)))]
    names += [os.path.join("run", n) for n in ("priors.npy", "best", "logs", "last", "eval")]

    def changed(name: str) -> Any:
        if os.path.isdir(os.path.join(folder, name)):
            made: Any = st.sampled_from([b"", b"a", None, "->nowhere", "->."])
        else:
            with open(os.path.join(folder, name), "rb") as source:
                made = any_damage(source.read())
        return made.map(lambda new: {name: new, "run/done": None})

    return st.sampled_from(names).flatmap(changed)
