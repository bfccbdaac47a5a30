"""Whatever fails or ends a command while it writes, no output is left half-written.

Each command runs once undisturbed, which counts its calls that change files. Then a fault comes
before some of them in turn (`-m rare`: before each): a full disk, a failing one, a missing
permission or SIGTERM. Nothing under a final name may differ from the undisturbed outcome, the
message must name the place, and the same command must then succeed. Where the system takes a part
of what is written, the rest follows.
"""

from __future__ import annotations

import errno
import io
import json
import os
import pathlib
import shutil
import signal
import tarfile

import h5py
import numpy as np
import pytest

from tests.support.commands import run_command
from tests.support.file_seam import Seam
from tests.support.mirror import Mirror
from yt8m.data.files.copies import FolderCopies

# Files that are no output: what a command goes on with after a kill, and locks.
_UNFINISHED = (".tmp", ".partial", ".lock", ".progress", ".npz")
# What a run writes with times in it, or by TensorFlow's own writers; test_disks.py fills a disk.
_OF_TRAINING = ("checkpoints", "logs", "metrics.jsonl", "config.json")


def _refusing(number):
    def fault(name, path, content):
        raise OSError(number, os.strerror(number), path)

    return fault


def _bare(name, path, content):
    """The error of a write, which does not know the file's name."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _ended(name, path, content):
    signal.raise_signal(signal.SIGTERM)
    return content


def _short(name, path, content):
    """Give the system half of the bytes that it may take a part of."""
    return content[: (len(content) + 1) // 2] if name in _TAKE_A_PART else content


_TAKE_A_PART = ("os.write", "raw.write")
FAULTS = {
    "ENOSPC": (_refusing(errno.ENOSPC), 2),
    "bare ENOSPC": (_bare, 2),
    "EIO": (_refusing(errno.EIO), 2),
    "EACCES": (_refusing(errno.EACCES), 2),
    "SIGTERM": (_ended, 143),
}


def command(name, made, data, out):
    """Return the flags of a command that writes below `out`."""
    run, video = f"--train_dir={made}/run", data.pattern("validate", "video")
    read = (run, f"--input_data_pattern={video}")
    fused = ("fuse", f"--inputs={made}/a,{made}/b", "--method=average")
    return {
        "csv": ("predict", *read, f"--output_file={out}/p.csv"),
        "scores": ("predict", *read, f"--output_scores={out}/s"),
        "fused csv": (*fused, f"--output_file={out}/f.csv"),
        "fused scores": (*fused, f"--output_scores={out}/f"),
        "convert": ("convert", video, f"--out_dir={out}/c", "--level=video"),
        "bundle": ("predict", run, f"--output_model_tgz={out}/m.tgz"),
        "report": ("report", f"{made}/run", f"--out={out}/r.html"),
        "publish": ("publish", f"{made}/run", f"--out_dir={out}/hub", "--license=apache-2.0"),
        "analyse": ("analyse", f"--data_pattern={video}", f"--out_dir={out}/y", "--nofigures"),
        "download": (
            *("download", f"--out_dir={out}/d", "--share=1", "--parallel=1", "--retries=0"),
            f"--base_url={(made / 'url').read_text()}",
        ),
        "export": ("export", f"{made}/run", f"--out_dir={out}/x"),
        "train": (
            *("train", "--model=LogisticModel", f"--train_data_pattern={video}"),
            *(f"--eval_data_pattern={video}", f"--train_dir={out}/run", "--batch_size=40"),
            *("--num_epochs=1", "--dtype=float32"),
        ),
    }[name]


COMMANDS = [
    "csv", "scores", "fused csv", "fused scores", "convert", "bundle", "report", "publish",
    "analyse", "download",
]  # fmt: skip
SLOW = ["export", "train"]


@pytest.fixture(scope="module", autouse=True)
def _mirror(made):
    mirror = Mirror()
    (made / "url").write_text(mirror.url)
    yield
    mirror.close()


def names_in(archive):
    with tarfile.open(fileobj=archive) as members:
        return sorted((m.name, m.size) for m in members if not m.name.endswith(".json"))


def weights_in(file):
    found = {}
    with h5py.File(io.BytesIO(file.read())) as weights:
        weights.visititems(lambda n, item: found.update({n: item[()]}) if is_array(item) else None)
    return [(name, np.asarray(value).tobytes()) for name, value in sorted(found.items())]


def is_array(item):
    return isinstance(item, h5py.Dataset) and item.dtype.kind == "f"


def without_times(file):
    values = json.load(file)
    return {n: values[n] for n in values if n not in ("fetched", "shares", "seconds", "time")}


def content_of(path, file):
    """Return what is compared of an output, without the times in it."""
    if path.endswith(".tgz"):
        return names_in(file)
    if path.endswith(".weights.h5"):
        return weights_in(file)
    if path.endswith("saved_model.pb") or "variables." in path:
        return len(file.read()) > 1000  # Its nodes have numbers of this process.
    if path.endswith("fingerprint.pb"):
        return len(file.read()) > 0  # the same
    if path.startswith(("d/download_", "run/best/", "run/last/")):
        return without_times(file)
    return file.read()


def outputs(out):
    """Return {path: content} of what has its final name."""
    found = {}
    for folder, _, names in os.walk(out):
        for name in names:
            path = os.path.relpath(os.path.join(folder, name), out)
            parts = path.split(os.sep)
            if name == ".probe":  # It is empty, and was to show that the folder can be written.
                continue
            if parts[0] == "run" and not {*parts}.isdisjoint(_OF_TRAINING):
                continue
            if not any(p.endswith(_UNFINISHED) or ".new." in p or ".partial" in p for p in parts):
                with open(os.path.join(folder, name), "rb") as file:
                    found[path] = content_of(path, file)
    return found


def undisturbed(name, made, data, out):
    """Run a command, and return its outputs and the number of calls that changed files."""
    with Seam(str(out)) as seam:
        ended = run_command(*command(name, made, data, out))
    assert ended.code == 0, ended.err
    return outputs(out), len(seam.calls)


def check(name, fault, number, made, data, reference, out):
    raised, code = FAULTS[fault]
    with Seam(str(out), number, raised) as seam:
        ended = run_command(*command(name, made, data, out))
    about = f"{name}, {fault} at call {number}: {seam.calls[number - 1 : number]}"
    assert "Traceback" not in ended.err, about + ended.err
    if ended.code == 0:  # The call only tidied up, or a prediction was done when the signal came.
        assert outputs(out) == reference, about
    else:
        # A download lists what it could not get, and ends with 1.
        assert ended.code == code or (name, ended.code) == ("download", 1), about + ended.err
        if ended.code != 1:
            last = ended.err.strip().splitlines()[-1]
            assert last.startswith(("error: ", "ended by SIGTERM: ")), about + ended.err
        if fault not in ("bare ENOSPC", "SIGTERM"):
            assert str(out) in ended.err or "--o" in ended.err, about + ended.err
    saves = (name, fault) == ("train", "SIGTERM")  # what it has trained until then
    for path, content in outputs(out).items():
        assert saves or content == reference.get(path), f"{about}: {path} is half-written"
    if fault != "SIGTERM" and seam.calls[number - 1][1].endswith(".lock"):
        # What cannot be removed stays, and this process, which lives on, would seem to hold it.
        pathlib.Path(seam.calls[number - 1][1]).unlink(missing_ok=True)
    ended = run_command(*command(name, made, data, out))
    assert ended.code == 0, about + ended.err
    assert outputs(out) == reference, about
    left = [n for _, folders, names in os.walk(out) for n in (*folders, *names)]
    assert not [n for n in left if n.endswith(_UNFINISHED) or ".partial" in n or ".new." in n], (
        about
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_no_output_is_half_written(name, made, small_data, tmp_path):
    reference, calls = undisturbed(name, made, small_data, tmp_path / "0")
    assert undisturbed(name, made, small_data, tmp_path / "0b")[0] == reference
    assert reference
    assert calls > 2
    for i, fault in enumerate(FAULTS):
        number = 1 + (2 * i + 1) * calls // (2 * len(FAULTS))
        check(name, fault, min(number, calls), made, small_data, reference, tmp_path / str(i + 1))


@pytest.mark.parametrize("name", COMMANDS)
def test_a_write_that_takes_a_part_is_gone_on_with(name, made, small_data, tmp_path):
    with Seam(str(tmp_path / "0")) as seam:
        assert run_command(*command(name, made, small_data, tmp_path / "0")).code == 0
    reference = outputs(tmp_path / "0")
    places = [i for i, (call, _) in enumerate(seam.calls, 1) if call in _TAKE_A_PART]
    assert bool(places) == (name == "download")
    for number in places[::3]:
        out = tmp_path / str(number)
        with Seam(str(out), number, _short):
            ended = run_command(*command(name, made, small_data, out))
        assert ended.code == 0, ended.err
        assert outputs(out) == reference


def test_a_copy_of_which_a_write_takes_a_part(tmp_path):
    content = bytes(range(256)) * 40
    writes = []
    for number in range(1, 100):
        with Seam(str(tmp_path), number, _short) as seam:
            copy = FolderCopies(str(tmp_path)).begin("a", len(content))
            copy.write(content)
            copy.close()
        assert (tmp_path / "a").read_bytes() == content
        os.remove(tmp_path / "a")
        if len(seam.calls) < number:
            break
        writes.append(seam.calls[number - 1][0])
    assert "raw.write" in writes


@pytest.mark.rare
@pytest.mark.parametrize("name", SLOW)
def test_no_model_is_half_written(name, made, small_data, tmp_path):
    reference, calls = undisturbed(name, made, small_data, tmp_path / "0")
    assert undisturbed(name, made, small_data, tmp_path / "0b")[0] == reference
    faults = list(FAULTS)
    for number in range(1, calls + 1, max(1, calls // 20)):
        out = tmp_path / str(number)
        check(name, faults[number % len(faults)], number, made, small_data, reference, out)
        shutil.rmtree(out, ignore_errors=True)


@pytest.mark.rare
@pytest.mark.parametrize("name", COMMANDS)
def test_no_output_is_half_written_whatever_call_fails(name, made, small_data, tmp_path):
    reference, calls = undisturbed(name, made, small_data, tmp_path / "0")
    faults = list(FAULTS)
    for number in range(1, calls + 1):
        out = tmp_path / str(number)
        fault = faults[number % len(faults)]
        check(name, fault, number, made, small_data, reference, out)
        shutil.rmtree(out, ignore_errors=True)
