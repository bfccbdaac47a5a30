"""Frame dropping, mixup and label smoothing do what NumPy says, and again for the same key."""

import numpy as np
import pytest
import tensorflow as tf

from yt8m.data.augment.batches import Augmentation
from yt8m.data.augment.drop_frames import drop_frames
from yt8m.data.augment.mixup import mix, partners, shares

B, T, D, K = 40, 6, 3, 4
KEY = tf.constant([5, 7], tf.int64)


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    lengths = rng.integers(0, T + 1, B).astype(np.int32)
    lengths[:3] = 0, 1, T
    frames = rng.integers(1, 256, (B, T, D)).astype(np.uint8)
    frames[np.arange(T) >= lengths[:, None]] = 0
    labels = (rng.random((B, K)) < 0.4).astype(np.uint8)
    teacher = rng.random((B, K)).astype(np.float32)
    teacher[4] = -1
    found = {"frames": frames, "num_frames": lengths, "labels": labels, "teacher": teacher}
    return {name: tf.constant(value) for name, value in found.items()}


def drawn(alpha=0.4):
    """Return the shares and partners that `mix` draws with `KEY`."""
    fold = tf.random.experimental.stateless_fold_in
    return shares(alpha, B, fold(KEY, 1)).numpy(), partners(B, fold(KEY, 2)).numpy()


def test_mixed_frames_and_targets_are_weighted_means(batch):
    found = {name: value.numpy() for name, value in mix(batch, 0.4, KEY).items()}
    share, other = drawn()
    old = {name: value.numpy() for name, value in batch.items()}
    for i, (s, j) in enumerate(zip(share, other)):
        n, m = old["num_frames"][i], old["num_frames"][j]
        for t in range(T):
            theirs = old["frames"][j, t % m] if m else old["frames"][i, t]
            expected = s * old["frames"][i, t] + (1 - s) * theirs if t < n else 0.0 * theirs
            assert np.abs(found["frames"][i, t] - expected).max() <= 0.5001
        np.testing.assert_allclose(
            found["targets"][i], s * old["labels"][i] + (1 - s) * old["labels"][j], rtol=1e-5
        )
        if 4 in (i, j):
            assert (found["teacher"][i] == -1).all()
        else:
            q = s * old["teacher"][i] + (1 - s) * old["teacher"][j]
            np.testing.assert_allclose(found["teacher"][i], q, rtol=1e-5)
    for name in ("labels", "num_frames"):
        np.testing.assert_array_equal(found[name], old[name])
    assert found["frames"].dtype == np.uint8


def test_mixed_means_are_weighted_means(batch):
    video = np.random.default_rng(1).normal(size=(B, D)).astype(np.float32)
    found = mix({"video": tf.constant(video), "labels": batch["labels"]}, 0.4, KEY)["video"]
    share, other = drawn()
    expected = share[:, None] * video + (1 - share[:, None]) * video[other]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_shares_have_the_distribution_of_the_larger_of_two_and_everyone_another_partner():
    many = shares(0.4, 20000, KEY).numpy()
    rng = np.random.default_rng(0).beta(0.4, 0.4, 20000)
    expected = np.maximum(rng, 1 - rng)
    assert many.min() >= 0.5
    assert many.max() <= 1
    np.testing.assert_allclose(
        np.quantile(many, [0.1, 0.5, 0.9]), np.quantile(expected, [0.1, 0.5, 0.9]), atol=0.01
    )
    other = partners(B, KEY).numpy()
    assert sorted(other) == list(range(B))
    assert (other != np.arange(B)).all()
    assert np.isfinite(shares(1e-3, 1000, KEY)).all()


@pytest.mark.parametrize("probability", [0.3, 0.99])
def test_the_frames_that_stay_keep_their_order_and_one_always_stays(batch, probability):
    found = drop_frames(batch, probability, KEY)
    new, left = found["frames"].numpy(), found["num_frames"].numpy()
    old, lengths = batch["frames"].numpy(), batch["num_frames"].numpy()
    assert ((left >= 1) == (lengths >= 1)).all()
    assert (left <= lengths).all()
    if probability > 0.5:
        assert left.mean() < 1.2
    else:
        assert left.sum() == pytest.approx(0.7 * lengths.sum(), rel=0.2)
    for i in range(B):
        assert (new[i, left[i] :] == 0).all()
        rest = iter(old[i, : lengths[i]].tolist())
        assert all(frame in rest for frame in new[i, : left[i]].tolist())


def test_smoothed_targets_move_towards_the_label_frequencies(batch):
    priors = np.linspace(0.1, 0.4, K)
    found = Augmentation(smoothing=0.2, priors=priors).change(batch, KEY)
    np.testing.assert_allclose(
        found["targets"], 0.8 * batch["labels"].numpy() + 0.2 * priors, rtol=1e-6
    )
    with pytest.raises(ValueError, match="label frequencies"):
        Augmentation(smoothing=0.2).change(batch, KEY)


def test_a_batch_depends_on_its_place_in_the_pass_alone(batch):
    change = Augmentation(0.3, 0.4, 0.1, np.full(K, 0.2))
    one = tf.data.Dataset.from_tensors(batch)

    def frames(data, **place):
        applied = change.apply(data, **{"seed": 1, "epoch": 0, **place})
        return [b["frames"].numpy() for b in applied]

    whole = frames(one.repeat(4))
    np.testing.assert_array_equal(whole[2:], frames(one.repeat(2), first=2))
    assert (whole[0] != whole[1]).any()
    for other in ({"epoch": 1}, {"seed": 2}, {"worker": 1}):
        assert (frames(one, **other)[0] != whole[0]).any()
    assert Augmentation().apply(one, 1, 0) is one
