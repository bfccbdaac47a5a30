"""Objects in a store that can neither rename nor append, in a folder, and where none answers."""

import numpy as np
import pytest

from tests.support.object_store import serving
from yt8m.errors import UserError
from yt8m.largescale.mixtures.blocks_file import read_arrays, read_header, write_arrays
from yt8m.largescale.storage import objects


@pytest.fixture(params=["a store", "a remote file system", "a folder"])
def place(request, tmp_path):
    if request.param == "a store":
        with serving() as (_, address):
            yield address
    else:
        yield str(tmp_path) if request.param == "a folder" else f"file://{tmp_path}"


def test_what_is_put_is_measured_read_and_removed(place, tmp_path):
    source, copy = tmp_path / "here", tmp_path / "there" / "copy"
    source.write_bytes(b"content")
    folder = f"{place}/deep/folder"
    assert objects.size(f"{folder}/one") is None
    assert not objects.exists(f"{folder}/one")
    assert objects.read(f"{folder}/one") is None
    assert not objects.get(f"{folder}/one", str(copy))
    assert not copy.exists()
    for name in ("one", "two"):
        objects.put(str(source), f"{folder}/{name}")
    assert objects.size(f"{folder}/one") == len(b"content")
    assert objects.read(f"{folder}/one") == b"content"
    assert objects.get(f"{folder}/two", str(copy))
    assert copy.read_bytes() == b"content"
    objects.remove(f"{folder}/one")
    objects.remove(f"{folder}/one")
    assert not objects.exists(f"{folder}/one")
    assert objects.exists(f"{folder}/two")
    objects.remove_folder(folder)
    objects.remove_folder(folder)
    assert not objects.exists(f"{folder}/two")
    assert objects.size(f"{folder}/two") is None


def test_blocks_are_read_as_written_and_appear_only_when_complete(place):
    path = f"{place}/00001"
    arrays = [np.arange(2_000_000, dtype=np.float32), np.eye(3)]
    write_arrays(path, {"steps": 1}, arrays)

    def fails():
        yield arrays[0]
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_arrays(path, {"steps": 2}, fails())
    assert read_header(path) == {"steps": 1}
    for read, written in zip(read_arrays(path)[1], arrays):
        np.testing.assert_array_equal(read, written)
    assert read_header(f"{place}/00002") is None


def test_a_store_that_does_not_answer_or_is_unknown_is_named():
    with serving() as (_, address):
        pass
    with pytest.raises(UserError, match=r"bucket/x cannot be reached.*--shared_store"):
        objects.exists(f"{address}/x")
    with pytest.raises(UserError, match=r"neither TensorFlow nor fsspec reads nowhere://"):
        objects.exists("nowhere://x")
