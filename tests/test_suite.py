"""Which networks are scored on what, and what a training is watched by."""

import numpy as np
import pytest
import torch

from imtrans import images, suite, zoo
from imtrans.color import rgb_to_y
from imtrans.data import benchmarks, photos
from imtrans.degrade import Downscale, GaussianNoise, Jpeg
from imtrans.evaluation import evaluate
from imtrans.models.dncnn import DnCNN
from imtrans.models.edsr import EDSR
from imtrans.models.espcn import ESPCN
from imtrans.models.vdsr import VDSR
from imtrans.suite import card_scores, standard_degradations, validator


def many_tasks():
    """A small network that says of itself what dncnn-3 does."""
    model = DnCNN(depth=3, features=4)
    model.scales, model.sigma, model.quality = (2, 3, 4), (0, 55), (5, 99)
    return model


def pictures(*shapes):
    return [(f"p{i}", torch.rand(1, *shape)) for i, shape in enumerate(shapes)]


@pytest.fixture
def no_data(monkeypatch, tmp_path):
    monkeypatch.delenv("IMTRANS_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


ALL_SCALES = (Downscale(2), Downscale(3), Downscale(4))
ALL_LEVELS = (GaussianNoise(15), GaussianNoise(25), GaussianNoise(50))
ALL_QUALITIES = (Jpeg(10), Jpeg(20), Jpeg(30), Jpeg(40))


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("srcnn-x3", (Downscale(3),)),
        ("vdsr", ALL_SCALES),
        ("dncnn-25", (GaussianNoise(25),)),
        ("dncnn-blind", ALL_LEVELS),
        ("dncnn-3", ALL_SCALES + ALL_LEVELS + ALL_QUALITIES),
        ("cdncnn-blind", ALL_LEVELS),
        ("edsr-baseline-x2", (Downscale(2),)),
        ("mdsr-baseline", ALL_SCALES),
    ],
)
def test_what_networks_are_measured_at(name, wanted):
    assert standard_degradations(zoo.ENTRIES[name].build()) == wanted


@pytest.mark.parametrize(
    ("degradations", "model", "keys"),
    [
        ((Downscale(2), Downscale(3)), VDSR(depth=2, features=4), ["psnr", "psnr_x2", "psnr_x3"]),
        ((Downscale(3),), ESPCN(3), ["psnr"]),
        ((GaussianNoise(25),), DnCNN(depth=2), ["psnr"]),
        ((GaussianNoise(15), Jpeg(10)), many_tasks(), ["psnr", "psnr_15", "psnr_q10"]),
    ],
)
def test_a_validation_has_one_key_per_degradation(no_data, degradations, model, keys):
    found = validator(degradations, size=48)(model)
    assert list(found) == keys
    assert found["psnr"] == pytest.approx(np.mean([found[key] for key in keys[1:] or keys]))


def test_a_validation_is_an_evaluation_of_the_middles(no_data):
    coffee = photos.photo("coffee").picture
    top, left = (coffee.shape[2] - 48) // 2, (coffee.shape[3] - 48) // 2
    middle = coffee[..., top : top + 48, left : left + 48]
    gray = images.to_float(images.to_uint8(rgb_to_y(middle)))
    color = DnCNN(channels=3, depth=2, features=4)
    for model, degradation, shown in (
        (VDSR(depth=2, features=4), Downscale(3), middle),
        (many_tasks(), Jpeg(10), middle),
        (many_tasks(), GaussianNoise(50), gray),
        (color, GaussianNoise(25), middle),
    ):
        wanted = evaluate(model, [("coffee", shown)], degradation).psnr
        assert validator([degradation], size=48)(model) == {"psnr": pytest.approx(wanted)}


def test_a_validation_is_by_any_metric(no_data):
    found = validator((Downscale(2), Downscale(3)), size=48, metric="ssim")(VDSR(depth=2, features=4))
    assert list(found) == ["ssim", "ssim_x2", "ssim_x3"]
    assert all(0 < value < 1 for value in found.values())


def test_a_validation_takes_the_pictures_held_out(data_root, monkeypatch):
    seen = []
    monkeypatch.setattr(suite, "evaluate", lambda model, pictures, *_, **__: seen.extend(pictures) or Score)

    class Score:
        scores = {"psnr": 30.0}  # noqa: RUF012

    assert validator([Downscale(3)])(ESPCN(3)) == {"psnr": 30.0}
    assert [name for name, _ in seen] == list(benchmarks.HELD_OUT["BSD500_test"])
    assert all(picture.shape == (1, 3, 160, 160) for _, picture in seen)


@pytest.fixture
def small_sets(monkeypatch):
    """Small pictures in place of the test sets; Set14 is not at hand."""
    small = {
        "Set5": pictures((3, 26, 26)),
        "Set12": pictures((1, 24, 24)),
        "BSD68": pictures((1, 24, 24), (1, 24, 25)),
        "CBSD68": pictures((3, 24, 24)),
        "B100": pictures((3, 24, 24), (3, 25, 24)),
    }
    monkeypatch.setattr(benchmarks, "locate", lambda name: name if name in small else None)
    monkeypatch.setattr(benchmarks, "load", small.__getitem__)
    return small


def conditions(scores):
    return [(s["set"], s["degradation"], s["protocol"], s["border"]) for s in scores]


def test_dncnn_3_is_scored_by_three_protocols(small_sets):
    scores = card_scores(many_tasks(), "dncnn-3")
    wanted = [("Set5", f"×{scale}", "y-double", scale) for scale in (2, 3, 4)]
    wanted += [(name, f"σ = {sigma}", "gray", 0) for name in ("Set12", "BSD68") for sigma in (15, 25, 50)]
    wanted += [(name, f"JPEG {quality}", "y8", 0) for name in ("Set5", "B100") for quality in (10, 20, 30, 40)]
    assert conditions(scores) == wanted


def test_a_score_of_a_jpeg_names_that_of_the_jpeg_itself(small_sets):
    network = many_tasks()
    scores = card_scores(network, "dncnn-3")
    for score in scores[-8:]:
        shown, jpeg = small_sets[score["set"]], Jpeg(score["quality"])
        assert score["input_psnr"] == round(evaluate("input", shown, jpeg).psnr, 3)
        assert score["psnr"] == round(evaluate(network, shown, jpeg).psnr, 3)
    assert not any("input_psnr" in score for score in scores[:-8])


def test_denoisers_are_scored_in_gray_or_in_colour(small_sets):
    one_level = DnCNN(depth=2, features=4)
    one_level.sigma = 25
    scores = card_scores(one_level, "dncnn-25")
    assert conditions(scores) == [("Set12", "σ = 25", "gray", 0), ("BSD68", "σ = 25", "gray", 0)]
    scores = card_scores(DnCNN(channels=3, depth=2, features=4), "cdncnn-blind")
    assert conditions(scores) == [("CBSD68", f"σ = {sigma}", "rgb", 0) for sigma in (15, 25, 50)]


def test_super_resolution_is_scored_in_luma_or_in_rgb(small_sets):
    luma = card_scores(ESPCN(3), "espcn-x3")
    assert conditions(luma) == [("Set5", "×3", "y8", 3), ("B100", "×3", "y8", 3)]
    keys = ["set", "degradation", "scale", "sigma", "quality", "protocol", "border", "psnr", "ssim"]
    assert [list(score) for score in luma] == [keys] * 2
    rgb = card_scores(EDSR(2, blocks=1, features=4), "edsr-baseline-x2")
    assert [score["protocol"] for score in rgb] == ["rgb-y", "rgb-y8"] * 2


@pytest.mark.parametrize("name", [name for name in zoo.names() if name in zoo.RESTORERS])
def test_a_card_has_the_scores_of_its_suite(monkeypatch, name):
    """Every row of the card in the order in which `card_scores` makes them now, of the sets that it names."""
    card = zoo.card(name)
    sets = {score["set"] for score in card["scores"]}
    monkeypatch.setattr(benchmarks, "locate", lambda name: name if name in sets else None)
    monkeypatch.setattr(benchmarks, "load", lambda name: pictures((1 if name in ("Set12", "BSD68") else 3, 20, 20)))
    monkeypatch.setattr(suite, "evaluate", only_the_conditions)
    made = card_scores(zoo.ENTRIES[name].build(), name)
    assert conditions(made) == conditions(card["scores"])
    assert [list(score) for score in made] == [list(score) for score in card["scores"]]


def only_the_conditions(model, pictures, degradation, *, protocol, name=None, progress=False):
    class Score:
        border = degradation.scale if isinstance(degradation, Downscale) else 0
        scores = {"psnr": 30.0, "ssim": 0.9}  # noqa: RUF012

    return Score
