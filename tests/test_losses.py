"""The losses against their formulas."""

import pytest
import torch
import torch.nn.functional as F

from imtrans.losses import (
    content_loss,
    cross_entropy,
    feature_reconstruction,
    gram,
    gram_per_position,
    half_sum_of_squares,
    normalized_gram,
    out_of_range,
    relative_error,
    statistics_error,
    statistics_squares,
    style_loss,
    style_reconstruction,
    sum_of_squares,
    total_variation,
)
from imtrans.models.adain import mean_and_deviation


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


def test_the_feature_loss_is_divided_by_channels_and_places():
    ours, target = torch.rand(2, 5, 4, 3, 2, dtype=torch.float64)
    by_hand = sum((ours[i] - target[i]).square().sum() / (4 * 3 * 2) for i in range(5)) / 5
    assert feature_reconstruction(ours, target).item() == pytest.approx(by_hand.item())


def test_the_normalized_gram_matrix_is_the_slides_sum_over_places():
    features = torch.rand(2, 3, 4, 5, dtype=torch.float64)
    wanted = torch.einsum("nchw,ndhw->ncd", features, features) / (3 * 4 * 5)
    assert torch.allclose(normalized_gram(features), wanted)
    assert torch.allclose(normalized_gram(features) * 60, gram(features))


def test_the_normalized_gram_matrix_of_a_tiled_picture_is_that_of_the_picture():
    features = torch.rand(1, 3, 4, 5, dtype=torch.float64)
    assert torch.allclose(normalized_gram(features.repeat(1, 1, 2, 3)), normalized_gram(features))


def test_the_normalized_gram_matrix_stays_finite_in_half_precision():
    assert normalized_gram(torch.full((1, 2, 256, 256), 9.0).half()).isfinite().all()


def test_the_style_loss_compares_a_batch_with_one_style_of_another_size():
    ours, style = torch.rand(2, 3, 8, 8, dtype=torch.float64), torch.rand(1, 3, 5, 9, dtype=torch.float64)
    by_hand = [(normalized_gram(one[None]) - normalized_gram(style)).square().sum().item() for one in ours]
    assert style_reconstruction(ours, style).item() == pytest.approx(sum(by_hand) / 2)


# --- style transfer: the formulas of the slides -----------------------------------------------------------


@pytest.fixture
def maps():
    """F and P, or F and the artwork's features: two taps after a ReLU, N = 5 maps of M = 6 · 7 positions."""
    return torch.randn(2, 1, 5, 6, 7, dtype=torch.float64).relu()


def test_a_gram_matrix_is_a_sum_over_positions(maps):
    f = maps[0, 0].flatten(1)
    by_hand = sum(torch.outer(f[:, k], f[:, k]) for k in range(f.shape[1]))
    assert torch.allclose(gram(maps[0])[0], by_hand)
    assert torch.allclose(gram_per_position(maps[0])[0], by_hand / 42)


def test_a_gram_matrix_does_not_see_where(maps):
    shuffled = maps[0].flatten(2)[..., torch.randperm(42)].view_as(maps[0])
    assert torch.allclose(gram(shuffled), gram(maps[0]))
    assert not torch.allclose(shuffled, maps[0])


def test_content_and_style_loss_are_those_of_the_slides(maps):
    f, p = maps
    assert content_loss(f, p).item() == pytest.approx(0.5 * ((f - p) ** 2).sum().item())
    squares = ((gram(f) - gram(p)) ** 2).sum().item()
    assert style_loss(f, p).item() == pytest.approx(squares / (4 * 5**2 * 42**2))


def test_the_relative_forms_are_the_slides_over_the_energy_of_the_target(maps):
    f, p = maps
    assert content_loss(f, p).item() == pytest.approx(relative_error(f, p).item() * p.square().sum().item() / 2)
    a = gram_per_position(p)
    relative = relative_error(gram_per_position(f), a).item()
    assert style_loss(f, p).item() == pytest.approx(relative * a.square().sum().item() / (4 * 5**2))


def test_the_relative_forms_are_those_of_johnson_and_of_adain_over_the_energy_of_the_target(maps):
    f, p = maps
    energies = {
        feature_reconstruction(f, p): (relative_error(f, p), p.square().sum() / (5 * 6 * 7)),
        style_reconstruction(f, p): (
            relative_error(normalized_gram(f), normalized_gram(p)),
            normalized_gram(p).square().sum(),
        ),
        statistics_squares(f, p): (
            statistics_error(f, p),
            sum(statistic.square().sum() for statistic in mean_and_deviation(p)),
        ),
    }
    for raw, (relative, energy) in energies.items():
        assert raw.item() == pytest.approx(relative.item() * energy.item())


def test_the_style_of_a_larger_picture_of_the_same_texture_is_the_same(maps):
    wide = maps[0].repeat(1, 1, 1, 3)
    assert style_loss(maps[0], wide).item() == pytest.approx(0, abs=1e-20)


def test_the_gradients_are_those_of_the_paper(maps):
    """∂L/∂F = F − P, and ∂E/∂F = ((F^T (G − A))^T) / (N² M²)."""
    f, p = maps
    f = f.clone().requires_grad_()
    (of_content,) = torch.autograd.grad(content_loss(f, p), f)
    assert torch.allclose(of_content, f - p)
    (of_style,) = torch.autograd.grad(style_loss(f, p), f)
    flat, difference = f[0].flatten(1), (gram(f) - gram(p))[0]
    by_paper = (flat.T @ difference).T / (5**2 * 42**2)
    assert torch.allclose(of_style[0].flatten(1), by_paper)


def test_total_variation_sees_differences_of_neighbours():
    ramp = torch.arange(5.0).view(1, 1, 1, 5).expand(1, 1, 4, 5)
    assert total_variation(ramp).item() == pytest.approx(1.0)
    assert total_variation(torch.full((1, 3, 4, 5), 7.0)).item() == 0


def test_pixels_that_a_screen_can_show_are_in_range():
    picture = torch.tensor([0.0, 1.0, 1.5, -0.5]).view(1, 1, 2, 2)
    assert out_of_range(picture).item() == pytest.approx(0.125)
    assert out_of_range(picture.clamp(0, 1)).item() == 0


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
