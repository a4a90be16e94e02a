"""Colour spaces, against scikit-image and by known values."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import color as oracle

from imtrans.color import lab_to_rgb, rgb_to_lab, rgb_to_y, rgb_to_ycbcr, ycbcr_to_rgb


def picture(seed: int, height: int = 9, width: int = 7) -> torch.Tensor:
    """Random colours, among them the corners of the cube and near-black ones (where Lab turns linear)."""
    random = np.random.default_rng(seed)
    x = random.random((1, 3, height, width))
    x[..., 0, :] = random.integers(0, 2, (1, 3, width))
    x[..., 1, :] *= 0.01
    return torch.from_numpy(x)


def last(x: torch.Tensor) -> np.ndarray:
    return x[0].permute(1, 2, 0).numpy()


@given(seed=st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_against_scikit_image(seed):
    x = picture(seed)
    assert np.allclose(last(rgb_to_ycbcr(x)) * 255, oracle.rgb2ycbcr(last(x)), atol=1e-9)
    assert np.allclose(last(rgb_to_y(x))[..., 0] * 255, oracle.rgb2ycbcr(last(x))[..., 0], atol=1e-9)
    ycbcr = rgb_to_ycbcr(x)
    assert np.allclose(last(ycbcr_to_rgb(ycbcr)), oracle.ycbcr2rgb(last(ycbcr) * 255), atol=1e-3)
    lab = oracle.rgb2lab(last(x))
    assert np.allclose(last(rgb_to_lab(x)), lab, atol=1e-4)
    back = lab_to_rgb(torch.from_numpy(lab).permute(2, 0, 1)[None])
    assert np.allclose(last(back), oracle.lab2rgb(lab), atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_round_trips(dtype):
    x = torch.cat([picture(seed) for seed in range(4)]).to(dtype)
    assert torch.allclose(ycbcr_to_rgb(rgb_to_ycbcr(x)), x, atol=2e-6)
    assert torch.allclose(lab_to_rgb(rgb_to_lab(x)), x, atol=2e-3)  # Lab's constants have seven digits
    assert rgb_to_ycbcr(x).dtype == rgb_to_lab(x).dtype == dtype


@pytest.mark.parametrize(
    ("rgb", "ycbcr"),
    [
        ((0, 0, 0), (16, 128, 128)),
        ((1, 1, 1), (235, 128, 128)),
        ((1, 0, 0), (81.481, 90.203, 240)),
        ((0, 1, 0), (144.553, 53.797, 34.214)),
        ((0, 0, 1), (40.966, 240, 109.786)),
    ],
)
def test_known_ycbcr(rgb, ycbcr):
    found = rgb_to_ycbcr(torch.tensor(rgb, dtype=torch.float64).view(1, 3, 1, 1)).flatten() * 255
    assert torch.allclose(found, torch.tensor(ycbcr, dtype=torch.float64), atol=1e-9)


def test_studio_range_and_its_1_32_db():
    """219 steps of luma in place of 255: a PSNR gains 20·log10(255/219) by it."""
    gray = torch.rand(1, 1, 8, 8, dtype=torch.float64).expand(1, 3, -1, -1)
    assert torch.allclose(rgb_to_y(gray), (16 + 219 * gray[:, :1]) / 255)
    assert 20 * np.log10(255 / 219) == pytest.approx(1.32, abs=0.005)


@pytest.mark.parametrize(("rgb", "lab"), [((1, 1, 1), (100, 0, 0)), ((0, 0, 0), (0, 0, 0))])
def test_known_lab(rgb, lab):
    found = rgb_to_lab(torch.tensor(rgb, dtype=torch.float64).view(1, 3, 1, 1)).flatten()
    assert torch.allclose(found, torch.tensor(lab, dtype=torch.float64), atol=5e-3)


def test_lab_outside_the_gamut_is_clipped():
    rgb = lab_to_rgb(torch.tensor([50.0, 120.0, -120.0]).view(1, 3, 1, 1))
    assert rgb.min() >= 0
    assert rgb.max() <= 1


@pytest.mark.parametrize("convert", [rgb_to_lab, rgb_to_ycbcr, rgb_to_y, lab_to_rgb, ycbcr_to_rgb])
def test_gradients_are_finite_everywhere(convert):
    x = torch.tensor([0.0, 1e-9, 0.04045, 0.5, 1.0]).expand(1, 3, 1, 5).clone().requires_grad_()
    convert(x).sum().backward()
    assert x.grad.isfinite().all()


@pytest.mark.parametrize("convert", [rgb_to_lab, rgb_to_ycbcr, rgb_to_y, lab_to_rgb, ycbcr_to_rgb])
@pytest.mark.parametrize("x", [torch.rand(3, 4, 4), torch.rand(1, 1, 4, 4), torch.zeros(1, 3, 4, 4, dtype=torch.uint8)])
def test_bad_arguments(convert, x):
    with pytest.raises(ValueError, match=r"wanted floats \(N, 3, H, W\)"):
        convert(x)
