"""SavedModels agree with inference, need nothing of this package, and hold nothing random."""

import json

import numpy as np
import pytest
import tensorflow as tf

from tests.serving.conftest import in_fresh_process, inference, payloads
from tests.support.commands import refused, run_command
from tests.support.every_model import every_model
from tests.support.runs import new_run
from tests.support.untrained import save_untrained
from yt8m.api.run import load_run
from yt8m.data.files.shards import find_shards
from yt8m.data.find_schema import find_schema
from yt8m.data.pipeline import build_dataset
from yt8m.data.records.quantization import dequantize
from yt8m.data.records.writers import frame_record, write_shard

CLASSES = 12


def export(folder, out, *flags):
    ended = run_command("export", f"--train_dir={folder}", f"--out_dir={out}", *flags)
    assert ended.code == 0, ended.err
    return tf.saved_model.load(str(out / "saved_model"))


def best_of(scores, k):
    return np.argsort(-scores, axis=1, kind="stable")[:, :k]


def check_answer(answer, scores, k=5):
    """Compare the best classes of an answer with scores [N, K]."""
    classes = answer["class_indexes"].numpy()
    np.testing.assert_array_equal(classes, best_of(scores, k))
    found = answer["predictions"].numpy()
    np.testing.assert_allclose(found, np.take_along_axis(scores, classes, 1), atol=1e-5)


def operations(function):
    graph = function.graph.as_graph_def()
    nodes = [*graph.node, *(n for f in graph.library.function for n in f.node_def)]
    return {node.op for node in nodes}


@pytest.mark.parametrize("name", every_model())
def test_every_model_agrees_with_inference(name, run_of, records_of, tmp_path):
    folder, pattern = run_of(name), records_of(name)
    ids, scores = inference(folder, pattern)
    model = export(folder, tmp_path / "out", "--top_k=5").signatures
    answer = model["serving_default"](example_bytes=tf.constant(payloads(pattern)))
    assert [i.decode() for i in answer["video_id"].numpy()] == ids
    check_answer(answer, scores)
    labels = load_run(folder).labels
    names = [labels[c] for c in answer["class_indexes"].numpy()[0]]
    assert [n.decode() for n in answer["class_names"].numpy()[0]] == names
    for signature in model.values():
        assert not [op for op in operations(signature) if "Random" in op or op.endswith("PyFunc")]


def test_arrays_and_mediapipe_agree_with_inference(run_of, records_of, tmp_path, small_data):
    folder, pattern = run_of("GruModel"), records_of("GruModel")
    _, scores = inference(folder, pattern)
    model = export(folder, tmp_path / "out", "--default_signature=mediapipe").signatures
    files = find_shards(pattern)
    schema, _ = find_schema(files, max_frames=16)
    batch = next(iter(build_dataset(files, schema, batch_size=100)))
    frames, counts = batch["frames"], batch["num_frames"]
    answer = model["arrays"](frames=frames[:, :16], num_frames=counts)
    np.testing.assert_allclose(answer["probabilities"].numpy(), scores, atol=1e-5)
    check_answer(answer, scores, CLASSES)
    floats = tf.constant(dequantize(frames.numpy()))
    for signature in ("mediapipe", "serving_default"):
        answer = model[signature](rgb_and_audio=floats, num_frames=counts[:, None])
        np.testing.assert_allclose(answer["predictions"].numpy(), scores, atol=1e-5)
    # One number of frames for the whole batch, as in the starter code's own trial.
    answer = model["mediapipe"](rgb_and_audio=tf.zeros([3, 7, 40]), num_frames=[[7]])
    assert answer["predictions"].shape == (3, CLASSES)
    # Frames beyond the run's, and padding, do not count.
    more = tf.concat([frames, tf.fill([40, 5, 40], tf.constant(9, tf.uint8))], 1)
    answer = model["arrays"](frames=more, num_frames=counts + 100 * tf.cast(counts == 16, tf.int32))
    np.testing.assert_allclose(answer["probabilities"].numpy(), scores, atol=1e-5)


LOADS = """
import json, sys
import tensorflow as tf
found = []
for path, pattern in zip(sys.argv[1::2], sys.argv[2::2]):
    records = list(tf.data.TFRecordDataset(sorted(tf.io.gfile.glob(pattern))).as_numpy_iterator())
    answer = tf.saved_model.load(path).signatures["serving_default"](tf.constant(records))
    ids = [i.decode() for i in answer["video_id"].numpy()]
    found.append([ids, *(answer[k].numpy().tolist() for k in ("class_indexes", "predictions"))])
assert "yt8m" not in sys.modules
print(json.dumps(found))
"""


def test_a_fresh_process_without_the_package_agrees(run_of, records_of, tmp_path):
    names, arguments = ("MoeModel", "LstmModel"), []
    for name in names:
        export(run_of(name), tmp_path / "out" / name)
        arguments += [tmp_path / "out" / name / "saved_model", records_of(name)]
    answers = json.loads(in_fresh_process(LOADS, *arguments).splitlines()[-1])
    for name, (ids, classes, found) in zip(names, answers):
        expected_ids, scores = inference(str(tmp_path / name), records_of(name))
        assert ids == expected_ids
        expected = np.take_along_axis(scores, np.array(classes), 1)
        np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("flags", [[], ["--segment_labels"]], ids=["videos", "segments"])
def test_float_frames_embeddings_and_segments_are_parsed(flags, tmp_path):
    """Records as MediaPipe writes them, with an embedding of the whole video, cut or whole."""
    rng, path = np.random.default_rng(0), str(tmp_path / "x.tfrecord")
    written = [
        frame_record(
            b"v%d" % i,
            {"rgb": rng.normal(size=(n, 6)).astype(np.float32)},
            labels=[i],
            of_video={"cdml": rng.normal(size=3)},
        )
        for i, n in enumerate((7, 3, 12))
    ]
    write_shard(path, written)
    schema, _ = find_schema([path], feature_names=["rgb", "cdml"], num_classes=4, max_frames=12)
    assert schema.float_frames
    assert schema.video_names
    config = new_run(path, "DbofBasic", schema=schema, arguments={"width": 8})
    folder = save_untrained(config, tmp_path / "run")
    ids, scores = inference(folder, path, bool(flags), batch_size=4)
    model = export(folder, tmp_path / "out", *flags).signatures
    assert "mediapipe" not in model
    answer = model["records"](example_bytes=tf.constant(written))
    assert [i.decode() for i in answer["video_id"].numpy()] == ids
    assert len(ids) == (6 if flags else 3)
    check_answer(answer, scores, 4)
    assert answer["class_names"].numpy()[0, 0].decode() == str(
        answer["class_indexes"].numpy()[0, 0]
    )


def test_evenly_spaced_frames_are_those_of_inference(run_of, records_of, tmp_path):
    folder, pattern = run_of("FrameLevelLogisticModel"), records_of("FrameLevelLogisticModel")
    _, scores = inference(folder, pattern, eval_frames=3)
    assert np.abs(scores - inference(folder, pattern)[1]).max() > 1e-3
    model = export(folder, tmp_path / "out", "--eval_frames=3").signatures
    check_answer(model["records"](tf.constant(payloads(pattern))), scores, CLASSES)
    files = find_shards(pattern)
    batch = next(iter(build_dataset(files, find_schema(files)[0], batch_size=100)))
    answer = model["arrays"](frames=batch["frames"], num_frames=batch["num_frames"])
    np.testing.assert_allclose(answer["probabilities"].numpy(), scores, atol=1e-5)


def test_a_vocabulary_gives_the_names(run_of, tmp_path):
    folder = run_of("LogisticModel")
    names = tmp_path / "names.csv"
    names.write_text("".join(f"{i},name {i}\n" for i in range(CLASSES)))
    model = export(folder, tmp_path / "out", f"--vocabulary_file={names}").signatures["arrays"]
    answer = model(video=tf.zeros([1, 40]))
    expected = [f"name {i}" for i in answer["class_indexes"].numpy()[0]]
    assert [n.decode() for n in answer["class_names"].numpy()[0]] == expected
    names.write_text("0,a\n1,b\n")
    flags = [f"--train_dir={folder}", f"--out_dir={tmp_path}", f"--vocabulary_file={names}"]
    assert "has 2 classes, but the model has 12" in refused("export", *flags)


def test_an_older_export_is_replaced_but_nothing_else(run_of, tmp_path):
    folder = run_of("LogisticModel")
    for k in (3, 4):
        model = export(folder, tmp_path / "out", f"--top_k={k}").signatures["arrays"]
        assert model(video=tf.zeros([2, 40]))["predictions"].shape == (2, k)
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["saved_model"]
    (tmp_path / "mine" / "saved_model").mkdir(parents=True)
    flags = [f"--train_dir={folder}", f"--out_dir={tmp_path / 'mine'}"]
    assert "is not a SavedModel, so it is not replaced" in refused("export", *flags)


def test_what_cannot_be_exported_is_refused(run_of, tmp_path):
    out = f"--out_dir={tmp_path / 'out'}"
    folder = run_of("LogisticModel")
    assert "--out_dir is missing" in refused("export", f"--train_dir={folder}")
    assert "set either --train_dir" in refused("export", out)
    assert "MediaPipe gives frames" in refused(
        "export", f"--train_dir={folder}", out, "--default_signature=mediapipe"
    )
    assert "segments are cut from frames" in refused(
        "export", f"--train_dir={folder}", out, "--segment_labels"
    )
    encoder = run_of("ContextEncoderModel")
    assert "predicts no labels" in refused("export", f"--train_dir={encoder}", out)
    assert not (tmp_path / "out").exists()
