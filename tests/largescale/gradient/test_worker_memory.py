"""A worker of step 3 takes the memory that was predicted for it."""

import dataclasses

import pytest

from benchmarks import step3_memory
from tests.largescale.gradient.test_full_batch import FRAME, VIDEO, randomised
from yt8m.data.schema import SEGMENT_FRAMES
from yt8m.largescale.gradient.shard_gradient import GradientSettings
from yt8m.largescale.gradient.worker_memory import predict
from yt8m.largescale.tasks.record_source import RecordSource

ROW = step3_memory.Row("DbofBasic", 100, 256, 256, num_classes=50, experts=2)


def test_the_peak_of_a_process_is_the_predicted_one(monkeypatch):
    # The C library keeps freed blocks of some megabytes, and how many depends on how threads meet:
    # on a busy machine up to a quarter of the peak was seen. Now it gives them back at once.
    monkeypatch.setenv("MALLOC_MMAP_THRESHOLD_", str(2**20))
    found = step3_memory.run(ROW)
    assert found["examples"] == step3_memory.BATCHES * ROW.batch_size
    assert found["total"] == pytest.approx(found["peak"], rel=0.2)
    # What follows from the shapes is more than the error that is allowed.
    assert found["step"] + found["batches"] > 0.3 * found["peak"]


@pytest.mark.parametrize(("name", "schema"), [("DbofResNet", FRAME), ("VideoDbofCgate", VIDEO)])
def test_videos_take_memory_in_proportion_and_a_frozen_head_is_shared(name, schema):
    model = randomised(name, width=8, num_mixtures=2)

    def memory(rows, frozen=("head",)):
        source = RecordSource(schema, rows)
        return predict(model, GradientSettings.of(model, frozen, "CrossEntropyLoss", source))

    few, many, more = memory(10_000), memory(20_000), memory(30_000)
    assert many.step - few.step == pytest.approx(more.step - many.step, rel=0.02)
    assert many.batches == 2 * few.batches
    assert (few.weights, few.shared, few.sums) == (many.weights, many.shared, many.sums)
    head = 4 * sum(v.numpy().size for v in model.head.variables)
    assert few.total - few.own == few.shared == few.weights + head
    assert few.growth == few.own - few.process - few.weights
    whole = memory(10_000, frozen=())
    assert whole.weights == whole.shared == 4 * sum(w.numpy().size for w in model.weights)
    assert whole.sums == 3 * sum(4 * w.numpy().size for w in model.trainable_variables)


def test_segments_have_five_frames_and_weights_of_their_labels():
    model, segments = (
        randomised("DbofBasic", width=8),
        dataclasses.replace(FRAME, segment_labels=True),
    )

    def batches(schema):
        source = RecordSource(schema, 10)
        return predict(model, GradientSettings.of(model, ("head",), "HingeLoss", source)).batches

    frames = (FRAME.max_frames - SEGMENT_FRAMES) * FRAME.feature_size
    assert batches(FRAME) - batches(segments) == 5 * 10 * (frames - 4 * FRAME.num_classes)
    floats = dataclasses.replace(FRAME, float_frames=True, frames_as="float32")
    more = 3 * FRAME.max_frames * FRAME.feature_size
    assert batches(floats) - batches(FRAME) == 5 * 10 * more


def test_the_parts_are_all_of_it():
    model = randomised("VideoDbofBasic", width=8)
    settings = GradientSettings.of(model, ("head",), "CrossEntropyLoss", RecordSource(VIDEO, 10))
    found = predict(model, settings)
    assert found.total == sum(dataclasses.asdict(found).values())
