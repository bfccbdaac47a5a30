"""Twelve videos in every kind of input."""

import csv
import json

import numpy as np
import pytest
import tensorflow as tf

from yt8m.data.records.writers import frame_record, write_shard

LABELS = [["jazz"], ["rock", "live"], ["jazz", "live"], ["rock"]] * 3
NAMES = ["jazz", "live", "rock"]
D = 5


def frames_of(i):
    """Return the frames of video i, [2 to 4, D]."""
    rng = np.random.default_rng([7, i])
    return rng.normal(size=(2 + i % 3, D)).astype(np.float32)


def write_labels(folder):
    """Write the labels with a row for each video, and return the flag that names them."""
    rows = ["id,labels", *(f"v{i},{';'.join(names)}" for i, names in enumerate(LABELS))]
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    return f"--labels={folder}/labels.csv"


def as_npy(folder):
    for i in range(len(LABELS)):
        np.save(folder / f"v{i}.npy", frames_of(i).astype(np.float64))
    return [f"{folder}/*.npy", write_labels(folder), "--feature_name=clip"]


def as_npz(folder):
    for i, names in enumerate(LABELS):
        np.savez(folder / f"v{i}.npz", clip=frames_of(i), labels=names)
    return [str(folder)]


def as_csv(folder):
    with open(folder / "table.csv", "w", newline="") as f:
        out = csv.writer(f)
        out.writerow(["video_id", "label", "title", "frame", *(f"clip_{d}" for d in range(D))])
        for i, names in enumerate(LABELS):
            for n, row in enumerate(frames_of(i)):
                out.writerow([f"v{i}", "|".join(names), 'a "title"\nof two lines', n, *row])
    return [f"{folder}/table.csv"]


def as_parquet(folder):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet

    about = {"labels": {"feature": {"names": NAMES, "_type": "ClassLabel"}, "_type": "Sequence"}}
    for part in range(2):
        own = range(part * 6, part * 6 + 6)
        table = pa.table(
            {
                "id": [f"v{i}" for i in own],
                "labels": [[NAMES.index(n) for n in LABELS[i]] for i in own],
                "clip": [frames_of(i).tolist() for i in own],
                "title": ["a title"] * 6,
            }
        ).replace_schema_metadata({"huggingface": json.dumps({"info": {"features": about}})})
        pyarrow.parquet.write_table(table, str(folder / f"part{part}.parquet"), row_group_size=2)
    return [f"{folder}/*.parquet"]


def as_pb(folder):
    for i, names in enumerate(LABELS):
        record = tf.train.SequenceExample.FromString(
            frame_record(b"", {"CLIP/feature/floats": frames_of(i)}, None, id_key="other")
        )
        context = record.context.feature
        context["clip/data_path"].bytes_list.value.append(f"/videos/v{i}.mp4".encode())
        context["clip/label/string"].bytes_list.value.extend(n.encode() for n in names)
        (folder / f"{i:02d}.pb").write_bytes(record.SerializeToString())
    return [f"{folder}/*.pb"]


def as_records(folder):
    records = [
        frame_record(
            b"v%d" % i, {"clip": frames_of(i)}, [NAMES.index(n) for n in names], id_key="video_id"
        )
        for i, names in enumerate(LABELS)
    ]
    write_shard(f"{folder}/a.tfrecord", records)
    (folder / "vocabulary.csv").write_text("".join(f"{i},{n}\n" for i, n in enumerate(NAMES)))
    return [f"{folder}/a.tfrecord"]


KINDS = {
    "npy": as_npy,
    "npz": as_npz,
    "csv": as_csv,
    "parquet": as_parquet,
    "pb": as_pb,
    "tfrecord": as_records,
}


@pytest.fixture
def source(tmp_path):
    """Return the folder of an input."""
    folder = tmp_path / "in"
    folder.mkdir()
    return folder
