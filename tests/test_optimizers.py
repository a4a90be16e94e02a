"""The optimisers that recipes describe: what they build, and how they print themselves."""

import pytest
import torch
from torch import nn

from imtrans.models.srcnn import SRCNN
from imtrans.muon import Muon
from imtrans.training import SGD, Adam, MuonAndAdam


def rates(optimizer: torch.optim.Optimizer, model: nn.Module) -> dict[str, float]:
    """The learning rate of each parameter by its name."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return {names[id(p)]: group["lr"] for group in optimizer.param_groups for p in group["params"]}


def test_sgd_has_one_rate_by_default():
    model = SRCNN()
    (sgd,) = SGD(0.1, momentum=0.8, weight_decay=1e-4).build(model)
    assert isinstance(sgd, torch.optim.SGD)
    assert rates(sgd, model) == dict.fromkeys(dict(model.named_parameters()), 0.1)
    (group,) = sgd.param_groups
    assert (group["momentum"], group["weight_decay"], group["nesterov"]) == (0.8, 1e-4, False)


def test_sgd_slows_the_last_layer_and_the_biases():
    model = SRCNN()
    (sgd,) = SGD(1.0, last_layer=0.5, biases=0.25).build(model)
    assert rates(sgd, model) == {
        "patch_extraction.weight": 1.0,
        "patch_extraction.bias": 0.25,
        "mapping.weight": 1.0,
        "mapping.bias": 0.25,
        "reconstruction.weight": 0.5,
        "reconstruction.bias": 0.5,
    }


def test_adam_has_the_default_moments():
    model = SRCNN()
    (adam,) = Adam(1e-4).build(model)
    (group,) = adam.param_groups
    assert isinstance(adam, torch.optim.Adam)
    assert (group["lr"], group["betas"], group["eps"], group["weight_decay"]) == (1e-4, (0.9, 0.999), 1e-8, 0)


@pytest.mark.parametrize("ends", [False, True])
def test_muon_updates_the_hidden_convolutions_and_adam_the_rest(ends):
    model = SRCNN()
    muon, adam = MuonAndAdam(0.01, adam_lr=2e-3, ends=ends).build(model)
    assert isinstance(muon, Muon)
    assert isinstance(adam, torch.optim.Adam)
    kernels = [f"{layer}.weight" for layer in ("patch_extraction", "mapping", "reconstruction")]
    hidden = kernels if ends else kernels[1:2]
    assert rates(muon, model) == dict.fromkeys(hidden, 0.01)
    assert rates(adam, model) == dict.fromkeys(set(dict(model.named_parameters())) - set(hidden), 2e-3)


@pytest.mark.parametrize(
    ("optimizer", "words"),
    [
        (SGD(0.1), "SGD 0.1, momentum 0.9"),
        (SGD(0.1, weight_decay=1e-4), "SGD 0.1, momentum 0.9, weight decay 1e-4"),
        (
            SGD(1e-4, momentum=0.5, last_layer=0.1, biases=0.1),
            "SGD 1e-4, momentum 0.5, last layer × 0.1, biases × 0.1",
        ),
        (Adam(2.5e-3), "Adam 2.5e-3"),
        (MuonAndAdam(0.02), "Muon 0.02 for the hidden convolutions, Adam 1e-3 for the rest"),
        (MuonAndAdam(0.01, adam_lr=5e-4), "Muon 0.01 for the hidden convolutions, Adam 5e-4 for the rest"),
        (MuonAndAdam(0.01, ends=True), "Muon 0.01 for the convolutions, Adam 1e-3 for the biases"),
    ],
)
def test_optimisers_print_themselves(optimizer, words):
    assert str(optimizer) == words
