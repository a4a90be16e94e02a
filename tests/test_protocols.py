"""The protocols: the published bicubic rows, and each rounding on pictures whose values are written out."""

from fractions import Fraction

import numpy as np
import pytest
import torch

from imtrans import published
from imtrans.data import benchmarks
from imtrans.degrade import BlurDown, Downscale, GaussianNoise, Jpeg, jpeg
from imtrans.evaluation import evaluate
from imtrans.protocols import PROTOCOLS, default_protocol, find_protocol, protocols_for
from keys import resize

# Set14 as SRCNN's paper prints it: VDSR and all after it have a row 0.01 dB apart.
BICUBIC = {
    (row["set"], row["scale"]): row
    for paper in ("vdsr", "srcnn")
    for row in published.rows(paper, model="Bicubic")
    if row["set"] in ("Set5", "Set14", "B100") and row["scale"] < 8
}


def test_there_are_nine_published_bicubic_rows():
    assert len(BICUBIC) == 9


@pytest.mark.parametrize(("name", "scale"), sorted(BICUBIC))
def test_y8_gives_the_published_bicubic_rows(data_root, name, scale):
    result = evaluate("bicubic", benchmarks.load_folder(data_root / name), Downscale(scale))
    assert result.protocol == "y8"
    assert result.border == scale
    assert result.psnr == pytest.approx(BICUBIC[name, scale]["psnr"], abs=0.015)
    assert result.ssim == pytest.approx(BICUBIC[name, scale]["ssim"], abs=0.001)


@pytest.mark.parametrize(
    ("protocol", "wanted", "tolerance"),
    [
        ("rgb-y", (33.67, 30.40, 28.43), 0.0055),
        ("rgb-y8", (33.64, 30.39, 28.42), 0.0055),
        # By an independent program on the chain of DnCNN-3's authors; with nothing rounded: 33.691, 30.409, 28.434.
        ("y-double", (33.684, 30.407, 28.432), 0.0008),
    ],
)
def test_the_other_protocols_on_set5(data_root, protocol, wanted, tolerance):
    set5 = list(benchmarks.load_folder(data_root / "Set5"))
    for scale, psnr in zip((2, 3, 4), wanted, strict=True):
        assert evaluate("bicubic", set5, Downscale(scale), protocol=protocol).psnr == pytest.approx(psnr, abs=tolerance)


# --- the roundings, one by one ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("protocol", "compared"),
    [
        # 16 + (65.481·100 + 128.553·150 + 24.966·200) / 255 = 136.8794
        ("y8", [137]),
        ("rgb-y8", [137]),
        ("rgb-y", [136.8794]),
        ("y-double", [137.1529]),  # the same with 100.4, 150.3 and 200.2
        ("rgb", [100, 150, 200]),
    ],
)
def test_what_is_compared_of_a_colour(protocol, compared):
    color = torch.tensor([100.4, 150.3, 200.2]).view(1, 3, 1, 1) / 255
    found = 255 * PROTOCOLS[protocol].comparable_channels(color)
    assert found.flatten().tolist() == pytest.approx(compared, abs=1e-3)


@pytest.mark.parametrize(
    ("protocol", "compared"), [("y8", 100), ("rgb-y8", 100), ("rgb-y", 100), ("gray", 100), ("y-double", 100.4)]
)
def test_what_is_compared_of_a_gray_file(protocol, compared):
    found = 255 * PROTOCOLS[protocol].comparable_channels(torch.full((1, 1, 2, 2), 100.4 / 255))
    assert found.mean().item() == pytest.approx(compared, abs=1e-3)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_is_compared_is_clipped(protocol):
    out = torch.tensor([-0.2, 1.3]).view(1, 1, 1, 2)
    assert PROTOCOLS[protocol].comparable_channels(out).flatten().tolist() == [0, 1]


SHRUNK = [55.9259, 142.9630]
LEVELS = np.tile(np.array([10, 20, 200, 30, 90, 250], np.uint8), (6, 1))  # each row alike: shrunk, two pixels per row


@pytest.mark.parametrize(
    ("protocol", "low_res"),
    [("y8", SHRUNK), ("rgb-y", [56, 143]), ("rgb-y8", [56, 143]), ("y-double", [56, 143])],
)
def test_the_low_resolution_of_a_gray_file(protocol, low_res):
    assert resize(LEVELS.astype(float), Fraction(1, 3))[0].tolist() == pytest.approx(SHRUNK, abs=1e-3)
    clean = torch.from_numpy(LEVELS)[None, None] / 255
    found = 255 * PROTOCOLS[protocol].observe(clean, Downscale(3))
    assert found.shape == (1, 1, 2, 2)
    assert found[0, 0, 0].tolist() == pytest.approx(low_res, abs=1e-3)


def test_the_low_resolution_of_a_colour_file():
    """y8 shrinks its 8-bit luma, the others shrink it in 8 bits and in colour."""
    clean = torch.from_numpy(np.stack([LEVELS, LEVELS[:, ::-1].copy(), 255 - LEVELS]))[None] / 255
    weights = np.array([65.481, 128.553, 24.966]) / 255
    luma = np.round(16 + np.tensordot(weights, 255 * clean[0].numpy().astype(float), 1))
    found = 255 * PROTOCOLS["y8"].observe(clean, Downscale(3))
    np.testing.assert_allclose(found[0, 0].numpy(), resize(luma, Fraction(1, 3)), atol=1e-3)
    channels = [resize(np.round(255 * plane).astype(np.uint8), Fraction(1, 3)) for plane in clean[0].numpy()]
    for name in ("rgb-y", "rgb-y8", "y-double"):
        np.testing.assert_allclose(255 * PROTOCOLS[name].observe(clean, Downscale(3))[0].numpy(), channels, atol=1e-3)


def test_denoising_adds_noise_to_the_picture_as_it_is():
    clean = torch.full((1, 3, 5, 5), 100.4 / 255)
    for name in ("gray", "rgb"):
        assert torch.equal(PROTOCOLS[name].observe(clean, GaussianNoise(25), seed=3), GaussianNoise(25)(clean, seed=3))


def test_a_jpeg_is_made_of_8_bit_luma():
    clean = torch.rand(1, 3, 16, 16)
    wanted = jpeg(PROTOCOLS["y8"].comparable_channels(clean), 20)
    assert torch.equal(PROTOCOLS["y8"].observe(clean, Jpeg(20)), wanted)


@pytest.mark.parametrize("protocol", ["y8", "rgb-y", "y-double"])
def test_another_low_resolution_goes_by_every_protocol(protocol):
    result = evaluate("bicubic", [("p", torch.rand(1, 3, 36, 39))], BlurDown(3, 1.2), protocol=protocol)
    assert result.table().startswith(f"bicubic, blur 1.2, ×3, protocol {protocol}, border 3")


# --- which protocol --------------------------------------------------------------------------------------


def test_protocols_by_task():
    assert protocols_for("super-resolution") == ["y8", "rgb-y", "rgb-y8", "y-double"]
    assert protocols_for("denoising") == ["gray", "rgb"]
    assert protocols_for("deblocking") == ["y8"]


@pytest.mark.parametrize(
    ("task", "luma", "rgb"),
    [("super-resolution", "y8", "rgb-y"), ("denoising", "gray", "rgb"), ("deblocking", "y8", "y8")],
)
def test_default_protocols(task, luma, rgb):
    assert (default_protocol(task, 1), default_protocol(task, 3)) == (luma, rgb)


def test_a_protocol_is_found_by_its_name():
    assert find_protocol("rgb-y") is PROTOCOLS["rgb-y"]
    with pytest.raises(ValueError, match="no protocol 'lab': one of y8, rgb-y, rgb-y8, y-double, gray, rgb"):
        find_protocol("lab")
    with pytest.raises(ValueError, match="no protocol 'y8' for denoising: one of gray, rgb"):
        find_protocol("y8", "denoising")
