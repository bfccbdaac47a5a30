"""Derived values of the schema."""

from yt8m.data.schema import RecordSchema


def test_derived_values():
    schema = RecordSchema("frame", ("rgb", "audio"), (1024, 128), 3862)
    assert schema.feature_size == 1152
    assert schema.keys == ("rgb", "audio")
    assert RecordSchema("frame", ("rgb",), (4,), 3, feature_keys=("RGB/feature/floats",)).keys == (
        "RGB/feature/floats",
    )
