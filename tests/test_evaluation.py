"""The protocols: the published bicubic rows, and each step of each chain against independent code."""

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import nn

from imtrans import evaluation, images, published, zoo
from imtrans.color import rgb_to_y
from imtrans.data import benchmarks, photos
from imtrans.degrade import gaussian_noise, jpeg
from imtrans.evaluation import evaluate, score, validator
from imtrans.models.dncnn import DnCNN
from imtrans.models.edsr import EDSR
from imtrans.models.espcn import ESPCN
from imtrans.models.vdsr import VDSR

# Set14 as SRCNN's paper prints it: VDSR and all after it have a row 0.01 dB apart.
BICUBIC = {
    (row["set"], row["scale"]): row
    for paper in ("vdsr", "srcnn")
    for row in published.rows(paper, model="Bicubic")
    if row["set"] in ("Set5", "Set14", "B100") and row["scale"] < 8
}


class Recorder(nn.Module):
    """A network that notes what it gets and answers with what it is told to."""

    def __init__(self, channels=1, upsamples=False, scales=(3,), answer=None):
        super().__init__()
        self.channels, self.upsamples, self.scales, self.answer = channels, upsamples, scales, answer
        self.seen = []

    def forward(self, x):
        self.seen.append(x)
        return x if self.answer is None else self.answer(x)


def many_tasks():
    """A small network that says of itself what dncnn-3 does."""
    model = DnCNN(depth=3, features=4)
    model.scales, model.sigma, model.quality = (2, 3, 4), (0, 55), (5, 99)
    return model


def pictures(*shapes):
    return [(f"p{i}", torch.rand(1, *shape)) for i, shape in enumerate(shapes)]


def test_the_rows_are_there():
    assert len(BICUBIC) == 9


@pytest.mark.parametrize(("name", "scale"), sorted(BICUBIC))
def test_published_bicubic_rows(data_root, name, scale):
    result = evaluate("bicubic", benchmarks.load_folder(data_root / name), scale=scale)
    assert result.protocol == "y8"
    assert result.border == scale
    assert result.psnr == pytest.approx(BICUBIC[name, scale]["psnr"], abs=0.015)
    assert result.ssim == pytest.approx(BICUBIC[name, scale]["ssim"], abs=0.001)


@pytest.mark.parametrize(
    ("protocol", "wanted"),
    [
        ("rgb-y", (33.67, 30.40, 28.43)),
        ("rgb-y8", (33.64, 30.39, 28.42)),
        ("y-double", (33.69, 30.41, 28.43)),
    ],
)
def test_the_other_chains_on_set5(data_root, protocol, wanted):
    set5 = benchmarks.load_folder(data_root / "Set5")
    for scale, psnr in zip((2, 3, 4), wanted, strict=True):
        assert evaluate("bicubic", set5, scale=scale, protocol=protocol).psnr == pytest.approx(psnr, abs=0.0055)


def test_scores_are_those_of_scikit_image():
    picture = photos.photo("chelsea").picture[..., 50:171, 100:223]
    result = evaluate("bicubic", [("cat", picture)], scale=3, protocol="rgb-y8")
    from PIL import Image

    # Pillow's bicubic is MATLAB's kernel; borders aside it rounds as an 8-bit chain does, to a level or so.
    levels = images.to_uint8(images.modcrop(picture, 3))[0].permute(1, 2, 0).numpy()
    height, width = levels.shape[:2]
    low = Image.fromarray(levels).resize((width // 3, height // 3), Image.Resampling.BICUBIC)
    high = np.asarray(low.resize((width, height), Image.Resampling.BICUBIC))
    weights = np.array([65.481, 128.553, 24.966]) / 255
    a, b = (np.round(16 + image.astype(float) @ weights)[3:-3, 3:-3] for image in (levels, high))
    assert result.psnr == pytest.approx(peak_signal_noise_ratio(a, b, data_range=255), abs=0.02)
    ssim = structural_similarity(a, b, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False)
    assert result.ssim == pytest.approx(ssim, abs=5e-4)


@settings(max_examples=15, deadline=None)
@given(
    channels=st.sampled_from([1, 3]),
    protocol=st.sampled_from(evaluation.SUPER_RESOLUTION),
    scale=st.sampled_from([2, 3, 4]),
    height=st.integers(20, 41),
    width=st.integers(20, 41),
)
def test_any_size_is_scored(channels, protocol, scale, height, width):
    result = evaluate("bicubic", pictures((channels, height, width)), scale=scale, protocol=protocol)
    assert math.isfinite(result.psnr)
    assert result.border == scale


def test_y8_shows_the_network_luma_of_8_bit_luma():
    network = Recorder(upsamples=True, answer=lambda x: torch.zeros(1, 1, 3 * x.shape[2], 3 * x.shape[3]))
    picture = torch.rand(1, 3, 31, 32)
    evaluate(network, [("p", picture)], scale=3)
    luma = images.modcrop(images.to_float(images.to_uint8(rgb_to_y(picture))), 3)
    [seen] = network.seen
    assert seen.shape == (1, 1, 10, 10)
    # Bicubic keeps the mean; and it is not rounded.
    assert seen.mean().item() == pytest.approx(luma.mean().item(), abs=0.01)
    assert (seen * 255 - (seen * 255).round()).abs().max() > 0.1


def test_rgb_chains_show_the_network_8_bit_rgb():
    network = Recorder(3, True, answer=lambda x: x.repeat_interleave(3, 2).repeat_interleave(3, 3))
    for protocol in ("rgb-y", "rgb-y8"):
        evaluate(network, pictures((3, 30, 33)), scale=3, protocol=protocol)
    for seen in network.seen:
        assert seen.shape == (1, 3, 10, 11)
        torch.testing.assert_close(seen, images.to_float(images.to_uint8(seen)), atol=0, rtol=0)


def test_the_answer_is_clipped_then_rounded():
    levels = torch.full((1, 1, 24, 24), 200 / 255)
    by_half_a_level = Recorder(answer=lambda x: torch.full_like(x, 200.4 / 255))
    assert evaluate(by_half_a_level, [("p", levels)]).psnr == math.inf
    white, far_out = torch.ones(1, 1, 24, 24), Recorder(answer=lambda x: torch.full_like(x, 7.0))
    assert evaluate(far_out, [("p", white)]).psnr == math.inf


def test_a_gray_file_is_its_own_luma():
    gray = photos.photo("camera").picture[..., 180:300, 180:300]
    own = evaluate("bicubic", [("camera", gray)], scale=3)
    through_rgb = evaluate("bicubic", [("camera", gray.expand(-1, 3, -1, -1))], scale=3)
    assert through_rgb.psnr - own.psnr == pytest.approx(20 * math.log10(255 / 219), abs=0.03)


def test_the_mean_is_one_of_decibels():
    result = evaluate("bicubic", pictures((3, 40, 40), (3, 30, 30), (1, 33, 35)), scale=2)
    assert result.psnr == pytest.approx(np.mean([row.psnr for row in result.rows]))
    assert result.ssim == pytest.approx(np.mean([row.ssim for row in result.rows]))
    assert [row.name for row in result.rows] == ["p0", "p1", "p2"]


def test_default_protocols():
    rgb, denoiser = EDSR(2, blocks=1, features=4), DnCNN(depth=2, features=4)
    assert evaluate(rgb, pictures((3, 32, 32))).protocol == "rgb-y"
    assert evaluate(ESPCN(2), pictures((3, 32, 32))).protocol == "y8"
    assert evaluate(denoiser, pictures((1, 32, 32)), sigma=25).protocol == "gray"
    assert evaluation.default_protocol(DnCNN(channels=3, depth=2)) == "rgb"


def test_denoising_noise_is_one_seed_a_picture_and_not_clipped():
    network = Recorder(scales=(), answer=torch.zeros_like)
    clean = [("b", torch.ones(1, 1, 20, 20)), ("a", torch.zeros(1, 1, 20, 20))]
    result = evaluate(network, clean, sigma=25, seed=7)
    assert [row.name for row in result.rows] == ["a", "b"]
    assert result.border == 0
    for seen, truth, seed in zip(network.seen, (0.0, 1.0), (7, 8), strict=True):
        noise = np.random.RandomState(seed).standard_normal((1, 1, 20, 20)) * 25 / 255
        np.testing.assert_allclose(seen.numpy(), truth + noise, atol=1e-6)
    assert result.rows[0].psnr == math.inf
    assert result.rows[1].psnr == pytest.approx(0.0)


def test_denoising_colour():
    clean = pictures((3, 20, 20))
    identity = Recorder(scales=())
    with pytest.raises(ValueError, match="p0 has 3 channels; protocol gray wants 1"):
        evaluate(identity, clean, sigma=10)
    result = evaluate(identity, clean, sigma=10, protocol="rgb")
    rounded = images.to_float(images.to_uint8(clean[0][1]))
    noisy = images.to_float(images.to_uint8(gaussian_noise(rounded, 10, 0)))
    wanted = peak_signal_noise_ratio(rounded.numpy(), noisy.numpy(), data_range=1)
    assert result.psnr == pytest.approx(wanted, abs=1e-3)


def test_deblocking_shows_the_network_a_jpeg_of_8_bit_luma():
    network = Recorder(scales=(), answer=lambda x: x + 0.3 / 255)  # rounded away again
    network.quality = (5, 99)
    picture = torch.rand(1, 3, 21, 26)
    result = evaluate(network, [("p", picture)], quality=10)
    luma = images.to_float(images.to_uint8(rgb_to_y(images.to_float(images.to_uint8(picture)))))
    [seen] = network.seen
    assert torch.equal(seen, jpeg(luma, 10))
    assert (result.protocol, result.border, result.quality) == ("y8", 0, 10)
    assert result.scale is result.sigma is None
    assert result.psnr == pytest.approx(evaluate("input", [("p", picture)], quality=10).psnr)


def test_self_ensemble_of_every_task():
    """It is no row of the network alone that carries its name."""
    model, shown = many_tasks(), pictures((1, 20, 24))
    for asked in ({"scale": 2}, {"sigma": 25, "protocol": "gray"}, {"quality": 10}):
        alone, mean = (evaluate(model, shown, **asked, self_ensemble=both).psnr for both in (False, True))
        assert alone != mean


def test_the_jpeg_itself_is_scored():
    """Against Pillow's encoder and scikit-image's PSNR and SSIM."""
    from io import BytesIO

    from PIL import Image

    picture = photos.photo("chelsea").picture[..., 50:171, 100:223]
    weights = np.array([65.481, 128.553, 24.966]) / 255
    levels = np.round(16 + images.to_uint8(picture)[0].permute(1, 2, 0).numpy() @ weights).astype(np.uint8)
    for quality in (10, 40):
        file = BytesIO()
        Image.fromarray(levels).save(file, "JPEG", quality=quality)
        decoded = np.asarray(Image.open(file))
        result = evaluate("input", [("cat", picture)], quality=quality)
        assert result.model == "input"
        assert result.psnr == pytest.approx(peak_signal_noise_ratio(levels, decoded), abs=1e-3)
        how = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
        assert result.ssim == pytest.approx(structural_similarity(levels, decoded, **how), abs=5e-4)


@pytest.mark.parametrize(("channels", "protocol"), [(1, "gray"), (3, "rgb")])
@pytest.mark.parametrize("sigma", [15, 25])
def test_noise_itself_is_scored(sigma, channels, protocol):
    """Around mid-gray nothing is clipped: 20·log10(255/σ) is left, rounding to levels aside."""
    gray = [("gray", torch.full((1, channels, 160, 160), 128 / 255))]
    result = evaluate("input", gray, sigma=sigma, protocol=protocol)
    assert result.psnr == pytest.approx(10 * math.log10(255**2 / (sigma**2 + 1 / 12)), abs=0.1)
    white = [("white", torch.ones(1, channels, 160, 160))]
    assert evaluate("input", white, sigma=sigma, protocol=protocol).psnr == pytest.approx(result.psnr + 3.01, abs=0.2)


def test_what_a_picture_went_through_in_words():
    assert evaluation.degradation({"scale": 3, "sigma": None}) == "×3"  # cards of old have no quality
    assert evaluation.degradation({"scale": None, "sigma": 25.0, "quality": None}) == "σ = 25"
    assert evaluation.degradation({"scale": None, "sigma": None, "quality": 10}) == "JPEG 10"
    model = many_tasks()
    for task, words in (({"scale": 2}, "×2"), ({"sigma": 15}, "σ = 15"), ({"quality": 20}, "JPEG 20")):
        result = evaluate(model, pictures((1, 32, 32)), name="net", **task)
        assert evaluation.degradation(result.to_dict()) == words
        assert result.table().startswith(f"net, {words}, protocol ")


@pytest.mark.parametrize(
    ("name", "scale", "sigma", "quality"),
    [
        ("srcnn-x3", (3,), (), ()),
        ("vdsr", (2, 3, 4), (), ()),
        ("dncnn-25", (), (25,), ()),
        ("dncnn-blind", (), (15, 25, 50), ()),
        ("dncnn-3", (2, 3, 4), (15, 25, 50), (10, 20, 30, 40)),
        ("cdncnn-blind", (), (15, 25, 50), ()),
        ("edsr-baseline-x2", (2,), (), ()),
    ],
)
def test_levels_that_networks_are_measured_at(name, scale, sigma, quality):
    assert evaluation.levels(zoo.ENTRIES[name].build()) == {"scale": scale, "sigma": sigma, "quality": quality}


def test_scores_are_computed_in_fp32():
    network = Recorder(upsamples=True, answer=lambda x: x.repeat_interleave(3, 2).repeat_interleave(3, 3))
    network.weight = nn.Parameter(torch.zeros(1))
    inner = nn.Conv2d(1, 1, 1)
    network.answer = lambda x: inner(x).repeat_interleave(3, 2).repeat_interleave(3, 3)
    kinds = []
    inner.register_forward_hook(lambda module, inputs, output: kinds.append(output.dtype))
    with torch.autocast("cpu", torch.bfloat16):
        evaluate(network, pictures((3, 33, 33)))
    assert kinds == [torch.float32]
    with pytest.raises(ValueError, match="float32"):
        evaluate(network.bfloat16(), pictures((3, 33, 33)))


def test_to_dict_is_json():
    result = evaluate("bicubic", pictures((3, 30, 30), (3, 33, 33)), scale=3)
    content = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert list(content) == ["model", "psnr", "ssim", "protocol", "scale", "sigma", "quality", "border", "images"]
    assert content["model"] == "bicubic"
    assert content["scale"] == content["border"] == 3
    assert content["sigma"] is content["quality"] is None
    assert [set(row) for row in content["images"]] == [{"name", "psnr", "ssim"}] * 2
    equal = evaluate(Recorder(), [("black", torch.zeros(1, 1, 30, 30))]).to_dict()
    assert equal["psnr"] is None  # JSON has no infinity


def test_the_table_names_its_ruler():
    text = evaluate("bicubic", pictures((3, 30, 30)), scale=3, border=5).table()
    assert text.splitlines()[0] == "bicubic, ×3, protocol y8, border 5"
    assert text.splitlines()[-1].startswith("mean")


def test_save_keeps_the_pictures(tmp_path):
    picture = photos.photo("chelsea").picture[..., :60, :63]
    result = evaluate("bicubic", [("cat", picture)], scale=3, protocol="rgb-y8", save=tmp_path / "kept")
    [file] = (tmp_path / "kept").iterdir()
    assert file.name == "cat_bicubic.png"
    kept = images.read(file)
    assert kept.shape == (1, 3, 60, 63)
    assert score("cat", kept, picture, protocol="rgb-y8", border=3).psnr == pytest.approx(result.psnr, abs=1e-4)


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        ("bicubic", {}, "which scale"),
        ("bicubic", {"scale": 9}, "does not enlarge ×9"),
        ("bicubic", {"scale": 2, "sigma": 25}, "a noise level for denoising"),
        ("bicubic", {"scale": 2, "protocol": "y9"}, "no protocol 'y9'.*y8, rgb-y, rgb-y8, y-double"),
        ("bicubic", {"scale": 2, "protocol": "gray"}, "no protocol 'gray'"),
        (EDSR(2, blocks=1, features=4), {"protocol": "y8"}, "wants RGB: rgb-y or rgb-y8"),
        (DnCNN(depth=2), {}, "which noise level"),
        (DnCNN(depth=2), {"sigma": 0}, "above 0"),
        (DnCNN(depth=2), {"sigma": math.inf}, "above 0"),
        (DnCNN(depth=2), {"sigma": 25, "scale": 2}, "a scale is for super-resolution"),
        (DnCNN(depth=2), {"quality": 10}, "this network takes a sigma, got quality"),
        ("bicubic", {"quality": 10}, "a quality for JPEG: this network takes a scale, got quality"),
        ("input", {"scale": 2}, "this network takes a sigma or a quality, got scale"),
        ("input", {}, "which task. this network takes one of sigma, quality"),
        ("input", {"quality": 101}, "p0: the quality of JPEG goes from 1 to 100, got 101"),
        ("input", {"quality": 10, "protocol": "gray"}, "no protocol 'gray' for this network: one of y8"),
        ("input", {"sigma": 25}, "p0 has 3 channels; protocol gray wants 1"),
        (many_tasks(), {}, "which task. this network takes one of scale, sigma, quality"),
        (many_tasks(), {"sigma": 25, "quality": 10}, "a scale or a sigma or a quality, got sigma and quality"),
        (many_tasks(), {"scale": 5}, "does not enlarge ×5"),
        ("bicubic", {"scale": 2, "border": 40}, "p0: a border of 40"),
        ("bicubic", {"scale": 8, "border": 12}, "p0: SSIM needs 11×11"),
    ],
)
def test_wrong_questions(model, options, message):
    with pytest.raises(ValueError, match=message):
        evaluate(model, pictures((3, 32, 32)), **options)


def test_no_pictures():
    with pytest.raises(ValueError, match="no pictures"):
        evaluate("bicubic", [], scale=2)


def test_two_pictures_compared():
    x = torch.rand(1, 3, 20, 24)
    assert score("x", x, x, protocol="rgb-y", border=2).psnr == math.inf
    with pytest.raises(ValueError, match="different shapes"):
        score("x", x, x[..., :20], protocol="rgb-y", border=0)
    with pytest.raises(ValueError, match="no protocol"):
        score("x", x, x, protocol="lab", border=0)


def test_validator_without_data(monkeypatch, tmp_path):
    monkeypatch.delenv("IMTRANS_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    network = VDSR(depth=2, features=4)
    each = validator(scales=(2, 3), size=48)(network)
    assert set(each) == {"psnr", "psnr_x2", "psnr_x3"}
    assert each["psnr"] == pytest.approx((each["psnr_x2"] + each["psnr_x3"]) / 2)
    coffee = photos.photo("coffee").picture
    top, left = (coffee.shape[2] - 48) // 2, (coffee.shape[3] - 48) // 2
    middle = coffee[..., top : top + 48, left : left + 48]
    assert each["psnr_x3"] == pytest.approx(evaluate(network, [("coffee", middle)], scale=3).psnr)
    assert set(validator(scales=(3,), size=48)(ESPCN(3))) == {"psnr"}
    assert set(validator(sigmas=(25,), size=48)(DnCNN(depth=2))) == {"psnr"}


def test_validator_of_several_tasks(monkeypatch, tmp_path):
    monkeypatch.delenv("IMTRANS_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    network = many_tasks()
    each = validator(scales=(3,), sigmas=(15, 50), qualities=(10, 40), size=48)(network)
    assert list(each) == ["psnr", "psnr_x3", "psnr_15", "psnr_50", "psnr_q10", "psnr_q40"]
    assert each["psnr"] == pytest.approx(np.mean([each[key] for key in list(each)[1:]]))
    coffee = evaluation._middle(photos.photo("coffee").picture, 48)
    assert each["psnr_q10"] == pytest.approx(evaluate(network, [("coffee", coffee)], quality=10).psnr)
    gray = images.to_float(images.to_uint8(rgb_to_y(coffee)))
    assert each["psnr_50"] == pytest.approx(evaluate(network, [("coffee", gray)], sigma=50).psnr)
    color = DnCNN(channels=3, depth=2, features=4)
    wanted = evaluate(color, [("coffee", coffee)], sigma=25).psnr
    assert validator(sigmas=(25,), size=48)(color) == {"psnr": pytest.approx(wanted)}


def test_validator_takes_the_pictures_held_out(data_root, monkeypatch):
    seen = []
    monkeypatch.setattr(evaluation, "evaluate", lambda model, pictures, **kwargs: seen.extend(pictures) or Score)

    class Score:
        psnr = 30.0

    assert validator(scales=(3,))(ESPCN(3)) == {"psnr": 30.0}
    assert [name for name, _ in seen] == list(benchmarks.HELD_OUT["BSD500_test"])
    assert all(picture.shape == (1, 3, 160, 160) for _, picture in seen)


def test_card_scores_are_on_the_sets_at_hand(data_root, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "sets").mkdir()
    (tmp_path / "sets" / "Set5").symlink_to(data_root / "Set5")
    monkeypatch.setenv("IMTRANS_DATA", str(tmp_path / "sets"))
    luma = evaluation.card_scores(ESPCN(3))
    assert [(s["set"], s["scale"], s["protocol"], s["border"]) for s in luma] == [("Set5", 3, "y8", 3)]
    rgb = evaluation.card_scores(EDSR(2, blocks=1, features=4))
    assert [s["protocol"] for s in rgb] == ["rgb-y", "rgb-y8"]
    assert set(luma[0]) == {"set", "scale", "sigma", "protocol", "psnr", "ssim", "border"}
    assert "input_psnr" not in luma[0]


def test_card_scores_by_task(monkeypatch):
    """On small pictures in place of the sets, which a network of three tasks is measured on by four rulers."""
    small = {
        "Set5": pictures((3, 26, 26)),
        "Set12": pictures((1, 24, 24)),
        "BSD68": pictures((1, 24, 24), (1, 24, 25)),
        "CBSD68": pictures((3, 24, 24)),
        "B100": pictures((3, 24, 24), (3, 25, 24)),
    }
    monkeypatch.setattr(benchmarks, "locate", lambda name: name if name in small else None)
    monkeypatch.setattr(benchmarks, "load", small.__getitem__)
    network = many_tasks()
    scores = evaluation.card_scores(network)
    found = [(s["set"], s["scale"], s["sigma"], s.get("quality"), s["protocol"], s["border"]) for s in scores]
    wanted = [("Set5", scale, None, None, "y-double", scale) for scale in (2, 3, 4)]
    wanted += [(name, None, sigma, None, "gray", 0) for name in ("Set12", "BSD68") for sigma in (15, 25, 50)]
    wanted += [(name, None, None, quality, "y8", 0) for name in ("Set5", "B100") for quality in (10, 20, 30, 40)]
    assert found == wanted
    assert [set(s) for s in scores[-8:]] == [
        {"set", "scale", "sigma", "quality", "protocol", "psnr", "ssim", "border", "input_psnr"}
    ] * 8
    for s in scores[-8:]:
        how = {"quality": s["quality"]}
        assert s["input_psnr"] == round(evaluate("input", small[s["set"]], **how).psnr, 3)
        assert s["psnr"] == round(evaluate(network, small[s["set"]], **how).psnr, 3)
    assert not any("input_psnr" in s for s in scores[:-8])

    one_level = DnCNN(depth=2, features=4)
    one_level.sigma = 25
    scores = evaluation.card_scores(one_level)
    assert [(s["set"], s["sigma"], s["protocol"]) for s in scores] == [("Set12", 25, "gray"), ("BSD68", 25, "gray")]
    scores = evaluation.card_scores(DnCNN(channels=3, depth=2, features=4))
    assert [(s["set"], s["sigma"], s["protocol"]) for s in scores] == [("CBSD68", s, "rgb") for s in (15, 25, 50)]
