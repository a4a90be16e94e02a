"""Evaluation against independent code: what networks are shown, what is compared, what comes out."""

import json
import math
import weakref
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import nn

from imtrans import images
from imtrans.color import rgb_to_y
from imtrans.data import photos
from imtrans.data.pairs import NoisePairs
from imtrans.degrade import Degradation, Downscale, GaussianNoise, Jpeg, gaussian_noise, jpeg
from imtrans.evaluation import evaluate, score_picture
from imtrans.metrics import METRICS, Metric, in_words
from imtrans.models.dncnn import DnCNN
from imtrans.models.edsr import EDSR
from imtrans.protocols import protocols_for
from imtrans.suite import standard_degradations, validator
from keys import resize


class Recorder(nn.Module):
    """A network that notes what it gets and answers with what it is told to."""

    def __init__(self, channels=1, upsamples=False, scales=(3,), result=None):
        super().__init__()
        self.channels, self.upsamples, self.scales, self.result = channels, upsamples, scales, result
        self.seen = []

    def forward(self, x):
        self.seen.append(x)
        return x if self.result is None else self.result(x)


def many_tasks():
    """A small network that says of itself what dncnn-3 does."""
    model = DnCNN(depth=3, features=4)
    model.scales, model.sigma, model.quality = (2, 3, 4), (0, 55), (5, 99)
    return model


def pictures(*shapes):
    return [(f"p{i}", torch.rand(1, *shape)) for i, shape in enumerate(shapes)]


def test_scores_are_those_of_scikit_image():
    picture = photos.photo("chelsea").picture[..., 50:171, 100:223]
    result = evaluate("bicubic", [("cat", picture)], Downscale(3), protocol="rgb-y8")
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
    protocol=st.sampled_from(protocols_for("super-resolution")),
    scale=st.sampled_from([2, 3, 4]),
    height=st.integers(20, 41),
    width=st.integers(20, 41),
)
def test_any_size_is_scored(channels, protocol, scale, height, width):
    result = evaluate("bicubic", pictures((channels, height, width)), Downscale(scale), protocol=protocol)
    assert math.isfinite(result.psnr)
    assert result.border == scale


def test_y8_shows_the_network_luma_of_8_bit_luma():
    network = Recorder(upsamples=True, result=lambda x: torch.zeros(1, 1, 3 * x.shape[2], 3 * x.shape[3]))
    picture = torch.rand(1, 3, 31, 32)
    evaluate(network, [("p", picture)], Downscale(3))
    luma = images.modcrop(images.to_float(images.to_uint8(rgb_to_y(picture))), 3)
    [seen] = network.seen
    assert seen.shape == (1, 1, 10, 10)
    # Bicubic keeps the mean; and it is not rounded.
    assert seen.mean().item() == pytest.approx(luma.mean().item(), abs=0.01)
    assert (seen * 255 - (seen * 255).round()).abs().max() > 0.1


def test_rgb_chains_show_the_network_8_bit_rgb():
    network = Recorder(3, True, result=lambda x: x.repeat_interleave(3, 2).repeat_interleave(3, 3))
    for protocol in ("rgb-y", "rgb-y8"):
        evaluate(network, pictures((3, 30, 33)), Downscale(3), protocol=protocol)
    for seen in network.seen:
        assert seen.shape == (1, 3, 10, 11)
        torch.testing.assert_close(seen, images.to_float(images.to_uint8(seen)), atol=0, rtol=0)


def test_the_answer_is_clipped_then_rounded():
    levels = torch.full((1, 1, 24, 24), 200 / 255)
    by_half_a_level = Recorder(result=lambda x: torch.full_like(x, 200.4 / 255))
    assert evaluate(by_half_a_level, [("p", levels)], Downscale(3)).psnr == math.inf
    white, far_out = torch.ones(1, 1, 24, 24), Recorder(result=lambda x: torch.full_like(x, 7.0))
    assert evaluate(far_out, [("p", white)], Downscale(3)).psnr == math.inf


def test_a_gray_file_is_its_own_luma():
    gray = photos.photo("camera").picture[..., 180:300, 180:300]
    own = evaluate("bicubic", [("camera", gray)], Downscale(3))
    through_rgb = evaluate("bicubic", [("camera", gray.expand(-1, 3, -1, -1))], Downscale(3))
    assert through_rgb.psnr - own.psnr == pytest.approx(20 * math.log10(255 / 219), abs=0.03)


def test_the_mean_is_one_of_decibels():
    result = evaluate("bicubic", pictures((3, 40, 40), (3, 30, 30), (1, 33, 35)), Downscale(2))
    assert result.psnr == pytest.approx(np.mean([row.psnr for row in result.rows]))
    assert result.ssim == pytest.approx(np.mean([row.ssim for row in result.rows]))
    assert [row.name for row in result.rows] == ["p0", "p1", "p2"]


def test_denoising_colour():
    clean = pictures((3, 20, 20))
    identity = Recorder(scales=())
    with pytest.raises(ValueError, match="p0 has 3 channels; protocol gray wants 1"):
        evaluate(identity, clean, GaussianNoise(10))
    result = evaluate(identity, clean, GaussianNoise(10), protocol="rgb")
    rounded = images.to_float(images.to_uint8(clean[0][1]))
    noisy = images.to_float(images.to_uint8(gaussian_noise(rounded, 10, 0)))
    wanted = peak_signal_noise_ratio(rounded.numpy(), noisy.numpy(), data_range=1)
    assert result.psnr == pytest.approx(wanted, abs=1e-3)


def test_deblocking_shows_the_network_a_jpeg_of_8_bit_luma():
    network = Recorder(scales=(), result=lambda x: x + 0.3 / 255)  # rounded away again
    network.quality = (5, 99)
    picture = torch.rand(1, 3, 21, 26)
    result = evaluate(network, [("p", picture)], Jpeg(10))
    luma = images.to_float(images.to_uint8(rgb_to_y(images.to_float(images.to_uint8(picture)))))
    [seen] = network.seen
    assert torch.equal(seen, jpeg(luma, 10))
    assert (result.protocol, result.border, result.degradation) == ("y8", 0, Jpeg(10))
    assert result.psnr == pytest.approx(evaluate("input", [("p", picture)], Jpeg(10)).psnr)


def test_self_ensemble_of_every_task():
    """It is no row of the network alone that carries its name."""
    model, shown = many_tasks(), pictures((1, 20, 24))
    for degradation in (Downscale(2), GaussianNoise(25), Jpeg(10)):
        alone, mean = (evaluate(model, shown, degradation, self_ensemble=both).psnr for both in (False, True))
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
        result = evaluate("input", [("cat", picture)], Jpeg(quality))
        assert result.model == "input"
        assert result.psnr == pytest.approx(peak_signal_noise_ratio(levels, decoded), abs=1e-3)
        how = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
        assert result.ssim == pytest.approx(structural_similarity(levels, decoded, **how), abs=5e-4)


@pytest.mark.parametrize(("channels", "protocol"), [(1, "gray"), (3, "rgb")])
@pytest.mark.parametrize("sigma", [15, 25])
def test_noise_itself_is_scored(sigma, channels, protocol):
    """Around mid-gray nothing is clipped: 20·log10(255/σ) is left, rounding to levels aside."""
    gray = [("gray", torch.full((1, channels, 160, 160), 128 / 255))]
    result = evaluate("input", gray, GaussianNoise(sigma), protocol=protocol)
    assert result.psnr == pytest.approx(10 * math.log10(255**2 / (sigma**2 + 1 / 12)), abs=0.1)
    white = [("white", torch.ones(1, channels, 160, 160))]
    assert evaluate("input", white, GaussianNoise(sigma), protocol=protocol).psnr == pytest.approx(
        result.psnr + 3.01, abs=0.2
    )


def test_scores_are_computed_in_fp32():
    network = Recorder(upsamples=True, result=lambda x: x.repeat_interleave(3, 2).repeat_interleave(3, 3))
    network.weight = nn.Parameter(torch.zeros(1))
    inner = nn.Conv2d(1, 1, 1)
    network.result = lambda x: inner(x).repeat_interleave(3, 2).repeat_interleave(3, 3)
    kinds = []
    inner.register_forward_hook(lambda module, inputs, output: kinds.append(output.dtype))
    with torch.autocast("cpu", torch.bfloat16):
        evaluate(network, pictures((3, 33, 33)), Downscale(3))
    assert kinds == [torch.float32]
    with pytest.raises(ValueError, match="float32"):
        evaluate(network.bfloat16(), pictures((3, 33, 33)), Downscale(3))


def test_a_result_that_is_not_finite_has_no_score():
    truth = torch.ones(1, 1, 16, 16)
    with pytest.raises(ValueError, match="not finite"):
        score_picture("p", torch.full_like(truth, math.inf), truth, protocol="gray", border=0)


def test_no_pictures():
    with pytest.raises(ValueError, match="no pictures"):
        evaluate("bicubic", [], Downscale(2))


def test_two_pictures_compared():
    x = torch.rand(1, 3, 20, 24)
    assert score_picture("x", x, x, protocol="rgb-y", border=2).psnr == math.inf
    with pytest.raises(ValueError, match="different shapes"):
        score_picture("x", x, x[..., :20], protocol="rgb-y", border=0)
    with pytest.raises(ValueError, match="no protocol"):
        score_picture("x", x, x, protocol="lab", border=0)


def test_noise_has_one_seed_per_picture_and_is_not_clipped():
    network = Recorder(scales=(), result=torch.zeros_like)
    clean = [("b", torch.ones(1, 1, 20, 20)), ("a", torch.zeros(1, 1, 20, 20))]
    result = evaluate(network, clean, GaussianNoise(25), seed=7)
    assert [row.name for row in result.rows] == ["b", "a"]  # the order of the pictures
    assert result.border == 0
    for seen, truth, seed in zip(network.seen, (1.0, 0.0), (7, 8), strict=True):
        noise = np.random.RandomState(seed).standard_normal((1, 1, 20, 20)) * 25 / 255
        np.testing.assert_allclose(seen.numpy(), truth + noise, atol=1e-6)
    assert result.rows[0].psnr == pytest.approx(0.0)
    assert result.rows[1].psnr == math.inf


def test_pictures_are_read_one_at_a_time():
    alive, most = [], []

    def read():
        for i in range(4):
            picture = torch.rand(1, 1, 20, 20)
            alive.append(weakref.ref(picture))
            most.append(sum(each() is not None for each in alive))
            yield f"p{i}", picture

    result = evaluate("bicubic", read(), Downscale(2))
    assert len(result.rows) == 4
    assert max(most) <= 2  # the one before is let go while the next is read


def test_bicubic_enlarges_8_bit_pictures_as_matlab_does():
    """In rgb-y and rgb-y8, rounded after each pass; in y-double and y8 nothing is rounded on the way up."""
    picture = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (1, 1, 24, 30), np.uint8))
    levels = picture[0, 0].numpy()
    low = resize(levels, Fraction(1, 3))
    wanted = {
        "rgb-y": resize(low, Fraction(3)),
        "rgb-y8": resize(low, Fraction(3)),
        "y-double": resize(low.astype(float), Fraction(3)).clip(0, 255),
        "y8": resize(resize(levels.astype(float), Fraction(1, 3)), Fraction(3)).clip(0, 255),
    }
    for protocol, expected in wanted.items():
        results = []
        evaluate(
            "bicubic",
            [("p", images.to_float(picture))],
            Downscale(3),
            protocol=protocol,
            on_picture=lambda row, result: results.append(result),  # noqa: B023
        )
        np.testing.assert_allclose(255 * results[0][0, 0].numpy(), expected, atol=1e-3)
    assert np.abs(wanted["rgb-y"] - wanted["y-double"]).max() > 0.3
    assert np.abs(wanted["y-double"] - wanted["y8"]).max() > 0.3


def test_a_dictionary_for_json():
    result = evaluate("bicubic", pictures((3, 30, 30), (3, 33, 33)), Downscale(3))
    content = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    keys = ["model", "psnr", "ssim", "protocol", "degradation", "scale", "sigma", "quality", "border", "images"]
    assert list(content) == keys
    assert content["model"] == "bicubic"
    assert content["degradation"] == "×3"
    assert content["scale"] == content["border"] == 3
    assert content["sigma"] is content["quality"] is None
    assert [set(row) for row in content["images"]] == [{"name", "psnr", "ssim"}] * 2
    equal = evaluate(Recorder(), [("black", torch.zeros(1, 1, 30, 30))], Downscale(3)).to_dict()
    assert equal["psnr"] is None  # JSON has no infinity


def test_the_table_names_degradation_and_protocol():
    text = evaluate("bicubic", pictures((3, 30, 30)), Downscale(3), border=5).table()
    assert text.splitlines()[0] == "bicubic, ×3, protocol y8, border 5"
    assert text.splitlines()[1].split() == ["PSNR/dB", "SSIM"]
    assert text.splitlines()[-1].startswith("mean")
    for degradation, words in ((GaussianNoise(15), "σ = 15"), (Jpeg(20), "JPEG 20")):
        text = evaluate(many_tasks(), pictures((1, 32, 32)), degradation, name="net").table()
        assert text.startswith(f"net, {words}, protocol ")


def test_results_are_handed_out_clipped():
    picture = photos.photo("chelsea").picture[..., :60, :63]
    kept = {}

    def keep(row, result):
        kept[row.name] = result

    result = evaluate("bicubic", [("cat", picture)], Downscale(3), protocol="rgb-y8", on_picture=keep)
    assert kept["cat"].shape == (1, 3, 60, 63)
    assert 0 <= kept["cat"].min() <= kept["cat"].max() <= 1
    assert score_picture("cat", kept["cat"], picture, protocol="rgb-y8", border=3) == result.rows[0]


@pytest.mark.parametrize(
    ("model", "degradation", "options", "message"),
    [
        ("srcnn-x3", Downscale(3), {}, "no baseline 'srcnn-x3': there are .*bicubic"),
        ("bicubic", Downscale(9), {}, "does not enlarge ×9"),
        ("bicubic", GaussianNoise(25), {}, "for super-resolution, not for denoising"),
        ("bicubic", Jpeg(10), {}, "for super-resolution, not for deblocking"),
        ("bicubic", Downscale(2), {"protocol": "y9"}, "no protocol 'y9'.*y8, rgb-y, rgb-y8, y-double"),
        ("bicubic", Downscale(2), {"protocol": "gray"}, "no protocol 'gray'"),
        ("bicubic", Downscale(2), {"metrics": ("psnr", "beauty")}, "no metric beauty: there are psnr, ssim"),
        (EDSR(2, blocks=1, features=4), Downscale(2), {"protocol": "y8"}, "wants RGB: rgb-y or rgb-y8"),
        (DnCNN(depth=2), Downscale(2), {}, "for denoising, not for super-resolution"),
        ("input", Downscale(2), {}, "for denoising and deblocking, not for super-resolution"),
        ("input", Jpeg(101), {}, "p0: the quality of JPEG goes from 1 to 100, got 101"),
        ("input", Jpeg(10), {"protocol": "gray"}, "no protocol 'gray' for deblocking: one of y8"),
        ("input", GaussianNoise(25), {}, "p0 has 3 channels; protocol gray wants 1"),
        (many_tasks(), Downscale(5), {}, "does not enlarge ×5"),
        ("bicubic", Downscale(2), {"border": 40}, "p0: a border of 40"),
        ("bicubic", Downscale(8), {"border": 12}, "p0: SSIM needs 11×11"),
    ],
)
def test_wrong_questions(model, degradation, options, message):
    with pytest.raises(ValueError, match=message):
        evaluate(model, pictures((3, 32, 32)), degradation, **options)


# --- what is added is one class or one row ---------------------------------------------------------------


@dataclass(frozen=True)
class Poisson(Degradation):
    """Photon noise: counts of a mean of ``peak`` at white."""

    peak: float

    def __call__(self, clean: torch.Tensor, seed: int = 0) -> torch.Tensor:
        counts = np.random.RandomState(seed).poisson(self.peak * clean.numpy())
        return torch.from_numpy(counts / self.peak).float()

    def __str__(self) -> str:
        return f"peak {self.peak:g}"


def test_a_new_noise_is_one_class():
    """It makes training pairs, a network learns from them, and is scored on it."""
    random = np.random.default_rng(0)
    clean = [torch.from_numpy(random.random((1, 1, 5, 5))).float().repeat_interleave(9, 2).repeat_interleave(9, 3)]
    samples = NoisePairs(clean, 32, (10, 10), noise=Poisson)
    noisy, truth = samples[3]
    assert torch.equal(noisy, samples[3][0])
    assert not torch.equal(noisy, truth)
    counts = noisy * 10
    torch.testing.assert_close(counts, counts.round())
    bright, dark = (noisy - truth)[truth > 0.7], (noisy - truth)[truth < 0.3]
    assert bright.std() > 1.3 * dark.std()  # the noise of light

    network = DnCNN(depth=3, features=8, batch_norm=False)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    for step in range(60):
        batch = [samples[8 * step + i] for i in range(8)]
        observed, wanted = (torch.stack(each) for each in zip(*batch, strict=True))
        optimizer.zero_grad()
        (network(observed) - wanted).square().mean().backward()
        optimizer.step()
    test = [("p", clean[0])]
    before, after = (evaluate(model, test, Poisson(10)) for model in ("input", network))
    assert after.psnr > before.psnr + 1
    assert after.table().startswith("DnCNN, peak 10, protocol gray")
    assert after.to_dict()["degradation"] == "peak 10"
    assert set(validator([Poisson(10), Poisson(20)], size=48)(network)) == {"psnr", "psnr_poisson10", "psnr_poisson20"}
    assert Poisson(10) not in standard_degradations(network)


def test_a_new_metric_is_one_row(monkeypatch):
    """It comes out in the scores, as JSON, in the table and in words."""

    def mae(x, y, *, border=0):
        return 255 * (images.shave(x, border) - images.shave(y, border)).abs().mean(dim=(1, 2, 3))

    monkeypatch.setitem(METRICS, "mae", Metric("MAE", mae, "levels", 1, higher_is_better=False))
    flat = [("gray", torch.full((1, 1, 20, 20), 100 / 255))]
    network = Recorder(scales=(), result=lambda x: torch.full_like(x, 104 / 255))
    result = evaluate(network, flat, GaussianNoise(25), metrics=("psnr", "mae"))
    assert result.scores == {"psnr": pytest.approx(20 * math.log10(255 / 4)), "mae": pytest.approx(4)}
    assert result.to_dict()["mae"] == result.to_dict()["images"][0]["mae"] == pytest.approx(4)
    assert result.table().splitlines()[1].split() == ["PSNR/dB", "MAE/levels"]
    assert result.table().splitlines()[2].split() == ["gray", "36.09", "4.0"]
    assert in_words(result.scores) == "PSNR 36.09 dB, MAE 4.0 levels"
