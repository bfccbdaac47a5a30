"""What `RecordedArguments` records, and that Keras does not see the record."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from yt8m.layers.recorded_arguments import RecordedArguments


class Base(RecordedArguments, tf.keras.layers.Layer):
    def __init__(self, width: int, sizes: Any = (1, 2), method: str = "mean", **kwargs: Any):
        super().__init__(**kwargs)
        self.kept = [width]


class Derived(Base):
    def __init__(self, width: int = 3, groups: Any = None, **kwargs: Any):
        super().__init__(width * 2, **kwargs)


class Max(Base):
    def __init__(self, **kwargs: Any):
        super().__init__(7, method="max", **kwargs)


class OnTopOfMax(Max):
    def __init__(self, more: bool = False, **kwargs: Any):
        super().__init__(**kwargs)


class FixesThroughAnother(OnTopOfMax):
    def __init__(self, **kwargs: Any):
        super().__init__(sizes=[9], **kwargs)


class Inherits(Derived):
    pass


class FromText(Base):
    def __init__(self, sizes: Any, **kwargs: Any):
        super().__init__(1, **kwargs)
        self.record_arguments(sizes=[int(s) for s in sizes.split(",")])


class BaseRewrites(RecordedArguments):
    def __init__(self, sizes: Any = (1,), method: str = "a"):
        self.record_arguments(sizes=list(sizes) * 2, method=method.upper())


class OneIsFixed(BaseRewrites):
    def __init__(self, method: str = "b"):
        super().__init__(sizes=[1], method=method)


class SmallModel(RecordedArguments, tf.keras.Model):
    def __init__(self, groups: Any, depth: int = 1, **kwargs: Any):
        super().__init__(**kwargs)
        self.dense = tf.keras.layers.Dense(2)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return self.dense(x)

    def get_config(self) -> dict[str, Any]:
        return self.recorded_arguments()


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (lambda: Base(5), {"width": 5, "sizes": [1, 2], "method": "mean"}),
        (lambda: Base(width=5, sizes=[]), {"width": 5, "sizes": [], "method": "mean"}),
        (
            lambda: Base(np.int64(5), np.arange(2), name="own", dtype="float64"),
            {"width": 5, "sizes": [0, 1], "method": "mean"},
        ),
        (
            lambda: Derived(4, [{"classes": (0, np.int32(1))}], method="max"),
            {"width": 4, "sizes": [1, 2], "method": "max", "groups": [{"classes": [0, 1]}]},
        ),
        (lambda: Inherits(), {"width": 3, "sizes": [1, 2], "method": "mean", "groups": None}),
        (lambda: Max(), {"sizes": [1, 2]}),
        (lambda: OnTopOfMax(sizes=[3]), {"sizes": [3], "more": False}),
        (lambda: FixesThroughAnother(more=True), {"more": True}),
        (lambda: FromText("4,5"), {"sizes": [4, 5], "method": "mean"}),
        (lambda: BaseRewrites((4,)), {"sizes": [4, 4], "method": "A"}),
        (lambda: OneIsFixed(), {"method": "B"}),
    ],
)
def test_records_every_argument_that_the_class_accepts(made: Any, expected: dict[str, Any]):
    made = made()
    found = made.recorded_arguments()
    assert found == expected
    assert list(found) == list(expected)
    assert json.loads(json.dumps(found)) == found


def test_an_object_can_be_made_again_from_its_record():
    for made in (Derived(4, [1]), OnTopOfMax(sizes=[3]), FixesThroughAnother(), Inherits(width=9)):
        again = type(made)(**made.recorded_arguments())
        assert again.recorded_arguments() == made.recorded_arguments()


def test_the_record_does_not_follow_later_changes_of_lists():
    sizes = [1, 2]
    made = Base(1, sizes=sizes)
    sizes.append(4)
    made.recorded_arguments()["sizes"].append(3)
    assert made.recorded_arguments()["sizes"] == [1, 2]


def test_refusals():
    with pytest.raises(TypeError, match="'sizes' of Base is a object"):
        Base(1, sizes=object()).recorded_arguments()
    with pytest.raises(TypeError, match="no constructor argument 'height'"):
        Base(1).record_arguments(height=2)
    with pytest.raises(TypeError, match="width"):
        Base()
    with pytest.raises(TypeError, match="unexpected"):
        OneIsFixed(unexpected=1)


def test_keras_does_not_track_the_record(tmp_path):
    model = SmallModel(groups=[{"classes": [0, 1]}, {"classes": []}])
    model(tf.zeros([1, 3]))
    names = [
        name
        for name, _ in tf.train.list_variables(
            tf.train.Checkpoint(model=model).write(str(tmp_path / "c"))
        )
    ]
    assert not [name for name in names if "groups" in name or "recorded" in name]
    model.save_weights(str(tmp_path / "m.weights.h5"))
    again = SmallModel.from_config(model.get_config())
    again(tf.zeros([1, 3]))
    again.load_weights(str(tmp_path / "m.weights.h5"))
    assert np.array_equal(again.dense.kernel, model.dense.kernel)
    assert model.get_config() == {"groups": [{"classes": [0, 1]}, {"classes": []}], "depth": 1}
