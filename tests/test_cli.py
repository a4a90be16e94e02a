"""The command line: what people bring, what comes out, and what is said about mistakes."""

import json
import math
import os
import re
import subprocess
import sys
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from imtrans import cli, hardware, images, metrics, prior, restore, runs, stylize, video, zoo
from imtrans.colorize import lightness
from imtrans.data import photos
from imtrans.degrade import Jpeg, gaussian_noise, lanczos_down, pixel_mask
from imtrans.evaluation import evaluate
from imtrans.models import adain, features, lpips
from imtrans.models.adain import AdaIN
from imtrans.models.colorization import Colorizer
from imtrans.models.dncnn import DnCNN
from imtrans.models.features import SmallVGG
from imtrans.models.lpips import FeatureDistance
from imtrans.models.srcnn import SRCNN
from imtrans.models.transform_network import StyleNetwork
from imtrans.resize import imresize
from imtrans.runs.shares import Pace


def fails(capsys, *arguments):
    """The one line on stderr of a command that ends with status 2."""
    with pytest.raises(SystemExit) as stop:
        cli.main([str(a) for a in arguments])
    assert stop.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("imtrans: ")
    assert err.count("\n") == 1
    return err


def succeeds(capsys, *arguments):
    """The stdout of a command that succeeds."""
    cli.main([str(a) for a in arguments])
    return capsys.readouterr().out


@pytest.fixture
def cat(cat_path):
    return cat_path


@pytest.fixture
def srcnn(save_network):
    return save_network("srcnn-x3", SRCNN())


def command(*arguments, **variables):
    """A command as a process of its own."""
    source = Path(cli.__file__).parents[1]
    path = os.pathsep.join([str(source), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, "-m", "imtrans.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path, **variables},
        check=False,
    )


def test_the_command_line_is_a_process(tmp_path, cat):
    done = command("evaluate", "bicubic", "--data", tmp_path, "--scale", 3, "--json")
    assert done.returncode == 0, done.stderr
    content = json.loads(done.stdout)
    assert content["model"] == "bicubic"
    assert [row["name"] for row in content["images"]] == ["cat"]
    failed = command("super-resolve", tmp_path / "dog.png", tmp_path / "large.png", "--model", "bicubic")
    assert failed.returncode == 2
    assert failed.stdout == ""
    assert failed.stderr == f"imtrans: no such file: {tmp_path / 'dog.png'}\n"
    usage = command("super-resolve", cat)
    assert usage.returncode == 2
    assert "Traceback" not in usage.stderr


def test_help_names_the_commands(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["--help"])
    assert stop.value.code == 0
    out = capsys.readouterr().out
    for name in ("super-resolve", "denoise", "deblock", "prior", "colorize", "evaluate", "compare", "train", "models"):
        assert name in out


def test_super_resolve_writes_the_enlargement(capsys, tmp_path, cat):
    out = tmp_path / "large.png"
    assert "123×90" in succeeds(capsys, "super-resolve", cat, out, "--model", "bicubic", "--scale", 3)
    wanted = images.to_float(images.to_uint8(imresize(images.read(cat), 3)))
    torch.testing.assert_close(images.read(out), wanted, atol=1.01 / 255, rtol=0)


def test_a_file_of_weights_knows_its_scale(capsys, tmp_path, cat, srcnn):
    succeeds(capsys, "super-resolve", cat, tmp_path / "large.png", "--model", srcnn)
    assert images.read(tmp_path / "large.png").shape == (1, 3, 90, 123)


def test_a_scale_that_the_weights_lack_is_refused(capsys, tmp_path, cat, srcnn):
    arguments = ("super-resolve", cat, tmp_path / "four.png", "--model", srcnn, "--scale", 4)
    assert "its scales: ×3" in fails(capsys, *arguments)
    assert not (tmp_path / "four.png").exists()


def test_denoise_keeps_the_size(capsys, tmp_path, cat, save_network):
    weights = save_network("dncnn-25", DnCNN())
    succeeds(capsys, "denoise", cat, tmp_path / "clean.png", "--model", weights)
    assert images.read(tmp_path / "clean.png").shape == (1, 3, 30, 41)


def test_sigma_and_model_together_are_refused(capsys, tmp_path, cat):
    failed = fails(capsys, "denoise", cat, tmp_path / "a.png", "--model", "dncnn-25", "--sigma", 25)
    assert "give one of them" in failed


@pytest.fixture
def clip(tmp_path):
    """Four frames of 20×16 pixels in a file."""
    pytest.importorskip("av")
    cat = photos.photo("chelsea").picture
    video.write(tmp_path / "clip.mp4", [cat[..., 100:116, left : left + 20] for left in (100, 102, 104, 106)], 25)
    return tmp_path / "clip.mp4"


def test_super_resolve_enlarges_every_frame_of_a_video(capsys, tmp_path, clip):
    out = tmp_path / "large.mkv"
    printed = succeeds(capsys, "super-resolve", clip, out, "--model", "bicubic", "--scale", 2)
    assert "large.mkv: 4 frames, 25 per second in the video" in printed
    frames, small = list(video.frames(out)), list(video.frames(clip))
    for frame, observed in zip(frames, small, strict=True):
        assert metrics.psnr(frame, imresize(observed, 2).clamp(0, 1)).item() > 30
    assert video.rate(out) == 25


@pytest.mark.parametrize(
    ("target", "message"),
    [("large.png", "a video is written as"), ("clip.mp4", "--force overwrites it"), ("no/large.mp4", "no such folder")],
)
def test_super_resolve_refuses_a_bad_target_of_a_video(capsys, tmp_path, clip, target, message):
    arguments = ("super-resolve", clip, tmp_path / target, "--model", "bicubic", "--scale", 2)
    assert message in fails(capsys, *arguments)


def test_super_resolve_says_what_a_video_needs(capsys, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    failed = fails(capsys, "super-resolve", tmp_path / "a.mp4", tmp_path / "b.mp4", "--model", "bicubic", "--scale", 2)
    assert "videos need PyAV" in failed


def test_a_denoiser_does_not_super_resolve(capsys, tmp_path, cat):
    failed = fails(capsys, "super-resolve", cat, tmp_path / "a.png", "--model", "dncnn-25")
    assert "not for super-resolution" in failed


@pytest.fixture
def small_denoisers(monkeypatch):
    """Small networks in place of the zoo's; the names of those that were loaded."""
    loaded = []

    def load(name):
        loaded.append(name)
        model = DnCNN(3 if name[0] == "c" else 1, depth=3, features=4)
        model.sigma = zoo.ENTRIES[name].build().sigma
        return model

    monkeypatch.setattr(zoo, "load", load)
    monkeypatch.setattr(zoo, "names", lambda: list(zoo.ENTRIES))
    return loaded


@pytest.fixture
def gray(tmp_path, cat):
    images.write(tmp_path / "gray.png", images.read(cat)[:, :1])
    return tmp_path / "gray.png"


@pytest.mark.parametrize(
    ("source", "options", "name", "note"),
    [
        ("gray", (), "dncnn-blind", ""),
        ("gray", ("--sigma", "blind"), "dncnn-blind", ""),
        ("gray", ("--sigma", 25), "dncnn-25", ""),
        ("gray", ("--sigma", "30"), "dncnn-blind", "imtrans: dncnn-blind estimates the noise level itself\n"),
        ("gray", ("--sigma", 55), "dncnn-blind", "imtrans: dncnn-blind estimates the noise level itself\n"),
        (
            "gray",
            ("--sigma", 70),
            "dncnn-blind",
            "imtrans: warning: dncnn-blind was trained for noise up to 55, not 70\n",
        ),
        ("cat", (), "cdncnn-blind", ""),
        ("cat", ("--sigma", 25), "cdncnn-blind", "imtrans: cdncnn-blind estimates the noise level itself\n"),
        ("cat", ("--model", "dncnn-50"), "dncnn-50", ""),
    ],
)
def test_denoise_chooses_the_network(capsys, tmp_path, request, small_denoisers, source, options, name, note):
    source = request.getfixturevalue(source)
    cli.main(["denoise", str(source), str(tmp_path / "clean.png"), *map(str, options)])
    assert small_denoisers == [name]
    assert capsys.readouterr().err == note


@pytest.mark.parametrize(("sigma", "message"), [("0", "above 0, got 0"), ("-3", "above 0, got -3")])
def test_denoise_refuses_a_noise_level_that_is_none(capsys, tmp_path, gray, small_denoisers, sigma, message):
    assert message in fails(capsys, "denoise", gray, tmp_path / "no.png", "--sigma", sigma)
    assert not small_denoisers
    assert not (tmp_path / "no.png").exists()


def test_a_noise_level_in_words_is_refused(capsys, tmp_path, gray):
    with pytest.raises(SystemExit) as stop:
        cli.main(["denoise", str(gray), str(tmp_path / "no.png"), "--sigma", "much"])
    assert stop.value.code == 2


def test_a_denoiser_without_weights_is_named_with_its_training(capsys, tmp_path, cat, monkeypatch):
    monkeypatch.setattr(zoo, "FOLDER", tmp_path)
    failed = fails(capsys, "denoise", cat, tmp_path / "clean.png")
    assert "dncnn-blind has no trained weights here yet: imtrans train dncnn-blind" in failed


def test_gray_stored_as_colour_is_denoised_as_gray(capsys, tmp_path):
    """A network for colour takes noise that all channels share for structure: 21 dB in place of 29."""
    clean = metrics.luma(photos.photo("chelsea").picture[..., 60:156, 100:228], rounded=True)
    noisy = images.to_float(images.to_uint8(gaussian_noise(clean, 25, seed=0)))
    images.write(tmp_path / "gray.png", noisy)
    images.write(tmp_path / "colour.png", noisy.expand(1, 3, -1, -1))
    for name in ("gray", "colour"):
        succeeds(capsys, "denoise", tmp_path / f"{name}.png", tmp_path / f"{name}-clean.png")
    gray, colour = (images.read(tmp_path / f"{name}-clean.png") for name in ("gray", "colour"))
    assert metrics.psnr(gray, clean).item() > metrics.psnr(noisy, clean).item() + 6
    assert torch.equal(colour, gray.expand(1, 3, -1, -1))


def test_deblock_restores_the_luma_of_a_jpeg(capsys, tmp_path, cat, save_network):
    model = zoo.ENTRIES["dncnn-3"].build()
    weights = save_network("dncnn-3", model)
    source, out = tmp_path / "cat.jpg", tmp_path / "clean.png"
    Image.open(cat).save(source, quality=10)
    assert "41×30" in succeeds(capsys, "deblock", source, out, "--model", weights)
    wanted = images.to_uint8(restore.deblock(model, images.read(source)))
    assert (images.to_uint8(images.read(out)).int() - wanted.int()).abs().max() <= 1
    assert not torch.equal(images.read(out), images.read(source))


def colorizer(save_network, outputs: int = 313) -> Path:
    name = "colorizer" if outputs == 313 else "colorizer-l2"
    return save_network(name, Colorizer.small(outputs=outputs).initialize())


@pytest.mark.parametrize("outputs", [313, 2])
@pytest.mark.parametrize("channels", [1, 3])
def test_colorize_keeps_the_lightness_of_gray_and_of_colour(capsys, tmp_path, cat, save_network, channels, outputs):
    source, out = tmp_path / "in.png", tmp_path / "out.png"
    images.write(source, images.read(cat)[:, :channels])
    succeeds(capsys, "colorize", source, out, "--model", colorizer(save_network, outputs))
    result = images.read(out)
    assert result.shape == (1, 3, 30, 41)
    assert (lightness(result) - lightness(images.read(source))).abs().max() < 0.5  # of 100: 8 bits have 256 levels


def test_colorize_by_another_temperature_gives_other_colours(capsys, tmp_path, cat, save_network):
    network = colorizer(save_network)
    for temperature in (0, 1):
        arguments = ("colorize", cat, tmp_path / f"{temperature}.png", "--model", network)
        succeeds(capsys, *arguments, "--temperature", temperature)
    assert not torch.equal(images.read(tmp_path / "0.png"), images.read(tmp_path / "1.png"))


def test_colorize_keeps_transparency(capsys, tmp_path, save_network):
    alpha = torch.linspace(0.2, 1, 16).expand(1, 1, 16, 16)
    images.write(tmp_path / "in.png", torch.cat([torch.rand(1, 1, 16, 16), alpha], dim=1))
    succeeds(capsys, "colorize", tmp_path / "in.png", tmp_path / "out.png", "--model", colorizer(save_network))
    result = images.read(tmp_path / "out.png", alpha=True)
    assert result.shape[1] == 4
    torch.testing.assert_close(result[:, 3:], alpha, atol=0.6 / 255, rtol=0)


@pytest.mark.parametrize(
    ("target", "options", "message"),
    [
        ("out.png", ["--temperature", "1.5"], "lies between 0"),
        ("out.png", ["--shorter", "4"], "at least 8"),
        ("out.png", ["--model", "srcnn-x3"], "does not colorize"),
        ("out.png", ["--model", "colorizr"], "no network is called 'colorizr'"),
        ("out.pgm", [], ".ppm holds colour"),
        ("out.xyz", [], "unknown picture format"),
    ],
)
def test_colorize_refuses_in_one_line(capsys, tmp_path, cat, target, options, message):
    assert message in fails(capsys, "colorize", cat, tmp_path / target, *options)
    assert not (tmp_path / target).exists()


def test_tiles_do_not_show(capsys, tmp_path, cat):
    for name, options in (("whole", ()), ("tiles", ("--tile", 16))):
        succeeds(capsys, "deblock", cat, tmp_path / f"{name}.png", *options)
    whole, tiles = (images.read(tmp_path / f"{name}.png") for name in ("whole", "tiles"))
    torch.testing.assert_close(tiles, whole, atol=1.01 / 255, rtol=0)


def test_a_style_network_by_its_file_is_refused_as_a_denoiser(capsys, tmp_path, cat, save_network):
    weights = save_network("johnson-glass", StyleNetwork.small())
    assert "does not restore pictures" in fails(capsys, "denoise", cat, tmp_path / "out.png", "--model", weights)


def test_a_network_that_was_not_trained_for_jpeg_is_refused(capsys, tmp_path, cat):
    assert "not for deblocking" in fails(capsys, "deblock", cat, tmp_path / "a.png", "--model", "dncnn-25")


LEVELS = np.arange(12 * 10 * 4, dtype=np.uint8).reshape(12, 10, 4) // 2 + 1  # no pixel is fully transparent
ROTATED = Image.Exif()
ROTATED[0x0112] = 6  # orientation: a quarter turn


@pytest.mark.parametrize(
    ("name", "image", "options", "shape"),
    [
        ("gray.png", Image.fromarray(LEVELS[..., 0]), {}, (1, 1, 24, 20)),
        ("rgb.bmp", Image.fromarray(LEVELS[..., :3]), {}, (1, 3, 24, 20)),
        ("rgba.png", Image.fromarray(LEVELS), {}, (1, 4, 24, 20)),
        ("gray-alpha.png", Image.fromarray(LEVELS[..., :2]), {}, (1, 2, 24, 20)),
        ("palette.png", Image.fromarray(LEVELS[..., :3]).quantize(8), {}, (1, 3, 24, 20)),
        ("16-bit.png", Image.fromarray(LEVELS[..., 0].astype(np.uint16) * 257), {}, (1, 1, 24, 20)),
        ("rotated.jpg", Image.fromarray(LEVELS[..., :3]), {"exif": ROTATED}, (1, 3, 20, 24)),
        ("pixel.png", Image.fromarray(LEVELS[:1, :1, :3]), {}, (1, 3, 2, 2)),
    ],
)
def test_super_resolve_accepts_every_common_picture(capsys, tmp_path, name, image, options, shape):
    image.save(tmp_path / name, **options)
    out = tmp_path / "large.png"
    succeeds(capsys, "super-resolve", tmp_path / name, out, "--model", "bicubic", "--scale", 2)
    assert images.read(out, alpha=True).shape == shape
    picture = images.read(tmp_path / name, alpha=True)
    if picture.shape[1] in (2, 4):
        picture[:, :-1] = images.fill_transparent(picture[:, :-1], picture[:, -1:])
    wanted = imresize(picture, 2).clamp(0, 1)
    torch.testing.assert_close(images.read(out, alpha=True), wanted, atol=1.01 / 255, rtol=0)


def test_an_existing_file_is_overwritten_by_force_alone(capsys, tmp_path, cat):
    before = cat.read_bytes()
    other = tmp_path / "other.png"
    other.write_bytes(before)
    for out in (cat, other):
        arguments = ("super-resolve", cat, out, "--model", "bicubic", "--scale", 2)
        assert "--force" in fails(capsys, *arguments)
        assert out.read_bytes() == before
    succeeds(capsys, *arguments, "--force")
    succeeds(capsys, "super-resolve", cat, cat, "--model", "bicubic", "--scale", 2, "--force")
    assert images.read(cat).shape == images.read(other).shape == (1, 3, 60, 82)


def test_bad_input_leaves_nothing_behind(capsys, tmp_path, cat):
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "folder.png").mkdir()
    images.write(tmp_path / "alpha.png", torch.rand(1, 4, 8, 8))
    before = sorted(tmp_path.iterdir())
    out = tmp_path / "large.png"
    for source, target, options, message in [
        (tmp_path / "dog.png", out, (), "no such file"),
        (tmp_path, out, (), "no such file"),
        (tmp_path / "text.png", out, (), "not a picture"),
        (cat, tmp_path / "large.xyz", (), "unknown picture format '.xyz'"),
        (cat, tmp_path / "nowhere" / "large.png", (), "no such folder"),
        (cat, tmp_path / "folder.png", ("--force",), "is a folder"),
        (tmp_path / "alpha.png", tmp_path / "large.jpg", (), "large.jpg: .jpg files hold no transparency"),
        (cat, out, ("--tile", 0), "tile"),
    ]:
        arguments = ("super-resolve", source, target, "--model", "bicubic", "--scale", 2, *options)
        assert message in fails(capsys, *arguments)
    assert "which scale" in fails(capsys, "super-resolve", cat, out, "--model", "bicubic")
    assert "does not enlarge ×9" in fails(capsys, "super-resolve", cat, out, "--model", "bicubic", "--scale", 9)
    assert sorted(tmp_path.iterdir()) == before


def test_unknown_networks_name_the_near_ones(capsys, tmp_path, cat):
    failed = fails(capsys, "super-resolve", cat, tmp_path / "large.png", "--model", "bicubik")
    assert "did you mean bicubic" in failed
    assert "did you mean srcnn-x3" in fails(capsys, "train", "srcnn-x33")
    assert "no such file" in fails(capsys, "evaluate", tmp_path / "net.safetensors", "--data", tmp_path)


def test_damaged_weights_are_named(capsys, tmp_path, cat, srcnn):
    card = srcnn.with_suffix(".json")
    arguments = ("super-resolve", cat, tmp_path / "large.png", "--model", srcnn)
    whole = card.read_text()
    card.write_text("{")
    assert "not the card of a network" in fails(capsys, *arguments)
    card.write_text(whole.replace('"name": "srcnn-x3"', '"name": "espcn-x3"'))
    assert "another network than ESPCN" in fails(capsys, *arguments)
    card.write_text(whole)
    srcnn.write_bytes(srcnn.read_bytes()[:-1])
    assert "sha256" in fails(capsys, *arguments)


def test_evaluate(capsys, tmp_path, cat, srcnn):
    data = tmp_path / "data"
    data.mkdir()
    cat.rename(data / "cat.png")
    content = json.loads(succeeds(capsys, "evaluate", srcnn, "--data", data, "--json", "--save", tmp_path / "kept"))
    assert content["model"] == "srcnn-x3"
    assert (content["protocol"], content["scale"], content["border"]) == ("y8", 3, 3)
    assert [row["name"] for row in content["images"]] == ["cat"]
    assert content["psnr"] == pytest.approx(content["images"][0]["psnr"])
    kept = tmp_path / "kept" / "cat_srcnn-x3.png"
    compared = succeeds(capsys, "compare", kept, images_cropped(data / "cat.png", tmp_path), "--border", 3, "--json")
    assert json.loads(compared)["psnr"] == pytest.approx(content["psnr"], abs=1e-3)
    text = succeeds(capsys, "evaluate", "bicubic", "--data", data, "--scale", 2, "--protocol", "rgb-y8")
    assert "bicubic, ×2, protocol rgb-y8, border 2" in text


def test_evaluate_what_is_left_as_it_is(capsys, tmp_path, cat):
    clean = [("cat", images.read(cat))]
    content = json.loads(succeeds(capsys, "evaluate", "input", "--data", tmp_path, "--quality", 10, "--json"))
    assert (content["model"], content["protocol"], content["quality"]) == ("input", "y8", 10)
    assert content["scale"] is content["sigma"] is None
    assert content["psnr"] == pytest.approx(evaluate("input", clean, Jpeg(10)).psnr)
    text = succeeds(capsys, "evaluate", "input", "--data", tmp_path, "--quality", 40)
    assert text.startswith("input, JPEG 40, protocol y8, border 0\n")
    text = succeeds(capsys, "evaluate", "input", "--data", tmp_path, "--sigma", 25, "--protocol", "rgb")
    assert text.startswith("input, σ = 25, protocol rgb, border 0\n")
    for options, message in [
        ((), "which task? this network is for denoising, deblocking"),
        (("--scale", 2), "not for super-resolution"),
        (("--quality", 0), "from 1 to 100"),
        (("--quality", 10, "--sigma", 25), "a quality for JPEG: give one"),
        (("--sigma", 25), "protocol gray wants 1"),
    ]:
        assert message in fails(capsys, "evaluate", "input", "--data", tmp_path, *options)
    assert "not for deblocking" in fails(capsys, "evaluate", "bicubic", "--data", tmp_path, "--quality", 10)


def images_cropped(path, folder):
    """The luma of the picture as the evaluation cuts it at ×3."""
    images.write(folder / "cropped.png", metrics.luma(images.modcrop(images.read(path), 3), rounded=True))
    return folder / "cropped.png"


def test_evaluate_wrong_questions(capsys, tmp_path, cat):
    (tmp_path / "empty").mkdir()
    assert "no such folder" in fails(capsys, "evaluate", "bicubic", "--data", tmp_path / "no", "--scale", 2)
    assert "no picture" in fails(capsys, "evaluate", "bicubic", "--data", tmp_path / "empty", "--scale", 2)
    failed = fails(capsys, "evaluate", "bicubic", "--data", tmp_path, "--scale", 2, "--protocol", "y9")
    assert "y8, rgb-y, rgb-y8, y-double" in failed
    failed = fails(capsys, "evaluate", "bicubic", "--data", tmp_path, "--scale", 2, "--save", tmp_path)
    assert "another folder" in failed
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cat.png", "empty"]


def test_compare(capsys, tmp_path, cat):
    same = json.loads(succeeds(capsys, "compare", cat, cat, "--json"))
    assert same["psnr"] is None
    assert same["ssim"] == pytest.approx(1)
    images.write(tmp_path / "small.png", images.read(cat)[..., :20])
    assert "different shapes" in fails(capsys, "compare", cat, tmp_path / "small.png")
    images.write(tmp_path / "dark.png", images.read(cat) * 0.9)
    assert "protocol rgb, border 1" in succeeds(
        capsys, "compare", cat, tmp_path / "dark.png", "--protocol", "rgb", "--border", 1
    )


@pytest.fixture
def no_trunks(monkeypatch, tmp_path):
    """A machine without torchvision's weights, and without the hybrid."""
    monkeypatch.setenv("IMTRANS_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))


def test_compare_has_no_lpips_without_the_official_trunk_and_says_why(capsys, tmp_path, no_trunks):
    picture = photos.photo("chelsea").picture[..., 100:164, 100:164]
    images.write(tmp_path / "a.png", picture)
    images.write(tmp_path / "b.png", picture * 0.9)
    scores = json.loads(succeeds(capsys, "compare", tmp_path / "a.png", tmp_path / "b.png", "--json"))
    assert scores["lpips"] is None
    assert "AlexNet is not on this machine: imtrans data fetch alex" in scores["lpips_missing"]
    assert (scores["feature_distance"] is None) == ("feature_distance_missing" in scores)
    assert scores["backbone"] in ("small", None)


def test_compare_names_the_backbone_of_its_feature_distance(capsys, tmp_path, no_trunks, monkeypatch):
    network = FeatureDistance(SmallVGG(lpips.TAPS))
    monkeypatch.setattr(lpips, "feature_distance", lambda: network)
    images.write(tmp_path / "a.png", torch.rand(1, 1, 40, 40))
    images.write(tmp_path / "b.png", torch.rand(1, 3, 40, 40))
    scores = json.loads(succeeds(capsys, "compare", tmp_path / "a.png", tmp_path / "b.png", "--json"))
    assert scores["backbone"] == "small"
    assert scores["feature_distance"] > 0
    said = succeeds(capsys, "compare", tmp_path / "a.png", tmp_path / "b.png")
    assert re.search(r"^feature distance \d\.\d{4} \(small\)$", said, re.M)


def test_compare_refuses_features_of_tiny_pictures_alone(capsys, tmp_path, no_trunks):
    images.write(tmp_path / "a.png", torch.rand(1, 3, 20, 40))
    scores = json.loads(succeeds(capsys, "compare", tmp_path / "a.png", tmp_path / "a.png", "--json"))
    assert scores["ssim"] == pytest.approx(1)
    assert "sides from 32 pixels" in scores["feature_distance_missing"]


def test_models_and_data(capsys, runs_dir):
    out = succeeds(capsys, "models")
    assert all(name in out for name in zoo.ENTRIES)
    out = succeeds(capsys, "data", "list")
    assert "Set5" in out
    assert "licence" in out
    assert "not on this machine: imtrans data fetch Set5" in succeeds(capsys, "data", "where")
    assert "imtrans data fetch Set5" in fails(capsys, "data", "where", "Set5")
    assert "Set5, Set14" in fails(capsys, "data", "where", "Set6")


def test_an_incomplete_set_is_named_in_the_list_of_all(capsys, runs_dir, tmp_path, monkeypatch):
    (tmp_path / "sets" / "Set5").mkdir(parents=True)
    images.write(tmp_path / "sets" / "Set5" / "baby.png", torch.rand(1, 3, 8, 8))
    monkeypatch.setenv("IMTRANS_DATA", str(tmp_path / "sets"))
    out = succeeds(capsys, "data", "where")
    assert "lacks 4 of the 5 pictures of Set5" in out
    assert "Set14: not on this machine" in out


def test_data_where(capsys, data_root):
    assert succeeds(capsys, "data", "where", "Set5").strip() == str(data_root / "Set5")
    assert str(data_root / "Set5") in succeeds(capsys, "data", "fetch", "Set5")


def test_data_pack(capsys, tmp_path, data_root):
    assert "Set5, 0.8 MiB" in succeeds(capsys, "data", "pack", "Set5", tmp_path / "sets.zip")
    assert "Set5/baby.png" in zipfile.ZipFile(tmp_path / "sets.zip").namelist()


def test_data_pack_wants_sets_and_a_file(capsys, tmp_path):
    assert "a set and a file are wanted" in fails(capsys, "data", "pack", tmp_path / "sets.zip")


# --- training ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "which network"),
        (("srcnn-x33",), "did you mean srcnn-x3"),
        (("srcnn-x3", "--budget", "large"), "quick, class, full, paper"),
        (("srcnn-x3", "--steps", "0"), "at least 1 step"),
        (("srcnn-x3", "--minutes", "0"), "--minutes is above 0"),
        (("srcnn-x3", "--minutes", "1", "--steps", "5"), "leave --seconds and --steps out"),
        (("srcnn-x3", "--shares", "2"), "parts of --minutes"),
        (("srcnn-x3", "espcn-x3", "--minutes", "1", "--shares", "3:2:1"), "2 numbers above 0"),
        (("srcnn-x3", "espcn-x3", "--minutes", "1", "--shares", "3:0"), "2 numbers above 0"),
        (("srcnn-x3", "--minutes", "1", "--shares", "all"), "numbers such as 3:2:1"),
        (("srcnn-x3", "--data", "nowhere"), "no such folder"),
        (("srcnn-x3", "--from", "nowhere.safetensors"), "no such file"),
        (("vdsr", "--from", "dncnn-3"), "vdsr cannot start from dncnn-3: the source predicts the noise"),
    ],
)
def test_a_training_that_cannot_begin_is_refused(capsys, runs_dir, arguments, message):
    assert message in fails(capsys, "train", *arguments)
    assert not list(runs_dir.rglob("checkpoint.pt"))


@pytest.fixture
def photographs(tmp_path):
    """A folder with one photograph, to train on."""
    (tmp_path / "photographs").mkdir()
    images.write(tmp_path / "photographs" / "cat.png", photos.photo("chelsea").picture[..., :120, :120])
    return tmp_path / "photographs"


def test_train_says_how_to_continue(capsys, runs_dir, photographs):
    first = ("train", "srcnn-x3", "srcnn-x2", "--steps", 3, "--data", photographs, "--device", "cpu", "--seconds", 0)
    out = succeeds(capsys, *first)
    assert out.count("step 1 of 3") == 2
    assert "imtrans train srcnn-x3 --budget quick --resume continues" in out
    assert "step 3 of 3, validation" in succeeds(capsys, "train", "srcnn-x3", "--resume", "--device", "cpu")


def test_train_shares_minutes_and_continues_what_was_cut_off(capsys, runs_dir, photographs, monkeypatch):
    pace = Pace(start=0.0, step=1.0)
    monkeypatch.setattr("imtrans.runs.shares.measure", lambda build, *_, **__: build() and pace)
    data = ("--data", photographs, "--device", "cpu")
    out = succeeds(capsys, "train", "srcnn-x3", "srcnn-x2", "--minutes", 0.1, "--shares", "2:1", *data)
    planned = [int(steps) for steps in re.findall(r": (\d+) steps in 0\.\d minutes", out)]
    assert 1 <= planned[0] <= 4  # two thirds of six seconds, a second per step
    assert 1 <= planned[1] <= 6
    assert f"srcnn-x3: step {planned[0]} of {planned[0]}" in out
    again = succeeds(capsys, "train", "srcnn-x3", "srcnn-x2", "--minutes", 0.1, "--resume", *data)
    assert again.count("passed over") == 2


def test_a_planned_training_that_was_cut_off_is_continued_by_its_own_plan(capsys, runs_dir, photographs, monkeypatch):
    fast = Pace(start=0.0, step=3e-3)  # much faster than it is: the time is up before the schedule ends
    monkeypatch.setattr("imtrans.runs.shares.measure", lambda build, *_, **__: build() and fast)
    first = ("train", "srcnn-x3", "--data", photographs, "--device", "cpu", "--minutes", 0.01)
    out = succeeds(capsys, *first)
    planned = int(re.search(r": ([\d,]+) steps in", out)[1].replace(",", ""))
    done = int(re.search(r"step ([\d,]+) of", out)[1].replace(",", ""))
    assert 1 <= done < planned
    assert "--resume continues" in out
    again = succeeds(capsys, *first[:-1], 1, "--resume")
    assert "steps in" not in again  # no second plan
    assert f"srcnn-x3: step {planned:,} of {planned:,}" in again


def test_a_training_that_fails_leaves_the_others_their_time(capsys, runs_dir, photographs):
    data = ("--data", photographs, "--device", "cpu", "--steps", 2)
    (runs_dir / "srcnn-x2-quick").mkdir(parents=True)
    (runs_dir / "srcnn-x2-quick" / "checkpoint.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(SystemExit) as stop:
        cli.main([str(each) for each in ("train", "srcnn-x2", "srcnn-x3", *data, "--resume")])
    assert stop.value.code == 2
    out, err = capsys.readouterr()
    assert "srcnn-x3: step 2 of 2" in out
    assert "checkpoint.pt is damaged" in err
    assert err.splitlines()[-1] == "imtrans: 1 of 2 trainings failed: srcnn-x2"


def test_a_training_that_needs_too_much_memory_leaves_the_others_their_time(capsys, runs_dir, photographs, monkeypatch):
    run = runs.Training.run

    def small_gpu(training, *arguments, **options):
        if training.name == "srcnn-x2":
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return run(training, *arguments, **options)

    monkeypatch.setattr(runs.Training, "run", small_gpu)
    data = ("--data", photographs, "--device", "cpu", "--steps", 2)
    with pytest.raises(SystemExit):
        cli.main([str(each) for each in ("train", "srcnn-x2", "srcnn-x3", *data)])
    assert "srcnn-x3: step 2 of 2" in capsys.readouterr().out
    assert "CUDA out of memory" in fails(capsys, "train", "srcnn-x2", *data)


def test_a_planned_training_that_was_stopped_at_once_is_measured_on_its_own_pictures(
    capsys, runs_dir, photographs, monkeypatch
):
    measured, training = [], runs.Training("srcnn-x3")
    pace = Pace(start=0.0, step=1.0)
    monkeypatch.setattr("imtrans.runs.shares.measure", lambda build, *_, **__: measured.append(build()) or pace)
    training.folder.mkdir(parents=True)
    runs.Options(data=(str(photographs),)).write(training.folder / "options.json")
    succeeds(capsys, "train", "srcnn-x3", "--minutes", 0.05, "--resume", "--device", "cpu")
    assert measured[0].sources == ("photographs: 1 pictures",)


def test_train_finds_the_weights_of_its_start_from_any_folder(runs_dir, monkeypatch):
    given = []

    def run(training, options, **how):
        given.append(options.start)
        raise KeyboardInterrupt

    monkeypatch.setattr(runs.Training, "run", run)
    with pytest.raises(SystemExit):
        cli.main(["train", "vdsr", "--from", "own.safetensors"])
    assert given == [str(Path("own.safetensors").absolute())]


def test_what_cannot_begin_is_refused_before_another_network_trains(capsys, runs_dir, photographs):
    (runs_dir / "srcnn-x2-quick").mkdir(parents=True)
    (runs_dir / "srcnn-x2-quick" / "options.json").write_text("{")
    both = ("train", "srcnn-x3", "srcnn-x2", "--data", photographs, "--device", "cpu", "--steps", 2, "--resume")
    assert "options.json is damaged" in fails(capsys, *both)
    assert not (runs_dir / "srcnn-x3-quick").exists()


def test_a_training_that_has_begun_keeps_its_schedule(capsys, runs_dir, photographs):
    first = ("train", "srcnn-x3", "--steps", 3, "--data", photographs, "--device", "cpu", "--seconds", 0)
    succeeds(capsys, *first)
    assert "step 3 of 3" in succeeds(capsys, "train", "srcnn-x3", "--minutes", 1, "--resume", "--device", "cpu")


def test_train_passes_over_a_finished_training(capsys, runs_dir, photographs):
    succeeds(capsys, "train", "srcnn-x3", "--steps", 2, "--data", photographs, "--device", "cpu")
    again = ("train", "srcnn-x3", "--resume", "--device", "cpu")
    assert "finished after 2 steps, passed over" in succeeds(capsys, *again)
    assert "finished after 2 steps, passed over" in succeeds(capsys, *again, "--steps", 2)
    assert "holds another training" in fails(capsys, *again, "--steps", 3)


def test_train_hands_its_options_to_the_run(runs_dir, monkeypatch):
    given = []

    def run(training, options, **how):
        given.append((training, options, how))
        raise KeyboardInterrupt

    monkeypatch.setattr(runs.Training, "run", run)
    arguments = [
        "--budget",
        "full",
        "--steps",
        "7",
        "--rate-factor",
        "0.5",
        "--seed",
        "2",
        "--seconds",
        "60",
        "--resume",
    ]
    with pytest.raises(SystemExit):
        cli.main(["train", "vdsr", *arguments, "--data", "/a", "--data", "/b", "--from", "srcnn-x3", "--device", "cpu"])
    options = runs.Options(steps=7, seed=2, rate_factor=0.5, data=("/a", "/b"), start="srcnn-x3")
    assert given == [(runs.Training("vdsr", "full"), options, {"resume": True, "seconds": 60, "device": "cpu"})]


@pytest.mark.parametrize(
    ("has_checkpoint", "message"),
    [(False, "no checkpoint was written yet"), (True, "imtrans train srcnn-x3 --budget quick --resume continues")],
)
def test_ctrl_c_says_how_to_continue(capsys, runs_dir, monkeypatch, has_checkpoint, message):
    def interrupted(training, options, **how):
        if has_checkpoint:
            training.folder.mkdir(parents=True)
            training.checkpoint.touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(runs.Training, "run", interrupted)
    with pytest.raises(SystemExit) as stop:
        cli.main(["train", "srcnn-x3"])
    assert stop.value.code == 130
    assert message in capsys.readouterr().err


def test_a_damaged_training_is_named_in_one_line(capsys, runs_dir):
    folder = runs.Training("srcnn-x3").folder
    folder.mkdir(parents=True)
    (folder / "options.json").touch()
    assert f"{folder / 'options.json'} is damaged: remove it" in fails(capsys, "train", "srcnn-x3", "--resume")


def test_publish_prints_gain_and_scores(capsys, monkeypatch):
    scores = ({"set": "Set5", "degradation": "×3", "psnr": 32.5, "ssim": 0.9, "protocol": "y8"},)
    monkeypatch.setattr(runs, "publish", lambda *_, **__: runs.Published(True, "psnr", 28.2, 0.06, scores))
    out = succeeds(capsys, "publish", "srcnn-x3")
    first, second = "validation PSNR 28.20 dB, a gain of 0.060", "Set5 ×3, PSNR 32.50 dB, SSIM 0.9000, y8"
    assert out == f"srcnn-x3: {first}\nsrcnn-x3: {second}\n"


def test_publish_says_what_was_missing(capsys, monkeypatch):
    monkeypatch.setattr(runs, "publish", lambda *_, **__: runs.Published(False, "psnr", 28.2, 0.01))
    assert "kept the shipped weights: a gain of 0.05 in psnr is required (or --force)" in succeeds(
        capsys, "publish", "vdsr"
    )


def test_publish_of_an_unknown_name_suggests_close_ones(capsys):
    assert "did you mean srcnn-x3" in fails(capsys, "publish", "srcnn-x33")


def test_models_shows_the_note_of_a_card(capsys):
    assert zoo.card("dncnn-3")["note"] in succeeds(capsys, "models")


def test_models_names_a_network_without_weights(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(zoo, "FOLDER", tmp_path)
    assert "vdsr               not trained here yet: imtrans train vdsr" in succeeds(capsys, "models")


@pytest.fixture
def small_features(monkeypatch):
    """An untrained network in place of the trunks."""

    def load(taps, trunk=None, *, fetch=False):
        network = features.VGG(taps, width=1 / 16, padding="reflect").requires_grad_(False)
        network.about = f"untrained, asked for {trunk}"
        return network

    monkeypatch.setattr(features, "load", load)
    monkeypatch.setenv("CI", "1")


def test_stylize_paints_in_the_style_of_a_file(capsys, tmp_path, small_features):
    images.write(tmp_path / "photo.png", torch.rand(1, 4, 64, 80))
    images.write(tmp_path / "art.png", torch.rand(1, 1, 50, 50))
    arguments = (tmp_path / "photo.png", tmp_path / "art.png", tmp_path / "out.png")
    cli.main([str(a) for a in ("stylize", *arguments, "--steps", 2, "--max-side", 40, "--trunk", "hybrid")])
    out, err = capsys.readouterr()
    assert out == f"{tmp_path / 'out.png'}: 40×32 pixels\n"
    assert err == "imtrans: features: untrained, asked for hybrid\n"
    assert images.read(tmp_path / "out.png", alpha=True).shape == (1, 4, 32, 40)


def test_stylize_knows_the_styles_that_are_drawn_by_code(capsys, tmp_path, cat, small_features):
    images.write(cat, torch.rand(1, 3, 32, 41))
    assert "41×32 pixels" in succeeds(capsys, "stylize", cat, "strokes", tmp_path / "out.png", "--steps", 1)


@pytest.fixture
def small_decoder(monkeypatch):
    """An untrained network in place of both pairs of encoder and decoder."""

    def load(name="pair"):
        network = AdaIN(width=1 / 16)
        network.about = f"untrained, asked for {name}"
        return network

    monkeypatch.setattr(zoo, "load", load)
    monkeypatch.setattr(adain, "pair", load)


def test_stylize_by_adain_mixes_styles(capsys, tmp_path, small_decoder):
    images.write(tmp_path / "photo.png", torch.rand(1, 3, 40, 44))
    images.write(tmp_path / "art.png", torch.rand(1, 3, 50, 50))
    arguments = [tmp_path / "photo.png", f"{tmp_path / 'art.png'},strokes", tmp_path / "out.png", "--method", "adain"]
    cli.main([str(a) for a in ("stylize", *arguments, "--weights", 1, 3, "--alpha", 0.5, "--keep-colors")])
    out, err = capsys.readouterr()
    assert out == f"{tmp_path / 'out.png'}: 44×40 pixels\n"
    assert err == "imtrans: features: untrained, asked for adain\n"


def test_stylize_by_adain_has_two_trunks(capsys, tmp_path, cat, small_decoder):
    arguments = (cat, "strokes", tmp_path / "out.png", "--method", "adain", "--trunk")
    assert "not for hybrid" in fails(capsys, "stylize", *arguments, "hybrid")
    cli.main([str(a) for a in ("stylize", *arguments, "pair")])
    assert "asked for pair" in capsys.readouterr().err


def test_stylize_refuses_what_it_cannot_paint(capsys, tmp_path, cat, small_features):
    out = tmp_path / "out.png"
    assert "no such picture: stroks (drawn by code are strokes)" in fails(capsys, "stylize", cat, "stroks", out)
    assert "41×30 pixels are too few" in fails(capsys, "stylize", cat, "strokes", out)
    assert "at least one pixel" in fails(capsys, "stylize", cat, "strokes", out, "--max-side", 0)
    assert "at least one step" in fails(capsys, "stylize", cat, "strokes", out, "--steps", 0)
    assert not out.exists()


@pytest.mark.parametrize(
    ("method", "option"),
    [("gatys", "--keep-colors"), ("johnson", "--alpha=0.5"), ("adain", "--steps=5")],
)
def test_stylize_refuses_options_of_another_method(capsys, tmp_path, cat, method, option):
    message = fails(capsys, "stylize", cat, "strokes", tmp_path / "out.png", "--method", method, option)
    assert f"{option.partition('=')[0]} means nothing to --method {method}" in message


def test_stylize_by_johnson_passes_the_style_on(capsys, tmp_path, monkeypatch):
    images.write(tmp_path / "photo.png", torch.rand(1, 1, 40, 40))
    monkeypatch.setattr(stylize, "johnson", lambda content, style, device: content if style == "glass" else None)
    arguments = (tmp_path / "photo.png", "glass", tmp_path / "out.png")
    assert "40×40 pixels" in succeeds(capsys, "stylize", *arguments, "--method", "johnson")
    assert images.read(tmp_path / "out.png").shape == (1, 3, 40, 40)


def test_stylize_writes_what_stands_on_ctrl_c(capsys, tmp_path, small_features, monkeypatch):
    images.write(tmp_path / "photo.png", torch.rand(1, 3, 40, 40))
    calls: list[torch.Tensor] = []

    def interrupted(x: torch.Tensor) -> torch.Tensor:
        calls.append(x)
        if len(calls) > 3:  # once for the length of the first step, once per step
            raise KeyboardInterrupt
        return x.new_zeros(())

    monkeypatch.setattr(stylize.losses, "total_variation", interrupted)
    with pytest.raises(SystemExit) as stop:
        cli.main(["stylize", str(tmp_path / "photo.png"), "strokes", str(tmp_path / "out.png")])
    assert stop.value.code == 130
    assert "stopped after 2 of 160 steps" in capsys.readouterr().err
    assert (tmp_path / "out.png").is_file()


def test_bugs_keep_their_traceback(monkeypatch):
    monkeypatch.setattr(zoo, "ENTRIES", None)
    with pytest.raises(TypeError):
        cli.main(["models"])


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_results_survive_a_terminal_that_lacks_their_letters(tmp_path, gray, encoding):
    (tmp_path / "data").mkdir()
    gray.rename(tmp_path / "data" / "gray.png")
    done = command("evaluate", "input", "--data", tmp_path / "data", "--sigma", 25, PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr) == (0, "")
    assert "input, sigma = 25, protocol gray, border 0" in done.stdout


# --- the deep image prior --------------------------------------------------------------------------------

# One level of six features in place of the paper's five of 128: a picture takes milliseconds.
NARROW = {
    name: getattr(prior.settings, name)().narrow(6)
    for name in ("denoising", "inpainting", "hole_filling", "super_resolution")
}


@pytest.fixture
def narrow(monkeypatch):
    """The paper's settings, but narrow; the names of those that were asked for."""
    asked = []
    for name, settings in NARROW.items():
        monkeypatch.setattr(
            prior.settings, name, lambda *_, name=name, settings=settings: asked.append(name) or settings
        )
    monkeypatch.setenv("CI", "1")  # no progress bar
    return asked


def levels(picture: torch.Tensor) -> torch.Tensor:
    """As a file holds it."""
    return images.to_float(images.to_uint8(picture))


def stroke(path, height=30, width=41):
    """A mask: a white stroke is to be filled in."""
    fill = torch.zeros(1, 1, height, width)
    fill[..., 8:12, 5:] = 1
    images.write(path, fill)
    return 1 - fill


@pytest.mark.parametrize("channels", [1, 3])
def test_prior_denoises_by_the_settings_of_the_paper(capsys, tmp_path, narrow, channels):
    x = levels(torch.rand(1, channels, 33, 40))
    images.write(tmp_path / "noisy.png", x)
    arguments = ("prior", tmp_path / "noisy.png", tmp_path / "clean.png", "--task", "denoise", "--iterations", 4)
    cli.main([str(a) for a in arguments])
    out, err = capsys.readouterr()
    assert out == f"{tmp_path / 'clean.png'}: 40×33 pixels\n"
    assert err.startswith("imtrans: less than a minute, 0.0 GB")
    assert narrow == ["denoising"]
    how = {"iterations": 4, "autocast": True, "progress": False}
    wanted = prior.restore(x, NARROW["denoising"], stop=prior.LeastVariance(), **how)
    assert torch.equal(images.read(tmp_path / "clean.png"), levels(wanted.picture))
    succeeds(capsys, *arguments, "--force", "--seed", 1)
    assert torch.equal(
        images.read(tmp_path / "clean.png"), levels(prior.restore(x, NARROW["denoising"], seed=1, **how).picture)
    )


def test_prior_denoising_ends_by_its_rule(capsys, tmp_path, cat, narrow, monkeypatch):
    hasty = partial(prior.LeastVariance, warmup=3, patience=2)
    monkeypatch.setattr(prior.planning, "LeastVariance", hasty)
    ended = []
    real = prior.restore
    monkeypatch.setattr(prior, "restore", lambda *given, **how: ended.append(real(*given, **how)) or ended[-1])
    succeeds(capsys, "prior", cat, tmp_path / "clean.png", "--task", "denoise")
    assert len(ended[0].losses) == ended[0].iteration + 2 < 1800
    assert torch.equal(images.read(tmp_path / "clean.png"), levels(ended[0].picture))


def test_prior_inpaints_what_the_mask_hides(capsys, tmp_path, cat, narrow):
    x, known = images.read(cat), stroke(tmp_path / "mask.png")
    succeeds(
        capsys,
        "prior",
        cat,
        tmp_path / "a.png",
        "--task",
        "inpaint",
        "--mask",
        tmp_path / "mask.png",
        "--iterations",
        3,
    )
    assert narrow == ["inpainting"]
    filled = images.read(tmp_path / "a.png")
    fitted = prior.restore(x, NARROW["inpainting"], mask=known, iterations=3, autocast=True, progress=False)
    assert torch.equal(filled, levels(torch.where(known > 0, x, fitted.picture)))
    images.write(tmp_path / "inverted.png", known.expand(1, 3, -1, -1))
    arguments = ("--task", "inpaint", "--mask", tmp_path / "inverted.png", "--invert-mask", "--iterations", 3)
    succeeds(capsys, "prior", cat, tmp_path / "b.png", *arguments)
    assert torch.equal(images.read(tmp_path / "b.png"), filled)


def test_prior_fills_a_large_hole_in_another_way(capsys, tmp_path, narrow):
    images.write(tmp_path / "x.png", torch.rand(1, 1, 40, 44))
    fill = torch.zeros(1, 1, 40, 44)
    fill[..., 3:36, 4:37] = 1
    images.write(tmp_path / "mask.png", fill)
    arguments = ("--task", "inpaint", "--mask", tmp_path / "mask.png", "--iterations", 2)
    succeeds(capsys, "prior", tmp_path / "x.png", tmp_path / "y.png", *arguments)
    assert narrow == ["hole_filling"]


def test_prior_super_resolves_and_keeps_transparency(capsys, tmp_path, narrow):
    x = levels(torch.rand(1, 4, 9, 11))
    images.write(tmp_path / "small.png", x)
    arguments = ("--task", "super-resolve", "--scale", 2, "--iterations", 3)
    assert "22×18" in succeeds(capsys, "prior", tmp_path / "small.png", tmp_path / "large.png", *arguments)
    how = {"degrade": partial(lanczos_down, scale=2), "size": (18, 22), "autocast": True, "progress": False}
    fitted = prior.restore(x[:, :3], NARROW["super_resolution"], iterations=3, **how)
    large = images.read(tmp_path / "large.png", alpha=True)
    assert torch.equal(large[:, :3], levels(fitted.picture))
    assert torch.equal(large[:, 3:], levels(imresize(x[:, 3:], 2)))


def test_prior_shrinks_a_picture_to_max_side(capsys, tmp_path, narrow):
    """131 to 103 pixels is no factor that `imresize` takes: the next smaller one is."""
    images.write(tmp_path / "x.png", torch.rand(1, 4, 40, 131))
    arguments = ("--iterations", 2, "--max-side", 103)
    succeeds(capsys, "prior", tmp_path / "x.png", tmp_path / "y.png", "--task", "denoise", *arguments)
    height, width = images.read(tmp_path / "y.png", alpha=True).shape[2:]
    assert 101 <= width <= 103
    assert height == math.ceil(width * 40 / 131)
    arguments = ("--iterations", 2, "--max-side", 131)
    succeeds(capsys, "prior", tmp_path / "x.png", tmp_path / "z.png", "--task", "denoise", *arguments)
    assert images.read(tmp_path / "z.png").shape[2:] == (40, 131)


def test_nothing_hidden_shows_in_a_smaller_copy(capsys, tmp_path, narrow):
    known = stroke(tmp_path / "mask.png", 60, 80)
    x = levels(torch.rand(1, 1, 60, 80))
    for name, paint in (("black", 0.0), ("white", 1.0)):
        images.write(tmp_path / f"{name}.png", torch.where(known > 0, x, paint))
        arguments = ("--mask", tmp_path / "mask.png", "--max-side", 40, "--iterations", 2)
        succeeds(
            capsys, "prior", tmp_path / f"{name}.png", tmp_path / f"{name}-filled.png", "--task", "inpaint", *arguments
        )
    black, white = (images.read(tmp_path / f"{name}-filled.png") for name in ("black", "white"))
    assert black.shape == (1, 1, 30, 40)
    assert torch.equal(black, white)


def test_prior_refuses_what_makes_no_sense(capsys, tmp_path, cat, narrow):
    stroke(tmp_path / "mask.png")
    stroke(tmp_path / "other.png", 41, 30)
    images.write(tmp_path / "white.png", torch.ones(1, 3, 30, 41))
    images.write(tmp_path / "black.png", torch.zeros(1, 1, 30, 41))
    images.write(tmp_path / "dots.png", pixel_mask(30, 41, 0.5, seed=0))
    before, out = sorted(tmp_path.iterdir()), tmp_path / "out.png"
    inpaint = ("--task", "inpaint", "--mask")
    for options, message in [
        (("--task", "inpaint"), "a mask is needed: --mask M, white where IN is to be filled in"),
        (("--task", "denoise", "--mask", tmp_path / "mask.png"), "to inpaint, and only then"),
        (("--task", "super-resolve", "--mask", tmp_path / "mask.png"), "to inpaint, and only then"),
        ((*inpaint, tmp_path / "nowhere.png"), "no such file"),
        ((*inpaint, tmp_path / "other.png"), "other.png has 30×41 pixels, the picture 41×30"),
        ((*inpaint, tmp_path / "white.png"), "white.png leaves no pixel known: --invert-mask?"),
        ((*inpaint, tmp_path / "black.png"), "black.png leaves nothing to fill in: --invert-mask?"),
        ((*inpaint, tmp_path / "black.png", "--invert-mask"), "leaves no pixel known"),
        ((*inpaint, tmp_path / "dots.png", "--max-side", 33), "no known pixel survives shrinking to --max-side 33"),
        (("--task", "denoise", "--iterations", 0), "at least one iteration is needed, got 0"),
    ]:
        assert message in fails(capsys, "prior", cat, out, *options)
    assert "--force" in fails(capsys, "prior", cat, cat, "--task", "denoise")
    with pytest.raises(SystemExit) as stop:
        cli.main(["prior", str(cat), str(out), "--task", "super-resolve", "--scale", "3"])
    assert stop.value.code == 2
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(("task", "side"), [("denoise", 32), ("super-resolve", 8)])
def test_prior_refuses_to_shrink_below_its_smallest_picture(capsys, tmp_path, cat, task, side):
    failed = fails(capsys, "prior", cat, tmp_path / "out.png", "--task", task, "--max-side", side)
    assert f"needs 33 pixels on each side, --max-side {side} leaves 32" in failed


def test_prior_refuses_to_shrink_below_a_hundredth(capsys, tmp_path, narrow):
    images.write(tmp_path / "x.png", torch.rand(1, 1, 40, 3500))
    failed = fails(capsys, "prior", tmp_path / "x.png", tmp_path / "y.png", "--task", "denoise", "--max-side", 34)
    assert "34 pixels are less than a hundredth of the 3500" in failed


def test_prior_refuses_a_picture_that_is_too_small(capsys, tmp_path, cat):
    """The paper's networks are asked, and nothing is computed."""
    failed = fails(capsys, "prior", cat, tmp_path / "clean.png", "--task", "denoise")
    assert "needs 33 pixels on each side, got 30×41" in failed


def test_prior_refuses_a_picture_that_needs_too_much_memory(capsys, tmp_path, narrow, monkeypatch):
    images.write(tmp_path / "x.png", torch.rand(1, 3, 60, 80))
    half = prior.needed_bytes(NARROW["denoising"], 60, 80) // 2
    monkeypatch.setattr(hardware, "free_bytes", lambda device: half)
    arguments = ("prior", tmp_path / "x.png", tmp_path / "clean.png", "--task", "denoise", "--iterations", 2)
    failed = fails(capsys, *arguments)
    assert "80×60 pixels need about 0.0 GB, 0.0 GB are free: --max-side 50 would fit" in failed
    assert not (tmp_path / "clean.png").exists()
    assert "50×38" in succeeds(capsys, *arguments, "--max-side", 50)


@pytest.mark.parametrize("task", ["denoise", "super-resolve"])
def test_ctrl_c_keeps_the_result_of_prior_so_far(capsys, tmp_path, cat, narrow, monkeypatch, task):
    real, seen = prior.iterate, []

    def interrupted(*given, **how):
        for state in real(*given, **how):
            seen.append(state)
            yield state
            if state.iteration == 5:
                raise KeyboardInterrupt

    monkeypatch.setattr(prior.fit, "iterate", interrupted)
    out = tmp_path / "clean.png"
    with pytest.raises(SystemExit) as stop:
        cli.main(["prior", str(cat), str(out), "--task", task, "--scale", "2", "--iterations", "1200"])
    assert stop.value.code == 130
    assert f"stopped after 5 of 1,200 iterations; {out} holds the result so far" in capsys.readouterr().err
    assert torch.equal(images.read(out), levels(seen[-1].average))
    assert seen[-1].iteration == 5
