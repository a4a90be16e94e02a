"""The forward models."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from imtrans.degrade import bicubic_down, bicubic_down_up, blur_down, gaussian_noise
from imtrans.images import to_uint8
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
