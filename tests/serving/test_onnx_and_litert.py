"""ONNX and LiteRT files agree with the model, and run without TensorFlow or this package."""

import dataclasses
import json
import sys

import numpy as np
import pytest
import tensorflow as tf

from tests.serving.conftest import in_fresh_process
from tests.support.commands import refused, run_command
from tests.support.every_model import every_model
from tests.support.models import SIZES, B, K, T, batch_for, make
from yt8m.compat import KERAS_3
from yt8m.data.records.sampling import FrameSampling
from yt8m.data.schema import RecordSchema
from yt8m.errors import UserError
from yt8m.serving import onnx_file as onnx_module
from yt8m.serving.litert_file import litert_file
from yt8m.serving.onnx_file import onnx_file
from yt8m.serving.signatures import Signatures

# The extra `onnx` is part of the test environment of the newer lane only.
ONNX = pytest.mark.skipif(sys.version_info < (3, 12), reason="the extra onnx is not installed")

# Neither converter takes their loop over windows; docs/deployment.md says so.
REFUSED = ("HierarchicalGruModel", "LayerNormHierarchicalGruModel")
# The converter of TensorFlow 2.15 makes a wrong product of the decoder's attention.
NO_LITERT = (*REFUSED, *(() if KERAS_3 else ("LabelDecoderModel",)))


def signatures_of(model, **more):
    names = ("mean_rgb", "mean_audio") if model.level == "video" else ("rgb", "audio")
    schema = RecordSchema(model.level, names, SIZES, K, max_frames=T, **more)
    return Signatures(model, schema, FrameSampling(), [str(c) for c in range(K)], K)


def numbers(inputs):
    return {key: value.numpy() for key, value in inputs.items()}


def of_onnx(content, inputs):
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return session.run(["probabilities"], numbers(inputs))[0]


def of_litert(content, inputs):
    """Return the probabilities of all videos, one after the other."""
    runner = tf.lite.Interpreter(model_content=content).get_signature_runner("arrays")
    rows = [{key: value[i : i + 1] for key, value in numbers(inputs).items()} for i in range(B)]
    return np.concatenate([runner(**row)["probabilities"] for row in rows])


@ONNX
@pytest.mark.parametrize("name", every_model())
def test_onnx_agrees_for_every_model(name):
    model = make(name)
    if name in REFUSED:
        with pytest.raises(UserError, match=f"cannot convert this {name}"):
            onnx_file(signatures_of(model))
        return
    content = onnx_file(signatures_of(model))
    for frames in (T, 5):  # fewer frames than the run's need no padding
        inputs = batch_for(model, frames=frames)
        found = of_onnx(content, inputs)
        np.testing.assert_allclose(found, model(inputs, training=False), atol=1e-5)


@pytest.mark.parametrize("name", every_model())
def test_litert_agrees_for_every_model(name):
    model = make(name)
    inputs = batch_for(model)
    if name in NO_LITERT:
        with pytest.raises(UserError, match=f"this {name} cannot be converted"):
            litert_file(signatures_of(model))
        return
    found = of_litert(litert_file(signatures_of(model)), inputs)
    np.testing.assert_allclose(found, model(inputs, training=False), atol=1e-5)


LOADS = """
import json, sys
import numpy as np, onnxruntime
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
inputs = {key: np.array(value, kind) for key, (value, kind) in json.loads(sys.argv[2]).items()}
answer = session.run(["probabilities"], inputs)[0]
assert not {"tensorflow", "yt8m"} & set(sys.modules)
print(json.dumps(answer.tolist()))
"""


@ONNX
def test_a_process_with_onnx_runtime_alone_agrees(tmp_path):
    model = make("LstmModel")
    inputs = batch_for(model)
    path = tmp_path / "model.onnx"
    path.write_bytes(onnx_file(signatures_of(model)))
    arrays = {key: (value.tolist(), str(value.dtype)) for key, value in numbers(inputs).items()}
    found = json.loads(in_fresh_process(LOADS, path, json.dumps(arrays)))
    np.testing.assert_allclose(found, model(inputs, training=False), atol=1e-5)


def test_quantized_files_are_smaller_and_close():
    model = make("MoeModel", num_classes=200)
    signatures = signatures_of(model)
    signatures = dataclasses.replace(
        signatures, schema=dataclasses.replace(signatures.schema, num_classes=200)
    )
    inputs, sizes = batch_for(model), []
    expected = model(inputs, training=False).numpy()
    for quantize, error in (("none", 1e-5), ("float16", 2e-3), ("int8", 2e-2)):
        content = litert_file(signatures, quantize)
        sizes.append(len(content))
        np.testing.assert_allclose(of_litert(content, inputs), expected, atol=error)
    assert sizes[0] > 1.5 * sizes[1] > 1.5 * sizes[2]


def test_the_command_writes_each_format(run_of, tmp_path, monkeypatch):
    """A run in bfloat16 is exported in float32 where the format wants that."""
    folder, out = run_of("MoeModel", dtype="bfloat16"), tmp_path / "out"
    where = (f"--train_dir={folder}", f"--out_dir={out}")
    ended = run_command("export", *where, "--format=litert", "--quantize=int8")
    assert ended.code == 0, ended.err
    assert [path.name for path in out.iterdir()] == ["model_int8.tflite"]
    assert "expected one or more of saved_model, onnx, litert" in refused(
        "export", *where, "--format=tflite"
    )
    assert "applies to LiteRT only" in refused("export", *where, "--quantize=int8")
    (tmp_path / "file").write_text("")
    blocked = f"--out_dir={tmp_path / 'file' / 'x'}"
    assert "cannot be written" in refused("export", where[0], blocked, "--format=litert")
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    assert "pip install 'yt8m[onnx]'" in refused("export", *where, "--format=onnx")


@ONNX
def test_a_model_that_onnx_cannot_hold_is_refused(monkeypatch):
    signatures = signatures_of(make("MoeModel"))
    with monkeypatch.context() as patch:
        patch.setattr(onnx_module, "_LARGEST", 10)
        with pytest.raises(UserError, match="an ONNX file holds 2"):
            onnx_file(signatures)
    import tf2onnx

    def fails(*_, **__):
        raise ValueError("Tensorflow op [x: Strange] is not supported")

    monkeypatch.setattr(tf2onnx.convert, "from_function", fails)
    with pytest.raises(UserError, match=r"cannot convert this MoeModel .*Strange"):
        onnx_file(signatures)


def test_an_operation_that_litert_lacks_is_named(monkeypatch):
    signatures = signatures_of(make("MoeModel"))

    def strange(self, *arrays):
        return {"probabilities": tf.math.betainc(2.0, 3.0, tf.sigmoid(arrays[0]))}

    monkeypatch.setattr(Signatures, "probabilities_of", strange)
    with pytest.raises(
        UserError, match=r"this MoeModel cannot be converted \(LiteRT has no Betainc"
    ):
        litert_file(signatures)
