"""The recipes of Johnson's networks: the styles, the losses, and what each budget trains."""

import pytest
import torch
from torch import nn

from imtrans import assets, images, zoo
from imtrans.data.styles import STYLES
from imtrans.models import features
from imtrans.recipes import johnson, johnson_sr
from imtrans.training import fit

NETWORKS = [name for name in zoo.OTHERS if name.startswith("johnson")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One picture, large enough for the largest patch."""
    folder = tmp_path_factory.mktemp("pictures")
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(1, 3, 40, 40, generator=generator)
    images.write(folder / "picture.png", nn.functional.interpolate(coarse, size=(300, 300), mode="bilinear"))
    return folder


@pytest.fixture
def untrained_features(monkeypatch):
    """A loss network of fixed random weights in place of a trained one."""

    def load(taps, trunk):
        torch.manual_seed(0)
        return features.VGG(taps, width=1 / 16).requires_grad_(False).eval()

    monkeypatch.setattr(features, "load", load)


@pytest.mark.parametrize("style", STYLES)
def test_a_drawn_style_needs_no_file(style):
    assert johnson.style_picture(style).shape[:2] == (1, 3)


def test_a_painting_is_shrunk_to_its_longer_side(tmp_path, monkeypatch):
    folder = tmp_path / "style_transfer" / "style"
    folder.mkdir(parents=True)
    images.write(folder / "shipwreck.jpg", torch.rand(1, 3, 300, 768))
    monkeypatch.setenv("IMTRANS_DATA", str(tmp_path))
    assert johnson.style_picture("shipwreck").shape == (1, 3, 150, 384)


@pytest.mark.parametrize("data", [None, "empty"])
def test_a_painting_that_is_missing_says_where_it_belongs(data, tmp_path, monkeypatch):
    monkeypatch.setattr(assets, "data_root", lambda: tmp_path if data else None)
    with pytest.raises(FileNotFoundError, match="starry-night does not come with the course: put it at"):
        johnson.style_picture("starry-night")


def test_an_unknown_style_is_refused_with_the_names_there_are():
    with pytest.raises(ValueError, match="no style is called 'guernica': there are strokes"):
        johnson.style_picture("guernica")


def test_the_content_itself_has_no_content_error_and_the_style_itself_no_style_error(untrained_features):
    style = torch.rand(1, 3, 64, 64)
    loss = johnson.PerceptualLoss(lambda: style)
    of_content, of_style, _ = loss.parts(style, style)
    assert of_content.item() == pytest.approx(0, abs=1e-6)
    assert of_style.item() == pytest.approx(0, abs=1e-4)


def test_the_style_error_is_one_for_a_black_picture_of_features(untrained_features):
    loss = johnson.PerceptualLoss(lambda: torch.rand(1, 3, 64, 64))
    loss.parts(*[torch.rand(1, 3, 64, 64)] * 2)
    network = loss.network
    loss.network = lambda x: {tap: 0 * f for tap, f in network(x).items()}
    assert loss.parts(torch.rand(2, 3, 64, 64), torch.rand(2, 3, 64, 64))[1].item() == pytest.approx(1)


def test_the_loss_is_the_weighted_sum_of_its_parts(untrained_features):
    loss = johnson.PerceptualLoss(lambda: torch.rand(1, 3, 64, 64), style_weight=7.0)
    pictures = torch.rand(2, 3, 64, 64), torch.rand(2, 3, 64, 64)
    content, style, smoothness = loss.parts(*pictures)
    assert loss(*pictures).item() == pytest.approx((content + 7 * style + johnson.SMOOTHNESS * smoothness).item())


@pytest.mark.parametrize("budget", ["quick", "class", "full", "paper"])
@pytest.mark.parametrize("name", NETWORKS)
def test_every_budget_has_a_recipe_that_can_be_read_without_features_or_paintings(name, budget, folder, monkeypatch):
    monkeypatch.delenv("IMTRANS_DATA", raising=False)
    recipe = zoo.OTHERS[name].recipe(budget, data=[folder])
    assert (recipe.name, recipe.budget) == (name, budget)
    observed, clean = recipe.data(0)[0]
    scale = 4 if "-sr-" in name else 1
    assert (scale * observed.shape[-1], scale * observed.shape[-2]) == (clean.shape[-1], clean.shape[-2])


@pytest.mark.parametrize("name", ["johnson-strokes", "johnson-sr-x4", "johnson-sr-pixel-x4"])
def test_a_short_training_changes_the_weights(name, folder, untrained_features):
    from dataclasses import replace

    recipe = replace(zoo.OTHERS[name].recipe("quick", data=[folder]), steps=2, batch=1, validate_every=0)
    torch.manual_seed(recipe.seed)
    before = recipe.model().state_dict()
    after = fit(recipe, progress=False, device="cpu").model.state_dict()
    assert all(value.isfinite().all() for value in after.values())
    assert any(not torch.equal(before[key], after[key]) for key in after)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_paper_recipe_has_the_papers_optimiser_and_length(name, folder):
    recipe = zoo.OTHERS[name].recipe("paper", data=[folder])
    assert recipe.steps == (200_000 if "-sr-" in name else 40_000)
    assert (recipe.batch, str(recipe.optimizer), recipe.autocast) == (4, "Adam 1e-3", False)
    assert recipe.data(0)[0][1].shape[-1] == (288 if "-sr-" in name else 256)


def test_the_feature_loss_of_a_perfect_enlargement_is_zero(untrained_features):
    picture = torch.rand(1, 3, 32, 32)
    assert johnson_sr.FeatureLoss()(picture, picture).item() == pytest.approx(0, abs=1e-6)


def test_a_loss_that_is_neither_by_features_nor_by_pixels_is_refused(folder):
    with pytest.raises(ValueError, match="the loss is feature or pixel, not 'fature'"):
        johnson_sr.quick(scale=4, loss="fature", data=[folder])


@pytest.mark.parametrize("name", ["johnson-strokes", "johnson-sr-x4"])
def test_a_training_is_watched_where_the_hybrid_is_missing(name, monkeypatch, tmp_path):
    for variable in ("IMTRANS_DATA", "IMTRANS_WEIGHTS"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(features.assets, "cache_dir", lambda: tmp_path)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    entry = zoo.OTHERS[name]
    assert 0 < entry.validator()(entry.build().eval())["error"] < 1e4


@pytest.mark.parametrize("style", ["strokes", "glass"])
def test_a_card_names_the_weight_of_the_style_and_the_version_that_it_belongs_to(style, folder):
    for budget in ("quick", "class", "full", "paper"):
        recipe = johnson.recipe(budget, style=style, data=[folder])
        assert f"style: {style}, weight 12" in recipe.sources
        assert recipe.version == (3 if budget == "full" else 2)
    assert f"style: {style}, weight 12" in zoo.card(f"johnson-{style}")["data"]
    assert zoo.card(f"johnson-{style}")["recipe_version"] == 2
