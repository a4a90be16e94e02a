from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from imtrans.data import dead_leaves as room
from imtrans.data.dead_leaves import dead_leaves


def cdf_of(density, r_min, r_max):
    """The CDF of a density known up to a factor, by numerical integration."""
    grid = np.geomspace(r_min, r_max, 4001)
    area = integrate.cumulative_simpson(density(grid), x=grid, initial=0)
    return lambda r: np.interp(r, grid, area / area[-1])


@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0, 3.0, 4.5])
def test_radii_follow_the_power_law(alpha):
    r = room.radii(np.random.default_rng(0).random(20_000), 1.0, 64.0, alpha)
    assert r.min() >= 1
    assert r.max() <= 64
    assert stats.kstest(r, cdf_of(lambda x: x**-alpha, 1.0, 64.0)).pvalue > 0.01
    # and the test would see a wrong exponent
    assert stats.kstest(r, cdf_of(lambda x: x ** -(alpha + 0.2), 1.0, 64.0)).pvalue < 1e-4


@pytest.mark.parametrize("alpha", [1.0, 2.0, 3.0, 4.0])
def test_visible_radii_follow_the_mixture(alpha):
    pick, u = np.random.default_rng(1).random((2, 20_000))
    r = room.visible_radii(pick, u, 48, 1.0, 64.0, alpha)
    assert stats.kstest(r, cdf_of(lambda x: x**-alpha * (48 + 2 * x) ** 2, 1.0, 64.0)).pvalue > 0.01
    assert stats.kstest(r, cdf_of(lambda x: x**-alpha, 1.0, 64.0)).pvalue < 1e-4


@pytest.mark.parametrize(
    ("size", "r_min", "r_max", "alpha"), [(24, 1, 24, 3), (17, 2, 100, 3), (20, 3, 3, 3), (16, 1, 8, 2)]
)
def test_against_a_painter_who_works_from_the_bottom_up(size, r_min, r_max, alpha):
    """The same leaves, painted one by one on the whole picture, each over the ones below it."""
    ours = dead_leaves(1, size, r_min=r_min, r_max=r_max, alpha=alpha, supersample=1, seed=5)[0]
    random = np.random.Generator(np.random.Philox([5, 0]))
    layer = room._leaves_a_layer(size, r_min, r_max, alpha)
    disks, colors = zip(
        *(room._draw_layer(random, layer, size, (r_min, r_max, alpha), None) for _ in range(40)), strict=True
    )
    y, x = np.mgrid[:size, :size] + 0.5
    painted = np.full((size, size, 3), np.nan)
    for (cy, cx, r), color in reversed(list(zip(np.concatenate(disks), np.concatenate(colors), strict=True))):
        painted[(y - cy) ** 2 + (x - cx) ** 2 <= r**2] = color
    painted = torch.from_numpy(painted).permute(2, 0, 1)
    # Distances are rounded differently here (float64), so a pixel on a rim may fall to the other side.
    assert (painted - ours).abs().amax(0).gt(1e-6).sum() <= 1


def test_centres_are_uniform_around_the_picture():
    random = np.random.default_rng(2)
    disks, _ = room._draw_layer(random, 20_000, 32, (1.0, 40.0, 3.0), None)
    y, x, r = disks.astype(np.float64).T
    for center in (y, x):
        assert stats.kstest((center + r) / (32 + 2 * r), "uniform").pvalue > 0.01
    assert abs(np.corrcoef(y, x)[0, 1]) < 0.03


@settings(max_examples=15, deadline=None)
@given(
    st.integers(1, 30),
    st.integers(1, 3),
    st.floats(0.5, 6),
    st.floats(1, 20),
    st.floats(0.5, 5),
    st.integers(0, 2**31),
)
def test_every_pixel_is_covered(size, supersample, r_min, ratio, alpha, seed):
    palette = torch.full((1, 3, 2, 2), 0.75)
    x = dead_leaves(
        2,
        size,
        r_min=r_min,
        r_max=r_min * ratio,
        alpha=alpha,
        palette=palette,
        supersample=supersample,
        seed=seed,
    )
    assert x.shape == (2, 3, size, size)
    assert x.dtype == torch.float32
    torch.testing.assert_close(x, torch.full_like(x, 0.75))  # the ground would be 0


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 100), st.booleans())
def test_a_picture_depends_on_seed_and_number_alone(first, second, start, with_palette):
    palette = torch.rand(2, 3, 4, 4) if with_palette else None
    together = dead_leaves(first + second, 12, palette=palette, seed=3, start=start)
    parts = [
        dead_leaves(first, 12, palette=palette, seed=3, start=start),
        dead_leaves(second, 12, palette=palette, seed=3, start=start + first),
    ]
    assert torch.equal(together, torch.cat(parts))


def test_seeds_and_numbers_give_different_pictures():
    series = torch.cat([dead_leaves(4, 16, seed=0), dead_leaves(4, 16, seed=1)])
    assert len({picture.numpy().tobytes() for picture in series}) == 8


def test_the_global_random_state_is_left_alone():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    dead_leaves(1, 16)
    assert torch.equal(before, torch.get_rng_state())


def test_colours_are_pixels_of_one_palette():
    reds = torch.rand(1, 3, 5, 7) * torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1)
    blues = torch.rand(1, 3, 3, 3) * torch.tensor([0, 0, 1.0]).view(1, 3, 1, 1)
    pictures = dead_leaves(12, 16, palette=[reds, blues], supersample=1)
    used = []
    for picture in pictures:
        colors = {tuple(pixel) for pixel in picture.flatten(1).T.tolist()}
        homes = [colors <= {tuple(pixel) for pixel in palette[0].flatten(1).T.tolist()} for palette in (reds, blues)]
        assert sum(homes) == 1
        used.append(homes.index(True))
    assert set(used) == {0, 1}


def test_uniform_colours_without_a_palette():
    x = dead_leaves(8, 48, r_max=6.0, supersample=1)
    assert x.min() >= 0
    assert x.max() <= 1
    assert (x.mean((0, 2, 3)) - 0.5).abs().max() < 0.03
    assert (x.std((0, 2, 3)) - 12**-0.5).abs().max() < 0.03


def test_supersampling_averages_the_finer_picture():
    fine = dead_leaves(2, 48, r_min=3.0, r_max=60.0, supersample=1, seed=7)
    coarse = dead_leaves(2, 16, r_min=1.0, r_max=20.0, supersample=3, seed=7)
    torch.testing.assert_close(coarse, F.avg_pool2d(fine, 3))


def spectral_slope(x):
    """The slope of log power against log frequency, from 1/32 to 1/4 of the sampling rate."""
    size = x.shape[-1]
    window = torch.hann_window(size)[:, None] * torch.hann_window(size)
    gray = x.mean(1)
    power = torch.fft.fft2((gray - gray.mean((1, 2), keepdim=True)) * window).abs().square().mean(0)
    frequency = torch.fft.fftfreq(size)
    frequency = (frequency[:, None] ** 2 + frequency**2).sqrt()
    edges = torch.logspace(-5, -2, 8, base=2.0)  # 1/32 … 1/4
    rings = [(frequency >= low) & (frequency < high) for low, high in pairwise(edges)]
    return np.polyfit(
        [frequency[ring].log().mean().item() for ring in rings],
        [power[ring].mean().log().item() for ring in rings],
        1,
    )[0]


def test_the_power_spectrum_falls_as_in_photographs():
    slope = spectral_slope(dead_leaves(16, 128, seed=0))
    assert -2.3 < slope < -1.7
    # Fewer large leaves, flatter spectrum; white noise has slope 0.
    assert spectral_slope(dead_leaves(8, 128, alpha=4.5, seed=0)) > slope + 0.5
    assert spectral_slope(dead_leaves(8, 128, alpha=2.2, seed=0)) < slope - 0.4


def test_bad_arguments():
    with pytest.raises(ValueError, match="size 0"):
        dead_leaves(1, 0)
    with pytest.raises(ValueError, match="count -1"):
        dead_leaves(-1, 8)
    with pytest.raises(ValueError, match="r_min 5"):
        dead_leaves(1, 8, r_min=5, r_max=4)
    with pytest.raises(ValueError, match="r_min 0"):
        dead_leaves(1, 8, r_min=0)
    with pytest.raises(ValueError, match="palette"):
        dead_leaves(1, 8, palette=torch.rand(1, 1, 4, 4))
    with pytest.raises(ValueError, match="palette"):
        dead_leaves(1, 8, palette=torch.rand(1, 3, 4, 4) * 255)
    with pytest.raises(ValueError, match="palette"):
        dead_leaves(1, 8, palette=[])
    assert dead_leaves(0, 8).shape == (0, 3, 8, 8)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_makes_the_same_pictures():
    cpu, gpu = dead_leaves(4, 64, supersample=1), dead_leaves(4, 64, supersample=1, device="cuda")
    assert gpu.device.type == "cuda"
    # A pixel on a rim may fall to the other side: the two round differently.
    assert (cpu - gpu.cpu()).abs().amax(1).gt(1e-6).float().mean() < 1e-3
