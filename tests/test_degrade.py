"""The forward models."""

import io
import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.ndimage import gaussian_filter

from imtrans.color import rgb_to_y
from imtrans.data import photos
from imtrans.degrade import (
    BlurDown,
    Degradation,
    Downscale,
    GaussianNoise,
    Grayscale,
    Jpeg,
    Mask,
    bicubic_down,
    bicubic_down_up,
    blur_down,
    gaussian_noise,
    grayscale,
    jpeg,
    lanczos_down,
    pixel_mask,
)
from imtrans.images import to_float, to_uint8
from imtrans.metrics import psnr
from imtrans.resize import imresize


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_bicubic(scale):
    x = torch.rand(2, 3, 24, 36)
    low_res = bicubic_down(x, scale)
    assert low_res.shape == (2, 3, 24 // scale, 36 // scale)
    assert torch.equal(low_res, imresize(x, Fraction(1, scale)))
    assert torch.equal(bicubic_down_up(x, scale), imresize(low_res, scale))
    assert bicubic_down(x[..., :-1, :-1], scale).shape == low_res.shape  # rounded up
    assert bicubic_down(to_uint8(x), scale).dtype == torch.uint8


def test_down_up_wants_multiples():
    with pytest.raises(ValueError, match=r"sides \(24, 35\) are not multiples of 3"):
        bicubic_down_up(torch.rand(1, 1, 24, 35), 3)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("sigma", [0.8, 1.3])
def test_blur_down_against_scipy(scale, sigma):
    x = torch.rand(1, 3, 24, 36, dtype=torch.float64)
    blurred = np.stack([gaussian_filter(c, sigma, mode="nearest", radius=round(4 * sigma)) for c in x[0].numpy()])
    start = (scale - 1) // 2
    assert np.allclose(blur_down(x, scale, sigma)[0].numpy(), blurred[:, start::scale, start::scale])
    assert torch.allclose(blur_down(torch.full_like(x, 0.4), scale, sigma), torch.tensor(0.4, dtype=x.dtype))


def test_a_blur_and_a_grid_want_multiples():
    with pytest.raises(ValueError, match=r"sides \(24, 35\) are not multiples of 3"):
        blur_down(torch.rand(1, 1, 24, 35), 3, 1.0)


def test_noise_is_not_added_to_8_bit_levels():
    with pytest.raises(ValueError, match="wanted floats"):
        gaussian_noise(torch.zeros(1, 1, 4, 4, dtype=torch.uint8), 25, seed=0)


def test_noise_is_frozen_and_of_the_right_size():
    x = torch.full((1, 1, 200, 200), 0.02)
    y = gaussian_noise(x, 25, seed=3)
    assert torch.equal(y, gaussian_noise(x, 25, seed=3))
    assert not torch.equal(y, gaussian_noise(x, 25, seed=4))
    assert y.dtype == torch.float32
    assert y.min() < 0  # not clipped
    v = (y - x) * 255
    assert v.std().item() == pytest.approx(25, abs=0.4)
    assert v.mean().item() == pytest.approx(0, abs=0.5)
    # numpy promises this stream for good: the first numbers of RandomState(0), in levels
    first = gaussian_noise(torch.zeros(1, 1, 1, 3, dtype=torch.float64), 255, seed=0).flatten()
    assert first.tolist() == pytest.approx([1.764052345967664, 0.4001572083672233, 0.9787379841057392])


# --- JPEG ------------------------------------------------------------------------------------------------


def by_pillow(levels: np.ndarray, **options) -> np.ndarray:
    """(H, W) or (H, W, 3) levels through a JPEG file."""
    file = io.BytesIO()
    Image.fromarray(levels).save(file, "JPEG", **options)
    return np.asarray(Image.open(file))


def cat(channels: int) -> torch.Tensor:
    """A part of a photograph whose sides are no multiples of 8."""
    return photos.photo("chelsea").picture[:, :channels, 100:171, 140:222]


@pytest.mark.parametrize("quality", [1, 10, 40, 95])
def test_jpeg_of_gray_is_one_channel(quality):
    x = cat(1)
    levels = to_uint8(x)[0, 0].numpy()
    assert np.array_equal(to_uint8(jpeg(x, quality))[0, 0].numpy(), by_pillow(levels, quality=quality))


@pytest.mark.parametrize("quality", [1, 10, 40, 95])
def test_jpeg_of_colour_halves_the_colours(quality):
    x = cat(3)
    levels = to_uint8(x)[0].permute(1, 2, 0).numpy()
    decoded = to_uint8(jpeg(x, quality))[0].permute(1, 2, 0).numpy()
    assert np.array_equal(decoded, by_pillow(levels, quality=quality, subsampling=2))  # 2 is 4:2:0
    assert not np.array_equal(decoded, by_pillow(levels, quality=quality, subsampling=0))


def test_jpeg_takes_each_picture_on_its_own():
    x = torch.stack([cat(3)[0], cat(3)[0].flip(-1)])
    decoded = jpeg(x, 20)
    assert decoded.shape == x.shape
    assert torch.equal(decoded, torch.cat([jpeg(x[:1], 20), jpeg(x[1:], 20)]))
    assert torch.equal(decoded, to_float(to_uint8(decoded)))
    assert jpeg(x.double(), 20).dtype == torch.float64
    assert torch.equal(jpeg(4 * x - 1, 20), jpeg((4 * x - 1).clamp(0, 1), 20))


@settings(max_examples=15, deadline=None)
@given(channels=st.sampled_from([1, 3]), height=st.integers(1, 20), width=st.integers(1, 20))
def test_jpeg_keeps_any_size(channels, height, width):
    flat = torch.full((1, channels, height, width), 128 / 255)
    assert torch.equal(jpeg(flat, 50), flat)  # 128 is JPEG's own zero


@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_is_worse_at_lower_quality(channels):
    x = cat(channels)
    scores = [psnr(jpeg(x, quality), x).item() for quality in (5, 10, 20, 40, 80, 100)]
    assert scores == sorted(scores)
    assert scores[1] > 20
    assert scores[-1] > {1: 52, 3: 38}[channels]  # the colours lose half their resolution at any quality


@pytest.mark.parametrize(
    ("channels", "quality", "message"),
    [(1, 0, "from 1 to 100, got 0"), (3, 101, "from 1 to 100, got 101"), (2, 50, "1 or 3 channels, got 2")],
)
def test_jpeg_arguments(channels, quality, message):
    with pytest.raises(ValueError, match=message):
        jpeg(torch.rand(1, channels, 16, 16), quality)


# --- missing pixels --------------------------------------------------------------------------------------


@pytest.mark.parametrize("keep", [0.02, 0.5, 0.9])
def test_pixels_are_kept_one_by_one(keep):
    mask = pixel_mask(120, 170, keep, seed=3)
    assert mask.shape == (1, 1, 120, 170)
    assert mask.dtype == torch.float32
    assert set(mask.unique().tolist()) == {0.0, 1.0}
    spread = (keep * (1 - keep) / mask.numel()) ** 0.5
    assert mask.mean().item() == pytest.approx(keep, abs=4 * spread)
    neighbours = (mask[..., 1:] * mask[..., :-1]).mean().item()  # both of two neighbours, by chance alone
    assert neighbours == pytest.approx(keep**2, abs=4 * keep / mask.numel() ** 0.5)
    torch.manual_seed(1)
    assert torch.equal(mask, pixel_mask(120, 170, keep, seed=3))
    assert not torch.equal(mask, pixel_mask(120, 170, keep, seed=4))


def test_all_pixels_or_none():
    assert pixel_mask(5, 6, 1, seed=0).all()
    assert not pixel_mask(5, 6, 0, seed=0).any()


# --- Deep Image Prior's downsampling ---------------------------------------------------------------------


def lanczos_by_hand(picture: np.ndarray, scale: int) -> np.ndarray:
    """(H, W) by a kernel of 4s×4s taps, one output pixel after the other, as the authors build it."""
    side = 4 * scale
    kernel = np.zeros((side, side))
    for i in range(1, side + 1):
        for j in range(1, side + 1):
            kernel[i - 1, j - 1] = 1
            for k in (i, j):
                d = abs(k + 0.5 - (side + 2) / 2) / scale
                kernel[i - 1, j - 1] *= (
                    1 if d == 0 else 2 * math.sin(math.pi * d) * math.sin(math.pi * d / 2) / (math.pi * d) ** 2
                )
    kernel /= kernel.sum()
    padded = np.pad(picture, (side - scale) // 2, mode="edge")
    small = np.zeros((picture.shape[0] // scale, picture.shape[1] // scale))
    for y, x in np.ndindex(small.shape):
        small[y, x] = (kernel * padded[y * scale : y * scale + side, x * scale : x * scale + side]).sum()
    return small


@settings(max_examples=15, deadline=None)
@given(scale=st.sampled_from([2, 4, 8]), rows=st.integers(1, 4), columns=st.integers(1, 4))
def test_lanczos_down_against_loops(scale, rows, columns):
    x = torch.rand(2, 3, scale * rows, scale * columns, dtype=torch.float64)
    small = lanczos_down(x, scale)
    assert small.shape == (2, 3, rows, columns)
    for n, c in np.ndindex(2, 3):
        np.testing.assert_allclose(small[n, c].numpy(), lanczos_by_hand(x[n, c].numpy(), scale), atol=1e-12)


@pytest.mark.parametrize("scale", [2, 4, 8])
def test_lanczos_kernel(scale):
    """What a single pixel of the low resolution is made of: symmetric, 4s taps a side, and of sum 1."""
    x = torch.zeros(1, 1, 5 * scale, 7 * scale, dtype=torch.float64, requires_grad=True)
    lanczos_down(x, scale)[0, 0, 2, 3].backward()
    rows, columns = (x.grad[0, 0] != 0).nonzero(as_tuple=True)
    assert len(set(rows.tolist())) == len(set(columns.tolist())) == 4 * scale
    around = x.grad[0, 0, rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    assert around.sum().item() == pytest.approx(1)
    torch.testing.assert_close(around, around.flip(0, 1))
    torch.testing.assert_close(around, around.T)
    assert around.min() < 0  # it has lobes
    flat = torch.full((1, 3, 4 * scale, 4 * scale), 0.3)
    torch.testing.assert_close(lanczos_down(flat, scale), torch.full((1, 3, 4, 4), 0.3))  # at the edges too


def test_lanczos_gradient():
    x = torch.rand(1, 1, 8, 8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda y: lanczos_down(y, 4), x)
    lanczos_down(x, 4).sum().backward()
    assert (x.grad != 0).all()


@pytest.mark.parametrize(
    ("shape", "scale", "message"),
    [
        ((12, 12), 3, "even, got 3"),
        ((12, 12), 1, "even, got 1"),
        ((12, 12), 0, "even, got 0"),
        ((12, 14), 4, r"\(12, 14\) are not multiples of 4"),
        ((13, 12), 2, r"\(13, 12\) are not multiples of 2"),
    ],
)
def test_lanczos_arguments(shape, scale, message):
    with pytest.raises(ValueError, match=message):
        lanczos_down(torch.rand(1, 1, *shape), scale)


# --- degradations as objects -----------------------------------------------------------------------------

COLUMNS = {"scale": None, "sigma": None, "quality": None}


@pytest.mark.parametrize(
    ("degradation", "function", "words", "label", "columns"),
    [
        (Downscale(3), lambda x: bicubic_down(x, 3), "×3", "x3", {"scale": 3}),
        (BlurDown(3, 1.6), lambda x: blur_down(x, 3, 1.6), "blur 1.6, ×3", "blurdown3-1.6", {"scale": 3}),
        (GaussianNoise(25), lambda x: gaussian_noise(x, 25, seed=7), "σ = 25", "25", {"sigma": 25}),
        (GaussianNoise(2.5), lambda x: gaussian_noise(x, 2.5, seed=7), "σ = 2.5", "2.5", {"sigma": 2.5}),
        (Jpeg(10), lambda x: jpeg(x, 10), "JPEG 10", "q10", {"quality": 10}),
        (Mask(0.5), lambda x: x * pixel_mask(24, 36, 0.5, seed=7), "50 % of the pixels", "mask0.5", {}),
        (Grayscale(), grayscale, "without colours", "grayscale", {}),
    ],
    ids=lambda value: str(value) if isinstance(value, Degradation) else "",
)
def test_a_degradation_is_its_function_and_prints_itself(degradation, function, words, label, columns):
    x = torch.rand(2, 3, 24, 36)
    before = x.clone()
    assert torch.equal(degradation(x, seed=7), function(x))
    assert torch.equal(x, before)
    assert str(degradation) == words
    assert degradation.label == label
    assert degradation.record() == {"degradation": words} | COLUMNS | columns


def test_degradations_are_values():
    assert GaussianNoise(25) == GaussianNoise(25) != GaussianNoise(15)
    assert len({Downscale(2), Downscale(2), Downscale(3), Jpeg(2)}) == 3
    with pytest.raises(AttributeError):
        Downscale(2).scale = 3


@pytest.mark.parametrize("sigma", [-1, math.inf, math.nan])
def test_a_noise_level_is_a_number_from_0(sigma):
    with pytest.raises(ValueError, match="8-bit levels from 0"):
        GaussianNoise(sigma)


@pytest.mark.parametrize("degradation", [Downscale, lambda scale: BlurDown(scale, 1.0)])
@pytest.mark.parametrize("scale", [0, 1, 2.5])
def test_a_scale_is_an_integer_from_2(degradation, scale):
    with pytest.raises(ValueError, match="integer from 2"):
        degradation(scale)


def test_a_blur_has_a_width():
    with pytest.raises(ValueError, match="pixels above 0"):
        BlurDown(2, 0)


def test_a_share_of_pixels_is_no_percentage():
    with pytest.raises(ValueError, match="between 0 and 1"):
        Mask(50)


@pytest.mark.parametrize("degradation", [Downscale(3), BlurDown(3, 1.0)])
def test_an_8_bit_picture_gives_an_8_bit_low_resolution(degradation):
    x = (torch.rand(1, 3, 24, 36) * 255).to(torch.uint8)
    low_res = degradation(x)
    assert low_res.dtype == torch.uint8
    assert (low_res / 255 - degradation(x / 255)).abs().max() < 1 / 255


def test_the_noise_of_a_patch_is_in_levels_of_255():
    patch = np.full((1, 40, 50), 0.5, np.float32)
    normal = np.random.default_rng(3).standard_normal(patch.shape, dtype=np.float32)
    noisy = GaussianNoise(25.5).of_patch(patch, np.random.default_rng(3))
    assert noisy.dtype == np.float32
    np.testing.assert_allclose(noisy - patch, normal / 10, atol=1e-7)


def test_a_patch_is_degraded_by_the_stream_of_its_sample():
    """Where a class does not say otherwise: by a seed that is drawn from it."""
    patch = np.random.default_rng(0).random((1, 9, 10), dtype=np.float32)
    degradation = Mask(0.5)
    first, again, other = (degradation.of_patch(patch, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    seed = int(np.random.default_rng(3).integers(2**32))
    assert np.array_equal(first, degradation(torch.from_numpy(patch)[None], seed)[0].numpy())


def test_gray_in_full_range():
    x = torch.rand(1, 3, 5, 6)
    weights = torch.tensor([65.481, 128.553, 24.966]).view(1, 3, 1, 1) / 219
    torch.testing.assert_close(grayscale(x), (weights * x).sum(1, keepdim=True), atol=1e-5, rtol=0)
    equal = torch.rand(1, 1, 5, 6)
    torch.testing.assert_close(grayscale(equal.expand(-1, 3, -1, -1)), equal, atol=1e-5, rtol=0)
    assert (rgb_to_y(torch.ones(1, 3, 1, 1)) < grayscale(torch.ones(1, 3, 1, 1))).all()
