"""Pictures through a colorizer: what is kept, and how it is scored."""

import numpy as np
import pytest
import torch
from torch import nn

from imtrans.color import ab_bins, lab_to_rgb, rgb_to_lab
from imtrans.colorize import auc, chroma, colorize, join, lightness, logits, predict_ab
from imtrans.images import to_float, to_uint8
from imtrans.models.colorization import Colorizer, rebalancing_weights


def always(a: float, b: float) -> Colorizer:
    """A colorizer that is sure of one colour."""
    model = Colorizer(width=1 / 16, skip=True).initialize().eval()
    nn.init.zeros_(model.head.weight)
    model.head.bias.data = 50.0 * (ab_bins() == torch.tensor([a, b])).all(dim=1).float()
    return model


@pytest.fixture
def gray() -> torch.Tensor:
    """All levels of gray, 48×16."""
    levels = torch.arange(256).repeat(3).view(1, 1, 48, 16)
    return to_float(levels.to(torch.uint8))


def test_the_result_has_the_colour_where_srgb_has_it(gray):
    ab = rgb_to_lab(colorize(always(20, 30), gray))[:, 1:]
    light = lightness(gray)[:, 0]
    inside = (light > 40) & (light < 80)
    torch.testing.assert_close(
        ab.movedim(1, -1)[inside], torch.tensor([20.0, 30.0]).expand(int(inside.sum()), 2), atol=0.05, rtol=0
    )


@pytest.mark.parametrize("color", [(0, 0), (20, 30), (80, 60), (-80, 70), (70, -110)])
def test_the_lightness_is_kept_to_the_rounding_of_8_bits(gray, color):
    """Of each 8-bit level of gray, the luminance of its coloured pixel is that of the level or of its neighbour."""
    result = to_float(to_uint8(colorize(always(*color), gray)))
    back = rgb_to_lab(result)[:, 0]
    as_gray = lab_to_rgb(torch.stack([back, 0 * back, 0 * back], dim=1))[:, :1]
    assert (255 * (as_gray - gray)).abs().max() < 1


def test_clipping_alone_would_change_the_lightness(gray):
    light = lightness(gray)
    ab = torch.tensor([70.0, -110.0]).view(1, 2, 1, 1).expand(1, 2, *gray.shape[-2:])
    clipped = rgb_to_lab(lab_to_rgb(torch.cat([light, ab], dim=1)))[:, :1]
    kept = rgb_to_lab(join(light, ab))[:, :1]
    assert (clipped - light).abs().max() > 10
    assert (kept - light).abs().max() < 0.01


def test_the_colours_of_a_picture_are_not_looked_at():
    model = Colorizer(width=1 / 16, skip=True).initialize().eval()
    picture = torch.rand(1, 3, 33, 50)
    light = lightness(picture)
    other = join(light, torch.randn(1, 2, 33, 50) * 5)
    torch.testing.assert_close(colorize(model, picture), colorize(model, other), atol=5e-3, rtol=0)


def test_gray_stored_as_colour_is_colorized_as_gray(gray):
    model = Colorizer(width=1 / 16, skip=True).initialize().eval()
    torch.testing.assert_close(colorize(model, gray), colorize(model, gray.expand(-1, 3, -1, -1)))


@pytest.mark.parametrize("size", [(1, 1), (5, 300), (161, 240), (400, 333)])
def test_a_picture_of_any_size_keeps_it(size):
    assert colorize(always(0, 0), torch.rand(1, 1, *size)).shape == (1, 3, *size)


def test_the_network_sees_a_small_copy_whose_sides_divide_by_8():
    model, seen = always(0, 0), []
    model.start.register_forward_pre_hook(lambda layer, inputs: seen.append(tuple(inputs[0].shape[-2:])))
    for size in ((480, 321), (100, 130)):
        predict_ab(model, 100 * torch.rand(1, 1, *size))
    assert seen == [(240, 160), (96, 128)]


def test_rebalancing_adds_the_logarithm_of_the_weights():
    prior = torch.rand(313)
    prior /= prior.sum()
    model, light = Colorizer(width=1 / 16).initialize(prior).eval(), 100 * torch.rand(1, 1, 16, 16)
    with torch.no_grad():
        added = logits(model, light) - logits(model, light, mix=None)
    wanted = rebalancing_weights(prior, 0.5).log().view(1, -1, 1, 1).expand_as(added)
    torch.testing.assert_close(added, wanted, atol=1e-4, rtol=1e-4)


def test_a_regression_returns_its_own_colours():
    model = Colorizer(width=1 / 16, outputs=2).initialize().eval()
    nn.init.zeros_(model.head.weight)
    model.head.bias.data = torch.tensor([0.1, -0.2])
    found = predict_ab(model, 100 * torch.rand(1, 1, 24, 24))
    torch.testing.assert_close(found[0, :, 0, 0], torch.tensor([11.0, -22.0]))


@pytest.mark.parametrize("picture", [torch.rand(1, 1, 4), 255 * torch.ones(1, 1, 8, 8), torch.zeros(1, 1, 8, 8).byte()])
def test_what_is_no_picture_is_refused(picture):
    with pytest.raises(ValueError, match="wanted"):
        colorize(always(0, 0), picture)


def test_a_picture_with_opacity_is_refused():
    with pytest.raises(ValueError, match="wanted gray or RGB"):
        colorize(always(0, 0), torch.rand(1, 4, 8, 8))


def test_a_network_in_training_learns_no_statistics_of_what_it_colours(gray):
    model = always(20, 30).train()
    before = model.start[0][-1].running_mean.clone()
    colorize(model, gray)
    assert torch.equal(model.start[0][-1].running_mean, before)


# --- scores ---


def test_auc_is_the_area_under_the_curve_of_errors():
    truth = rgb_to_lab(torch.rand(2, 3, 30, 30))[:, 1:]
    prediction = 40 * torch.randn(2, 2, 30, 30)
    distance = (prediction - truth).norm(dim=1).flatten().numpy()
    thresholds = np.linspace(0, 150, 3001)
    curve = [(distance <= t).mean() for t in thresholds]
    assert auc([(prediction, truth)]) == pytest.approx(100 * np.trapezoid(curve, thresholds) / 150, abs=0.02)


def test_auc_of_the_truth_is_100():
    truth = 20 * torch.randn(1, 2, 4, 4)
    assert auc([(truth, truth)]) == 100


def test_errors_beyond_150_count_as_150():
    assert auc([(torch.full((1, 2, 2, 2), 200.0), torch.full((1, 2, 2, 2), -80.0))]) == 0


def test_pixels_of_all_pictures_count_together():
    zero, ten = torch.zeros(1, 2, 1, 3), torch.full((1, 2, 1, 1), 10.0) / 2**0.5
    assert auc([(zero, zero), (ten, 0 * ten)]) == pytest.approx(100 * (1 - 10 / 4 / 150))


def test_a_rebalanced_auc_counts_colours_alike():
    """Nine gray pixels without error and one red one with an error of 60: as many as 50 each."""
    truth = torch.zeros(1, 2, 1, 10)
    truth[..., 9] = torch.tensor([60.0, 0.0])[:, None]
    bins = [tuple(point) for point in ab_bins().tolist()]
    prior = torch.full((313,), 1e-3)
    prior[bins.index((0, 0))], prior[bins.index((60, 0))] = 0.9, 0.1
    assert auc([(torch.zeros_like(truth), truth)], prior) == pytest.approx(100 * (1 - 60 / 2 / 150))
    assert auc([(torch.zeros_like(truth), truth)]) == pytest.approx(100 * (1 - 60 / 10 / 150))


def test_chroma_is_the_mean_distance_from_gray():
    assert chroma(torch.tensor([3.0, 4.0]).view(1, 2, 1, 1).expand(1, 2, 5, 5)) == pytest.approx(5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_rebalanced_auc_is_computed_on_a_gpu():
    truth, prior = torch.zeros(1, 2, 4, 4), torch.full((313,), 1 / 313)
    assert auc([(truth.cuda(), truth.cuda())], prior) == 100
