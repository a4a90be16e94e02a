"""The losses against their formulas."""

import pytest
import torch
import torch.nn.functional as F

from imtrans.losses import cross_entropy, half_sum_of_squares, sum_of_squares


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


# --- cross-entropy over colours ---


def colors(classes: int = 7) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Logits and targets (2, classes, 3, 4), and a weight per class."""
    logits = torch.randn(2, classes, 3, 4, dtype=torch.float64)
    return logits, torch.randn(2, classes, 3, 4, dtype=torch.float64).softmax(dim=1), torch.rand(classes).double()


def test_cross_entropy_is_that_of_torch_for_distributions():
    logits, target, _ = colors()
    torch.testing.assert_close(cross_entropy(logits, target), F.cross_entropy(logits, target))


def test_a_position_is_weighted_by_its_most_probable_class():
    logits, target, weights = colors()
    each = F.cross_entropy(logits, target, reduction="none")  # (N, H, W)
    by_hand = sum(
        weights[target[n, :, y, x].argmax()] * each[n, y, x] for n in range(2) for y in range(3) for x in range(4)
    )
    torch.testing.assert_close(cross_entropy(logits, target, weights), by_hand / 24)


def test_the_weight_reaches_the_gradient():
    """v (Ẑ − Z) per position: of a weight that is applied to the printed loss alone, nothing would be seen here."""
    logits, target, weights = colors()
    logits.requires_grad_()
    cross_entropy(logits, target, weights).backward()
    v = weights[target.argmax(dim=1)][:, None]
    torch.testing.assert_close(logits.grad, v * (logits.detach().softmax(dim=1) - target) / 24)


def test_the_weighted_minimum_is_the_posterior_times_the_weights():
    """One pixel whose colour is drawn from p: the best ẑ is ∝ p w, so log w on a plain minimum does the same."""
    p, weights = torch.tensor([0.7, 0.2, 0.1]), torch.tensor([0.5, 1.0, 4.0])
    target = torch.eye(3)[None].mT[..., None]  # each colour once, as three positions
    logits = torch.zeros(1, 3, 1, 1, requires_grad=True)
    optimizer = torch.optim.LBFGS([logits], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        parts = [cross_entropy(logits, target[:, :, [i]], weights) for i in range(3)]
        value = sum(share * part for share, part in zip(p, parts, strict=True))
        value.backward()
        return value

    optimizer.step(loss)
    torch.testing.assert_close(logits.detach().softmax(dim=1).flatten(), p * weights / (p @ weights), atol=1e-3, rtol=0)
