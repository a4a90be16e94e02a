"""The losses against their formulas."""

import pytest
import torch
import torch.nn.functional as F

from imtrans.losses import (
    feature_reconstruction,
    gram,
    half_sum_of_squares,
    normalized_gram,
    style_reconstruction,
    sum_of_squares,
    total_variation,
)


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


def test_the_total_variation_of_a_step_is_its_length_times_its_height_squared():
    picture = torch.zeros(2, 1, 6, 8)
    picture[0, :, :, 4:] = 0.5  # an edge of six pixels in the first of two pictures
    assert total_variation(picture).item() == pytest.approx(6 * 0.25 / 2)
