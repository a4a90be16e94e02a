"""Colour spaces, against scikit-image and by known values."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import color as oracle

from imtrans.color import ab_bins, lab_to_rgb, lab_within_gamut, rgb_to_lab, rgb_to_y, rgb_to_ycbcr, ycbcr_to_rgb


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


def test_autocast_does_not_round_colours_to_bf16():
    x = torch.rand(1, 3, 8, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = rgb_to_ycbcr(x)
    assert torch.equal(inside, rgb_to_ycbcr(x))


# --- Lab colours that a screen has ---


def lab(count: int = 400) -> torch.Tensor:
    """Random Lab, most of it outside of sRGB, (1, 3, count, 1)."""
    low, high = torch.tensor([0.0, -110, -110]), torch.tensor([100.0, 110, 110])
    return (low + (high - low) * torch.rand(count, 3, dtype=torch.float64)).T[None, :, :, None]


def test_chroma_gives_way_until_srgb_has_the_colour():
    found = lab_within_gamut(lab())
    back = rgb_to_lab(lab_to_rgb(found))
    torch.testing.assert_close(back[:, :1], found[:, :1], atol=2e-3, rtol=0)  # clipping changes nothing any more
    torch.testing.assert_close(back[:, 1:], found[:, 1:], atol=0.1, rtol=0)


def test_lightness_and_hue_stay_when_chroma_gives_way():
    given = lab()
    found = lab_within_gamut(given)
    assert torch.equal(found[:, 0], given[:, 0])
    factor = found[:, 1:].norm(dim=1) / given[:, 1:].norm(dim=1)
    assert factor.min() >= 0
    assert factor.max() <= 1 + 1e-9
    torch.testing.assert_close(found[:, 1:], given[:, 1:] * factor[:, None])


def test_no_more_chroma_is_taken_than_needed():
    given = lab()
    found = lab_within_gamut(given)
    a_little_more = torch.cat([given[:, :1], found[:, 1:] + 0.002 * given[:, 1:]], dim=1)
    reduced = (found != given).any(dim=1)
    clipped = rgb_to_lab(lab_to_rgb(a_little_more)) - a_little_more
    assert reduced.any()
    assert (clipped.norm(dim=1)[reduced] > 0.01).all()


def test_colours_of_srgb_stay_as_they_are():
    x = rgb_to_lab(picture(1))
    torch.testing.assert_close(lab_within_gamut(x), x, atol=1e-3, rtol=1e-3)


# --- the 313 colours ---


def test_the_313_colours_are_the_authors(data_root):
    assert np.array_equal(ab_bins().numpy(), np.load(data_root / "colorization" / "pts_in_hull.npy"))


def test_the_colours_lie_on_a_lattice_without_gaps_in_b():
    bins = ab_bins()
    assert bins.shape == (313, 2)
    for a in bins[:, 0].unique():
        run = bins[bins[:, 0] == a, 1]
        assert torch.equal(run.diff(), torch.full((len(run) - 1,), 10.0))


def test_every_colour_of_srgb_has_a_bin_within_half_a_cell():
    ab = rgb_to_lab(torch.rand(1, 3, 60, 60))[0, 1:].flatten(1).T
    nearest = (ab[:, None] - ab_bins()).abs().amax(dim=2).amin(dim=1)
    assert nearest.max() <= 5


def test_52_of_the_colours_are_the_nearest_of_no_colour_of_srgb():
    levels = torch.linspace(0, 1, 86, dtype=torch.double)  # every third of 8 bits
    rgb = torch.cartesian_prod(levels, levels, levels).T[None, :, :, None]
    ab = rgb_to_lab(rgb)[0, 1:, :, 0].T
    bins = {tuple(point) for point in ab_bins().tolist()}
    nearest = {tuple(point) for point in (10 * (ab / 10).round()).unique(dim=0).tolist()}
    assert len(bins - nearest) == 52


def test_colours_first_made_in_inference_mode_leave_gradients_possible():
    ab_bins.cache_clear()
    with torch.inference_mode():
        bins = ab_bins()
    shares = torch.rand(313, requires_grad=True)
    (shares @ bins).sum().backward()
    assert torch.equal(shares.grad, bins.sum(dim=1))
