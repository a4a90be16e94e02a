"""Starting weights of recipes, beside those that the networks are built with."""

import pytest
import torch
from torch import nn

from imtrans.models.edsr import EDSR
from imtrans.models.espcn import ESPCN
from imtrans.models.srcnn import SRCNN
from imtrans.models.vdsr import VDSR
from imtrans.recipes import vdsr
from imtrans.recipes.starts import icnr, shrink_last_convolution, shrink_residual_blocks, small_gaussian


def built(seed: int, build) -> nn.Module:
    torch.manual_seed(seed)
    return build()


def factors(changed: nn.Module, original: nn.Module) -> dict[str, float]:
    """The factor between the parameters of two networks, by name; 1 for zeros."""
    before = dict(original.named_parameters())
    ratio = {name: (value.norm() / before[name].norm()).item() for name, value in changed.named_parameters()}
    return {name: 1.0 if value != value else value for name, value in ratio.items()}


def test_the_last_convolution_is_shrunk_to_a_tenth():
    plain, model = built(3, lambda: VDSR(depth=4)), built(3, lambda: shrink_last_convolution(VDSR(depth=4)))
    wanted = dict.fromkeys(dict(plain.named_parameters()), 1.0) | {"layers.6.weight": 0.1}
    assert factors(model, plain) == pytest.approx(wanted, rel=1e-5)


def test_vdsr_trains_from_a_shrunk_last_convolution():
    recipe = vdsr.quick(depth=4)
    plain, model = built(3, lambda: VDSR(depth=4)), built(3, recipe.model)
    assert factors(model, plain)["layers.6.weight"] == pytest.approx(0.1, rel=1e-5)


def test_edsr_starts_with_blocks_that_hardly_change_their_input():
    """He's initialisation: standard deviation √(2/576) = 0.0589 for 64 features, a tenth of it where a branch ends."""
    model = shrink_residual_blocks(EDSR(scale=2, blocks=2, features=64, residual_scale=1.0))
    for block in model.body[:-1]:
        assert block.layers[0].weight.std().item() == pytest.approx(0.0589, rel=0.03)
        assert block.layers[2].weight.std().item() == pytest.approx(0.00589, rel=0.03)
    assert model.tail[-1].weight.std().item() == pytest.approx(0.00589, rel=0.06)
    assert all((layer.bias == 0).all() for layer in model.modules() if isinstance(layer, nn.Conv2d))


def test_srcnn_starts_as_in_the_paper():
    for name, parameter in small_gaussian(SRCNN()).named_parameters():
        if name.endswith("bias"):
            assert (parameter == 0).all()
        else:
            assert parameter.std().item() == pytest.approx(0.001, rel=0.12)


def test_a_network_that_starts_by_icnr_repeats_pixels():
    model = icnr(ESPCN(3, channels=2))
    with torch.no_grad():
        large = model(torch.rand(1, 2, 7, 8))
    assert torch.equal(large, large[..., ::3, ::3].repeat_interleave(3, -2).repeat_interleave(3, -1))
    assert not torch.equal(large[:, 0], large[:, 1])
