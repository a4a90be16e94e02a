"""Videos in and out: what is written is read again, and what is refused."""

import struct
import sys
from contextlib import nullcontext
from fractions import Fraction
from types import SimpleNamespace

import pytest
import torch

from imtrans import images, video
from imtrans.data import photos
from imtrans.metrics import psnr

WITHOUT_AV = "videos need PyAV: pip install av"


@pytest.fixture
def pan():
    """Six frames (1, 3, 48, 64) of a photograph that moves by two pixels per frame."""
    coffee = photos.photo("coffee").picture
    return [coffee[..., 100:148, left : left + 64] for left in range(200, 212, 2)]


@pytest.fixture
def clip(pan, tmp_path):
    """The same as a file."""
    pytest.importorskip("av")
    path = tmp_path / "pan.mp4"
    assert video.write(path, pan, 25) == 6
    return path


@pytest.mark.parametrize("suffix", video.CONTAINERS)
def test_frames_come_back_in_their_order_and_colours(pan, tmp_path, suffix):
    pytest.importorskip("av")
    path = tmp_path / f"pan{suffix}"
    video.write(path, pan, 25)
    frames = list(video.frames(path))
    assert len(frames) == 6
    for frame, wanted in zip(frames, pan, strict=True):
        assert psnr(frame, wanted).item() > 32  # colours at half the resolution cost the most


def test_a_frame_of_one_colour_keeps_it(tmp_path):
    """Encoder and decoder agree on the matrix between RGB and YCbCr: with two different ones red moves by 14 levels."""
    pytest.importorskip("av")
    red = torch.tensor([0.8, 0.2, 0.1]).view(1, 3, 1, 1).expand(1, 3, 32, 32)
    video.write(tmp_path / "red.mp4", [red], 25)
    [frame] = video.frames(tmp_path / "red.mp4")
    assert (frame - red).abs().max() < 3 / 255


def test_a_video_may_have_odd_sides(pan, tmp_path):
    pytest.importorskip("av")
    video.write(tmp_path / "odd.mp4", [picture[..., :47, :63] for picture in pan], 25)
    assert {tuple(frame.shape) for frame in video.frames(tmp_path / "odd.mp4")} == {(1, 3, 47, 63)}


def test_a_video_of_a_phone_held_upright_is_turned(pan, clip):
    """A phone writes its frames lying and this matrix, a quarter turn clockwise, into the header of the track."""
    identity = struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    quarter = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, 48 << 16, 0, 1 << 30)
    content = clip.read_bytes()
    track = content.index(b"tkhd")
    clip.write_bytes(content[:track] + content[track:].replace(identity, quarter, 1))
    frame = next(video.frames(clip))
    assert frame.shape == (1, 3, 64, 48)
    assert psnr(frame, pan[0].rot90(-1, (-2, -1))).item() > 32


def test_gray_pictures_become_gray_frames(tmp_path):
    pytest.importorskip("av")
    video.write(tmp_path / "gray.mp4", [torch.rand(1, 1, 32, 32)], 25)
    [frame] = video.frames(tmp_path / "gray.mp4")
    assert images.is_gray(frame) or (frame - frame.mean(dim=1, keepdim=True)).abs().max() < 4 / 255


@pytest.mark.parametrize("rate", [25, Fraction(30000, 1001)])
def test_the_rate_is_kept(pan, tmp_path, rate):
    pytest.importorskip("av")
    video.write(tmp_path / "pan.mp4", pan, rate)
    assert video.rate(tmp_path / "pan.mp4") == pytest.approx(rate, rel=1e-4)


def of_rates(average, guessed):
    """What stands in the place of PyAV: a file with one stream of these rates."""
    stream = SimpleNamespace(average_rate=average, guessed_rate=guessed)
    container = SimpleNamespace(streams=SimpleNamespace(video=[stream]))
    return lambda: SimpleNamespace(open=lambda path: nullcontext(container))


def test_a_rate_is_guessed_where_the_mean_is_not_known(monkeypatch):
    monkeypatch.setattr(video, "_av", of_rates(None, Fraction(25)))
    assert video.rate("pan.mp4") == 25


def test_a_video_without_a_rate_is_refused(monkeypatch):
    monkeypatch.setattr(video, "_av", of_rates(None, None))
    with pytest.raises(ValueError, match=r"pan\.mp4 does not say how many frames"):
        video.rate("pan.mp4")


def test_a_file_that_is_no_video_is_refused(tmp_path, cat_path):
    pytest.importorskip("av")
    text = tmp_path / "text.mp4"
    text.write_text("no video")
    with pytest.raises(ValueError, match="Invalid data"):
        video.rate(text)
    with pytest.raises(FileNotFoundError):
        next(video.frames(tmp_path / "none.mp4"))


def test_a_failure_leaves_an_existing_video_as_it_was(clip):
    before = clip.read_bytes()

    def pictures():
        yield torch.rand(1, 3, 32, 32)
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        video.write(clip, pictures(), 25)
    assert clip.read_bytes() == before
    assert list(clip.parent.iterdir()) == [clip]


def test_no_video_is_written_without_frames(tmp_path):
    pytest.importorskip("av")
    with pytest.raises(ValueError, match=r"empty\.mp4: a video needs a frame"):
        video.write(tmp_path / "empty.mp4", [], 25)
    assert not list(tmp_path.iterdir())


def test_the_suffix_of_a_target_is_checked(tmp_path):
    with pytest.raises(ValueError, match=r"written as \.mp4 \.mov \.mkv, not as '\.webm'"):
        video.write(tmp_path / "large.webm", [torch.rand(1, 3, 32, 32)], 25)


def test_a_video_is_told_by_its_suffix():
    assert video.is_video("pan.MP4")
    assert not video.is_video("pan.png")


def test_the_missing_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "av", None)
    for call in (lambda: video.rate("pan.mp4"), lambda: video.write(tmp_path / "pan.mp4", [], 25)):
        with pytest.raises(ValueError, match=WITHOUT_AV):
            call()
