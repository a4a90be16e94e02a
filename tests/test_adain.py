"""AdaIN: its identities, against PyTorch's norms; encoder and decoder; the recipe's samples and loss."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from imtrans import images, zoo
from imtrans.data import benchmarks, photos, styles
from imtrans.data.pairs import ContentAndStyle, Crops, recolored
from imtrans.losses import statistics_error, statistics_norms, statistics_squares
from imtrans.models import adain as module
from imtrans.models import features
from imtrans.models.adain import AdaIN, Decoder, adain, mean_and_deviation
from imtrans.recipes import adain as recipe
from imtrans.recipes.pictures import TrainingSet
from imtrans.training import fit


@pytest.fixture
def maps() -> tuple[torch.Tensor, torch.Tensor]:
    """Features of two pictures of different sizes."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(2, 5, 7, 9, generator=generator).relu() * torch.tensor([1.0, 3, 0.1, 10, 0]).view(5, 1, 1)
    return x, 2 + torch.randn(2, 5, 4, 11, generator=generator)


def test_statistics_are_those_of_torch(maps):
    mean, deviation = mean_and_deviation(maps[0])
    torch.testing.assert_close(mean, maps[0].mean(dim=(2, 3), keepdim=True))
    wanted = (maps[0].var(dim=(2, 3), correction=0, keepdim=True) + 1e-5).sqrt()
    torch.testing.assert_close(deviation, wanted)


def test_adain_is_instance_norm_and_an_affine_map(maps):
    x, y = maps
    deviation, mean = torch.std_mean(y, dim=(2, 3), correction=0, keepdim=True)
    torch.testing.assert_close(adain(x, y), F.instance_norm(x, eps=1e-5) * deviation + mean, atol=1e-4, rtol=1e-4)


def test_adain_of_a_picture_with_itself_is_the_picture(maps):
    torch.testing.assert_close(adain(maps[0], maps[0]), maps[0], atol=1e-5, rtol=1e-5)


def test_adain_has_the_moments_of_the_style(maps):
    x, y = maps
    live = slice(0, 4)  # the last map of x is constant: nothing can be stretched to the style's deviation
    for ours, theirs in zip(mean_and_deviation(adain(x, y)), mean_and_deviation(y), strict=True):
        torch.testing.assert_close(ours[:, live], theirs[:, live], atol=1e-3, rtol=1e-3)


def test_adain_treats_each_sample_alone(maps):
    x, y = maps
    torch.testing.assert_close(adain(x, y)[1:], adain(x[1:], y[1:]))


def test_a_region_of_everything_changes_nothing(maps):
    torch.testing.assert_close(adain(*maps, region=torch.full((1, 1, 7, 9), 0.3)), adain(*maps), atol=1e-5, rtol=1e-4)


def test_a_region_has_the_moments_of_the_style_inside(maps):
    x, y = maps
    region = torch.zeros(1, 1, 7, 9)
    region[..., :5] = 1
    inside = adain(x, y, region=region)[:, :4, :, :5]
    for ours, theirs in zip(mean_and_deviation(inside), mean_and_deviation(y[:, :4]), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-3, rtol=1e-3)


def test_the_paper_s_network_has_its_parameters():
    network = AdaIN()
    counts = [sum(p.numel() for p in part.parameters()) for part in (network.encoder, network.decoder)]
    assert counts == [3_505_728, 3_505_219]


def test_the_decoder_mirrors_the_encoder():
    decoder = Decoder()
    channels = [(layer.in_channels, layer.out_channels) for layer in decoder.convolutions.values()]
    assert channels == [(512, 256), *[(256, 256)] * 3, (256, 128), (128, 128), (128, 64), (64, 64), (64, 3)]
    assert {layer.padding_mode for layer in decoder.convolutions.values()} == {"reflect"}


def test_the_network_returns_a_picture_of_the_content_s_size():
    content, style = torch.rand(2, 3, 32, 48), torch.rand(1, 3, 40, 24)
    assert AdaIN.small()(content, style).shape == content.shape


def test_only_the_decoder_has_gradients():
    network = AdaIN.small()
    network(torch.rand(1, 3, 16, 16), torch.rand(1, 3, 16, 16)).mean().backward()
    trained = {name.partition(".")[0] for name, p in network.named_parameters() if p.grad is not None}
    assert trained == {"decoder"}


def test_alpha_mixes_the_two_feature_maps():
    network, (content, style) = AdaIN.small(), torch.rand(2, 1, 3, 16, 24)
    x, y = network.encode(content), network.encode(style)
    torch.testing.assert_close(network(content, style, alpha=0.0), network.decoder(x))
    torch.testing.assert_close(network(content, style, alpha=0.25), network.decoder(0.75 * x + 0.25 * adain(x, y)))


def test_the_released_pair_reconstructs_a_photograph():
    if None in [features.find(file) for file in module.PAIR]:
        pytest.skip("the released pair is not on this machine")
    photo = photos.photo("astronaut").picture[..., :256, 128:384]
    network = module.pair()
    error = (network.decoder(network.encode(photo)).clamp(0, 1) - photo).square().mean()
    assert error < 0.01  # 20 dB; a wrong layout or range gives gray


# -- losses --


def test_the_style_loss_has_both_forms(maps):
    x, y = maps
    ours, theirs = (torch.std_mean(z, dim=(2, 3), correction=0) for z in (x, y))
    differences = [a - b for a, b in zip(ours, theirs, strict=True)]
    norms = sum(torch.linalg.vector_norm(d, dim=1).mean() for d in differences)
    squares = sum((d**2).sum() / 2 for d in differences)
    assert statistics_norms(x, y).item() == pytest.approx(norms.item(), rel=1e-3)
    assert statistics_squares(x, y).item() == pytest.approx(squares.item(), rel=1e-3)


def test_the_relative_style_loss_does_not_depend_on_the_scale(maps):
    x, y = maps
    assert statistics_error(y, y) == 0
    assert statistics_error(1000 * x, 1000 * y).item() == pytest.approx(statistics_error(x, y).item(), rel=1e-3)


# -- recipe --


@pytest.fixture
def pictures() -> list[torch.Tensor]:
    return list(torch.rand(4, 3, 40, 44, generator=torch.Generator().manual_seed(2)).split(1))


def test_the_first_samples_are_their_own_style(pictures):
    samples = ContentAndStyle(Crops(pictures, 16), [Crops(pictures, 16, seed=1)], alone=3)
    for index in range(6):
        observed, style = samples[index]
        assert observed.shape == (6, 16, 16)
        assert torch.equal(observed[3:], style)
        assert torch.equal(observed[:3], style) == (index < 3)


def test_a_share_of_the_later_samples_is_its_own_style(pictures):
    samples = ContentAndStyle(Crops(pictures, 16), [Crops(pictures, 16, seed=1)], share=0.25)
    alone = [torch.equal(*samples[index][0].split(3)) for index in range(80)]
    assert 8 <= sum(alone) <= 32


def test_recoloring_keeps_half_of_the_pictures_and_the_range():
    picture, random = torch.rand(3, 8, 8), np.random.default_rng(0)
    results = [recolored(picture, random) for _ in range(40)]
    assert 10 <= sum(torch.equal(result, picture) for result in results) <= 30
    assert all(torch.equal(result, result.clamp(0, 1)) for result in results)


@pytest.fixture
def untrained(monkeypatch):
    """Untrained feature networks in place of the trained ones, and noise in place of the drawings."""
    monkeypatch.setattr(styles, "STYLES", {"noise": lambda size, seed: torch.rand(1, 3, size, size)})
    monkeypatch.setattr(features, "load", lambda taps, trunk=None: features.SmallVGG(taps).requires_grad_(False))


def test_training_changes_the_decoder_alone(pictures, untrained, tmp_path):
    for number, picture in enumerate(pictures):
        images.write(tmp_path / f"{number}.png", F.interpolate(picture, scale_factor=2))
    schedule = recipe.quick(data=[tmp_path])
    torch.manual_seed(schedule.seed)
    start = schedule.model().state_dict()
    run = fit(replace(schedule, steps=2, batch=2, validate_every=0), progress=False)
    assert type(run.model) is AdaIN
    for name, value in run.model.state_dict().items():
        assert torch.equal(value, start[name]) == name.startswith("encoder"), name


def test_the_loss_asks_pictures_that_are_their_own_style_for_their_pixels(untrained):
    loss, picture = recipe.StyleLoss(weight=0, pixels=1), torch.rand(2, 3, 32, 32)
    features_of = torch.rand(2, 4, 4, 4)
    prediction = {"content": picture, "picture": picture + 0.5, "target": features_of, "encoded": features_of}
    other = torch.cat((picture[:1], torch.rand(1, 3, 32, 32)))  # the second has another style
    assert loss(prediction, picture).item() == pytest.approx(0.25)
    assert loss(prediction, other).item() == pytest.approx(0.125)


def test_the_classroom_has_a_style_loss_where_the_hybrid_is_missing(pictures, tmp_path, monkeypatch):
    for number, picture in enumerate(pictures):
        images.write(tmp_path / f"{number}.png", picture)
    for variable in ("IMTRANS_DATA", "IMTRANS_WEIGHTS"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(features.assets, "cache_dir", lambda: tmp_path)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(styles, "STYLES", {"noise": lambda size, seed: torch.rand(1, 3, size, size)})
    loss = recipe.classroom(data=[tmp_path]).loss
    assert loss.style_loss(*torch.rand(2, 1, 3, 32, 32)) > 0


def test_paintings_are_not_looked_for_in_the_current_folder(pictures, untrained, tmp_path, monkeypatch):
    (tmp_path / "style_transfer" / "style").mkdir(parents=True)
    images.write(tmp_path / "style_transfer" / "style" / "own.png", pictures[0])
    monkeypatch.delenv("IMTRANS_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    assert "paintings" not in recipe.style_pictures(TrainingSet(pictures, ()))


@pytest.mark.parametrize(("held_out", "named"), [("hybrid", "hybrid"), (None, "vgg19")])
def test_the_classroom_names_the_loss_network_of_its_machine(
    pictures, untrained, tmp_path, monkeypatch, held_out, named
):
    images.write(tmp_path / "picture.png", F.interpolate(pictures[0], scale_factor=4))
    monkeypatch.delenv("IMTRANS_DATA", raising=False)
    monkeypatch.setattr(recipe, "held_out_trunk", lambda: held_out)
    monkeypatch.setattr(features, "best_trunk", lambda: "vgg19")
    assert recipe.classroom(data=[tmp_path]).sources[-1] == f"loss network: {named}"


def test_a_shorter_training_has_a_shorter_first_stage(pictures, untrained, tmp_path):
    for number, picture in enumerate(pictures):
        images.write(tmp_path / f"{number}.png", F.interpolate(picture, scale_factor=2))
    quick = recipe.quick(data=[tmp_path])
    half = quick.lasting(quick.steps // 2)
    assert half.steps == quick.steps // 2
    assert half.data(0).alone == quick.data(0).alone // 2 > 0


def test_the_paper_s_recipe_is_that_of_the_authors(monkeypatch, untrained):
    monkeypatch.setattr(benchmarks, "load", lambda name, held_out: [("picture", torch.rand(1, 3, 260, 260))])
    monkeypatch.delenv("IMTRANS_DATA", raising=False)
    paper = recipe.paper()
    assert (paper.batch, paper.steps, str(paper.optimizer)) == (8, 160_000, "Adam 1e-4")
    assert paper.schedule(0, 160_000) == 1
    assert paper.schedule(160_000, 160_000) == pytest.approx(1 / 9)
    assert paper.data(0)[0][0].shape == (6, 256, 256)
    assert paper.loss.weight == 0.1
    assert paper.loss.style is statistics_squares
    assert not paper.autocast


def test_the_entry_builds_what_the_recipe_deploys(untrained):
    assert zoo.ENTRIES["adain"].build().state_dict().keys() == recipe.quick().deployed().state_dict().keys()
