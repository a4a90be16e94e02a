"""The command line: what people bring, what comes out, and what is said about mistakes."""

import json
import math
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from imtrans import cli, images, prior, restore, zoo
from imtrans.data import photos
from imtrans.degrade import lanczos_down, pixel_mask
from imtrans.evaluation import evaluate
from imtrans.models.dncnn import DnCNN
from imtrans.models.srcnn import SRCNN
from imtrans.models.vdsr import VDSR
from imtrans.resize import imresize
from imtrans.training import Recipe, Run


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


def runs(capsys, *arguments):
    """The stdout of a command that succeeds."""
    cli.main([str(a) for a in arguments])
    return capsys.readouterr().out


def save_network(folder, name, model):
    """Weights with a card, as a training leaves them."""
    recipe = Recipe(name, type(model), None, None, None, 1, 1, None)
    return zoo.save(Run(recipe, model, 1, 0.0), folder)


@pytest.fixture
def cat(tmp_path):
    path = tmp_path / "cat.png"
    images.write(path, photos.photo("chelsea").picture[..., 100:130, 100:141])
    return path


@pytest.fixture
def srcnn(tmp_path):
    return save_network(tmp_path, "srcnn-x3", SRCNN())


@pytest.fixture
def runs_dir(tmp_path, monkeypatch):
    monkeypatch.setenv("IMTRANS_RUNS", str(tmp_path / "runs"))
    monkeypatch.delenv("IMTRANS_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "runs"


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


def test_as_a_process(tmp_path, cat):
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
    for name in ("super-resolve", "denoise", "deblock", "prior", "evaluate", "compare", "train", "models", "publish"):
        assert name in out


def test_super_resolve(capsys, tmp_path, cat):
    out = tmp_path / "large.png"
    assert "123×90" in runs(capsys, "super-resolve", cat, out, "--model", "bicubic", "--scale", 3)
    wanted = images.to_float(images.to_uint8(imresize(images.read(cat), 3)))
    torch.testing.assert_close(images.read(out), wanted, atol=1.01 / 255, rtol=0)


def test_a_file_of_weights_knows_its_scale(capsys, tmp_path, cat, srcnn):
    runs(capsys, "super-resolve", cat, tmp_path / "large.png", "--model", srcnn)
    assert images.read(tmp_path / "large.png").shape == (1, 3, 90, 123)
    arguments = ("super-resolve", cat, tmp_path / "four.png", "--model", srcnn, "--scale", 4)
    assert "its scales: ×3" in fails(capsys, *arguments)
    assert not (tmp_path / "four.png").exists()


def test_denoise(capsys, tmp_path, cat):
    weights = save_network(tmp_path, "dncnn-25", DnCNN())
    runs(capsys, "denoise", cat, tmp_path / "clean.png", "--model", weights)
    assert images.read(tmp_path / "clean.png").shape == (1, 3, 30, 41)
    both = ("denoise", cat, tmp_path / "a.png", "--model", weights, "--sigma", 25)
    assert "give one of them" in fails(capsys, *both)
    failed = fails(capsys, "super-resolve", cat, tmp_path / "a.png", "--model", weights)
    assert "not for super-resolution" in failed


@pytest.mark.parametrize(
    ("sigma", "channels", "name", "words"),
    [
        ("blind", 1, "dncnn-blind", ""),
        ("blind", 3, "cdncnn-blind", ""),
        (15, 1, "dncnn-15", ""),
        (25.0, 1, "dncnn-25", ""),
        (50, 1, "dncnn-50", ""),
        (25, 3, "cdncnn-blind", "imtrans: cdncnn-blind finds the noise level itself\n"),
        (30, 1, "dncnn-blind", "imtrans: dncnn-blind finds the noise level itself\n"),
        (3, 1, "dncnn-blind", "imtrans: dncnn-blind finds the noise level itself\n"),  # dncnn-3 is another story
        (55, 1, "dncnn-blind", "imtrans: dncnn-blind finds the noise level itself\n"),
        (70, 1, "dncnn-blind", "imtrans: warning: dncnn-blind was trained for noise up to 55, not 70\n"),
        (55.5, 3, "cdncnn-blind", "imtrans: warning: cdncnn-blind was trained for noise up to 55, not 55.5\n"),
    ],
)
def test_the_network_for_a_noise_level(capsys, monkeypatch, sigma, channels, name, words):
    monkeypatch.setattr(zoo, "names", lambda: list(zoo.MODELS))
    assert cli._denoiser(sigma, channels) == name
    assert name in zoo.MODELS
    assert capsys.readouterr() == ("", words)


@pytest.mark.parametrize(("sigma", "name"), [("blind", "dncnn-blind"), (25, "dncnn-25"), (30, "dncnn-blind")])
def test_colour_without_a_network_of_colour(monkeypatch, sigma, name):
    monkeypatch.setattr(zoo, "names", lambda: [name for name in zoo.MODELS if name != "cdncnn-blind"])
    assert cli._denoiser(sigma, 3) == name


@pytest.mark.parametrize("sigma", [0, -5, math.inf, math.nan])
def test_no_network_for_such_a_noise_level(sigma):
    with pytest.raises(ValueError, match="must be above 0, got"):
        cli._denoiser(sigma, 1)


def test_denoise_by_the_noise_level(capsys, tmp_path, cat, monkeypatch):
    gray = tmp_path / "gray.png"
    images.write(gray, images.read(cat)[:, :1])
    networks = {name: DnCNN(3 if name[0] == "c" else 1, depth=3, features=4) for name in zoo.MODELS if "dncnn" in name}
    loaded = []
    monkeypatch.setattr(zoo, "load", lambda name: loaded.append(name) or networks[name])
    monkeypatch.setattr(zoo, "names", lambda: list(zoo.MODELS))
    for source, options, name in [
        (gray, (), "dncnn-blind"),
        (gray, ("--sigma", "blind"), "dncnn-blind"),
        (gray, ("--sigma", 25), "dncnn-25"),
        (gray, ("--sigma", "30"), "dncnn-blind"),
        (cat, ("--sigma", 25), "cdncnn-blind"),
        (cat, (), "cdncnn-blind"),
        (cat, ("--model", "dncnn-50"), "dncnn-50"),
    ]:
        runs(capsys, "denoise", source, tmp_path / "clean.png", *options, "--force")
        assert loaded[-1] == name
        wanted = restore.denoise(networks[name], images.read(source)).clamp(0, 1)
        assert torch.equal(images.read(tmp_path / "clean.png"), images.to_float(images.to_uint8(wanted)))
    loaded.clear()
    assert "above 0, got 0" in fails(capsys, "denoise", gray, tmp_path / "no.png", "--sigma", 0)
    with pytest.raises(SystemExit) as stop:
        cli.main(["denoise", str(gray), str(tmp_path / "no.png"), "--sigma", "much"])
    assert stop.value.code == 2
    assert not loaded
    assert not (tmp_path / "no.png").exists()


def test_a_denoiser_that_is_not_there_yet(capsys, tmp_path, cat, monkeypatch):
    monkeypatch.setattr(zoo, "FOLDER", tmp_path)
    failed = fails(capsys, "denoise", cat, tmp_path / "clean.png")
    assert "dncnn-blind has no trained weights here yet: imtrans train dncnn-blind" in failed


def test_deblock(capsys, tmp_path, cat, monkeypatch):
    model = zoo.MODELS["dncnn-3"]()
    weights = save_network(tmp_path, "dncnn-3", model)
    source, out = tmp_path / "cat.jpg", tmp_path / "clean.png"
    Image.open(cat).save(source, quality=10)
    assert "41×30" in runs(capsys, "deblock", source, out, "--model", weights)
    wanted = images.to_uint8(restore.deblock(model, images.read(source)))
    assert (images.to_uint8(images.read(out)).int() - wanted.int()).abs().max() <= 1
    assert not torch.equal(images.read(out), images.read(source))
    runs(capsys, "deblock", source, tmp_path / "tiles.png", "--model", weights, "--tile", 16)
    torch.testing.assert_close(images.read(tmp_path / "tiles.png"), images.read(out), atol=1.01 / 255, rtol=0)
    other = save_network(tmp_path, "dncnn-25", DnCNN())
    assert "does not know JPEG; dncnn-3 does" in fails(capsys, "deblock", source, tmp_path / "a.png", "--model", other)
    loaded = []
    monkeypatch.setattr(zoo, "load", lambda name: loaded.append(name) or model)
    runs(capsys, "deblock", source, out, "--force")
    assert loaded == ["dncnn-3"]


LEVELS = np.arange(12 * 10 * 4, dtype=np.uint8).reshape(12, 10, 4) // 2
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
def test_what_people_bring(capsys, tmp_path, name, image, options, shape):
    image.save(tmp_path / name, **options)
    out = tmp_path / "large.png"
    runs(capsys, "super-resolve", tmp_path / name, out, "--model", "bicubic", "--scale", 2)
    assert images.read(out, alpha=True).shape == shape
    wanted = imresize(images.read(tmp_path / name, alpha=True), 2).clamp(0, 1)
    torch.testing.assert_close(images.read(out, alpha=True), wanted, atol=1.01 / 255, rtol=0)


def test_what_stands_is_overwritten_by_force_alone(capsys, tmp_path, cat):
    before = cat.read_bytes()
    other = tmp_path / "other.png"
    other.write_bytes(before)
    for out in (cat, other):
        arguments = ("super-resolve", cat, out, "--model", "bicubic", "--scale", 2)
        assert "--force" in fails(capsys, *arguments)
        assert out.read_bytes() == before
    runs(capsys, *arguments, "--force")
    runs(capsys, "super-resolve", cat, cat, "--model", "bicubic", "--scale", 2, "--force")
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
        (cat, tmp_path / "large.xyz", (), "suffix"),
        (cat, tmp_path / "nowhere" / "large.png", (), "no such folder"),
        (cat, tmp_path / "folder.png", ("--force",), "is a folder"),
        (tmp_path / "alpha.png", tmp_path / "large.jpg", (), "large.jpg"),
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


def test_damaged_weights(capsys, tmp_path, cat, srcnn):
    card = srcnn.with_suffix(".json")
    arguments = ("super-resolve", cat, tmp_path / "large.png", "--model", srcnn)
    whole = card.read_text()
    card.write_text("{")
    assert "not the card of a network" in fails(capsys, *arguments)
    card.write_text(whole.replace('"model": "srcnn-x3"', '"model": "espcn-x3"'))
    assert "another network than ESPCN" in fails(capsys, *arguments)
    card.write_text(whole)
    srcnn.write_bytes(srcnn.read_bytes()[:-1])
    assert "sha256" in fails(capsys, *arguments)


def test_evaluate(capsys, tmp_path, cat, srcnn):
    data = tmp_path / "data"
    data.mkdir()
    cat.rename(data / "cat.png")
    content = json.loads(runs(capsys, "evaluate", srcnn, "--data", data, "--json", "--save", tmp_path / "kept"))
    assert content["model"] == "srcnn-x3"
    assert (content["protocol"], content["scale"], content["border"]) == ("y8", 3, 3)
    assert [row["name"] for row in content["images"]] == ["cat"]
    assert content["psnr"] == pytest.approx(content["images"][0]["psnr"])
    kept = tmp_path / "kept" / "cat_srcnn-x3.png"
    compared = runs(capsys, "compare", kept, images_cropped(data / "cat.png", tmp_path), "--border", 3, "--json")
    assert json.loads(compared)["psnr"] == pytest.approx(content["psnr"], abs=1e-3)
    text = runs(capsys, "evaluate", "bicubic", "--data", data, "--scale", 2, "--protocol", "rgb-y8")
    assert "bicubic, ×2, protocol rgb-y8, border 2" in text


def test_evaluate_what_is_left_as_it_is(capsys, tmp_path, cat):
    clean = [("cat", images.read(cat))]
    content = json.loads(runs(capsys, "evaluate", "input", "--data", tmp_path, "--quality", 10, "--json"))
    assert (content["model"], content["protocol"], content["quality"]) == ("input", "y8", 10)
    assert content["scale"] is content["sigma"] is None
    assert content["psnr"] == pytest.approx(evaluate("input", clean, quality=10).psnr)
    text = runs(capsys, "evaluate", "input", "--data", tmp_path, "--quality", 40)
    assert text.startswith("input, JPEG 40, protocol y8, border 0\n")
    text = runs(capsys, "evaluate", "input", "--data", tmp_path, "--sigma", 25, "--protocol", "rgb")
    assert text.startswith("input, σ = 25, protocol rgb, border 0\n")
    for options, message in [
        ((), "which task? this network takes one of sigma, quality"),
        (("--scale", 2), "got scale"),
        (("--quality", 0), "from 1 to 100"),
        (("--quality", 10, "--sigma", 25), "got sigma and quality"),
        (("--sigma", 25), "protocol gray wants 1"),
    ]:
        assert message in fails(capsys, "evaluate", "input", "--data", tmp_path, *options)
    assert "this network takes a scale" in fails(capsys, "evaluate", "bicubic", "--data", tmp_path, "--quality", 10)


def images_cropped(path, folder):
    """The picture as the evaluation cuts it at ×3."""
    images.write(folder / "cropped.png", images.modcrop(images.read(path), 3))
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
    same = json.loads(runs(capsys, "compare", cat, cat, "--json"))
    assert same["psnr"] is None
    assert same["ssim"] == pytest.approx(1)
    images.write(tmp_path / "small.png", images.read(cat)[..., :20])
    assert "different shapes" in fails(capsys, "compare", cat, tmp_path / "small.png")
    images.write(tmp_path / "dark.png", images.read(cat) * 0.9)
    assert "protocol rgb, border 1" in runs(
        capsys, "compare", cat, tmp_path / "dark.png", "--protocol", "rgb", "--border", 1
    )


def test_models_and_data(capsys, runs_dir):
    out = runs(capsys, "models")
    assert all(name in out for name in zoo.MODELS)
    out = runs(capsys, "data", "list")
    assert "Set5" in out
    assert "licence" in out
    assert "not on this machine: imtrans data fetch Set5" in runs(capsys, "data", "where")
    assert "imtrans data fetch Set5" in fails(capsys, "data", "where", "Set5")
    assert "Set5, Set14" in fails(capsys, "data", "where", "Set6")


def test_data_where(capsys, data_root):
    assert runs(capsys, "data", "where", "Set5").strip() == str(data_root / "Set5")
    assert str(data_root / "Set5") in runs(capsys, "data", "fetch", "Set5")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "which recipe"),
        (("srcnn-x3", "--budget", "large"), "quick, class, full, paper"),
        (("srcnn-x3", "--steps", "0"), "at least 1 step"),
        (("srcnn-x3", "--data", "nowhere"), "no such folder"),
        (("srcnn-x3", "--from", "nowhere.safetensors"), "no such file"),
        (("vdsr", "--from", "dncnn-3"), "another sign"),
    ],
)
def test_train_wrong_questions(capsys, runs_dir, arguments, message):
    assert message in fails(capsys, "train", *arguments)
    assert not list(runs_dir.rglob("checkpoint.pt"))


def test_train_resume_and_start_from_weights(capsys, runs_dir, tmp_path, monkeypatch):
    monkeypatch.setenv("CI", "1")  # no progress bar
    folder = tmp_path / "photographs"
    folder.mkdir()
    images.write(folder / "cat.png", photos.photo("chelsea").picture[..., :120, :120])
    first = ("train", "srcnn-x3", "srcnn-x2", "--steps", 3, "--data", folder, "--device", "cpu")
    out = runs(capsys, *first, "--seconds", 0)
    assert out.count("step 1 of 3") == 2
    assert "imtrans train srcnn-x3 --budget quick --resume goes on" in out
    assert "resume it" in fails(capsys, *first)
    # The options of the start are kept: steps and data need no second mention.
    out = runs(capsys, "train", "srcnn-x3", "--resume", "--device", "cpu")
    assert "step 3 of 3, validation" in out
    again = ("train", "srcnn-x3", "--resume", "--device", "cpu")
    assert "passed over" in runs(capsys, *again)
    assert "passed over" in runs(capsys, *again, "--steps", 3)
    assert "holds another training, move it away" in fails(capsys, *again, "--steps", 4)
    assert "holds another training, move it away" in fails(capsys, *again, "--seed", 7)
    assert "at least 1 step" in fails(capsys, *again, "--steps", 0)
    weights = runs_dir / "srcnn-x3-quick" / "srcnn-x3.safetensors"
    card = zoo.card(weights)
    assert card["steps"] == card["planned_steps"] == 3
    assert card["data"] == ["photographs: 1 pictures"]

    other = ("train", "srcnn-x4", "--steps", 2, "--data", folder, "--device", "cpu")
    runs(capsys, *other, "--resume", "--from", weights)  # no checkpoint yet: the weights are the start
    assert zoo.card(runs_dir / "srcnn-x4-quick" / "srcnn-x4.safetensors")["initialised_from"] == "srcnn-x3"
    # Stopped before its first checkpoint: what is given now counts, not what was given then.
    (runs_dir / "srcnn-x4-quick" / "checkpoint.pt").unlink()
    (runs_dir / "srcnn-x4-quick" / "srcnn-x4.json").unlink()
    runs(capsys, *other, "--resume", "--from", "srcnn-x2", "--seed", 0)
    card = zoo.card(runs_dir / "srcnn-x4-quick" / "srcnn-x4.safetensors")
    assert (card["initialised_from"], card["seed"]) == ("srcnn-x2", 0)
    assert "another network than VDSR" in fails(capsys, "train", "vdsr", "--from", weights)


def test_train_from_a_network_of_other_channels(capsys, runs_dir, tmp_path, monkeypatch):
    (tmp_path / "photographs").mkdir()
    images.write(tmp_path / "photographs" / "cat.png", photos.photo("chelsea").picture[..., :120, :120])
    source = DnCNN(depth=20)
    gray = save_network(tmp_path, "dncnn-blind", source)
    given = []

    def captured(recipe, *, initial, **options):
        given.append((recipe, initial))
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "fit", captured)
    for name, options in (("cdncnn-blind", ()), ("cdncnn-blind", ("--seed", 3)), ("dncnn-3", ())):
        with pytest.raises(SystemExit):
            cli.main(["train", name, "--from", str(gray), "--data", str(tmp_path / "photographs"), *map(str, options)])
    out = capsys.readouterr().out
    told = f"cdncnn-blind: layers.0, layers.56 start at random: {gray} has no such layers\n"
    assert out == told * 2  # nothing of dncnn-3, where all fits
    for (recipe, initial), seed in zip(given[:2], (0, 3), strict=True):
        assert recipe.seed == seed
        recipe.model().load_state_dict(initial)
        torch.manual_seed(seed)
        wanted = DnCNN(3, depth=20)
        fits = {key: value for key, value in source.state_dict().items() if value.shape == initial[key].shape}
        wanted.load_state_dict(wanted.state_dict() | fits)
        assert all(torch.equal(value, wanted.state_dict()[key]) for key, value in initial.items())
    assert all(torch.equal(value, source.state_dict()[key]) for key, value in given[2][1].items())


@pytest.mark.parametrize("source", [VDSR(), DnCNN(depth=20), DnCNN(depth=20, batch_norm=False)])
def test_train_without_batch_normalisation_from_either_form(tmp_path, runs_dir, capsys, monkeypatch, source):
    """The merged network starts with the answers of the one that it starts from."""
    images.write(tmp_path / "cat.png", photos.photo("chelsea").picture[..., :120, :120])
    weights = save_network(tmp_path, "vdsr" if isinstance(source, VDSR) else "dncnn-blind", source)
    given = []

    def captured(recipe, *, initial, **options):
        given.append((recipe.model(), initial))
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "fit", captured)
    with pytest.raises(SystemExit):
        cli.main(["train", "dncnn-3", "--budget", "full", "--from", str(weights), "--data", str(tmp_path)])
    assert capsys.readouterr().out == ""  # no layer starts at random
    model, initial = given[0]
    model.load_state_dict(initial)
    assert not model.batch_norm
    x = torch.rand(1, 1, 24, 24)
    torch.testing.assert_close(model.eval()(x), source.eval()(x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("source", [VDSR(), DnCNN.three(batch_norm=False)])
def test_what_is_merged_cannot_train_with_batch_normalisation(capsys, runs_dir, tmp_path, source):
    weights = save_network(tmp_path, "vdsr" if isinstance(source, VDSR) else "dncnn-3", source)
    message = fails(capsys, "train", "dncnn-3", "--from", weights)
    assert f"{weights} is without batch normalisation, dncnn-3-quick trains with it" in message
    assert not runs_dir.exists()


def test_ctrl_c_says_how_to_go_on(capsys, runs_dir, monkeypatch):
    def interrupted(recipe, *, folder, **options):
        if options["resume"]:
            (folder / "checkpoint.pt").touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "fit", interrupted)
    for arguments, message in [
        ((), "no checkpoint was written yet"),
        (("--resume",), "imtrans train srcnn-x3 --budget quick --resume goes on"),
    ]:
        with pytest.raises(SystemExit) as stop:
            cli.main(["train", "srcnn-x3", *arguments])
        assert stop.value.code == 130
        assert message in capsys.readouterr().err


def test_faults_of_ours_keep_their_traceback(monkeypatch):
    monkeypatch.setattr(cli.zoo, "MODELS", None)
    with pytest.raises(TypeError):
        cli.main(["models"])


def test_publish_takes_what_is_better(capsys, runs_dir, tmp_path, monkeypatch):
    shelf = tmp_path / "zoo"
    shelf.mkdir()
    monkeypatch.setattr(zoo, "FOLDER", shelf)
    assert "holds no weights" in fails(capsys, "publish", "srcnn-x3")
    assert "did you mean srcnn-x3" in fails(capsys, "publish", "srcnn-x33")
    model = SRCNN()
    with torch.no_grad():  # an identity: as good as bicubic
        for parameter in model.parameters():
            parameter.zero_()
        model.patch_extraction.weight[0, 0, 4, 4] = 1
        model.mapping.weight[0, 0, 0, 0] = 1
        model.reconstruction.weight[0, 0, 2, 2] = 1
    run = runs_dir / "srcnn-x3-full"
    run.mkdir(parents=True)
    save_network(run, "srcnn-x3", model)
    runs(capsys, "publish", "srcnn-x3")
    assert zoo.names() == ["srcnn-x3"]
    published = zoo.card("srcnn-x3")
    assert 25 < published["validation"]["psnr"] < 40
    assert published["scores"] == []  # no test set at hand
    assert zoo.load("srcnn-x3").scales == (3,)

    with torch.no_grad():
        model.reconstruction.bias += 0.05
    save_network(run, "srcnn-x3", model)
    assert "left as it is" in runs(capsys, "publish", "srcnn-x3")
    assert zoo.card("srcnn-x3") == published
    runs(capsys, "publish", "srcnn-x3", "--force")
    assert zoo.card("srcnn-x3")["validation"]["psnr"] < published["validation"]["psnr"]
    zoo.load("srcnn-x3")
    runs(capsys, "publish", "srcnn-x3", "--force", "--note", "too bright")
    assert zoo.card("srcnn-x3")["note"] == "too bright"
    assert "too bright" in runs(capsys, "models")


# --- the deep image prior --------------------------------------------------------------------------------

# One level of six features in place of the paper's five of 128: a picture takes milliseconds.
NARROW = {
    name: getattr(prior, name)().narrow(6) for name in ("denoising", "inpainting", "hole_filling", "super_resolution")
}


@pytest.fixture
def narrow(monkeypatch):
    """The paper's settings, but narrow; the names of those that were asked for."""
    asked = []
    for name, settings in NARROW.items():
        monkeypatch.setattr(prior, name, lambda *_, name=name, settings=settings: asked.append(name) or settings)
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
def test_prior_denoise(capsys, tmp_path, narrow, channels):
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
    runs(capsys, *arguments, "--force", "--seed", 1)
    assert torch.equal(
        images.read(tmp_path / "clean.png"), levels(prior.restore(x, NARROW["denoising"], seed=1, **how).picture)
    )


def test_prior_denoise_ends_by_its_rule(capsys, tmp_path, cat, narrow, monkeypatch):
    monkeypatch.setattr(prior, "LeastVariance", partial(prior.LeastVariance, warmup=3, patience=2))
    ended = []
    real = prior.restore
    monkeypatch.setattr(prior, "restore", lambda *given, **how: ended.append(real(*given, **how)) or ended[-1])
    runs(capsys, "prior", cat, tmp_path / "clean.png", "--task", "denoise")
    assert len(ended[0].losses) == ended[0].iteration + 2 < 1800
    assert torch.equal(images.read(tmp_path / "clean.png"), levels(ended[0].picture))


def test_prior_inpaint(capsys, tmp_path, cat, narrow):
    x, known = images.read(cat), stroke(tmp_path / "mask.png")
    runs(
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
    runs(capsys, "prior", cat, tmp_path / "b.png", *arguments)
    assert torch.equal(images.read(tmp_path / "b.png"), filled)


def test_prior_fills_a_large_hole_in_another_way(capsys, tmp_path, narrow):
    images.write(tmp_path / "x.png", torch.rand(1, 1, 40, 44))
    fill = torch.zeros(1, 1, 40, 44)
    fill[..., 3:36, 4:37] = 1
    images.write(tmp_path / "mask.png", fill)
    arguments = ("--task", "inpaint", "--mask", tmp_path / "mask.png", "--iterations", 2)
    runs(capsys, "prior", tmp_path / "x.png", tmp_path / "y.png", *arguments)
    assert narrow == ["hole_filling"]


def test_prior_super_resolve(capsys, tmp_path, narrow):
    x = levels(torch.rand(1, 4, 9, 11))
    images.write(tmp_path / "small.png", x)
    arguments = ("--task", "super-resolve", "--scale", 2, "--iterations", 3)
    assert "22×18" in runs(capsys, "prior", tmp_path / "small.png", tmp_path / "large.png", *arguments)
    how = {"degrade": partial(lanczos_down, scale=2), "size": (18, 22), "autocast": True, "progress": False}
    fitted = prior.restore(x[:, :3], NARROW["super_resolution"], iterations=3, **how)
    large = images.read(tmp_path / "large.png", alpha=True)
    assert torch.equal(large[:, :3], levels(fitted.picture))
    assert torch.equal(large[:, 3:], levels(imresize(x[:, 3:], 2)))


def test_prior_of_a_smaller_copy(capsys, tmp_path, narrow):
    """131 to 103 pixels is no factor that `imresize` takes: the next smaller one is."""
    images.write(tmp_path / "x.png", torch.rand(1, 4, 40, 131))
    arguments = ("--iterations", 2, "--max-side", 103)
    runs(capsys, "prior", tmp_path / "x.png", tmp_path / "y.png", "--task", "denoise", *arguments)
    height, width = images.read(tmp_path / "y.png", alpha=True).shape[2:]
    assert 101 <= width <= 103
    assert height == math.ceil(width * 40 / 131)
    arguments = ("--iterations", 2, "--max-side", 131)
    runs(capsys, "prior", tmp_path / "x.png", tmp_path / "z.png", "--task", "denoise", *arguments)
    assert images.read(tmp_path / "z.png").shape[2:] == (40, 131)


def test_nothing_hidden_shows_in_a_smaller_copy(capsys, tmp_path, narrow):
    known = stroke(tmp_path / "mask.png", 60, 80)
    x = levels(torch.rand(1, 1, 60, 80))
    for name, paint in (("black", 0.0), ("white", 1.0)):
        images.write(tmp_path / f"{name}.png", torch.where(known > 0, x, paint))
        arguments = ("--mask", tmp_path / "mask.png", "--max-side", 40, "--iterations", 2)
        runs(
            capsys, "prior", tmp_path / f"{name}.png", tmp_path / f"{name}-filled.png", "--task", "inpaint", *arguments
        )
    black, white = (images.read(tmp_path / f"{name}-filled.png") for name in ("black", "white"))
    assert black.shape == (1, 1, 30, 40)
    assert torch.equal(black, white)


def test_prior_wrong_questions(capsys, tmp_path, cat, narrow):
    stroke(tmp_path / "mask.png")
    stroke(tmp_path / "other.png", 41, 30)
    images.write(tmp_path / "white.png", torch.ones(1, 3, 30, 41))
    images.write(tmp_path / "black.png", torch.zeros(1, 1, 30, 41))
    images.write(tmp_path / "dots.png", pixel_mask(30, 41, 0.5, seed=0))
    before, out = sorted(tmp_path.iterdir()), tmp_path / "out.png"
    inpaint = ("--task", "inpaint", "--mask")
    for options, message in [
        (("--task", "inpaint"), "a mask is wanted: --mask M, white where IN is to be filled in"),
        (("--task", "denoise", "--mask", tmp_path / "mask.png"), "to inpaint, and only then"),
        (("--task", "super-resolve", "--mask", tmp_path / "mask.png"), "to inpaint, and only then"),
        ((*inpaint, tmp_path / "nowhere.png"), "no such file"),
        ((*inpaint, tmp_path / "other.png"), "other.png has 30×41 pixels, the picture 41×30"),
        ((*inpaint, tmp_path / "white.png"), "white.png leaves no pixel known: --invert-mask?"),
        ((*inpaint, tmp_path / "black.png"), "black.png leaves nothing to fill in: --invert-mask?"),
        ((*inpaint, tmp_path / "black.png", "--invert-mask"), "leaves no pixel known"),
        ((*inpaint, tmp_path / "dots.png", "--max-side", 33), "so scattered that --max-side 33 leaves no pixel"),
        (("--task", "denoise", "--max-side", 32), "at least 33 pixels a side, --max-side 32 leaves 32"),
        (("--task", "denoise", "--iterations", 0), "at least one iteration, got 0"),
        (("--task", "super-resolve", "--max-side", 8), "at least 33 pixels a side, --max-side 8 leaves 32"),
    ]:
        assert message in fails(capsys, "prior", cat, out, *options)
    assert "--force" in fails(capsys, "prior", cat, cat, "--task", "denoise")
    with pytest.raises(SystemExit) as stop:
        cli.main(["prior", str(cat), str(out), "--task", "super-resolve", "--scale", "3"])
    assert stop.value.code == 2
    assert sorted(tmp_path.iterdir()) == before


def test_prior_of_a_picture_that_is_far_too_long(capsys, tmp_path, narrow):
    images.write(tmp_path / "x.png", torch.rand(1, 1, 40, 3500))
    failed = fails(capsys, "prior", tmp_path / "x.png", tmp_path / "y.png", "--task", "denoise", "--max-side", 34)
    assert "--max-side 34 is less than a hundredth of 3500 pixels" in failed


def test_prior_of_a_picture_that_is_too_small(capsys, tmp_path, cat):
    """The paper's networks are asked, and nothing is computed."""
    failed = fails(capsys, "prior", cat, tmp_path / "clean.png", "--task", "denoise")
    assert "needs 33 pixels on each side, got 30×41" in failed


def test_prior_of_a_picture_that_is_too_large(capsys, tmp_path, narrow, monkeypatch):
    images.write(tmp_path / "x.png", torch.rand(1, 3, 60, 80))
    half = prior.needed_bytes(NARROW["denoising"], 60, 80) // 2
    monkeypatch.setattr(cli.hardware, "free_bytes", lambda device: half)
    arguments = ("prior", tmp_path / "x.png", tmp_path / "clean.png", "--task", "denoise", "--iterations", 2)
    failed = fails(capsys, *arguments)
    assert "80×60 pixels take about 0.0 GB, 0.0 GB are free: --max-side 50 would fit" in failed
    assert not (tmp_path / "clean.png").exists()
    assert "50×38" in runs(capsys, *arguments, "--max-side", 50)


@pytest.mark.parametrize("task", ["denoise", "super-resolve"])
def test_ctrl_c_keeps_what_stands(capsys, tmp_path, cat, narrow, monkeypatch, task):
    real, seen = prior.iterate, []

    def interrupted(*given, **how):
        for state in real(*given, **how):
            seen.append(state)
            yield state
            if state.iteration == 5:
                raise KeyboardInterrupt

    monkeypatch.setattr(prior, "iterate", interrupted)
    out = tmp_path / "clean.png"
    with pytest.raises(SystemExit) as stop:
        cli.main(["prior", str(cat), str(out), "--task", task, "--scale", "2", "--iterations", "1200"])
    assert stop.value.code == 130
    assert f"stopped after 5 of 1,200 iterations; {out} holds what stood" in capsys.readouterr().err
    assert torch.equal(images.read(out), levels(seen[-1].average))
    assert seen[-1].iteration == 5
