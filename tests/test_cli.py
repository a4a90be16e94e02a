"""The command line: what people bring, what comes out, and what is said about mistakes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from imtrans import cli, images, zoo
from imtrans.data import photos
from imtrans.models.dncnn import DnCNN
from imtrans.models.srcnn import SRCNN
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
    for name in ("super-resolve", "denoise", "evaluate", "compare", "train", "models", "publish", "data"):
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
    failed = fails(capsys, "super-resolve", cat, tmp_path / "a.png", "--model", weights)
    assert "not for super-resolution" in failed


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
    assert "passed over" in runs(capsys, "train", "srcnn-x3", "--resume", "--device", "cpu")
    weights = runs_dir / "srcnn-x3-quick" / "srcnn-x3.safetensors"
    card = zoo.card(weights)
    assert card["steps"] == card["planned_steps"] == 3
    assert card["data"] == ["photographs: 1 pictures"]

    other = ("train", "srcnn-x4", "--steps", 2, "--data", folder, "--device", "cpu")
    runs(capsys, *other, "--resume", "--from", weights)  # no checkpoint yet: the weights are the start
    assert zoo.card(runs_dir / "srcnn-x4-quick" / "srcnn-x4.safetensors")["initialised_from"] == "srcnn-x3"
    assert "another network than" in fails(capsys, "train", "srcnn-955-x3", "--from", weights)


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
