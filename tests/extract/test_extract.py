"""Videos to records that training reads, with networks that stand in for the published ones."""

import numpy as np
import pytest
import tensorflow as tf

from tests.extract.test_media import make_video
from tests.support.records import read
from yt8m.data.records.quantization import dequantize
from yt8m.extract.__main__ import main
from yt8m.extract.networks import load_inception
from yt8m.extract.pca import load_pca

pytest.importorskip("av", reason="the extra `extract` is not installed")

ENCODER = """
import numpy as np
def colors(pictures):
    assert pictures.dtype == np.uint8 and pictures.ndim == 4
    means = pictures.mean(axis=(1, 2)) / 255
    return np.concatenate([means, means ** 2], axis=1)
def loudness(spectra):
    assert spectra.shape[1:] == (96, 64)
    return spectra.mean(axis=1)[:, ::16]
def wrong(pictures):
    return pictures.mean(axis=(1, 2))[:1]
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with two videos, a file that is none, a module of encoders, labels and PCAs."""
    for name, seconds in (("long", 5), ("short", 3)):
        make_video(tmp_path / f"{name}.mp4", seconds)
    (tmp_path / "broken.mp4").write_text("no video")
    (tmp_path / "own_encoders.py").write_text(ENCODER)
    (tmp_path / "labels.csv").write_text("long,0 2\nshort,1\nbroken,0\n")
    rng = np.random.default_rng(0)
    (tmp_path / "pca").mkdir()
    np.save(tmp_path / "pca" / "mean.npy", rng.normal(size=[6, 1]) * 0.01)
    np.save(
        tmp_path / "pca" / "eigenvals.npy", np.array([[4.0], [1.0], [0.25], [0.1], [0.1], [0.1]])
    )
    np.save(tmp_path / "pca" / "eigenvecs.npy", np.linalg.qr(rng.normal(size=[6, 6]))[0])
    np.savez(tmp_path / "vggish.npz", pca_means=np.zeros([4, 1]), pca_eigen_vectors=np.eye(4) * 0.1)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_vectors_of_ones_own_network_are_written_as_floats(folder, capsys):
    flags = ["--encoder=own_encoders:colors", "--labels=labels.csv", "--out=own.tfrecord"]
    assert main(["long.mp4", "short.mp4", *flags]) == 0
    said = capsys.readouterr().out
    assert "long: rgb 5 x 6" in said
    assert said.splitlines()[-1] == "next: yt8m inspect own.tfrecord --full"
    schema, examples = read("own.tfrecord", num_classes=3)
    assert schema.float_frames
    assert examples["id"].tolist() == [b"long", b"short"]
    assert examples["num_frames"].tolist() == [5, 3]
    np.testing.assert_array_equal(examples["labels"], [[1, 0, 1], [0, 1, 0]])


def test_the_contract_of_the_release_with_a_graph_and_both_pcas(folder, capsys):
    write_graph(folder / "graph.pb")
    flags = ["--inception=graph.pb", "--pca=pca", "--audio_encoder=own_encoders:loudness"]
    out = ["--audio_pca=vggish.npz", "--out=release.tfrecord"]
    assert main(["long.mp4", "short.mp4", *flags, *out]) == 0
    assert "graph.pb: SHA-256 " in capsys.readouterr().out
    schema, examples = read("release.tfrecord", num_classes=3)
    assert schema.feature_names == ("rgb", "audio")
    assert schema.feature_sizes == (6, 4)
    assert not schema.float_frames
    frames = dequantize(examples["frames"][0][0])
    mean, values, vectors = (
        np.load(folder / "pca" / f"{name}.npy") for name in ("mean", "eigenvals", "eigenvecs")
    )
    encode = load_inception("graph.pb")
    from yt8m.extract.media import pictures

    pooled = encode(np.stack([next(pictures("long.mp4"))]))[0]
    expected = vectors @ (pooled - mean[:, 0]) / np.sqrt(values[:, 0] + 1e-4)
    np.testing.assert_allclose(frames[:6], np.clip(expected, -1.99, 2.0), atol=4 / 255)


def test_a_video_that_cannot_be_decoded_is_left_out_and_said(folder, capsys):
    flags = ["--encoder=own_encoders:colors", "--out=x.tfrecord"]
    assert main(["long.mp4", "broken.mp4", *flags]) == 1
    said = capsys.readouterr().out
    assert "left out: broken.mp4 cannot be decoded" in said
    assert "1 of 2 videos" in said
    assert len(read("x.tfrecord", num_classes=1)[1]["id"]) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("broken.mp4 --encoder=own_encoders:colors", "no video could be decoded"),
        ("long.mp4", "name one of --encoder and --inception"),
        ("long.mp4 --encoder=own_encoders", "expected MODULE:FUNCTION"),
        ("long.mp4 --encoder=own_encoders:none", "cannot be imported"),
        ("long.mp4 --encoder=own_encoders:colors --pca=labels.csv", "is neither a folder with"),
        ("long.mp4 --encoder=own_encoders:colors --audio_pca=vggish.npz", "none is named"),
        ("long.mp4 --inception=labels.csv", "is not the frozen graph"),
        ("long.mp4 ./long.mp4 --encoder=own_encoders:colors", "several videos have the id 'long'"),
    ],
)
def test_a_mistake_is_explained_and_writes_nothing(folder, capsys, arguments, message):
    assert main([*arguments.split(), "--out=x.tfrecord"]) == 2
    assert message in capsys.readouterr().err
    assert not (folder / "x.tfrecord").exists()


def test_a_pca_of_another_network_and_a_wrong_shape_leave_the_video_out(folder, capsys):
    out = ["--out=x.tfrecord", "--audio_pca=vggish.npz", "--audio_encoder=own_encoders:colors"]
    main(["long.mp4", "--encoder=own_encoders:wrong", "--out=x.tfrecord"])
    assert "one vector for each is expected, [5, N]" in capsys.readouterr().out
    np.save(folder / "pca" / "mean.npy", np.zeros(7))
    assert main(["long.mp4", "--encoder=own_encoders:colors", "--pca=pca", *out[:1]]) == 2
    assert "the mean has 7 values" in capsys.readouterr().err


def test_a_pca_is_whitened_and_cut(folder):
    pca = load_pca(str(folder / "pca"), "--pca", size=2)
    assert pca.matrix.shape == (6, 2)
    np.testing.assert_allclose(
        np.linalg.norm(pca.matrix, axis=0), 1 / np.sqrt([4.0001, 1.0001]), rtol=1e-6
    )


def write_graph(path):
    """Write a graph with the names of the published one: means of the colours and their squares."""
    with tf.Graph().as_default() as graph:
        picture = tf.compat.v1.placeholder(tf.uint8, [None, None, 3], name="DecodeJpeg")
        means = tf.reduce_mean(tf.cast(picture, tf.float32) / 255.0, axis=[0, 1])
        pooled = tf.concat([means, tf.square(means)], 0)
        with tf.name_scope("pool_3/"):
            tf.reshape(pooled, [1, 6], name="_reshape")
    path.write_bytes(graph.as_graph_def().SerializeToString())
