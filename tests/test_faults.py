"""Files as people have them, through the command line: what comes out is right, or one line says what is wrong."""

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image, ImageCms

from imtrans import cli, images, restore

LEVELS = np.random.default_rng(0).integers(0, 256, (24, 20, 4), dtype=np.uint8)


@pytest.fixture
def run(capsys):
    """Run a command; its status, standard output and standard error."""

    def command(*arguments) -> tuple[int, str, str]:
        status = 0
        try:
            cli.main([str(argument) for argument in arguments])
        except SystemExit as stop:
            status = stop.code or 0
        return status, *capsys.readouterr()

    return command


@pytest.mark.parametrize(
    ("protocol", "decibels"), [("rgb", 20 * np.log10(255)), ("y-double", 20 * np.log10(65535 / 200 * 255 / 219))]
)
def test_compare_sees_all_sixteen_bits(run, tmp_path, protocol, decibels):
    """Whole levels against 200/257 of a level more: one level where ``rgb`` rounds, equal in the files' high bytes."""
    levels = 257 * (np.arange(24 * 24 * 3, dtype=np.uint16) % 200).reshape(24, 24, 3)
    for name, content in (("a.tif", levels), ("b.tif", levels + 50), ("c.tif", levels + 200)):
        tifffile.imwrite(tmp_path / name, content, photometric="rgb")
    _, out, _ = run("compare", tmp_path / "a.tif", tmp_path / "c.tif", "--protocol", protocol)
    assert float(out.split()[1]) == pytest.approx(decibels, abs=0.006)
    _, out, _ = run("compare", tmp_path / "a.tif", tmp_path / "b.tif", "--protocol", protocol)
    assert out.startswith("PSNR inf dB") == (protocol == "rgb")


@pytest.mark.parametrize("suffix", [".bmp", ".ppm", ".pgm", ".jpg"])
def test_transparency_is_refused_before_the_work_where_the_format_holds_none(run, tmp_path, suffix, monkeypatch):
    Image.fromarray(LEVELS).save(tmp_path / "a.png")
    monkeypatch.setattr(restore, "denoise", None)
    status, out, err = run("denoise", tmp_path / "a.png", tmp_path / f"b{suffix}")
    assert (status, out) == (2, "")
    assert err.startswith(f"imtrans: b{suffix}: {suffix} files hold no transparency")
    assert err.count("\n") == 1
    assert not (tmp_path / f"b{suffix}").exists()


@pytest.mark.parametrize("model", ["bicubic", "srcnn-x4"])
def test_a_white_disc_on_transparent_black_has_no_dark_rim_when_enlarged(run, tmp_path, model):
    y, x = np.mgrid[:32, :32]
    disc = np.repeat(255 * ((y - 15.5) ** 2 + (x - 15.5) ** 2 < 100)[..., None].astype(np.uint8), 4, axis=2)
    Image.fromarray(disc).save(tmp_path / "disc.png")
    run("super-resolve", tmp_path / "disc.png", tmp_path / "large.png", "--model", model, "--scale", 4)
    large = Image.open(tmp_path / "large.png")
    ground = Image.new("RGBA", large.size, "white")
    ground.alpha_composite(large)
    assert large.size == (128, 128)
    assert np.asarray(ground).min() >= 250


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
def test_the_profile_of_a_picture_goes_along(run, tmp_path, suffix):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(LEVELS[..., :3]).save(tmp_path / "a.png", icc_profile=profile)
    commands = {
        "super-resolve": ["--model", "bicubic", "--scale", "2"],
        "denoise": ["--model", "dncnn-25"],
        "deblock": [],
    }
    for command, options in commands.items():
        target = tmp_path / f"{command}{suffix}"
        run(command, tmp_path / "a.png", target, *options)
        assert images.profile(target) == profile


def test_evaluate_takes_a_folder_as_people_have_it(run, tmp_path):
    Image.fromarray(LEVELS[..., :3]).save(tmp_path / "a.png")
    Image.fromarray(LEVELS[..., 0]).save(tmp_path / "UPPER.PNG", "PNG")
    for name in ("._a.png", ".DS_Store", "Thumbs.db", "notes.txt"):
        (tmp_path / name).write_bytes(b"no picture")
    (tmp_path / "sub.png").mkdir()
    status, out, _ = run("evaluate", "bicubic", "--data", tmp_path, "--scale", 2)
    assert status == 0
    assert [line.split()[0] for line in out.splitlines()[2:]] == ["UPPER", "a", "mean"]


def test_evaluate_saves_a_file_per_picture(run, tmp_path):
    data, saved = tmp_path / "data", tmp_path / "saved"
    data.mkdir()
    for name in ("a.png", "a.bmp"):
        Image.fromarray(LEVELS[..., :3]).save(data / name)
    status, _, _ = run("evaluate", "bicubic", "--data", data, "--scale", 2, "--save", saved)
    assert status == 0
    assert sorted(path.name for path in saved.iterdir()) == ["a.bmp_bicubic.png", "a.png_bicubic.png"]


def test_compare_takes_gray_stored_as_colour_as_the_same_gray(run, tmp_path):
    gray = LEVELS[..., 0]
    Image.fromarray(gray).save(tmp_path / "gray.png")
    Image.fromarray(np.stack([gray] * 3, axis=2)).save(tmp_path / "stored.png")
    for pair in (("gray.png", "stored.png"), ("stored.png", "gray.png")):
        status, out, _ = run("compare", *(tmp_path / name for name in pair))
        assert status == 0
        assert out.startswith("PSNR inf dB, SSIM 1.0000")


def test_png_and_webp_give_the_same_levels_and_jpeg_is_close(run, tmp_path):
    y, x = np.mgrid[:48, :48]
    smooth = np.stack([128 + 60 * np.sin(x / 9), 128 + 60 * np.cos(y / 7), 100 + x + y], axis=2)
    Image.fromarray(smooth.clip(0, 255).astype(np.uint8)).save(tmp_path / "a.bmp")
    results = {}
    for suffix in (".png", ".webp", ".jpg"):
        run("super-resolve", tmp_path / "a.bmp", tmp_path / f"b{suffix}", "--model", "bicubic", "--scale", "2")
        results[suffix] = images.read(tmp_path / f"b{suffix}")
    assert torch.equal(results[".webp"], results[".png"])
    assert (results[".jpg"] - results[".png"]).square().mean() < 10**-4.5  # 45 dB


def test_several_frames_give_one_line_on_stderr(run, tmp_path):
    frames = [Image.new("RGB", (16, 16), color) for color in ("red", "green", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    status, _, err = run("denoise", tmp_path / "a.gif", tmp_path / "b.png", "--model", "dncnn-25")
    assert status == 0
    assert err == f"imtrans: warning: {tmp_path / 'a.gif'} holds 3 frames or pages: only the first is read\n"
