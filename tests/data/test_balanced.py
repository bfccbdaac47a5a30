"""In balanced batches all classes are equally frequent; seed and epoch decide the stream."""

import numpy as np
import pytest

from tests.support.records import rgb_audio_means
from yt8m.data.balanced import BalancedRecords
from yt8m.data.files.bad_records import BadRecords
from yt8m.data.files.cache import RecordCache
from yt8m.data.pipeline import build_dataset
from yt8m.data.record_index import build_index
from yt8m.errors import UserError

COUNTS = (400, 120, 40, 8, 0, 2)


@pytest.fixture
def long_tailed(make):
    """570 videos of one label each, their classes as rare as `COUNTS` says."""
    classes = np.random.default_rng(0).permutation(np.repeat(np.arange(6), COUNTS))
    payloads = [rgb_audio_means(i, np.zeros(8), [c]) for i, c in enumerate(classes)]
    return [make.shard(f"l{s}.tfrecord", payloads[s::3]) for s in range(3)]


def balanced_of(files, cache=None):
    return BalancedRecords(build_index(files, "video", 10), files, BadRecords(), cache)


def stream(make, files, balanced, epoch=0, **more):
    dataset = build_dataset(
        files,
        make.video,
        batch_size=10,
        training=True,
        seed=3,
        epoch=epoch,
        balanced=balanced,
        **more,
    )
    batches = list(dataset)
    return [i for b in batches for i in b["id"].numpy().tolist()], np.concatenate(
        [b["labels"].numpy() for b in batches]
    )


def test_classes_come_equally_often(make, long_tailed):
    balanced = balanced_of(long_tailed)
    drawn, records = balanced.draws(5)
    assert len(records) == 570
    assert set(drawn) == {0, 1, 2, 3, 5}
    assert all(c in balanced.index.labels[r] for c, r in zip(drawn, records))
    ids, labels = stream(make, long_tailed, balanced)
    share = labels.sum(0) / labels.sum()
    np.testing.assert_allclose(
        share[[0, 1, 2, 3, 5]], 0.2, atol=0.06
    )  # 570 draws: a standard deviation is 0.017
    assert share[4] == 0
    assert len(set(ids)) > 200  # of the 400 of class 0 about 100 are drawn, of others nearly all


def test_within_a_class_its_videos_come_equally_often(long_tailed):
    balanced = balanced_of(long_tailed)
    drawn, records = (np.concatenate(x) for x in zip(*(balanced.draws(i) for i in range(20))))
    times = np.bincount(records[drawn == 3], minlength=570)
    times = times[times > 0]
    assert len(times) == 8
    assert times.min() > 0.75 * times.mean()
    assert times.max() < 1.25 * times.mean()


def test_a_video_keeps_all_its_labels(make):
    files = make.shards("video", 57, 3)
    ids, labels = stream(make, files, balanced_of(files))
    assert len(ids) == 50  # as many draws as records, in whole batches
    for name, row in zip(ids, labels):
        assert np.flatnonzero(row).tolist() == make.labels(int(name[1:]))


def test_equal_seed_and_epoch_give_an_equal_stream_and_others_another(make, long_tailed):
    one, again = (stream(make, long_tailed, balanced_of(long_tailed))[0] for _ in range(2))
    assert one == again
    assert stream(make, long_tailed, balanced_of(long_tailed), epoch=1)[0] != one


def test_goes_on_in_mid_epoch(make, long_tailed):
    balanced = balanced_of(long_tailed)
    whole = stream(make, long_tailed, balanced)[0]
    assert stream(make, long_tailed, balanced, skip_examples=130)[0] == whole[130:]


def test_two_workers_share_the_draws(make, long_tailed):
    balanced = balanced_of(long_tailed)
    whole = stream(make, long_tailed, balanced)[0]
    for worker in (0, 1):
        part = stream(make, long_tailed, balanced, worker=(worker, 2))[0]
        assert part == whole[worker::2][: len(part)]
        assert len(part) == 280


def test_frames_and_a_cache(make, tmp_path):
    files = make.shards("frame", 30, 3)
    cached = BalancedRecords(
        build_index(files, "frame", 10), files, BadRecords(), RecordCache(str(tmp_path / "cache"))
    )
    for batch in build_dataset(files, make.frame, batch_size=5, training=True, balanced=cached):
        for name, frames, n in zip(
            batch["id"].numpy(), batch["frames"].numpy(), batch["num_frames"].numpy()
        ):
            expected = make.frame_values(int(name[1:]))[:12]
            np.testing.assert_array_equal(frames[:n], expected)
    assert len(list((tmp_path / "cache").iterdir())) == 3


def test_a_shard_that_changed_is_refused(make, long_tailed):
    balanced = balanced_of(long_tailed)
    make.shard("l1.tfrecord", [make.video_payload(1)])
    message = r"l1.tfrecord no longer has a record of .* the shard has changed"
    with pytest.raises(UserError, match=message), balanced.bad.explained(10):
        stream(make, long_tailed, balanced)
