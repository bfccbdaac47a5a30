"""Pictures and sound of small videos that are made here."""

import sys

import numpy as np
import pytest

from yt8m.errors import UserError
from yt8m.extract.log_mel import log_mel, mel_matrix
from yt8m.extract.media import RATE, pictures, sound

av = pytest.importorskip("av", reason="the extra `extract` is not installed")


def make_video(path, seconds, rate=5, hertz=1000.0, sound_rate=44100):
    """Write a video whose pictures get redder by the second, with a tone."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 32, 24, "yuv420p"
        tone = out.add_stream("aac", rate=sound_rate, layout="stereo") if hertz else None
        for i in range(seconds * rate):
            picture = np.zeros([24, 32, 3], np.uint8)
            picture[:, :, 0], picture[:, :, 2] = 20 * (i // rate), 10
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode(None))
        if tone:
            wave = 0.5 * np.sin(2 * np.pi * hertz * np.arange(seconds * sound_rate) / sound_rate)
            for start in range(0, len(wave), 1024):
                part = np.tile(wave[start : start + 1024], (2, 1)).astype(np.float32)
                frame = av.AudioFrame.from_ndarray(part, format="fltp", layout="stereo")
                frame.sample_rate, frame.pts = sound_rate, start
                out.mux(tone.encode(frame))
            out.mux(tone.encode(None))
    return str(path)


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return make_video(tmp_path_factory.mktemp("videos") / "red.mp4", 7)


def test_a_picture_a_second_in_the_order_of_rgb(video):
    found = list(pictures(video))
    assert [p.shape for p in found] == [(24, 32, 3)] * 7
    red = [float(p[..., 0].mean()) for p in found]
    assert red == pytest.approx([20 * i for i in range(7)], abs=8)
    assert all(p[..., 1].mean() < 8 for p in found)


def test_other_intervals_and_a_limit(video):
    assert len(list(pictures(video, every=2.0))) == 4
    assert len(list(pictures(video, every=0.4))) == 18
    assert len(list(pictures(video, at_most=3))) == 3


def test_the_sound_is_mono_at_16_khz_with_its_tone(video):
    found = sound(video)
    assert found.dtype == np.float32
    assert len(found) / RATE == pytest.approx(7, abs=0.2)
    spectrum = np.abs(np.fft.rfft(found[RATE : 2 * RATE]))
    assert int(spectrum.argmax()) == 1000  # Hz
    assert 0.45 < np.abs(found[RATE : 2 * RATE]).max() < 0.55  # the mean of both channels
    assert len(sound(video, at_most=2.5)) == 2.5 * RATE


def test_what_cannot_be_decoded_is_named(video, tmp_path, monkeypatch):
    (tmp_path / "text.mp4").write_text("no video")
    silent = make_video(tmp_path / "silent.mp4", 1, hertz=0.0)
    with pytest.raises(UserError, match=r"text\.mp4 cannot be decoded"):
        list(pictures(str(tmp_path / "text.mp4")))
    with pytest.raises(UserError, match="has no sound"):
        sound(silent)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(UserError, match=r"pip install '\.\[extract\]'"):
        sound(video)


def test_log_mel_is_that_of_its_definition():
    """By the formulas, without the code's own vectors: one row at a time, one band at a time."""
    rng = np.random.default_rng(0)
    samples = rng.normal(size=RATE * 2 + 15_600).astype(np.float32) * 0.1
    found = log_mel(samples)
    assert found.shape == (3, 96, 64)
    assert found.dtype == np.float32
    second, row, band = 1, 17, 30
    start = (second * 100 + row) * 160
    window = [0.5 - 0.5 * np.cos(2 * np.pi * n / 400) for n in range(400)]
    magnitude = np.abs(np.fft.fft(samples[start : start + 400] * window, 512))[:257]
    mel = [1127 * np.log(1 + 31.25 * k / 700) for k in range(257)]
    low, high = (1127 * np.log(1 + f / 700) for f in (125.0, 7500.0))
    step = (high - low) / 65
    center = low + (band + 1) * step
    weights = [max(0.0, 1 - abs(m - center) / step) for m in mel]
    assert found[second, row, band] == pytest.approx(np.log(weights @ magnitude + 0.01), rel=1e-5)
    np.testing.assert_allclose(mel_matrix()[:, band], weights, atol=1e-9)


@pytest.mark.parametrize(
    ("samples", "seconds"), [(0, 0), (15_359, 0), (15_600, 1), (31_599, 1), (31_600, 2)]
)
def test_a_second_counts_if_its_first_96_rows_are_there(samples, seconds):
    assert log_mel(np.zeros(samples)).shape == (seconds, 96, 64)
