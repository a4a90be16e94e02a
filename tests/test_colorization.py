"""The colorizer: its sizes, its codes and weights, and the recipe."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from imtrans import zoo
from imtrans.color import ab_bins, rgb_to_lab
from imtrans.data import benchmarks
from imtrans.data.pairs import lightness_and_colors
from imtrans.images import write
from imtrans.losses import cross_entropy
from imtrans.models.colorization import (
    Colorizer,
    annealed_mean,
    bin_frequencies,
    encode,
    mean_code,
    nearest_bin,
    nearest_bins,
    rebalancing_weights,
    smoothed,
)
from imtrans.recipes import colorization
from imtrans.recipes.pictures import IMAGENET_AND_BSD
from imtrans.training import fit


def count(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def small(**options) -> Colorizer:
    return Colorizer(width=1 / 16, **{"skip": True} | options).initialize()


# --- the network ---


@pytest.mark.parametrize(
    ("build", "parameters"),
    [
        (Colorizer, 32_230_393),
        (lambda: Colorizer(width=1 / 8), 503_978 + 9_639),
        (Colorizer.small, 1_157_341),
        (lambda: Colorizer.small(outputs=2), 1_157_341 - 311 * 49),
    ],
)
def test_the_numbers_of_parameters(build, parameters):
    with torch.device("meta"):
        assert count(build()) == parameters


def test_the_paper_has_22_convolutions_one_of_them_transposed_and_7_normalisations_without_factors():
    with torch.device("meta"):
        layers = list(Colorizer().modules())
    assert sum(isinstance(layer, nn.Conv2d) for layer in layers) == 22
    assert sum(isinstance(layer, nn.ConvTranspose2d) for layer in layers) == 1
    norms = [layer for layer in layers if isinstance(layer, nn.BatchNorm2d)]
    assert [norm.num_features for norm in norms] == [64, 128, 256, 512, 512, 512, 512]
    assert not any(norm.affine for norm in norms)


def test_blocks_5_and_6_are_dilated():
    with torch.device("meta"):
        blocks = Colorizer().middle
    dilations = [{layer.dilation for layer in block if isinstance(layer, nn.Conv2d)} for block in blocks]
    assert dilations == [{(1, 1)}, {(1, 1)}, {(2, 2)}, {(2, 2)}, {(1, 1)}]


def test_normalisation_comes_after_the_last_relu_of_a_block():
    with torch.device("meta"):
        kinds = [type(layer).__name__ for layer in Colorizer().middle[0]]
    assert kinds == ["Conv2d", "ReLU"] * 3 + ["BatchNorm2d"]


@pytest.mark.parametrize("options", [{}, {"skip": False}, {"outputs": 2}])
def test_the_output_has_a_quarter_of_the_resolution(options):
    model = small(**options)
    assert model(100 * torch.rand(2, 1, 24, 40)).shape == (2, options.get("outputs", 313), 6, 10)


def test_a_gradient_reaches_every_weight():
    model = small()
    cross_entropy(model(100 * torch.rand(2, 1, 32, 32)), encode(20 * torch.randn(2, 2, 8, 8))).backward()
    assert [name for name, p in model.named_parameters() if not p.grad.any()] == []


def test_colours_lie_where_their_enlargement_puts_them():
    """A ramp, subsampled and enlarged, is moved by half a pixel; the first of four would move it by 1.5."""
    ramp = torch.linspace(0, 1, 64).expand(1, 3, 64, 64) * torch.tensor([1.0, 0.5, 0.2]).view(3, 1, 1)
    ab = rgb_to_lab(ramp)[:, 1:]
    enlarged = torch.nn.functional.interpolate(lightness_and_colors(ramp)[1], scale_factor=4, mode="bilinear")
    inner = (..., slice(8, -8), slice(8, -8))
    here, first = (enlarged[inner] - ab[inner]).abs().mean(), (enlarged[inner] - ab.roll(1, -1)[inner]).abs().mean()
    assert here < first


def test_other_shapes_are_refused():
    for shape in ((1, 1, 20, 24), (1, 3, 24, 24), (1, 24, 24)):
        with pytest.raises(ValueError, match="divisible by 8"):
            small()(torch.rand(shape))


def test_a_network_with_a_prior_begins_with_that_prior():
    prior = torch.rand(313)
    prior /= prior.sum()
    model = Colorizer(width=1 / 16, skip=True).initialize(prior).eval()
    nn.init.zeros_(model.head.weight)
    found = model(100 * torch.rand(1, 1, 16, 16)).softmax(dim=1)
    torch.testing.assert_close(found, prior.view(1, -1, 1, 1).expand_as(found))
    torch.testing.assert_close(model.log_prior.exp(), prior)


def test_a_prior_survives_half_precision():
    prior = torch.full((313,), 6.1e-9)
    prior[0] = 1 - prior[1:].sum()
    model = Colorizer(width=1 / 16).initialize(prior)
    assert model.half().log_prior.float().exp().min() > 5e-9


# --- colours as distributions ---


def pixels(*colors: tuple[float, float]) -> torch.Tensor:
    return torch.tensor(colors, dtype=torch.float32).T[None, :, :, None]  # (1, 2, count, 1)


def test_a_soft_code_is_a_distribution_over_five_colours():
    code = encode(30 * torch.randn(2, 2, 5, 6))
    torch.testing.assert_close(code.sum(dim=1), torch.ones(2, 5, 6))
    assert ((code > 0).sum(dim=1) == 5).all()


def test_the_shares_of_a_colour_on_a_bin_and_between_two():
    """0.649 and four times 0.088; 0.416 twice and 0.056 three times."""
    _, shares = nearest_bins(pixels((0, 0), (5, 0)))
    assert shares[0, :, 0, 0].tolist() == pytest.approx([0.649, 0.088, 0.088, 0.088, 0.088], abs=5e-4)
    assert shares[0, :, 1, 0].tolist() == pytest.approx([0.416, 0.416, 0.056, 0.056, 0.056], abs=5e-4)


def test_the_nearest_bin_has_the_largest_share():
    ab = rgb_to_lab(torch.rand(1, 3, 20, 20))[:, 1:]
    best = ab_bins()[encode(ab).argmax(dim=1)].movedim(-1, 1)
    torch.testing.assert_close(best, 10 * (ab / 10).round())


def test_rounding_finds_the_nearest_colour():
    ab = rgb_to_lab(torch.rand(1, 3, 60, 60))[:, 1:]
    assert torch.equal(nearest_bin(ab), nearest_bins(ab, neighbours=1)[0][:, 0])


def test_a_code_decodes_to_nearly_its_colour():
    ab = rgb_to_lab(torch.rand(1, 3, 40, 40))[:, 1:]
    found = annealed_mean(encode(ab).clamp(min=1e-30).log(), 1.0)
    assert (found - ab).norm(dim=1).mean() < 1


def test_the_annealed_mean_runs_from_the_mean_to_the_mode():
    """Gray with 0.6 and chroma 40 with 0.4: 16.0 at T = 1, 10.2 at 0.38, 0 at T = 0."""
    p = torch.zeros(313)
    p[(ab_bins() == torch.tensor([0.0, 0.0])).all(dim=1)] = 0.6
    p[(ab_bins() == torch.tensor([0.0, 40.0])).all(dim=1)] = 0.4
    logits = p.clamp(min=1e-30).log().view(1, -1, 1, 1)
    found = [annealed_mean(logits, temperature)[0, 1].item() for temperature in (1.0, 0.38, 0.01, 0.0)]
    assert found == pytest.approx([16.0, 10.2, 0, 0], abs=0.05)


def test_the_annealed_mean_is_the_formula_of_the_slides():
    z = torch.randn(1, 313, 2, 3, dtype=torch.double).softmax(dim=1)
    f = (z.log() / 0.38).exp()
    f /= f.sum(dim=1, keepdim=True)
    wanted = torch.einsum("nqhw,qc->nchw", f, ab_bins().double())
    torch.testing.assert_close(annealed_mean(z.log(), 0.38), wanted)


@pytest.mark.parametrize("temperature", [-0.1, 1.1])
def test_other_temperatures_are_refused(temperature):
    with pytest.raises(ValueError, match="between 0"):
        annealed_mean(torch.zeros(1, 313, 1, 1), temperature)


# --- how often colours occur ---


def photograph_colors() -> torch.Tensor:
    from imtrans.data.photos import photo

    return rgb_to_lab(photo("astronaut").picture[..., ::8, ::8])[:, 1:]


def test_frequencies_count_nearest_colours():
    found = bin_frequencies(pixels((1, 2), (-3, 4), (11, 0)))
    bins = [tuple(point) for point in ab_bins().tolist()]
    assert found.sum() == pytest.approx(1)
    assert found[bins.index((0, 0))] == pytest.approx(2 / 3)
    assert found[bins.index((10, 0))] == pytest.approx(1 / 3)


def test_smoothed_frequencies_are_a_distribution_without_zeros_near_what_occurs():
    p = bin_frequencies(photograph_colors())
    q = smoothed(p)
    assert q.sum().item() == pytest.approx(1)
    assert (q[p > 0] > 0).all()
    assert q.max() < p.max()


def test_the_mean_soft_code_is_nearly_the_smoothed_histogram():
    """What the authors call smoothing (richzhang/colorization#47) and what the slides write: 0.02 nats apart."""
    ab = photograph_colors()
    code, histogram = mean_code(ab), smoothed(bin_frequencies(ab))
    torch.testing.assert_close(code, encode(ab).mean(dim=(0, 2, 3)))
    divergence = (code * (code.clamp(min=1e-12) / histogram.clamp(min=1e-12)).log()).sum()
    assert 0 <= divergence < 0.1


@pytest.mark.parametrize("mix", [0.0, 0.25, 0.5, 1.0])
def test_the_mean_weight_is_one(mix):
    prior = mean_code(photograph_colors()) + 1e-6
    prior /= prior.sum()
    weights = rebalancing_weights(prior, mix)
    assert (prior * weights).sum().item() == pytest.approx(1, rel=1e-5)
    if mix == 1:
        torch.testing.assert_close(weights, torch.ones(313))
    if mix == 0:
        torch.testing.assert_close(weights * prior, torch.full((313,), 1 / 313))


def test_a_colour_that_never_occurs_leaves_all_weights_finite():
    prior = torch.full((313,), 1 / 312)
    prior[7] = 0
    assert rebalancing_weights(prior, mix=0).isfinite().all()


@pytest.mark.parametrize("mix", [-0.1, 1.5])
def test_a_mix_lies_between_0_and_1(mix):
    with pytest.raises(ValueError, match="the mix lies between"):
        rebalancing_weights(torch.full((313,), 1 / 313), mix)


def test_half_uniform_weights_differ_by_one_plus_q_times_the_largest_frequency():
    prior = torch.full((313,), (1 - 0.2012) / 312)
    prior[5] = 0.2012
    prior[7] = 0
    weights = rebalancing_weights(prior, 0.5)
    assert (weights.max() / weights.min()).item() == pytest.approx(1 + 313 * 0.2012, rel=1e-4)


def test_the_weights_of_the_authors_prior(data_root):
    prior = torch.from_numpy(np.load(data_root / "colorization" / "prior_probs.npy")).float()
    weights = rebalancing_weights(prior)
    assert weights.min().item() == pytest.approx(0.0965, abs=5e-4)
    assert weights.max().item() == pytest.approx(6.17, abs=0.01)


# --- the recipe ---


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two colour pictures and a gray one."""
    folder = tmp_path_factory.mktemp("pictures")
    for name, channels in (("a", 3), ("b", 3), ("c", 1)):
        write(folder / f"{name}.png", torch.nn.functional.interpolate(torch.rand(1, channels, 10, 12), scale_factor=20))
    return folder


def test_gray_pictures_are_left_out(folder):
    from imtrans.recipes.pictures import training_pictures

    write(folder / "d.png", torch.rand(1, 1, 200, 210).expand(-1, 3, -1, -1))  # gray stored as colour
    try:
        found = colorization.colorful(training_pictures(folders=[folder]))
    finally:
        (folder / "d.png").unlink()
    assert len(found.pictures) == 2
    assert min(found.pictures[0].shape[-2:]) == 160


@pytest.mark.parametrize("name", ["colorizer", "colorizer-l2"])
@pytest.mark.parametrize("budget", ["quick", "class", "full", "paper"])
def test_every_budget_builds_the_network_of_the_registry(name, budget, folder):
    recipe = zoo.OTHERS[name].recipe(budget, data=[folder])
    assert (recipe.name, recipe.budget) == (name, budget)
    network = recipe.model()
    zoo.OTHERS[name].build().load_state_dict(network.state_dict())
    light, ab = recipe.data(0)[3]
    assert light.shape[1] == 4 * ab.shape[1]
    assert recipe.loss(network(light[None]), ab[None]).isfinite()


@pytest.mark.parametrize("name", ["colorizer", "colorizer-l2"])
def test_a_training_lowers_the_loss_of_its_batch(name, folder):
    recipe = zoo.OTHERS[name].recipe("quick", width=1 / 16, data=[folder])
    recipe = replace(recipe, steps=12, batch=2)
    losses = [entry["loss"] for entry in fit(recipe, progress=False, device="cpu").log]
    assert losses[-1] < losses[0]


def test_the_paper_recipe_has_the_solver_of_the_paper(folder):
    recipe = colorization.paper(data=[folder])
    [adam] = recipe.optimizer.build(recipe.model())
    assert adam.defaults["betas"] == (0.9, 0.99)
    assert adam.defaults["weight_decay"] == 1e-3
    rates = [recipe.optimizer.lr * recipe.schedule(step, 450_000) for step in (0, 199_999, 200_000, 375_000)]
    assert rates == pytest.approx([3e-5, 3e-5, 1e-5, 3e-6])
    assert (recipe.batch, recipe.steps, recipe.data(0)[0][0].shape) == (40, 450_000, (1, 176, 176))
    assert isinstance(recipe.loss, colorization.Rebalanced)


def test_no_picture_to_be_shown_is_trained_on():
    assert len(set(colorization.SHOWN)) == 8
    assert set(colorization.SHOWN) <= set(benchmarks.SETS["B100"].pictures)
    trained = {name for each in IMAGENET_AND_BSD for name in benchmarks.SETS[each].pictures}
    assert not trained & set(benchmarks.SETS["B100"].pictures)


def test_a_training_is_watched_by_pictures_that_it_does_not_see(monkeypatch, tmp_path):
    monkeypatch.delenv("IMTRANS_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    [picture] = colorization.validation()  # the bundled validation photograph in colour
    assert picture.shape == (1, 3, 160, 240)
    uniform = Colorizer.small()
    nn.init.zeros_(uniform.head.weight)
    nn.init.zeros_(uniform.head.bias)
    assert colorization.held_out()(uniform.eval())["error"] == pytest.approx(np.log(313), rel=1e-5)


def test_the_paper_s_pieces_come_from_pictures_larger_than_they_are(tmp_path):
    write(tmp_path / "picture.png", torch.rand(1, 3, 300, 320))
    assert min(colorization.paper(data=[tmp_path]).data(0).pictures[0].shape[-2:]) == 256
