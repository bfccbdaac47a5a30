"""What tasks read is what the pipeline of an evaluation reads."""

import numpy as np
import pytest

from tests.support.records import arrays
from yt8m.data.files.shards import find_shards
from yt8m.data.find_schema import find_schema
from yt8m.data.pipeline import build_dataset
from yt8m.data.records.sampling import FrameSampling
from yt8m.largescale.tasks.record_source import RecordSource


@pytest.mark.parametrize("sampling", [FrameSampling(), FrameSampling("even", 5)])
def test_the_chosen_frames_are_those_of_the_pipeline(sampling, small_data):
    files = find_shards(small_data.pattern("validate", "frame"))[:1]
    schema, _ = find_schema(files, max_frames=16)
    expected = arrays(build_dataset(files, schema, batch_size=16, sampling=sampling))
    batches = RecordSource(schema, 16, sampling=sampling).batches(files, None, [])
    found = list(batches)
    assert expected["frames"].shape[1] == (sampling.num_frames or 16)
    for key, values in expected.items():
        np.testing.assert_array_equal(np.concatenate([np.asarray(b[key]) for b in found]), values)
