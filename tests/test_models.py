"""The networks: their sizes as the papers give them, what reaches what, and what they eat."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from imtrans import prior
from imtrans.models.blocks import evaluation_mode, load_matching, start_from
from imtrans.models.deep_image_prior import Hourglass
from imtrans.models.dncnn import DnCNN, fold_batch_norm, from_vdsr
from imtrans.models.edsr import EDSR, MDSR, ResidualBlock, upsampler
from imtrans.models.espcn import ESPCN, as_transposed, periodic_shuffle, shuffle_order
from imtrans.models.rcan import RCAN, ResidualChannelAttentionBlock
from imtrans.models.rdn import RDN, ResidualDenseBlock
from imtrans.models.srcnn import SRCNN
from imtrans.models.vdsr import VDSR

# Small enough to run, one of each kind: constructor, channels, upsamples, scales.
MODELS = {
    "SRCNN": (SRCNN, 1, False, (2, 3, 4)),
    "SRCNN 9-5-5 RGB": (lambda: SRCNN(3, f2=5), 3, False, (2, 3, 4)),
    "SRCNN valid": (lambda: SRCNN(padding="valid"), 1, False, (2, 3, 4)),
    "VDSR": (lambda: VDSR(depth=6, features=16), 1, False, (2, 3, 4)),
    "VDSR x3": (lambda: VDSR(depth=4, features=8, scales=(3,)), 1, False, (3,)),
    "ESPCN x2": (lambda: ESPCN(2), 1, True, (2,)),
    "ESPCN x3": (ESPCN, 1, True, (3,)),
    "ESPCN x4 RGB relu": (lambda: ESPCN(4, channels=3, activation="relu"), 3, True, (4,)),
    "DnCNN": (lambda: DnCNN(depth=6, features=16), 1, False, ()),
    "CDnCNN": (lambda: DnCNN(channels=3, depth=5, features=16), 3, False, ()),
    "DnCNN plain": (lambda: DnCNN(depth=6, features=16, residual=False, batch_norm=False), 1, False, ()),
    "EDSR x2": (lambda: EDSR(2, blocks=2, features=8), 3, True, (2,)),
    "EDSR x3": (lambda: EDSR(3, blocks=2, features=8), 3, True, (3,)),
    "EDSR x4": (lambda: EDSR(4, blocks=2, features=8, residual_scale=1.0), 3, True, (4,)),
    "RDN x2": (lambda: RDN(2, blocks=2, layers=3, growth=4, features=8), 3, True, (2,)),
    "RDN x3 without its three parts": (
        lambda: RDN(3, 2, 2, 16, 16, contiguous_memory=False, local_residual=False, global_fusion=False),
        3,
        True,
        (3,),
    ),
    "RCAN x2": (lambda: RCAN(2, groups=2, blocks=2, features=16, reduction=2), 3, True, (2,)),
    "RCAN x3 without attention": (lambda: RCAN(3, groups=2, blocks=2, features=8, reduction=None), 3, True, (3,)),
}


@pytest.mark.parametrize("name", MODELS)
def test_every_model(name):
    build, channels, upsamples, scales = MODELS[name]
    model = build()
    assert (model.channels, model.upsamples, model.scales) == (channels, upsamples, scales)
    x = torch.rand(2, channels, 19, 22)
    y = model(x)
    zoom = scales[0] if upsamples else 1
    lost = 2 * model.margin if getattr(model, "padding", "") == "valid" else 0
    assert y.shape == (2, channels, 19 * zoom - lost, 22 * zoom - lost)
    assert y.dtype == torch.float32
    (y - 0.3).square().sum().backward()
    for which, parameter in model.named_parameters():
        assert parameter.grad is not None, which
        assert parameter.grad.abs().sum() > 0, which
        assert parameter.grad.isfinite().all(), which
    model.eval()
    alone = torch.cat([model(picture) for picture in x.split(1)])
    assert torch.allclose(model(x), alone, atol=1e-5)
    again = build()
    again.load_state_dict(model.state_dict())
    assert torch.equal(again.eval()(x), model(x))


# --- sizes -----------------------------------------------------------------------------------------------


def count(model: nn.Module, *, weights_only: bool = False) -> int:
    return sum(p.numel() for p in model.parameters() if p.ndim > 1 or not weights_only)


@pytest.mark.parametrize(
    ("options", "weights", "biases"),
    [
        ({}, 8_032, 97),
        ({"f2": 3}, 24_416, 97),
        ({"f2": 5}, 57_184, 97),
        ({"n1": 128, "n2": 64}, 20_160, 193),
        ({"n1": 32, "n2": 16}, 3_504, 49),
    ],
)
def test_srcnn_sizes(options, weights, biases):
    model = SRCNN(**options)
    assert count(model, weights_only=True) == weights
    assert count(model) == weights + biases


@pytest.mark.parametrize(
    ("build", "parameters"),
    [
        (VDSR, 665_921),
        (lambda: VDSR(depth=5), 112_001),
        (lambda: VDSR(depth=10), 296_641),
        (lambda: ESPCN(2), 21_284),
        (lambda: ESPCN(3), 22_729),
        (lambda: ESPCN(4), 24_752),
        (DnCNN, 556_097),
        (lambda: DnCNN(depth=20), 667_073),
        (lambda: DnCNN(channels=3, depth=20), 669_379),
        (lambda: DnCNN(batch_norm=False), 555_137),
        (lambda: fold_batch_norm(DnCNN()), 555_137),
        (lambda: fold_batch_norm(DnCNN.for_three_tasks()), 665_921),
        (lambda: DnCNN.for_three_tasks(batch_norm=False), 665_921),
        (lambda: fold_batch_norm(DnCNN(channels=3, depth=20)), 668_227),
        (lambda: prior.settings.denoising().network(), 2_217_831),
        (lambda: prior.settings.jpeg_cleanup().network(), 572_827),
        (lambda: prior.settings.super_resolution(4).network(), 2_217_831),
        (lambda: prior.settings.super_resolution(8).network(), 2_217_831),
        (lambda: prior.settings.hole_filling().network(), 2_157_955),
        (lambda: prior.settings.inpainting().network(), 3_002_627),
        (lambda: prior.settings.large_hole().network(), 2_996_467),
        (lambda: prior.settings.half_the_pixels().network(1), 2_217_573),
        (lambda: prior.settings.flash().network(), 2_184_307),
        (lambda: EDSR.baseline(2), 1_369_859),
        (lambda: EDSR.baseline(3), 1_554_499),
        (lambda: EDSR.baseline(4), 1_517_571),
        (lambda: EDSR.paper(2), 40_729_603),
        (lambda: EDSR.paper(3), 43_680_003),
        (lambda: EDSR.paper(4), 43_089_923),
        (lambda: EDSR(2, blocks=16, features=64, batch_norm=True), 1_369_859 + 16 * 2 * 128),
        (lambda: MDSR.baseline(), 3_230_665),
        (lambda: MDSR.paper(), 7_957_449),
        (lambda: RDN(2), 22_123_395),
        (lambda: RDN(3), 22_308_035),
        (lambda: RDN(4), 22_271_107),
        (lambda: RDN.ablation(2), 5_616_515),
        (lambda: RDN.ablation(3), 5_801_155),
        (lambda: RDN.ablation(4), 5_764_227),
        (lambda: RDN.small(2), 1_389_955),
        (lambda: ResidualDenseBlock(), 1_364_544),
        (lambda: RCAN(2), 15_444_643),
        (lambda: RCAN(3), 15_629_283),
        (lambda: RCAN(4), 15_592_355),
        (lambda: RCAN(2, reduction=None), 15_328_643),
        (lambda: RCAN.small(2), 179_227),
        (lambda: RCAN.small(2, reduction=None), 177_475),
        (lambda: RCAN.medium(2), 1_415_487),
    ],
)
def test_parameter_counts(build, parameters):
    with torch.device("meta"):  # shapes alone: EDSR would fill 170 MB
        assert count(build()) == parameters


def test_edsr_subtracts_the_mean_of_div2k_and_adds_it_again():
    """R 0.4488, G 0.4371, B 0.4040 (× 255: 114.4, 111.5, 103.0), in this order."""
    model = EDSR(2, blocks=1, features=4)
    assert model.mean.flatten().tolist() == pytest.approx([0.4488, 0.4371, 0.4040])
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    output = model(torch.rand(1, 3, 4, 4))  # of a network that adds nothing: the mean alone
    assert torch.allclose(output, torch.tensor([0.4488, 0.4371, 0.4040]).view(1, 3, 1, 1).expand(1, 3, 8, 8))


def test_rdn_block_shows_each_convolution_all_earlier_maps():
    """Against F_{d,c} = σ(W [F_{d-1}, F_{d,1}, …]), with each convolution as a sum over its inputs."""
    block, x = ResidualDenseBlock(features=8, growth=4, layers=3), torch.rand(2, 8, 6, 5)
    maps = [x]
    for layer in block.layers:
        kernels = layer.weight.split([m.shape[1] for m in maps], dim=1)
        parts = [nn.functional.conv2d(m, kernel, padding=1) for m, kernel in zip(maps, kernels, strict=True)]
        maps.append((sum(parts) + layer.bias.view(1, -1, 1, 1)).relu())
    fused = torch.einsum("oc,nchw->nohw", block.fusion.weight[..., 0, 0], torch.cat(maps, 1))
    torch.testing.assert_close(block(x), x + fused + block.fusion.bias.view(1, -1, 1, 1))


def test_rdn_block_without_contiguous_memory_shows_its_input_to_the_first_convolution_alone():
    block, x = ResidualDenseBlock(8, 4, 3, contiguous_memory=False, local_residual=False), torch.rand(1, 8, 6, 5)
    nn.init.zeros_(block.layers[0].weight)
    torch.testing.assert_close(block(x), block(torch.rand(1, 8, 6, 5)))


def test_rdn_fuses_the_outputs_of_all_blocks():
    model, x = RDN(2, blocks=3, layers=2, growth=4, features=8), torch.rand(1, 3, 6, 5)
    shallow = model.head(x - model.mean)
    first = model.blocks[0](model.second(shallow))
    second = model.blocks[1](first)
    reduce, smooth = model.fusion
    maps = torch.cat([first, second, model.blocks[2](second)], dim=1)
    torch.testing.assert_close(model(x), model.tail(shallow + smooth(reduce(maps))) + model.mean)


def test_rcan_scales_each_channel_by_what_the_means_of_all_decide():
    """Against the formulas: s = f(W_U δ(W_D z)) and F + s ⊙ W2 δ(W1 F)."""
    block, x = ResidualChannelAttentionBlock(features=8, reduction=4), torch.rand(2, 8, 6, 5)
    first, _, second, attention = block.layers
    _, down, _, up, _ = attention.weights
    branch = second(first(x).relu())
    z = branch.mean(dim=(2, 3))  # (N, C)
    s = torch.sigmoid(
        up.weight[..., 0, 0] @ (down.weight[..., 0, 0] @ z.T + down.bias[:, None]).relu() + up.bias[:, None]
    )
    torch.testing.assert_close(block(x), x + s.T[..., None, None] * branch)


def test_rcan_is_groups_under_short_skips_and_one_long_skip():
    model, x = RCAN(2, groups=2, blocks=1, features=8, reduction=4), torch.rand(1, 3, 6, 5)
    features = model.head(x - model.mean)
    y = features
    for group in model.body[:2]:
        block, last = group.layers
        y = y + last(block(y))
    wanted = model.tail(features + model.body[-1](y)) + model.mean
    torch.testing.assert_close(model(x), wanted)


def test_edsr_sees_the_picture_less_the_mean():
    model = EDSR(2, blocks=1, features=4)
    seen = []
    model.head.register_forward_pre_hook(lambda layer, inputs: seen.append(inputs[0]))
    model(torch.full((1, 3, 4, 4), 0.5))
    wanted = torch.tensor([0.0512, 0.0629, 0.0960]).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    assert torch.allclose(seen[0], wanted, atol=1e-6)


def test_edsr_is_head_blocks_long_skip_and_tail():
    """Against the formula, with ρ = 0.1 on each block's residual and none on the long skip."""
    model, x = EDSR(3, blocks=2, features=4), torch.rand(1, 3, 6, 5)
    features = model.head(x - model.mean)
    y = features
    for block in model.body[:2]:
        first, _, second = block.layers
        y = y + 0.1 * second(first(y).relu())
    wanted = model.tail(features + model.body[2](y)) + model.mean
    assert torch.allclose(model(x), wanted, atol=1e-6)


def test_edsr_normalises_after_each_convolution_of_a_block_on_request():
    block = ResidualBlock(8, batch_norm=True)
    kinds = [type(layer).__name__ for layer in block.layers]
    assert kinds == ["Conv2d", "BatchNorm2d", "ReLU", "Conv2d", "BatchNorm2d"]


def test_mdsr_of_the_pytorch_code_has_two_last_convolutions_less():
    """3,227,203 and 7,953,987 parameters, where one last convolution serves all scales."""
    with torch.device("meta"):
        for model, shared in ((MDSR.baseline(), 3_227_203), (MDSR.paper(), 7_953_987)):
            assert count(model) - 2 * count(model.tails["x2"][-1]) == shared


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_mdsr_trains_the_modules_of_one_scale_and_the_shared_ones(scale):
    model, x = MDSR(blocks=2, features=8), torch.rand(2, 3, 9, 7)
    y = model(x, scale)
    assert y.shape == (2, 3, 9 * scale, 7 * scale)
    (y - 0.3).square().sum().backward()
    for name, parameter in model.named_parameters():
        used = name.startswith(("head", "body", f"first.x{scale}", f"tails.x{scale}"))
        assert (parameter.grad is not None) == used, name


def test_mdsr_is_head_two_blocks_of_the_scale_body_and_tail():
    model, x = MDSR(blocks=2, features=4), torch.rand(1, 3, 8, 9)
    features = model.head(x - model.mean)
    for block in model.first["x3"]:
        first, _, second = block.layers
        assert first.kernel_size == second.kernel_size == (5, 5)
        features = features + second(first(features).relu())
    y = features
    for block in model.body[:2]:
        first, _, second = block.layers
        y = y + second(first(y).relu())
    wanted = model.tails["x3"](features + model.body[2](y)) + model.mean
    torch.testing.assert_close(model(x, 3), wanted)


def test_mdsr_has_no_other_scales():
    with pytest.raises(ValueError, match="one of 2, 3, 4, got 8"):
        MDSR(blocks=1, features=4)(torch.rand(1, 3, 8, 8), 8)


@pytest.mark.parametrize(("scale", "steps"), [(2, [2]), (3, [3]), (4, [2, 2])])
def test_edsr_enlarges_in_steps(scale, steps):
    shuffles = [layer.upscale_factor for layer in upsampler(8, scale) if isinstance(layer, nn.PixelShuffle)]
    assert shuffles == steps


def test_edsr_variants():
    with torch.device("meta"):
        paper, baseline = EDSR.paper(3), EDSR.baseline(3)
    assert (paper.body[0].residual_scale, baseline.body[0].residual_scale) == (0.1, 1.0)
    assert (len(paper.body), len(baseline.body)) == (33, 17)  # the last one is a convolution


# --- what reaches what -----------------------------------------------------------------------------------


def receptive_field(model: nn.Module, size: int) -> tuple[int, int]:
    """(height, width) of the inputs that move the middle output, with weights that cancel nowhere."""
    model = model.double().eval()
    for parameter in model.parameters():
        if parameter.ndim > 1:
            nn.init.constant_(parameter, 1 / parameter[0].numel())
    x = torch.rand(1, model.channels, size, size, dtype=torch.float64, requires_grad=True)
    y = model(x)
    y[0, 0, y.shape[2] // 2, y.shape[3] // 2].backward()
    rows, columns = (x.grad[0].abs().sum(0) > 0).nonzero(as_tuple=True)
    return (int(rows.max() - rows.min()) + 1, int(columns.max() - columns.min()) + 1)


@pytest.mark.parametrize(
    ("build", "field"),
    [
        (SRCNN, 13),
        (lambda: SRCNN(f2=3), 15),
        (lambda: SRCNN(f2=5), 17),
        (lambda: VDSR(features=4), 41),
        (lambda: VDSR(features=4, depth=5), 11),
        *[(lambda d=d: DnCNN(features=4, depth=d), 2 * d + 1) for d in (2, 3, 5, 10, 17, 20)],
        (lambda: DnCNN(features=4, depth=7, residual=False, batch_norm=False), 15),
    ],
)
def test_receptive_fields(build, field):
    assert receptive_field(build(), 51) == (field, field)


def test_paddings_of_srcnn_agree_within():
    model = SRCNN(f2=3)
    x = torch.rand(1, 1, 30, 26)
    outputs = {}
    for model.padding in ("valid", "replicate", "zeros"):
        outputs[model.padding] = model(x)
    inner = (..., slice(model.margin, -model.margin), slice(model.margin, -model.margin))
    assert model.margin == 7
    assert torch.allclose(outputs["replicate"][inner], outputs["valid"], atol=1e-6)
    assert torch.allclose(outputs["zeros"][inner], outputs["valid"], atol=1e-6)
    assert not torch.allclose(outputs["zeros"], outputs["replicate"], atol=1e-3)  # they differ at the border


def test_srcnn_replicates_at_every_layer():
    """A flat picture has no border then: the output is flat too. With zeros it is not."""
    model = SRCNN()
    flat = torch.full((1, 1, 20, 20), 0.6)
    assert model(flat).std() < 1e-6
    model.padding = "zeros"
    assert model(flat).std() > 1e-4


def test_srcnn_repeats_the_edge_pixel():
    """Not its neighbours in reverse order: of 1, 2, 3, 4 a kernel that looks 2 to the left sees 1, 1, 1, 2."""
    model = SRCNN(n1=1, n2=1, f1=5, f3=1)
    for layer in (model.patch_extraction, model.mapping, model.reconstruction):
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
        layer.weight.data[0, 0, layer.kernel_size[0] // 2, 0] = 1
    rows = torch.tensor([1.0, 2, 3, 4]).expand(1, 1, 5, 4)
    assert model(rows)[0, 0].tolist() == [[1, 1, 1, 2]] * 5
    assert model(rows.flip(-1))[0, 0].tolist() == [[4, 4, 4, 3]] * 5
    model.padding = "zeros"
    assert model(rows)[0, 0].tolist() == [[0, 0, 1, 2]] * 5


def test_srcnn_is_the_papers_9_1_5_with_the_edge_repeated():
    model = SRCNN()
    layers = (model.patch_extraction, model.mapping, model.reconstruction)
    assert [layer.kernel_size for layer in layers] == [(9, 9), (1, 1), (5, 5)]
    assert [layer.out_channels for layer in layers] == [64, 32, 1]
    assert model.padding == "replicate"


@pytest.mark.parametrize(("signs", "wanted"), [((1, 1, -1), -0.5), ((-1, 1, 1), 0), ((1, -1, 1), 0)])
def test_srcnn_has_a_relu_after_all_layers_but_the_last(signs, wanted):
    model = SRCNN(n1=1, n2=1, f1=1, f3=1)
    layers = (model.patch_extraction, model.mapping, model.reconstruction)
    for layer, sign in zip(layers, signs, strict=True):
        nn.init.constant_(layer.weight, sign)
        nn.init.zeros_(layer.bias)
    assert model(torch.full((1, 1, 2, 2), 0.5)).unique().tolist() == [wanted]


@pytest.mark.parametrize(("options", "words"), [({"padding": "same"}, "padding"), ({"f2": 2}, "odd, got 9-2-5")])
def test_srcnn_arguments(options, words):
    with pytest.raises(ValueError, match=words):
        SRCNN(**options)


@pytest.mark.parametrize("build", [lambda: VDSR(depth=4, features=8), lambda: DnCNN(depth=4, features=8)])
def test_residual_networks_begin_at_their_input(build):
    """With the last layer at zero the network is the identity: it predicts the difference alone."""
    model = build().eval()
    nn.init.zeros_(model.layers[-1].weight)
    x = torch.rand(1, 1, 9, 9)
    assert torch.equal(model(x), x)


def test_biases_of_dncnn_are_where_no_normalisation_follows():
    layers = [layer for layer in DnCNN(depth=6).layers if isinstance(layer, nn.Conv2d)]
    assert [layer.bias is not None for layer in layers] == [True, False, False, False, False, True]
    norms = [layer for layer in DnCNN(depth=6).layers if isinstance(layer, nn.BatchNorm2d)]
    assert [norm.eps for norm in norms] == [1e-4] * 4
    plain = DnCNN(depth=6, batch_norm=False).layers
    assert [type(layer) for layer in plain] == [nn.Conv2d, nn.ReLU] * 5 + [nn.Conv2d]
    assert all(layer.bias is not None for layer in plain if isinstance(layer, nn.Conv2d))


def test_dncnn_predicts_the_noise_or_the_picture():
    x = torch.rand(1, 1, 9, 9)
    for batch_norm in (True, False):
        model = DnCNN(depth=4, features=8, batch_norm=batch_norm).eval()
        picture = DnCNN(depth=4, features=8, residual=False, batch_norm=batch_norm).eval()
        picture.load_state_dict(model.state_dict())
        torch.testing.assert_close(model(x), x - picture(x))
        nn.init.zeros_(picture.layers[-1].weight)
        assert torch.equal(picture(x), torch.zeros_like(x))


@pytest.mark.parametrize("residual", [True, False])
def test_folding_changes_the_form_alone(residual):
    """The same answers, at the border too; the filters are those that PyTorch's own fusion makes."""
    network = DnCNN(3, depth=5, features=8, residual=residual)
    network.sigma, network.quality, network.scales = 15, (5, 99), (2,)
    for layer in network.layers:
        if isinstance(layer, nn.BatchNorm2d):
            for value in (layer.weight, layer.bias, layer.running_mean):
                nn.init.normal_(value)
            nn.init.uniform_(layer.running_var, 0.1, 2)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    plain = fold_batch_norm(network)
    assert network.training  # the network stays as it is
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not plain.training
    assert not plain.batch_norm
    assert (plain.residual, plain.sigma, plain.quality, plain.scales) == (residual, 15, (5, 99), (2,))
    x = torch.rand(2, 3, 11, 9)
    network.eval()
    torch.testing.assert_close(plain(x), network(x), atol=1e-5, rtol=1e-5)
    pairs = zip(network.layers, network.layers[1:], strict=False)
    fused = [fuse_conv_bn_eval(a, b) for a, b in pairs if isinstance(b, nn.BatchNorm2d)]
    hidden = [layer for layer in plain.layers if isinstance(layer, nn.Conv2d)][1:-1]
    assert len(fused) == len(hidden) == 3
    for ours, theirs in zip(hidden, fused, strict=True):
        torch.testing.assert_close(ours.weight, theirs.weight)
        torch.testing.assert_close(ours.bias, theirs.bias)
    fresh = DnCNN(3, depth=5, features=8, residual=residual, batch_norm=False)
    fresh.load_state_dict(plain.state_dict())
    assert torch.equal(fresh(x), plain(x))


def test_folding_a_folded_network_changes_nothing():
    plain, x = fold_batch_norm(DnCNN(depth=5, features=8)), torch.rand(1, 1, 9, 12)
    assert torch.equal(fold_batch_norm(plain)(x), plain(x))


def test_a_dncnn_for_inference_is_a_folded_copy():
    network, x = DnCNN(depth=5, features=8).eval(), torch.rand(1, 1, 9, 12)
    copied = network.for_inference()
    assert copied is not network
    assert not copied.batch_norm
    torch.testing.assert_close(copied(x), network(x), atol=1e-5, rtol=1e-5)


def test_a_vdsr_is_a_dncnn_without_batch_normalisation():
    vdsr, x = VDSR(depth=5, features=8, scales=(2, 4)).eval(), torch.rand(1, 1, 9, 12)
    before = {name: value.clone() for name, value in vdsr.state_dict().items()}
    network = from_vdsr(vdsr)
    assert isinstance(network, DnCNN)
    assert (network.residual, network.batch_norm, network.scales) == (True, False, (2, 4))
    torch.testing.assert_close(network(x), vdsr(x))
    assert all(torch.equal(value, before[name]) for name, value in vdsr.state_dict().items())


@pytest.mark.parametrize("batch_norm", [True, False])
def test_a_dncnn_takes_the_form_of_its_weights(batch_norm):
    weights = DnCNN(depth=5, features=8, batch_norm=batch_norm).state_dict()
    network = DnCNN(depth=5, features=8).for_weights(weights)
    assert network.batch_norm == batch_norm
    network.load_state_dict(weights)


# --- starting from another network -----------------------------------------------------------------------


def matched(model: nn.Module, source: nn.Module) -> list[str]:
    """Load what matches; what is said to have stayed has stayed, and all else is the source's."""
    for value in source.state_dict().values():  # statistics of a training, not those of the start
        if value.is_floating_point():
            value.normal_()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    given = {name: value.clone() for name, value in source.state_dict().items()}
    stayed = load_matching(model, source.state_dict())
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name] if name in stayed else given[name]), name
    assert all(torch.equal(value, given[name]) for name, value in source.state_dict().items())
    return stayed


ENDS = ["layers.0.weight", "layers.11.weight", "layers.11.bias"]  # the bias of the first is one number per feature


@pytest.mark.parametrize(
    ("model", "source", "stayed"),
    [
        (lambda: DnCNN(depth=5), lambda: DnCNN(depth=5), []),
        (lambda: DnCNN(3, depth=5), lambda: DnCNN(depth=5), ENDS),
        (lambda: DnCNN(depth=5), lambda: DnCNN(3, depth=5), ENDS),
        (lambda: SRCNN(f2=5), SRCNN, ["mapping.weight"]),
    ],
)
def test_weights_of_the_same_name_and_shape_are_loaded(model, source, stayed):
    assert matched(model(), source()) == stayed


def test_layers_that_the_source_lacks_keep_their_start():
    """Those after the ones that are there, and where the last one was there is now a hidden one."""
    stayed = matched(DnCNN(depth=7), DnCNN(depth=5))
    assert {name.rpartition(".")[0] for name in stayed} == {f"layers.{i}" for i in (11, 12, 14, 15, 17)}


@pytest.mark.parametrize(
    ("model", "source"),
    [
        (lambda: DnCNN(depth=5), SRCNN),
        (lambda: VDSR(depth=5), lambda: DnCNN(depth=5)),
        (lambda: DnCNN(depth=5), lambda: VDSR(depth=5)),
        (lambda: DnCNN(depth=5, features=8), lambda: DnCNN(depth=5)),
        (lambda: DnCNN(depth=17), lambda: DnCNN(depth=5)),
    ],
)
def test_weights_that_hardly_match_are_refused(model, source):
    model = model()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(ValueError, match=f"those of another network than {type(model).__name__}"):
        load_matching(model, source().state_dict())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize(
    "source",
    [lambda: VDSR(), lambda: DnCNN(depth=20), lambda: DnCNN(depth=20, batch_norm=False)],
)
def test_a_folded_dncnn_starts_with_the_function_of_its_source(source):
    source, model = source(), DnCNN.for_three_tasks(batch_norm=False)
    assert start_from(model, source) == []
    x = torch.rand(1, 1, 24, 24)
    torch.testing.assert_close(model.eval()(x), source.eval()(x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("source", [VDSR, lambda: DnCNN(depth=20, batch_norm=False)])
def test_a_dncnn_that_normalises_refuses_a_source_that_does_not(source):
    with pytest.raises(ValueError, match="without batch normalisation, and this network trains with it"):
        start_from(DnCNN(depth=20), source())


@pytest.mark.parametrize(
    ("model", "source", "message"),
    [
        (VDSR, lambda: DnCNN(depth=20, batch_norm=False), "predicts the noise, this network the missing detail"),
        (
            lambda: DnCNN(depth=5, features=8, residual=False),
            lambda: DnCNN(depth=5, features=8),
            "predicts the noise, this network the picture",
        ),
    ],
)
def test_networks_that_predict_different_things_do_not_start_from_each_other(model, source, message):
    with pytest.raises(ValueError, match=message):
        start_from(model(), source())


def test_he_init():
    model = VDSR()
    for layer in model.layers:
        if isinstance(layer, nn.Conv2d):
            fan_in = layer.in_channels * 9
            assert layer.weight.std().item() == pytest.approx((2 / fan_in) ** 0.5, rel=0.15)
            assert (layer.bias == 0).all()


# --- ESPCN's shuffle -------------------------------------------------------------------------------------


@pytest.mark.parametrize("r", [2, 3, 4])
def test_convolution_and_shuffle_are_one_transposed_convolution(r):
    x, w, bias = torch.rand(1, 5, 7, 6), torch.rand(2 * r * r, 5, 3, 3), torch.rand(2)
    woven = nn.PixelShuffle(r)(F.conv2d(x, w, bias.repeat_interleave(r * r), padding=1))
    transposed = F.conv_transpose2d(x, as_transposed(w, r), bias, stride=r, padding=r)
    assert transposed.shape == woven.shape
    assert torch.allclose(transposed, woven, atol=1e-4)


@pytest.mark.parametrize(("r", "colors"), [(2, 1), (3, 1), (2, 3), (3, 2)])
def test_the_shuffle_of_the_paper_is_that_of_pytorch_with_its_channels_in_another_order(r, colors):
    maps = torch.rand(2, colors * r * r, 4, 5)
    woven = nn.PixelShuffle(r)(maps[:, shuffle_order(r, colors)])
    assert torch.equal(woven, periodic_shuffle(maps, r))


def test_the_shuffle_of_the_paper_wants_multiples_of_r_squared():
    with pytest.raises(ValueError, match="5 maps are not a multiple of 2²"):
        periodic_shuffle(torch.rand(1, 5, 2, 2), 2)


def test_a_frozen_layer_stays_frozen_after_evaluation():
    model = nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1).eval())
    with evaluation_mode(model):
        assert not model.training
    assert [layer.training for layer in model.modules()] == [True, True, False]


def test_the_shuffle_of_the_paper_fills_a_block_column_by_column():
    block = periodic_shuffle(torch.arange(4.0).view(1, 4, 1, 1), 2)
    assert block.tolist() == [[[[0, 2], [1, 3]]]]


def test_the_shuffle_of_the_paper_keeps_the_colours_of_a_sub_pixel_together():
    picture = periodic_shuffle(torch.arange(12.0).view(1, 12, 1, 1), 2)
    assert picture[0, :, 0, 0].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("r", "colors", "order"),
    [
        (2, 1, [0, 2, 1, 3]),
        (3, 1, [0, 3, 6, 1, 4, 7, 2, 5, 8]),
        (2, 3, [0, 6, 3, 9, 1, 7, 4, 10, 2, 8, 5, 11]),
    ],
)
def test_the_order_between_the_two_shuffles(r, colors, order):
    assert shuffle_order(r, colors).tolist() == order


def test_arguments():
    with pytest.raises(ValueError, match="tanh or relu, got 'gelu'"):
        ESPCN(activation="gelu")
    with pytest.raises(ValueError, match="2, 3 or 4, got 5"):
        upsampler(8, 5)


# --- the hourglass of Deep Image Prior -------------------------------------------------------------------


def small(levels: int = 3, **options) -> Hourglass:
    shape = {"down": (4,) * levels, "up": (6,) * levels, "skip": (2,) * levels}
    return Hourglass(4, 3, **shape | options)


@settings(max_examples=25, deadline=None)
@given(
    height=st.integers(9, 40),
    width=st.integers(9, 40),
    skip=st.sampled_from([(0, 0, 0), (2, 2, 2), (0, 3, 1)]),
    mode=st.sampled_from(["bilinear", "nearest", ("nearest", "bilinear", "nearest")]),
    last_1x1=st.booleans(),
)
def test_a_picture_is_as_large_as_z(height, width, skip, mode, last_1x1):
    model = small(skip=skip, mode=mode, last_1x1=last_1x1)
    picture = model(0.1 * torch.rand(2, 4, height, width))
    assert picture.shape == (2, 3, height, width)
    assert 0 < picture.min() < picture.max() < 1


def test_every_weight_of_the_hourglass_is_driven():
    model = small(skip=(0, 2, 2), mode="nearest")
    (model(torch.rand(1, 4, 21, 19)) - 0.3).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad.isfinite().all(), name
        assert parameter.ndim == 1 or parameter.grad.abs().sum() > 0, name


def by_hand(level: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """A level as the authors' code puts it together, out of its weights alone."""

    def norm(y, layer):
        mean, var = y.mean((0, 2, 3), keepdim=True), y.var((0, 2, 3), keepdim=True, correction=0)
        scale, shift = (v.view(1, -1, 1, 1) for v in (layer.weight, layer.bias))
        return (y - mean) / (var + 1e-5).sqrt() * scale + shift

    def unit(y, layers, stride=1):
        convolution, layer, _ = layers
        side = convolution.weight.shape[-1] // 2
        y = F.conv2d(F.pad(y, (side,) * 4, mode="reflect"), convolution.weight, convolution.bias, stride)
        y = norm(y, layer)
        return torch.where(y > 0, y, 0.2 * y)

    deep = unit(unit(x, level.down[:3], 2), level.down[3:])
    if not isinstance(level.inner, nn.Identity):
        deep = by_hand(level.inner, deep)
    if level.mode == "nearest":
        deep = deep.repeat_interleave(2, 2).repeat_interleave(2, 3)
    else:
        deep = F.interpolate(deep, scale_factor=2, mode="bilinear", align_corners=False)
    deep = deep[:, :, : x.shape[2], : x.shape[3]]
    joined = norm(torch.cat([unit(x, level.skip), deep], 1) if level.skip else deep, level.up[0])
    y = unit(joined, level.up[1:4])
    return unit(y, level.up[4:]) if len(level.up) > 4 else y


@pytest.mark.parametrize(
    "options",
    [{}, {"mode": ("nearest", "bilinear", "nearest"), "skip": (0, 2, 0)}, {"kernel": 5, "last_1x1": False}],
)
def test_hourglass_against_its_weights(options):
    model, z = small(**options).double(), torch.rand(1, 4, 23, 18, dtype=torch.float64)
    for parameter in model.parameters():  # scales of 1 and shifts of 0 would hide a normalisation left out
        nn.init.normal_(parameter, std=0.5)
    head = model.head[0]
    wanted = torch.sigmoid(F.conv2d(by_hand(model.body, z), head.weight, head.bias))
    torch.testing.assert_close(model(z), wanted)
    assert wanted.std() > 0.01


def test_levels_take_their_own_skips_and_modes():
    """The outermost first."""
    level, found = small(skip=(0, 3, 1), mode=("nearest", "bilinear", "nearest")).body, []
    while not isinstance(level, nn.Identity):
        found.append((level.mode, level.skip[0].out_channels if level.skip else 0))
        level = level.inner
    assert found == [("nearest", 0), ("bilinear", 3), ("nearest", 1)]


def test_training_and_evaluation_are_one():
    model, z = small(), torch.rand(1, 4, 17, 18)
    first = model.train()(z)
    model(torch.rand(1, 4, 17, 18))
    assert torch.equal(model.eval()(z), first)
    assert not list(model.buffers())  # no running statistics


@pytest.mark.parametrize(("levels", "kernel"), [(1, 3), (3, 3), (5, 3), (2, 5), (6, 5), (2, 7)])
def test_the_smallest_picture(levels, kernel):
    model, side = small(levels, kernel=kernel), {3: 1, 5: 2, 7: 3}[kernel] * 2**levels + 1
    assert model.smallest == side
    assert model(torch.rand(1, 4, side, side)).shape == (1, 3, side, side)
    for size in ((side - 1, side + 8), (side + 8, side - 1)):
        with pytest.raises(ValueError, match=f"needs {side} pixels on each side, got {size[0]}×{size[1]}"):
            model(torch.rand(1, 4, *size))
    model.smallest = 0  # and that is not said too early: the next smaller one would fail
    with pytest.raises((RuntimeError, ValueError)):
        model(torch.rand(1, 4, side - 1, side - 1))


def test_the_picture_is_in_full_precision():
    model, z = small(), torch.rand(1, 4, 40, 40)
    with torch.autocast("cpu", torch.bfloat16):
        assert model.body(z).dtype == torch.bfloat16
        picture = model(z)
    assert picture.dtype == torch.float32
    assert not torch.equal(picture, picture.bfloat16().float())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"skip": (4, 4)}, "as many levels down as up"),
        ({"down": (4, 4)}, "as many levels down as up"),
        ({"up": ()}, "as many levels down as up"),
        ({"mode": ("nearest", "nearest")}, "as many levels down as up"),
        ({"down": (), "up": (), "skip": (), "mode": ()}, "as many levels down as up"),
        ({"mode": "bicubic"}, "bilinear, nearest, got 'bicubic'"),
        ({"mode": ("nearest", "nearest", "area")}, "bilinear, nearest, got"),
    ],
)
def test_hourglass_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        small(**options)
