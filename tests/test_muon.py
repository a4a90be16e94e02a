"""Muon: against its definition and against PyTorch's own, which accepts matrices alone."""

import pytest
import torch
from torch import nn

from imtrans import muon
from imtrans.muon import Muon, orthogonalize


@pytest.mark.parametrize("shape", [(64, 32), (32, 64), (40, 40), (1, 25), (64, 9)])
@pytest.mark.parametrize("size", [1e-4, 1.0, 1e3])
def test_orthogonalize_keeps_the_singular_vectors(shape, size):
    x = size * torch.randn(shape)
    y = orthogonalize(x)
    assert y.shape == x.shape
    u, s, vt = torch.linalg.svd(x, full_matrices=False)
    seen = u.T @ y @ vt.T  # diagonal where y has the singular vectors of x
    diagonal = seen.diagonal()
    strong = s > 0.05 * s.max()
    assert (diagonal[strong] > 0.6).all()
    assert (diagonal < 1.3).all()
    assert (seen - torch.diag(diagonal)).abs().max() < 1e-3
    assert torch.linalg.norm(y - u @ seen @ vt) < 1e-3 * torch.linalg.norm(y)  # and nothing beside them


def test_orthogonalize_of_an_orthogonal_matrix_keeps_its_direction():
    q = torch.linalg.qr(torch.randn(24, 24)).Q
    y = orthogonalize(q)
    assert torch.allclose(y, q * (y * q).sum() / 24, atol=1e-4)


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="this PyTorch has no torch.optim.Muon")
@pytest.mark.parametrize("shape", [(16, 40), (24, 24)])
def test_muon_agrees_with_torch(shape):
    """Both by their defaults, momentum 0.95 with Nesterov; PyTorch iterates in bf16, hence the tolerance."""
    ours, theirs = (nn.Parameter(torch.zeros(shape)) for _ in range(2))
    optimizers = [
        Muon([ours], lr=0.02),
        torch.optim.Muon(
            [theirs],
            lr=0.02,
            weight_decay=0.0,
            nesterov=True,
            ns_steps=5,
            adjust_lr_fn="original",
        ),
    ]
    random = torch.Generator().manual_seed(1)
    for _ in range(4):
        gradient = torch.randn(shape, generator=random)
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        for optimizer in optimizers:
            optimizer.step()
    distance = torch.linalg.norm(ours - theirs) / torch.linalg.norm(theirs)
    assert distance < 0.02
    assert torch.linalg.norm(ours) > 0


def test_the_momentum_is_0_95():
    """The velocity after two gradients, written out."""
    weight = nn.Parameter(torch.zeros(3, 4))
    optimizer = Muon([weight])
    first, second = torch.randn(3, 4), torch.randn(3, 4)
    for gradient in (first, second):
        weight.grad = gradient.clone()
        optimizer.step()
    velocity = optimizer.state[weight]["momentum_buffer"]
    assert torch.allclose(velocity, 0.05 * (0.95 * first + second), atol=1e-6)


def test_a_kernel_is_updated_as_a_matrix():
    """A convolution's update is that of its matrix (out, in · k · k)."""
    kernel, matrix = nn.Parameter(torch.zeros(8, 3, 3, 3)), nn.Parameter(torch.zeros(8, 27))
    gradient = torch.randn(8, 27)
    kernel.grad, matrix.grad = gradient.view(8, 3, 3, 3).clone(), gradient.clone()
    for parameter in (kernel, matrix):
        Muon([parameter], lr=0.1).step()
    assert torch.equal(kernel.flatten(1), matrix)
    singular = torch.linalg.svdvals(matrix.detach())
    assert 0.06 < singular.min() <= singular.max() < 0.13  # a step's length is lr, in the spectral norm


def test_muon_solves_least_squares():
    target, x = torch.randn(12, 20), torch.randn(20, 200)
    weight = nn.Parameter(torch.zeros(12, 20))
    optimizer = Muon([weight], lr=0.05)
    losses = []
    for _ in range(150):
        loss = (weight @ x - target @ x).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.02 * losses[0]


def test_a_weight_without_gradient_is_not_updated():
    weight = nn.Parameter(torch.ones(3, 3))
    Muon([weight]).step()
    assert torch.equal(weight, torch.ones(3, 3))


@pytest.mark.parametrize("shape", [(5, 16, 9), (3, 9, 16)])
def test_a_batch_of_matrices_is_orthogonalized_one_by_one(shape):
    x = torch.randn(shape)
    torch.testing.assert_close(orthogonalize(x), torch.stack([orthogonalize(each) for each in x]))


def test_weights_of_one_shape_may_be_updated_together(monkeypatch):
    """As on a GPU."""
    start = [torch.randn(shape) for shape in ((8, 4, 3, 3), (8, 4, 3, 3), (6, 5, 1, 1))]
    alone, together = ([nn.Parameter(value.clone()) for value in start] for _ in range(2))
    for _ in range(2):
        gradients = [torch.randn_like(value) for value in start]
        for weights in (alone, together):
            for weight, gradient in zip(weights, gradients, strict=True):
                weight.grad = gradient.clone()
    Muon(alone).step()
    monkeypatch.setattr(muon, "_batches", lambda weights: [weights[:2], weights[2:]])
    Muon(together).step()
    for a, b, first in zip(alone, together, start, strict=True):
        torch.testing.assert_close(a, b)
        assert not torch.equal(a, first)


def test_muon_decays_weights_by_the_rate_before_its_step():
    ours, theirs = (nn.Parameter(torch.ones(8, 12)) for _ in range(2))
    gradient = torch.randn(8, 12)
    ours.grad, theirs.grad = gradient, gradient.clone()
    Muon([ours], lr=0.1, weight_decay=0.5).step()
    Muon([theirs], lr=0.1).step()
    assert torch.allclose(ours, theirs - 0.05 * torch.ones(8, 12), atol=1e-6)
