from types import SimpleNamespace

import pytest
import torch
from torch import nn

from imtrans.training.captured import captured

ON_GPU = SimpleNamespace(is_cuda=True)  # all that is asked of a batch before the capture itself


@pytest.fixture
def network():
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)).train()


def test_on_a_cpu_nothing_is_captured(network):
    forward = network.forward
    assert captured(network, torch.rand(1, 1, 5, 5), None) is network
    assert network.forward == forward


def test_the_passes_before_the_capture_leave_no_trace(network, monkeypatch):
    def capture(network, example, **_):
        network(torch.rand(2, 1, 5, 5)).sum().backward()

    monkeypatch.setattr(torch.cuda, "make_graphed_callables", capture)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    captured(network, ON_GPU, None)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(p.grad is None for p in network.parameters())


def test_a_network_that_cannot_be_captured_trains_without_and_one_line_says_so(network, monkeypatch, capsys):
    def capture(network, example, **_):
        network.forward = None
        raise RuntimeError("operation not permitted\nwhen stream is capturing")

    monkeypatch.setattr(torch.cuda, "make_graphed_callables", capture)
    assert captured(network, ON_GPU, None)(torch.rand(2, 1, 5, 5)).shape == (2, 2, 3, 3)
    assert capsys.readouterr().err == "without CUDA graphs: operation not permitted when stream is capturing\n"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("dtype", [None, torch.bfloat16])
def test_a_captured_network_computes_what_it_did_before(network, dtype):
    x = torch.rand(4, 1, 9, 9, device="cuda")
    network = network.cuda()
    plain = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)).cuda().train()
    plain.load_state_dict(network.state_dict())
    captured(network, torch.rand_like(x), dtype)
    for _ in range(2):
        results = []
        for each in (network, plain):
            with torch.autocast("cuda", dtype, enabled=dtype is not None):
                y = each(x).float()
            each.zero_grad()
            y.square().mean().backward()
            results.append((y, *(p.grad for p in each.parameters())))
        for a, b in zip(*results, strict=True):
            torch.testing.assert_close(a, b, atol=1e-2 if dtype else 1e-5, rtol=1e-2)
