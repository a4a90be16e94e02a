"""One test over all networks of the registry that restore: what every one of them has to be able to do."""

import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from imtrans import assets, zoo
from imtrans.export import to_onnx


def architectures() -> list[str]:
    """The first entry of each architecture: srcnn-x2 stands for srcnn-x3, whose network is the same."""
    first: dict[tuple, str] = {}
    with torch.device("meta"):
        for name, entry in zoo.RESTORERS.items():
            model = entry.build()
            shapes = tuple((key, tuple(value.shape)) for key, value in model.state_dict().items())
            first.setdefault((type(model), shapes), name)
    return list(first.values())


NAMES = architectures()


@pytest.fixture
def picture() -> Tensor:
    """Two RGB pictures of an odd size."""
    return torch.rand(2, 3, 17, 22, generator=torch.Generator().manual_seed(1))


def build(name: str, picture: Tensor) -> tuple[nn.Module, Tensor, tuple[int, ...]]:
    """The network, an input for it, and what it takes beside it: MDSR a scale."""
    torch.manual_seed(0)
    model = zoo.RESTORERS[name].build()
    return model, picture[:, : model.channels], (model.scales[-1],) if getattr(model, "takes_scale", False) else ()


def zoom(model: nn.Module) -> int:
    return model.scales[-1] if model.upsamples else 1


PARAMETERS = {  # out · (in · k² + 1) per convolution, and what batch norm has
    "srcnn-x2": 8_129,
    "srcnn-955-x3": 57_281,
    "vdsr": 665_921,
    "espcn-x2": 21_284,
    "espcn-x3": 22_729,
    "espcn-x4": 24_752,
    "dncnn-15": 556_097,
    "dncnn-blind": 667_073,
    "cdncnn-blind": 669_379,
    "edsr-baseline-x2": 1_369_859,
    "edsr-baseline-x3": 1_554_499,
    "edsr-baseline-x4": 1_517_571,
    "mdsr-baseline": 3_230_665,
    "rdn-small-x2": 1_389_955,
    "rcan-small-x2": 179_227,
    "rcan-medium-x2": 1_415_487,
}


@pytest.mark.parametrize("name", NAMES)
def test_a_network_has_the_parameters_of_its_layers(name):
    with torch.device("meta"):
        assert sum(p.numel() for p in zoo.RESTORERS[name].build().parameters()) == PARAMETERS[name]


@pytest.mark.parametrize("name", NAMES)
def test_a_network_returns_pictures_of_the_size_it_promises(name, picture):
    model, x, scale = build(name, picture)
    with torch.no_grad():
        assert model.eval()(x, *scale).shape == (2, model.channels, 17 * zoom(model), 22 * zoom(model))


@pytest.mark.parametrize("name", NAMES)
def test_a_gradient_reaches_every_weight_of_a_network(name, picture):
    model, x, scale = build(name, picture)
    scales = model.scales if scale else [None]  # MDSR's tails are at work one at a time
    sum((model(x, s) if s else model(x)).square().mean() for s in scales).backward()
    assert [key for key, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()] == []
    silent = [key for key, p in model.named_parameters() if not p.grad.any()]
    assert len(silent) < 0.1 * len(list(model.parameters())), silent  # the few rectifiers of a gate of RCAN may be off


@pytest.mark.parametrize("name", NAMES)
def test_a_network_survives_its_file(name, picture, tmp_path):
    model, x, scale = build(name, picture)
    again = zoo.RESTORERS[name].build()
    digest = assets.save_weights(tmp_path / "w.safetensors", model.state_dict())
    again.load_state_dict(assets.load_weights(tmp_path / "w.safetensors", digest))
    with torch.no_grad():
        assert torch.equal(again.eval()(x, *scale), model.eval()(x, *scale))


@pytest.mark.parametrize(("dtype", "bound"), [(torch.bfloat16, 0.05), (torch.float16, 0.01)])
@pytest.mark.parametrize("name", NAMES)
def test_a_network_computes_in_half_precision(name, dtype, bound, picture):
    model, x, scale = build(name, picture)
    with torch.no_grad():
        wanted = model.eval()(x, *scale)
        low = model.to(dtype)(x.to(dtype), *scale)
    assert low.dtype == dtype
    assert (low.float() - wanted).norm() < bound * wanted.norm()  # 8 or 11 bits of mantissa, up to 84 layers


@pytest.mark.parametrize("name", NAMES)
def test_a_network_is_traced_whole_by_torch_compile(name, picture):
    model, x, scale = build(name, picture)
    traced = torch.compile(model.eval(), backend="aot_eager", fullgraph=True)
    with torch.no_grad():
        torch.testing.assert_close(traced(x, *scale), model(x, *scale), atol=1e-5, rtol=1e-5)


@pytest.mark.filterwarnings("ignore::Warning")  # the exporter's own
@pytest.mark.parametrize("name", NAMES)
def test_a_network_gives_the_same_pictures_from_its_onnx_file(name, picture, tmp_path):
    model, x, scale = build(name, picture)
    to_onnx(model, tmp_path / "network.onnx", scale=scale[0] if scale else None)
    session = onnxruntime.InferenceSession(tmp_path / "network.onnx")
    [result] = session.run(None, {"picture": x.numpy()})
    with torch.no_grad():
        torch.testing.assert_close(torch.from_numpy(result), model.eval()(x, *scale), atol=1e-4, rtol=1e-4)
