"""The baselines: bicubic, and what was observed."""

import pytest
import torch

from imtrans import restore
from imtrans.models.baselines import BASELINES, Bicubic, Untouched
from imtrans.resize import imresize


@pytest.mark.parametrize("channels", [1, 3])
def test_bicubic_as_a_network_is_imresize(channels):
    x = torch.rand(1, channels, 13, 9)
    torch.testing.assert_close(restore.super_resolve(Bicubic(), x, 4), imresize(x, 4), atol=2e-6, rtol=0)


def test_the_untouched_input_stays_as_it_is():
    rgb = torch.rand(1, 3, 9, 8)
    assert torch.equal(restore.denoise(Untouched(), rgb), rgb)
    assert torch.equal(restore.deblock(Untouched(), rgb[:, :1]), rgb[:, :1])
    torch.testing.assert_close(restore.deblock(Untouched(), rgb), rgb, atol=1e-6, rtol=0)
    with pytest.raises(ValueError, match="not for super-resolution"):
        restore.super_resolve(Untouched(), rgb, 2)


def test_baselines_have_no_weights_and_a_name_each():
    assert list(BASELINES) == ["bicubic", "input"]
    assert not any(list(build().parameters()) for build in BASELINES.values())
