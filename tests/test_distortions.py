"""The families of distortions: what each leaves alone, and that the random generator alone decides."""

import numpy as np
import pytest
import torch

from imtrans.data import distortions
from imtrans.data.distortions import FAMILIES, INVISIBLE
from imtrans.data.photos import photo
from imtrans.degrade import grayscale

ALL = [distortion for family in FAMILIES.values() for distortion in family] + list(INVISIBLE)
by_name = pytest.mark.parametrize("distortion", ALL, ids=lambda d: d.__name__)


@pytest.fixture
def patch() -> torch.Tensor:
    return photo("chelsea").picture[..., 100:164, 150:214]


def random(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@by_name
def test_a_distorted_patch_is_another_picture_of_the_same_size(distortion, patch):
    found = distortion(patch, random())
    assert found.shape == patch.shape
    assert found.dtype == torch.float32
    assert 0 <= found.min() <= found.max() <= 1
    assert not torch.allclose(found, patch, atol=1e-3)


@by_name
def test_the_generator_decides_the_strength(distortion, patch):
    assert torch.equal(distortion(patch, random(1)), distortion(patch, random(1)))
    assert any(not torch.equal(distortion(patch, random(1)), distortion(patch, random(seed))) for seed in (2, 3, 4))


def test_a_shift_moves_the_middle_by_whole_pixels(patch):
    found = distortions.shift(patch, random())
    moved = [
        (i, j)
        for i in range(-2, 3)
        for j in range(-2, 3)
        if torch.allclose(found[..., 8:-8, 8:-8], patch[..., 8 + i : 56 + i, 8 + j : 56 + j], atol=1e-4)
    ]
    assert len(moved) == 1
    assert moved != [(0, 0)]


def test_the_saturation_keeps_the_gray_where_nothing_is_clipped(patch):
    muted = 0.4 + 0.2 * patch
    assert torch.allclose(grayscale(distortions.saturation(muted, random())), grayscale(muted), atol=1e-5)


def test_an_aberration_leaves_green_alone(patch):
    found = distortions.aberration(patch, random())
    assert torch.equal(found[:, 1], patch[:, 1])
    assert not torch.allclose(found[:, 0], patch[:, 0], atol=1e-3)


def test_brown_noise_is_smoother_than_blue_noise(patch):
    class Power:
        """A generator whose first uniform number is the power."""

        def __init__(self, power):
            self.random, self.power = random(), power

        def uniform(self, low, high):
            power, self.power = self.power, 20
            return power

        def standard_normal(self, shape):
            return self.random.standard_normal(shape)

    gray = torch.full_like(patch, 0.5)
    rough = [distortions.colored_noise(gray, Power(power)).diff(dim=-1).std() for power in (-2, 0, 1)]
    assert rough[0] < 0.7 * rough[1]
    assert rough[1] < 0.95 * rough[2]
