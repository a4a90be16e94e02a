"""The style pictures that are drawn by code."""

import pytest
import torch

from imtrans.data.styles import STYLES


@pytest.mark.parametrize("name", STYLES)
def test_a_style_picture_is_the_same_every_time(name):
    first, second = STYLES[name](size=64), STYLES[name](size=64)
    assert torch.equal(first, second)
    assert first.shape == (1, 3, 64, 64)
    assert first.dtype == torch.float32
    assert torch.equal(first, first.clamp(0, 1))


@pytest.mark.parametrize("name", STYLES)
def test_a_style_picture_has_structure_at_several_scales(name):
    """The variance that is left after averaging 2, 4, 8 … pixels falls with each step."""
    picture = STYLES[name](size=128)
    left = [torch.nn.functional.avg_pool2d(picture, k).var().item() / picture.var().item() for k in (2, 4, 8, 16)]
    lost = [a - b for a, b in zip([1.0, *left], left, strict=False)]
    assert all(share > 0.01 for share in lost), lost
