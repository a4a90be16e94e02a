"""The networks: their sizes as the papers give them, what reaches what, and what they eat."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from imtrans.models.dncnn import DnCNN
from imtrans.models.edsr import EDSR, upsampler
from imtrans.models.espcn import ESPCN
from imtrans.models.srcnn import SRCNN, paper_init
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
    "EDSR x2": (lambda: EDSR(2, blocks=2, features=8), 3, True, (2,)),
    "EDSR x3": (lambda: EDSR(3, blocks=2, features=8), 3, True, (3,)),
    "EDSR x4": (lambda: EDSR(4, blocks=2, features=8, residual_scale=1.0), 3, True, (4,)),
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
        (lambda: EDSR.baseline(2), 1_369_859),
        (lambda: EDSR.baseline(3), 1_554_499),
        (lambda: EDSR.baseline(4), 1_517_571),
        (lambda: EDSR.paper(2), 40_729_603),
        (lambda: EDSR.paper(3), 43_680_003),
        (lambda: EDSR.paper(4), 43_089_923),
    ],
)
def test_parameter_counts(build, parameters):
    with torch.device("meta"):  # shapes alone: EDSR would fill 170 MB
        assert count(build()) == parameters


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
        (lambda: DnCNN(features=4), 35),
        (lambda: DnCNN(features=4, depth=20), 41),
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


@pytest.mark.parametrize(("options", "words"), [({"padding": "same"}, "padding"), ({"f2": 2}, "odd, got 9-2-5")])
def test_srcnn_arguments(options, words):
    with pytest.raises(ValueError, match=words):
        SRCNN(**options)


def test_paper_init():
    model = paper_init(SRCNN())
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            assert (parameter == 0).all()
        else:
            assert parameter.std().item() == pytest.approx(0.001, rel=0.12)


@pytest.mark.parametrize("build", [lambda: VDSR(depth=4, features=8), lambda: DnCNN(depth=4, features=8)])
def test_residual_networks_begin_at_their_input(build):
    """With the last layer at zero the network is the identity: it predicts the difference alone."""
    model = build().eval()
    nn.init.zeros_(model.layers[-1].weight)
    x = torch.rand(1, 1, 9, 9)
    assert torch.equal(model(x), x)


def test_he_init():
    model = VDSR()
    for layer in model.layers:
        if isinstance(layer, nn.Conv2d):
            fan_in = layer.in_channels * 9
            assert layer.weight.std().item() == pytest.approx((2 / fan_in) ** 0.5, rel=0.15)
            assert (layer.bias == 0).all()


# --- ESPCN's shuffle -------------------------------------------------------------------------------------


@pytest.mark.parametrize("r", [2, 3, 4])
def test_the_shuffle_is_a_transposed_convolution(r):
    """Convolve, then weave = a transposed convolution of stride r with a kernel r times as wide."""
    k = 3
    x, w = torch.rand(1, 5, 7, 6), torch.rand(r * r, 5, k, k)
    woven = nn.PixelShuffle(r)(F.conv2d(x, w, padding=k // 2))
    wide = torch.zeros(5, 1, r * k, r * k)
    for i in range(r):
        for j in range(r):
            # sub-pixel (i, j) of the tap (a, b) lies at (r·(k-1-a) + i, r·(k-1-b) + j)
            wide[:, 0, i::r, j::r] = w[r * i + j].flip(-1, -2)
    transposed = F.conv_transpose2d(x, wide, stride=r, padding=r * (k // 2))
    assert transposed.shape == woven.shape
    assert torch.allclose(transposed, woven, atol=1e-4)


@pytest.mark.parametrize("r", [2, 3])
def test_the_shuffle_of_the_paper_is_a_permutation(r):
    """PS(T)[x, y] = T[⌊x/r⌋, ⌊y/r⌋, r·mod(y, r) + mod(x, r)], with x the rows: sub-pixels by columns."""
    t = torch.rand(1, r * r, 4, 5)
    paper = torch.zeros(1, 1, 4 * r, 5 * r)
    for x in range(4 * r):
        for y in range(5 * r):
            paper[0, 0, x, y] = t[0, r * (y % r) + x % r, x // r, y // r]
    order = torch.arange(r * r).view(r, r).T.flatten()
    assert torch.equal(nn.PixelShuffle(r)(t[:, order]), paper)


def test_arguments():
    with pytest.raises(ValueError, match="tanh or relu, got 'gelu'"):
        ESPCN(activation="gelu")
    with pytest.raises(ValueError, match="2, 3 or 4, got 5"):
        upsampler(8, 5)
