"""PSNR and SSIM against scikit-image with the protocol's arguments, and against torchmetrics."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torchmetrics.functional.image import peak_signal_noise_ratio as torchmetrics_psnr
from torchmetrics.functional.image import structural_similarity_index_measure as torchmetrics_ssim

from imtrans import metrics
from imtrans.color import rgb_to_y, rgb_to_ycbcr, ycbcr_to_rgb
from imtrans.data import benchmarks
from imtrans.degrade import bicubic_down_up
from imtrans.images import modcrop, shave, to_float, to_uint8
from imtrans.metrics import METRICS, Metric, in_words, luma, match_channels, measure_in_words, mse, psnr, ssim
from imtrans.models.lpips import FeatureDistance, alexnet


def pair(seed=0, n=2, channels=3, height=33, width=27, noise=0.1):
    random = np.random.default_rng(seed)
    smooth = random.random((n, channels, height, 1)) * random.random((n, channels, 1, width))
    other = smooth + noise * random.standard_normal(smooth.shape)
    return torch.from_numpy(smooth), torch.from_numpy(other.clip(0, 1))


@given(
    seed=st.integers(0, 10**6),
    channels=st.sampled_from([1, 3]),
    height=st.integers(11, 40),
    width=st.integers(11, 40),
    noise=st.floats(1e-3, 0.5),
)
@settings(max_examples=20, deadline=None)
def test_against_scikit_image(seed, channels, height, width, noise):
    x, y = pair(seed, 2, channels, height, width, noise)
    found_psnr, found_ssim = psnr(x, y), ssim(x, y)
    assert found_psnr.shape == found_ssim.shape == (2,)
    for i in range(2):
        a, b = x[i].numpy(), y[i].numpy()
        assert found_psnr[i].item() == pytest.approx(peak_signal_noise_ratio(a, b, data_range=1), abs=1e-9)
        wanted = structural_similarity(
            a, b, channel_axis=0, data_range=1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
        assert found_ssim[i].item() == pytest.approx(wanted, abs=1e-9)
    assert torch.allclose(ssim(x.float(), y.float()).double(), found_ssim, atol=2e-5)
    assert torch.allclose(psnr(x.float(), y.float()).double(), found_psnr, atol=1e-3)


def test_against_torchmetrics():
    x, y = pair(5)
    wanted = torchmetrics_psnr(x, y, data_range=1.0, reduction="none", dim=(1, 2, 3))
    assert torch.allclose(psnr(x, y), wanted, atol=1e-5)
    # torchmetrics averages over windows that hang over a reflected border too; its map within is ours.
    options = {"data_range": 1.0, "sigma": 1.5, "kernel_size": 11, "reduction": "none"}
    _, everywhere = torchmetrics_ssim(x, y, return_full_image=True, **options)
    assert torch.allclose(ssim(x, y), shave(everywhere, 5).mean(dim=(1, 2, 3)), atol=1e-5)


def test_three_forms_of_the_psnr():
    x, y = pair(1)
    error = mse(x, y)
    assert torch.allclose(psnr(x, y), 10 * (1 / error).log10())
    assert torch.allclose(psnr(x, y), 20 * (1 / error.sqrt()).log10())
    levels = ((255 * x - 255 * y) ** 2).mean(dim=(1, 2, 3))  # on the slide's scale, MAX_I = 255
    assert torch.allclose(psnr(x, y), 20 * math.log10(255) - 10 * levels.log10())


def test_a_squeezed_range_gains_1_32_db():
    x, y = pair(2, channels=1)
    gain = psnr(x * 219 / 255, y * 219 / 255) - psnr(x, y)
    assert torch.allclose(gain, torch.full_like(gain, 20 * math.log10(255 / 219)))
    gray = psnr(rgb_to_y(x.expand(-1, 3, -1, -1)), rgb_to_y(y.expand(-1, 3, -1, -1))) - psnr(x, y)
    assert gray.mean().item() == pytest.approx(1.32, abs=0.005)


def test_identities():
    x, y = pair(3)
    assert psnr(x, x).tolist() == [math.inf, math.inf]
    assert ssim(x, x).tolist() == pytest.approx([1, 1])
    for measure in (mse, psnr, ssim):
        assert torch.allclose(measure(x, y), measure(y, x))
        assert torch.allclose(measure(x, y), measure(x.flip(-1), y.flip(-1)))
        assert torch.allclose(measure(x, y)[1:], measure(x[1:], y[1:]))  # one number per picture
    assert torch.allclose(mse(x, (x + 0.5).where(x <= 0.5, x - 0.5)), torch.tensor(0.25, dtype=x.dtype))


@pytest.mark.parametrize("border", [0, 1, 4])
def test_border(border):
    x, y = pair(4)
    for measure in (mse, psnr, ssim):
        assert torch.equal(measure(x, y, border=border), measure(shave(x, border), shave(y, border)))
    frame = y.clone()
    frame[..., border : -border or None, border : -border or None] = shave(x, border)
    assert psnr(x, frame, border=border).tolist() == [math.inf, math.inf]


@pytest.mark.parametrize("measure", [mse, psnr, ssim])
@pytest.mark.parametrize(
    ("x", "y", "border", "words"),
    [
        (torch.rand(1, 1, 20, 20), torch.rand(1, 1, 20, 21), 0, "different shapes"),
        (torch.rand(1, 1, 20, 20), torch.rand(1, 3, 20, 20), 0, "different shapes"),
        (torch.rand(20, 20), torch.rand(20, 20), 0, r"first picture: .*\(N, C, H, W\)"),
        (
            torch.rand(1, 1, 20, 20),
            torch.zeros(1, 1, 20, 20, dtype=torch.uint8),
            0,
            "second picture: .*uint8",
        ),
        (
            torch.rand(1, 1, 20, 20) + 1,
            torch.rand(1, 1, 20, 20),
            0,
            r"first picture: wanted values in \[0, 1\]",
        ),
        (torch.rand(1, 1, 20, 20), 255 * torch.ones(1, 1, 20, 20), 0, r"second picture: .*\[255, 255\]"),
        (torch.full((1, 1, 20, 20), math.nan), torch.rand(1, 1, 20, 20), 0, "nan"),
        (torch.rand(1, 1, 20, 20), torch.rand(1, 1, 20, 20), 10, "border of 10 does not fit"),
        (torch.rand(1, 1, 20, 20), torch.rand(1, 1, 20, 20), -1, "border of -1"),
    ],
)
def test_bad_arguments(measure, x, y, border, words):
    with pytest.raises(ValueError, match=words):
        measure(x, y, border=border)


@pytest.mark.parametrize(("x", "y", "wanted"), [(230, 229, 0.99999053), (250, 250, 1.0), (128, 0, 0.00039673)])
def test_ssim_of_flat_pictures_is_that_of_their_means(x, y, wanted):
    """Without variance (2·x·y + C1) / (x² + y² + C1) is left; float32 would give 1.0002 for the first."""
    found = ssim(*(torch.full((1, 1, 48, 48), level / 255) for level in (x, y))).item()
    a, b, c1 = x / 255, y / 255, 0.01**2
    assert wanted == pytest.approx((2 * a * b + c1) / (a * a + b * b + c1), abs=1e-7)
    assert found == pytest.approx(wanted, abs=1e-6)
    assert found <= 1


def test_ssim_of_nearly_flat_pictures_against_scikit_image():
    """Levels 249 to 251 against 250: the variance is a hundred thousandth of the squared mean."""
    x = np.full((48, 48), 250)
    y = x + np.random.default_rng(0).integers(-1, 2, x.shape)
    x, y = x / 255, y / 255
    options = {"data_range": 1, "gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    found = ssim(*(torch.from_numpy(z).float()[None, None] for z in (x, y))).item()
    assert found == pytest.approx(structural_similarity(x, y, **options), abs=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_metrics_keep_the_precision_of_their_pictures(dtype):
    x, y = (z.to(dtype) for z in pair(8))
    assert {measure(x, y).dtype for measure in (mse, psnr, ssim)} == {dtype}


def test_gray_stored_as_colour_equals_the_same_gray():
    gray = torch.rand(1, 1, 12, 12)
    stored = gray.expand(-1, 3, -1, -1)
    for a, b in (match_channels(gray, stored), match_channels(stored, gray)):
        assert torch.equal(a, gray)
        assert torch.equal(b, gray)


def test_other_pairs_of_pictures_are_left_as_they_are():
    gray, color = torch.rand(1, 1, 12, 12), torch.rand(1, 3, 12, 12)
    stored = gray.expand(-1, 3, -1, -1)
    for x, y in ((gray, gray), (color, color), (stored, stored), (stored, color), (gray, color), (color, gray)):
        a, b = match_channels(x, y)
        assert a is x
        assert b is y


def test_ssim_needs_a_window():
    with pytest.raises(ValueError, match="11×11 pixels, got 10×40"):
        ssim(torch.rand(1, 1, 12, 42), torch.rand(1, 1, 12, 42), border=1)


@pytest.mark.parametrize("measure", [psnr, ssim])
def test_floats_of_two_precisions(measure):
    x, y = pair(6)
    assert torch.allclose(measure(x, y.float()), measure(x, y), atol=1e-5)
    assert torch.allclose(measure(x.float(), y), measure(x, y), atol=1e-5)


def test_luma():
    x, _ = pair(7)
    assert torch.equal(luma(x, rounded=False), rgb_to_y(x))
    assert torch.equal(luma(x, rounded=True), to_float(to_uint8(rgb_to_y(x))))
    assert torch.equal(luma(x[:, :1], rounded=False), x[:, :1])  # a gray file is its own Y, at full range


def test_the_colour_table_of_srcnn_pools_ycbcr(data_root):
    """Its column "RGB" gives bicubic 34.57 dB on Set5 ×3: PSNR over Y, Cb and Cr together, averaged over pictures."""
    pooled, rgb = [], []
    for _, picture in benchmarks.load("Set5"):
        planes = to_float(to_uint8(rgb_to_ycbcr(modcrop(picture, 3))))
        enlarged = to_float(to_uint8(bicubic_down_up(planes, 3)))
        pooled.append(psnr(enlarged, planes, border=3).item())
        rgb.append(psnr(*(ycbcr_to_rgb(x).clamp(0, 1) for x in (enlarged, planes)), border=3).item())
    assert sum(pooled) / 5 == pytest.approx(34.57, abs=0.01)
    assert sum(rgb) / 5 < 30.39


def test_the_table_of_metrics():
    assert METRICS["psnr"] == Metric("PSNR", psnr, "dB", 2, higher_is_better=True)
    assert METRICS["ssim"] == Metric("SSIM", ssim, "", 4, higher_is_better=True)


def test_half_precision_does_not_lose_a_small_difference():
    x = torch.zeros(1, 1, 4, 4, dtype=torch.float16)
    assert psnr(x, x + 1e-4).item() == pytest.approx(80, abs=0.01)


@pytest.fixture
def untrained_alexnet(monkeypatch):
    """An AlexNet with random weights in the place of torchvision's, for what does not depend on them."""
    distance = FeatureDistance(alexnet(), name="random")
    monkeypatch.setattr(metrics, "_alexnet", lambda: distance)


@pytest.mark.parametrize("key", METRICS)
def test_a_better_picture_has_the_better_number(key, untrained_alexnet):
    x, y = pair(8, height=72, width=68)
    close, far = (METRICS[key].function(x, x + step * (y - x), border=2) for step in (0.1, 1))
    assert ((close > far) == METRICS[key].higher_is_better).all()


def test_lpips_of_a_picture_below_31_pixels_is_refused(untrained_alexnet):
    with pytest.raises(ValueError, match="LPIPS needs 31×31 pixels, got 40×30"):
        metrics.lpips(*pair(8, height=40, width=30))


def test_scores_in_words():
    assert in_words({"psnr": 32.391, "ssim": 0.90334, "border": 3}) == "PSNR 32.39 dB, SSIM 0.9033"
    assert in_words({"ssim": 1.0}) == "SSIM 1.0000"
    assert in_words({"psnr": math.inf}) == "PSNR inf dB"


def test_a_network_s_own_measure_in_words_keeps_its_name():
    assert measure_in_words("error", 0.1881) == "error 0.188"
    assert measure_in_words("psnr", 32.391) == "PSNR 32.39 dB"
