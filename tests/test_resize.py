"""MATLAB's bicubic: against its own files, and against a plain NumPy kernel that lives beside this test."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import keys
from imtrans.images import modcrop, read, to_uint8
from imtrans.resize import imresize, to_side

FACTORS = [Fraction(f) for f in ("2", "3", "4", "1/2", "1/3", "1/4", "3/2", "2/3", "3/5", "9/10")]
anything = {
    "height": st.integers(1, 41),
    "width": st.integers(1, 41),
    "factor": st.sampled_from(FACTORS),
    "seed": st.integers(0, 10**6),
}


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("name", ["baby", "bird", "butterfly", "head", "woman"])
def test_bit_identical_to_matlab(data_root, name, scale):
    theirs = to_uint8(read(data_root / "Set5_LRBI_matlab" / f"x{scale}" / f"{name}.png"))
    high_res = to_uint8(modcrop(read(data_root / "Set5" / f"{name}.png"), scale))
    ours = imresize(high_res, Fraction(1, scale))
    assert ours.dtype == torch.uint8
    assert torch.equal(ours, theirs)


def test_the_oracle_is_keys_kernel():
    at = keys.kernel(np.array([0, 1, 2, 0.5, -1.5, 2.5]))
    assert np.allclose(at, [1, 0, 0, 0.5625, -0.0625, 0])
    ramp = np.arange(24.0)[:, None] * np.ones(24)
    enlarged = keys.resize(ramp, Fraction(3))[8:-8, 8]  # a cubic kernel keeps a straight line straight
    assert np.allclose(np.diff(enlarged), 1 / 3)


@given(**anything)
@settings(max_examples=120, deadline=None)
def test_floats_equal_the_oracle(height, width, factor, seed):
    picture = np.random.default_rng(seed).random((height, width))
    wanted = keys.resize(picture, factor)
    assert wanted.shape == (math.ceil(factor * height), math.ceil(factor * width))  # the factor is kept
    in_double = imresize(torch.from_numpy(picture)[None, None], factor)[0, 0].numpy()
    in_float = imresize(torch.from_numpy(picture).float()[None, None], float(factor))[0, 0].numpy()
    assert in_double.shape == in_float.shape == wanted.shape
    assert np.abs(in_double - wanted).max() < 1e-6
    assert np.abs(in_float - wanted).max() < 1e-5


def levels_of(height, width, seed):
    return np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)


def resized(levels, factor):
    return imresize(torch.from_numpy(levels)[None, None], factor)[0, 0].numpy()


@given(
    **{
        **anything,
        "factor": st.sampled_from([f for f in FACTORS if f in (2, 4, 1 / Fraction(2), 1 / Fraction(4))]),
    }
)
@settings(max_examples=80, deadline=None)
def test_levels_equal_the_oracle(height, width, factor, seed):
    """Powers of two have weights that floats hold exactly, halves included."""
    levels = levels_of(height, width, seed)
    assert np.array_equal(resized(levels, factor), keys.resize(levels, factor))


@given(length=st.integers(1, 90), upright=st.booleans(), factor=anything["factor"], seed=anything["seed"])
@settings(max_examples=120, deadline=None)
def test_lines_of_levels_equal_the_oracle(length, upright, factor, seed):
    """Other factors: thirds are exact in no arithmetic, so what lies on a half may be rounded either way."""
    levels = levels_of(length, 1, seed)
    unrounded = keys.resize(levels.astype(float), factor)
    wanted = keys.resize(levels, factor)
    ours = resized(levels, factor) if upright else resized(levels.T, factor).T
    assert ours.shape == wanted.shape
    sure = np.abs(unrounded % 1 - 0.5) > 1e-3
    assert np.array_equal(ours[sure], wanted[sure])
    assert np.abs(ours.astype(int) - wanted).max() <= 1


@pytest.mark.parametrize("length", [2_000, 4_000])
def test_long_rows_of_levels_are_exact(length):
    """Thirds make multiples of 1/27 and never a half, so every level is determined."""
    levels = levels_of(2, length, seed=length)
    assert np.array_equal(resized(levels, Fraction(3))[3], keys.resize(levels, Fraction(3))[3])


@pytest.mark.parametrize("factor", [Fraction(3), Fraction(1, 3), Fraction(37, 91)])
def test_thirty_thousand_pixels_are_as_exact_as_thirty(factor):
    """Coordinates in float32 drift: at the far end by 0.44 levels of 255."""
    row = np.random.default_rng(0).random((1, 30_000))
    wanted = keys.resize(row, factor)
    ours = imresize(torch.from_numpy(row).float()[None, None], factor)[0, 0].numpy()
    assert ours.shape == wanted.shape
    assert np.abs(ours - wanted).max() < 2e-6


@pytest.mark.parametrize("factor", [Fraction(1, 2), Fraction(3)])
def test_autocast_does_not_round_to_bf16(factor):
    x = torch.rand(1, 1, 20, 20)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = imresize(x, factor)
    assert torch.equal(inside, imresize(x, factor))


def test_memory_layout_does_not_matter():
    x = torch.rand(2, 3, 15, 12)
    strided = torch.rand(2, 3, 30, 12)
    strided[:, :, ::2] = x
    for same in (x.to(memory_format=torch.channels_last), strided[:, :, ::2]):
        assert torch.equal(imresize(same, 3), imresize(x, 3))


@pytest.mark.parametrize("factor", [Fraction(1, 2), Fraction(1, 3), Fraction(3)])
def test_gradient(factor):
    x = torch.rand(1, 1, 4, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda z: imresize(z, factor), x)


@pytest.mark.parametrize("factor", [Fraction(1, 3), 2])
@pytest.mark.parametrize("kind", ["float", "uint8"])
def test_a_batch_equals_its_pictures(factor, kind):
    batch = torch.rand(3, 3, 17, 22)
    batch = to_uint8(batch) if kind == "uint8" else batch
    alone = torch.cat([imresize(picture, factor) for picture in batch.split(1)])
    assert torch.equal(imresize(batch, factor), alone)


def test_a_flat_picture_stays_flat_and_floats_are_not_rounded():
    for factor in FACTORS:
        assert torch.allclose(imresize(torch.full((1, 1, 9, 7), 0.3), factor), torch.tensor(0.3), atol=1e-6)
    step = torch.zeros(1, 1, 8, 8)
    step[..., 4:] = 1
    enlarged = imresize(step, 3)
    assert enlarged.min() < -0.01  # the kernel's negative lobes overshoot at an edge, and nothing is clipped
    assert enlarged.max() > 1.01


def test_pictures_without_pixels_are_refused():
    with pytest.raises(ValueError, match=r"no pixels in shape \(1, 3, 0, 4\)"):
        imresize(torch.zeros(1, 3, 0, 4), 2)


def test_factor_one_changes_nothing():
    x = torch.rand(1, 3, 5, 6)
    y = imresize(x, 1)
    assert torch.equal(x, y)
    assert y is not x


def test_a_float_factor_is_taken_as_its_fraction():
    x = torch.rand(1, 1, 30, 21)
    assert torch.equal(imresize(x, 1 / 3), imresize(x, Fraction(1, 3)))


@pytest.mark.parametrize("factor", [0, -2, -1 / 3, math.pi, 1 / 1001])
def test_bad_factor(factor):
    with pytest.raises(ValueError, match="positive fraction"):
        imresize(torch.rand(1, 1, 8, 8), factor)


@pytest.mark.parametrize(
    "x",
    [
        torch.rand(8, 8),
        torch.rand(3, 8, 8),
        torch.zeros(1, 1, 8, 8, dtype=torch.int64),
        torch.zeros(1, 1, 8, 8, dtype=torch.bool),
    ],
)
def test_bad_picture(x):
    with pytest.raises(ValueError, match="wanted floats or uint8"):
        imresize(x, 2)


@settings(max_examples=30, deadline=None)
@given(height=st.integers(1, 400), width=st.integers(1, 400), side=st.integers(40, 500))
def test_the_longer_side_is_about_the_wanted_one_and_never_more(height, width, side):
    longer = max(to_side(torch.zeros(1, 1, height, width), side).shape[-2:])
    assert 0.97 * side <= longer <= side


def test_a_picture_is_not_shrunk_below_a_hundredth():
    with pytest.raises(ValueError, match="34 pixels are less than a hundredth of the 3500"):
        to_side(torch.zeros(1, 1, 1, 3500), 34)
