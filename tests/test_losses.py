"""The losses against their formulas."""

import pytest
import torch
import torch.nn.functional as F

from imtrans.losses import half_sum_of_squares, sum_of_squares


def test_sums_over_pixels_and_averages_over_patches():
    x, y = torch.rand(4, 1, 21, 21, dtype=torch.float64), torch.rand(4, 1, 21, 21, dtype=torch.float64)
    by_hand = sum(((x[i] - y[i]) ** 2).sum() for i in range(4)) / 4
    assert sum_of_squares(x, y).item() == pytest.approx(by_hand.item())
    assert half_sum_of_squares(x, y).item() == pytest.approx(by_hand.item() / 2)
    assert sum_of_squares(x, y).item() == pytest.approx(441 * F.mse_loss(x, y).item())  # the factor of the docstring


def test_gradient_of_the_half_is_the_difference():
    x, y = torch.rand(3, 2, 5, 5, requires_grad=True), torch.rand(3, 2, 5, 5)
    half_sum_of_squares(x, y).backward()
    assert torch.allclose(x.grad, (x.detach() - y) / 3)


def test_residuals_or_pictures_are_the_same():
    """DnCNN's loss is written in residuals, R(y) against y - x; it is that of the pictures y - R(y) and x."""
    noisy, clean, residual = torch.rand(3, 2, 1, 8, 8, dtype=torch.float64)
    pictures = half_sum_of_squares(noisy - residual, clean)
    assert pictures.item() == pytest.approx(half_sum_of_squares(residual, noisy - clean).item())
