"""Whole pictures through networks: kinds, sizes, tiles, views."""

import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from imtrans import restore
from imtrans.color import rgb_to_y, rgb_to_ycbcr
from imtrans.degrade import Downscale, GaussianNoise, Jpeg, Mask, grayscale
from imtrans.models.baselines import Bicubic, Untouched
from imtrans.models.dncnn import DnCNN
from imtrans.models.edsr import EDSR, MDSR
from imtrans.models.espcn import ESPCN
from imtrans.models.rcan import RCAN
from imtrans.models.rdn import RDN
from imtrans.models.srcnn import SRCNN
from imtrans.models.vdsr import VDSR
from imtrans.resize import imresize

# Small networks of each kind: luma on the enlargement, luma at low resolution, RGB at low resolution.
ENLARGERS = {
    "srcnn": lambda scale: SRCNN(n1=8, n2=4),
    "vdsr": lambda scale: VDSR(depth=4, features=8),
    "espcn": ESPCN,
    "edsr": lambda scale: EDSR(scale, blocks=2, features=8),
    "mdsr": lambda scale: MDSR(blocks=1, features=8),
    "rdn": lambda scale: RDN(scale, blocks=2, layers=2, growth=4, features=8),
    "rcan without attention": lambda scale: RCAN(scale, groups=1, blocks=2, features=8, reduction=None),
}
SCALES = (2, 3, 4)
sides = st.integers(1, 23)


def many_tasks(channels: int = 1) -> DnCNN:
    """A small network that says of itself what dncnn-3 does."""
    model = DnCNN(channels, depth=3, features=4)
    model.scales, model.sigma, model.quality = (2, 3, 4), (0, 55), (5, 99)
    return model


@pytest.fixture(params=list(ENLARGERS))
def enlarger(request):
    return ENLARGERS[request.param]


class Constant(nn.Module):
    """A network of RGB that answers one colour whatever it gets."""

    channels, upsamples, scales = 3, False, (2,)

    def forward(self, x):
        return torch.tensor([0.9, 0.5, 0.1]).view(1, 3, 1, 1).expand_as(x)


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(list(ENLARGERS)),
    scale=st.sampled_from(SCALES),
    channels=st.sampled_from([1, 3]),
    height=sides,
    width=sides,
)
def test_any_size_comes_out_enlarged_and_of_the_same_kind(kind, scale, channels, height, width):
    result = restore.super_resolve(ENLARGERS[kind](scale), torch.rand(2, channels, height, width), scale)
    assert result.shape == (2, channels, scale * height, scale * width)
    assert torch.isfinite(result).all()


def test_a_network_of_luma_gets_y_and_leaves_the_colours_to_bicubic():
    model, x = SRCNN(n1=8, n2=4), torch.rand(1, 3, 12, 10)
    with torch.no_grad():
        luma = model(imresize(rgb_to_y(x), 2))
    result = rgb_to_ycbcr(restore.super_resolve(model, x, 2))
    torch.testing.assert_close(result[:, :1], luma, atol=1e-5, rtol=0)
    torch.testing.assert_close(result[:, 1:], imresize(rgb_to_ycbcr(x)[:, 1:], 2), atol=1e-5, rtol=0)


def test_gray_through_a_network_of_rgb_keeps_its_range():
    gray = torch.rand(1, 1, 6, 5)
    identity = Bicubic()
    identity.channels = 3
    # Through `rgb_to_y` alone white would become 235/255.
    torch.testing.assert_close(restore.super_resolve(identity, gray, 2), imresize(gray, 2), atol=1e-5, rtol=0)
    result = restore.super_resolve(Constant(), gray, 2)
    weights = (65.481, 128.553, 24.966)
    wanted = sum(w * v for w, v in zip(weights, (0.9, 0.5, 0.1), strict=True)) / sum(weights)
    torch.testing.assert_close(result, torch.full((1, 1, 12, 10), wanted), atol=1e-4, rtol=0)


def test_nothing_is_clipped():
    model = VDSR(depth=2, features=2)
    nn.init.constant_(model.layers[-1].bias, 3.0)
    assert restore.super_resolve(model, torch.rand(1, 1, 4, 4), 2).min() > 1


@pytest.mark.parametrize(("tile", "scale"), [(1, 3), (7, 2), (7, 3), (7, 4), (16, 3), (100, 3)])
def test_tiles_give_the_whole_picture(enlarger, tile, scale):
    model, x = enlarger(scale), torch.rand(1, 3, 19, 14) if tile > 1 else torch.rand(1, 3, 4, 3)
    whole = restore.super_resolve(model, x, scale)
    torch.testing.assert_close(restore.super_resolve(model, x, scale, tile=tile), whole, atol=1e-5, rtol=0)


def test_no_overlap_makes_tiles_exact_where_a_mean_over_the_picture_decides():
    """Channel attention sees the whole of what it is given; without it the convolutions reach 18 pixels."""
    x = torch.cat([torch.zeros(1, 3, 40, 60), torch.rand(1, 3, 40, 60)], dim=-1)
    for reduction, exact in ((8, False), (None, True)):
        torch.manual_seed(0)
        model = RCAN.small(2, reduction)
        tiled = restore.super_resolve(model, x, 2, tile=40, overlap=20)
        difference = (tiled - restore.super_resolve(model, x, 2)).abs().max()
        assert (difference < 1e-5) == exact, difference


def test_without_overlap_a_network_of_colour_sees_a_tile_alone():
    x, model = torch.rand(1, 3, 12, 20), RCAN.small(2)
    tiled = restore.super_resolve(model, x, 2, tile=12, overlap=0)
    with torch.no_grad():
        alone = model.eval()(x[..., :12])
    torch.testing.assert_close(tiled[..., :24], alone, atol=1e-5, rtol=0)


def test_tiles_of_rcan_without_attention_are_exact_by_default():
    x, model = torch.rand(1, 3, 40, 60), RCAN.small(2, reduction=None)
    whole = restore.super_resolve(model, x, 2)
    torch.testing.assert_close(restore.super_resolve(model, x, 2, tile=20), whole, atol=1e-5, rtol=0)


MEMORY = """
import resource, sys, torch
from imtrans import restore
from imtrans.models.{module} import {network}
torch.set_num_threads(1)
model, peak = {network}({arguments}), lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
restore.super_resolve(model, torch.rand(1, 3, 64, 64), 2, tile=128)  # what the libraries load, they have loaded
for height in (500, 2000):
    picture = torch.rand(1, 3, height, 1000)
    before = peak()
    result = restore.super_resolve(model, picture, 2, tile=128)
    print(peak() - before - result.numel() * 4 // 2**20)
    del picture, result
"""


@pytest.mark.parametrize(
    ("module", "network", "arguments"), [("espcn", "ESPCN", "2"), ("srcnn", "SRCNN", "n1=8, n2=4")]
)
def test_working_memory_depends_on_the_tile_alone(module, network, arguments):
    """In MiB beyond picture and result; the larger picture is four times as large, its result 92 MiB."""
    script = MEMORY.format(module=module, network=network, arguments=arguments)
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    small, large = map(int, out.split())
    assert large < small + 40


def test_too_small_an_overlap_shows():
    model, x = VDSR(depth=4, features=8), torch.rand(1, 1, 20, 20)
    whole = restore.super_resolve(model, x, 2)
    assert not torch.allclose(restore.super_resolve(model, x, 2, tile=10, overlap=1), whole, atol=1e-4)


def test_reach_is_the_radius_of_the_receptive_field():
    assert restore.reach(SRCNN()) == 6
    assert restore.reach(SRCNN(f2=5)) == 8
    assert restore.reach(VDSR()) == 20
    assert restore.reach(DnCNN()) == 17
    assert restore.reach(Bicubic()) == 0


def test_reach_counts_dilation():
    dilated = nn.Sequential(nn.Conv2d(1, 1, 3, dilation=4), nn.Conv2d(1, 1, 5, dilation=2), nn.Conv2d(1, 1, 1))
    assert restore.reach(dilated) == 4 + 2 * 2
    x = torch.zeros(1, 1, 41, 41, requires_grad=True)
    dilated(x)[0, 0, 12, 12].backward()
    rows = x.grad[0, 0].abs().sum(1).nonzero()
    assert (rows.max() - rows.min()).item() == 2 * restore.reach(dilated)


def test_tiles_of_a_dilated_network_give_the_whole_picture():
    class Dilated(nn.Module):
        channels, upsamples, scales = 1, False, ()

        def __init__(self):
            super().__init__()
            self.layers = nn.Sequential(*(nn.Conv2d(1, 1, 3, padding=d, dilation=d) for d in (1, 2, 4)))

        def forward(self, x):
            return self.layers(x)

    model, x = Dilated(), torch.rand(1, 1, 30, 33)
    torch.testing.assert_close(restore.denoise(model, x, tile=8), restore.denoise(model, x), atol=1e-6, rtol=0)


def test_a_network_may_declare_its_reach():
    model = VDSR(depth=4, features=2)
    model.reach = 9
    assert restore.reach(model) == 9


def test_self_ensemble_is_blind_to_flips_and_rotations(enlarger):
    model, x = enlarger(3), torch.rand(1, 3, 7, 10)

    def ensemble(y):
        return restore.super_resolve(model, y, 3, self_ensemble=True)

    wanted = ensemble(x)
    assert not torch.allclose(restore.super_resolve(model, x, 3), wanted, atol=1e-4)
    for view in (lambda y: y.flip(-1), lambda y: y.flip(-2), lambda y: y.rot90(1, (-2, -1))):
        torch.testing.assert_close(ensemble(view(x)), view(wanted), atol=1e-5, rtol=0)


@pytest.mark.parametrize("function", [restore.denoise, restore.deblock])
@pytest.mark.parametrize("channels", [1, 3])
def test_self_ensemble_without_enlarging(function, channels):
    model, x = DnCNN(depth=3, features=4), torch.rand(1, channels, 7, 10)
    model.quality = (5, 99)
    wanted = function(model, x, self_ensemble=True)
    assert not torch.allclose(function(model, x), wanted, atol=1e-4)
    torch.testing.assert_close(function(model, x.flip(-1), self_ensemble=True).flip(-1), wanted, atol=1e-5, rtol=0)


def test_what_comes_out_may_be_written_into():
    restore.denoise(DnCNN(depth=3, features=4), torch.rand(1, 1, 7, 10)).clamp_(0, 1)


def test_self_ensemble_by_tiles():
    model, x = ENLARGERS["edsr"](3), torch.rand(1, 3, 9, 12)
    whole = restore.super_resolve(model, x, 3, self_ensemble=True)
    tiled = restore.super_resolve(model, x, 3, self_ensemble=True, tile=5)
    torch.testing.assert_close(tiled, whole, atol=1e-5, rtol=0)


@settings(max_examples=10, deadline=None)
@given(channels=st.sampled_from([1, 3]), colors=st.sampled_from([1, 3]), height=sides, width=sides)
def test_denoise_any_size(channels, colors, height, width):
    model = DnCNN(channels=channels, depth=3, features=4)
    noisy = torch.randn(2, colors, height, width)
    whole = restore.denoise(model, noisy)
    assert whole.shape == noisy.shape
    torch.testing.assert_close(restore.denoise(model, noisy, tile=8), whole, atol=1e-5, rtol=0)


def test_a_gray_denoiser_takes_each_channel_on_its_own():
    model, noisy = DnCNN(depth=3, features=4), torch.rand(2, 3, 9, 8)
    each = [restore.denoise(model, noisy[:, c : c + 1]) for c in range(3)]
    torch.testing.assert_close(restore.denoise(model, noisy), torch.cat(each, 1), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("model", "tasks"),
    [
        (SRCNN(), ("super-resolution",)),
        (ESPCN(3), ("super-resolution",)),
        (Bicubic(), ("super-resolution",)),
        (DnCNN(depth=2), ("denoising",)),
        (many_tasks(), ("super-resolution", "denoising", "deblocking")),
        (Untouched(), ("denoising", "deblocking")),
        (Constant(), ("super-resolution",)),
    ],
)
def test_tasks_are_what_a_network_declares(model, tasks):
    assert restore.tasks(model) == tasks


def test_a_network_that_declares_nothing_is_a_denoiser():
    silent = Bicubic()
    silent.scales = ()
    assert restore.tasks(silent) == ("denoising",)


@settings(max_examples=10, deadline=None)
@given(colors=st.sampled_from([1, 3]), height=sides, width=sides)
def test_deblock_any_size(colors, height, width):
    model, decoded = many_tasks(), torch.rand(2, colors, height, width)
    whole = restore.deblock(model, decoded)
    assert whole.shape == decoded.shape
    torch.testing.assert_close(restore.deblock(model, decoded, tile=8), whole, atol=1e-5, rtol=0)


def test_deblock_takes_luma_and_keeps_the_colours():
    model, gray, rgb = many_tasks(), torch.rand(1, 1, 12, 10), torch.rand(1, 3, 12, 10)
    with torch.no_grad():
        wanted, luma = model.eval()(gray), model(rgb_to_y(rgb))
    torch.testing.assert_close(restore.deblock(model, gray), wanted, atol=1e-5, rtol=0)
    result = rgb_to_ycbcr(restore.deblock(model, rgb))
    torch.testing.assert_close(result[:, :1], luma, atol=1e-5, rtol=0)
    torch.testing.assert_close(result[:, 1:], rgb_to_ycbcr(rgb)[:, 1:], atol=1e-5, rtol=0)
    assert (luma - rgb_to_y(rgb)).abs().max() > 0.01


def test_deblock_by_a_network_of_rgb():
    model, rgb = many_tasks(3).eval(), torch.rand(1, 3, 12, 10)
    with torch.no_grad():
        torch.testing.assert_close(restore.deblock(model, rgb), model(rgb), atol=1e-5, rtol=0)


def test_a_network_of_rgb_deblocks_a_gray_picture_as_three_equal_channels():
    model, gray = many_tasks(3), torch.rand(1, 1, 12, 10)
    wanted = grayscale(restore.deblock(model, gray.expand(-1, 3, -1, -1)))
    torch.testing.assert_close(restore.deblock(model, gray), wanted)


def test_a_picture_in_double_comes_back_in_double():
    x = torch.rand(1, 1, 12, 10, dtype=torch.float64)
    assert restore.super_resolve(ESPCN(3), x, 3).dtype == torch.float64


def test_a_network_of_many_tasks_does_each():
    model, x = many_tasks(), torch.rand(1, 1, 9, 8)
    with torch.no_grad():
        enlarged = model.eval()(imresize(x, 3))
    torch.testing.assert_close(restore.super_resolve(model, x, 3), enlarged, atol=1e-5, rtol=0)
    assert restore.denoise(model, x).shape == restore.deblock(model, x).shape == x.shape
    assert restore.resolve_scale(model, 4) == 4
    with pytest.raises(ValueError, match="which scale"):
        restore.resolve_scale(model, None)


def test_the_mode_of_the_network_is_evaluation_and_then_what_it_was():
    model, noisy = DnCNN(depth=3, features=4), torch.rand(1, 1, 8, 8)
    statistics = model.layers[3].running_mean.clone()
    result = restore.denoise(model.train(), noisy)
    assert model.training
    assert not result.requires_grad
    assert torch.equal(model.layers[3].running_mean, statistics)
    assert torch.equal(result, restore.denoise(model.eval(), noisy))
    assert not model.training


def test_wrong_scales_name_the_right_ones():
    with pytest.raises(ValueError, match=r"does not enlarge ×5; its scales: ×2, ×3, ×4"):
        restore.super_resolve(SRCNN(), torch.rand(1, 1, 8, 8), 5)
    with pytest.raises(ValueError, match=r"its scales: ×3$"):
        restore.super_resolve(ESPCN(3), torch.rand(1, 1, 8, 8), 2)
    with pytest.raises(ValueError, match="not for super-resolution"):
        restore.super_resolve(DnCNN(), torch.rand(1, 1, 8, 8), 2)
    with pytest.raises(ValueError, match="for super-resolution, not for denoising"):
        restore.denoise(VDSR(), torch.rand(1, 1, 8, 8))
    for model in (VDSR(depth=2), DnCNN(depth=2), Bicubic()):
        with pytest.raises(ValueError, match="not for deblocking"):
            restore.deblock(model, torch.rand(1, 1, 8, 8))


def test_the_scale_may_be_left_to_the_network():
    assert restore.resolve_scale(ESPCN(3), None) == 3
    with pytest.raises(ValueError, match="which scale"):
        restore.resolve_scale(VDSR(), None)


@pytest.mark.parametrize(
    "x",
    [
        torch.rand(3, 8, 8),
        torch.rand(1, 2, 8, 8),
        torch.zeros(1, 3, 8, 8, dtype=torch.uint8),
        torch.rand(1, 1, 0, 8),
    ],
)
def test_what_is_no_picture(x):
    with pytest.raises(ValueError, match="wanted floats"):
        restore.super_resolve(ESPCN(3), x, 3)
    with pytest.raises(ValueError, match="wanted floats"):
        restore.denoise(DnCNN(depth=2), x)
    with pytest.raises(ValueError, match="wanted floats"):
        restore.deblock(many_tasks(), x)


def test_a_network_that_shrinks_is_found_out():
    with pytest.raises(ValueError, match="the network made"):
        restore.super_resolve(SRCNN(padding="valid"), torch.rand(1, 1, 12, 12), 2)


@pytest.mark.parametrize(("options", "message"), [({"tile": 0}, "tile"), ({"tile": 4, "overlap": -1}, "overlap")])
def test_wrong_tiles(options, message):
    with pytest.raises(ValueError, match=message):
        restore.super_resolve(ESPCN(3), torch.rand(1, 1, 8, 8), 3, **options)


# --- the form for inference ------------------------------------------------------------------------------


def trained_a_little(model):
    """Running moments of batch normalisation that are not those of the start."""
    torch.manual_seed(3)
    model.train()
    for _ in range(3):
        model(torch.rand(4, model.channels, 16, 16))
    return model.eval()


INFERENCE = {
    "dncnn": lambda: trained_a_little(DnCNN(depth=6, features=16)),
    "cdncnn": lambda: trained_a_little(DnCNN(3, depth=5, features=16)),
    "vdsr": lambda: VDSR(depth=6, features=16),
    "srcnn": SRCNN,
    "espcn": lambda: ESPCN(2),
    "edsr": lambda: EDSR(2, blocks=3, features=16),
}


@pytest.mark.parametrize("name", INFERENCE)
@pytest.mark.parametrize("tile", [None, 16])
def test_the_form_for_inference_gives_the_result_of_the_plain_network(name, tile):
    model = INFERENCE[name]()
    x = torch.rand(2, model.channels, 24, 31)
    if restore.tasks(model) == ("denoising",):
        result, seen = restore.denoise(model, x, tile=tile), x
    else:
        result = restore.super_resolve(model, x, 2, tile=tile)
        seen = x if model.upsamples else imresize(x, 2)
    with torch.no_grad():
        plain = model.eval()(seen)
    torch.testing.assert_close(result, plain, atol=1e-5, rtol=0)
    assert result.is_contiguous()


def test_batch_normalisation_is_folded_for_inference(monkeypatch):
    model = INFERENCE["dncnn"]()

    def fails(self, x):
        raise AssertionError("batch normalisation was computed")

    monkeypatch.setattr(nn.BatchNorm2d, "forward", fails)
    restore.denoise(model, torch.rand(1, 1, 16, 16))


@pytest.mark.parametrize("name", ["dncnn", "vdsr", "edsr"])
def test_networks_get_pixels_with_their_channels_side_by_side(name):
    model, seen = INFERENCE[name](), []
    x = torch.rand(1, model.channels, 12, 14)
    hook = nn.modules.module.register_module_forward_hook(
        lambda module, inputs, output: seen.append(output) if isinstance(module, nn.Conv2d) else None
    )
    with hook:
        restore.restore(model, x, GaussianNoise(25) if name == "dncnn" else Downscale(2))
    assert len(seen) > 5
    assert all(y.is_contiguous(memory_format=torch.channels_last) for y in seen)


def test_the_network_itself_stays_as_it_is():
    model = INFERENCE["dncnn"]()
    before = {name: (value.clone(), value.stride()) for name, value in model.state_dict().items()}
    restore.denoise(model, torch.rand(1, 1, 16, 16))
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name][0])
        assert value.stride() == before[name][1]


# --- which degradation -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "numbers", "wanted"),
    [
        (ESPCN(3), {}, Downscale(3)),
        (VDSR(), {"scale": 4}, Downscale(4)),
        (DnCNN(depth=2), {"sigma": 30}, GaussianNoise(30)),
        (many_tasks(), {"sigma": 25}, GaussianNoise(25)),
        (many_tasks(), {"quality": 10}, Jpeg(10)),
        (Untouched(), {"quality": 10}, Jpeg(10)),
    ],
)
def test_a_number_stands_for_a_degradation(model, numbers, wanted):
    assert restore.resolve_degradation(model, **numbers) == wanted


def test_the_noise_level_may_be_left_to_a_network_of_one():
    model = DnCNN(depth=2)
    model.sigma = 15
    assert restore.resolve_degradation(model) == GaussianNoise(15)


@pytest.mark.parametrize(
    ("model", "numbers", "message"),
    [
        (VDSR(), {}, "which scale"),
        (Bicubic(), {"scale": 2, "sigma": 25}, "a noise level for denoising, a quality for JPEG: give one"),
        (Bicubic(), {"quality": 10}, "for super-resolution, not for deblocking"),
        (DnCNN(depth=2), {}, "which noise level"),
        (DnCNN(depth=2), {"sigma": -1}, "from 0, got -1"),
        (DnCNN(depth=2), {"sigma": float("inf")}, "from 0, got inf"),
        (DnCNN(depth=2), {"scale": 2}, "for denoising, not for super-resolution"),
        (Untouched(), {}, "which task. this network is for denoising, deblocking"),
        (Untouched(), {"scale": 2}, "for denoising and deblocking, not for super-resolution"),
        (many_tasks(), {}, "which task. this network is for super-resolution, denoising, deblocking"),
        (many_tasks(), {"scale": 5}, "does not enlarge ×5"),
    ],
)
def test_numbers_that_stand_for_no_degradation(model, numbers, message):
    with pytest.raises(ValueError, match=message):
        restore.resolve_degradation(model, **numbers)


def test_restore_takes_the_function_of_the_degradation():
    model, x = many_tasks(), torch.rand(1, 3, 12, 13)
    for degradation, wanted in (
        (Downscale(3), restore.super_resolve(model, x, 3)),
        (GaussianNoise(25), restore.denoise(model, x)),
        (Jpeg(10), restore.deblock(model, x)),
    ):
        assert torch.equal(restore.restore(model, x, degradation), wanted)
    with pytest.raises(ValueError, match="not for inpainting"):
        restore.restore(model, x, Mask(0.5))
