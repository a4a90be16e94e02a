"""The shipped weights, their cards and their logs; what is refused."""

import json
import math

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from imtrans import zoo
from imtrans.assets import save_weights, sha256_file
from imtrans.models.dncnn import DnCNN
from imtrans.models.srcnn import SRCNN
from imtrans.models.vdsr import VDSR
from imtrans.recipes import RECIPES
from imtrans.training import Adam, Recipe, Run, constant


def test_one_network_a_recipe():
    assert list(zoo.MODELS) == list(RECIPES)
    assert set(zoo.names()) == set(zoo.MODELS)


@pytest.mark.parametrize("name", zoo.names())
def test_every_network_has_its_weights(name):
    path = zoo.find(name)
    card = zoo.card(name)
    assert card["name"] == card["model"] == card["recipe"] == name
    assert card["sha256"] == sha256_file(path)
    model = zoo.load(name)
    assert not model.training
    assert sum(p.numel() for p in model.parameters()) == card["parameters"]
    assert all(weight.isfinite().all() for weight in model.state_dict().values())
    with torch.inference_mode():
        x = torch.full((1, model.channels, 24, 24), 0.4)
        y = model(x)
    assert y.mean().item() == pytest.approx(0.4, abs=0.05)  # a flat picture comes out much as it was
    assert card["budget"] in ("full", "class", "paper")
    assert 0 < card["steps"] <= card["planned_steps"]
    for key in ("data", "optimizer", "seconds", "machine", "versions", "scores"):
        assert card[key], key
    assert isinstance(card["seed"], int)
    assert card["initialised_from"] is None or card["initialised_from"] in zoo.MODELS
    for score in card["scores"]:
        assert {"set", "scale", "sigma", "protocol", "psnr", "ssim", "border"} <= score.keys()
        assert 20 < score["psnr"] < 45
        assert 0.4 < score["ssim"] < 1


@pytest.mark.parametrize("name", zoo.names())
def test_every_network_has_its_log(name):
    log, card = zoo.log(name), zoo.card(name)
    steps = [entry["step"] for entry in log]
    assert steps[:5] == [1, 2, 3, 4, 5]
    assert steps == sorted(set(steps))
    assert steps[-1] == card["steps"]
    assert all(math.isfinite(entry["loss"]) and entry["lr"] > 0 for entry in log)
    seconds = [entry["seconds"] for entry in log]
    assert seconds == sorted(seconds)
    assert card["seconds"] >= round(seconds[-1]) - 1
    assert 20 < card["validation"]["psnr"] < 45  # on whole pictures, held out; the log's is on crops of them


def test_weights_are_light():
    files = [path for path in zoo.FOLDER.iterdir() if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 40e6
    strangers = {path.name for path in files if path.stem not in zoo.MODELS and path.suffix != ".py"}
    assert not strangers


# --- a zoo of our own ------------------------------------------------------------------------------------


@pytest.fixture
def run():
    recipe = Recipe(
        name="srcnn-x3",
        model=SRCNN,
        data=lambda seed: [],
        loss=nn.functional.mse_loss,
        optimizer=Adam(),
        steps=7,
        batch=2,
        schedule=constant,
        budget="class",
        sources=("noise: 1 pictures",),
        seed=5,
    )
    log = [
        {"step": 6, "loss": 2.0, "lr": 1.0, "seconds": 1.0},
        {"step": 7, "loss": 1.0, "lr": 1.0, "psnr": 30.5},
    ]
    return Run(recipe, SRCNN(), 7, 12.3, log)


def test_what_is_saved_is_loaded(tmp_path, run):
    path = zoo.save(run, tmp_path, initialised_from="srcnn-x2")
    assert path == tmp_path / "srcnn-x3.safetensors"
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".json", ".jsonl", ".safetensors"]
    loaded = zoo.load(path)
    assert not loaded.training
    for name, weight in run.model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], weight)
        assert torch.equal(load_file(path)[name], weight)
    card = zoo.card(str(path))
    assert card["sha256"] == sha256_file(path)
    assert card["parameters"] == 8_129
    assert (card["steps"], card["planned_steps"], card["batch"], card["seed"]) == (7, 7, 2, 5)
    assert (card["budget"], card["data"], card["initialised_from"]) == (
        "class",
        ["noise: 1 pictures"],
        "srcnn-x2",
    )
    assert card["validation"] == {"psnr": 30.5}
    assert card["versions"]["torch"] == torch.__version__.split("+")[0]
    assert card["machine"]
    assert card["optimizer"] == "Adam 1e-3, constant rate"
    assert zoo.log(path) == run.log


def test_a_damaged_file_is_refused(tmp_path, run):
    path = zoo.save(run, tmp_path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"srcnn-x3\.safetensors has sha256 \w{64}, but \w{64} was wanted"):
        zoo.load(path)


def test_weights_of_another_network_are_refused(tmp_path, run):
    path = zoo.save(run, tmp_path)
    card = zoo.card(path)
    card["sha256"] = save_weights(path, SRCNN(f2=5).state_dict())
    path.with_suffix(".json").write_text(json.dumps(card))
    with pytest.raises(ValueError, match=r"srcnn-x3\.safetensors are those of another network than SRCNN"):
        zoo.load(path)
    for broken in ({**card, "model": "alexnet"}, {k: v for k, v in card.items() if k != "sha256"}, [1, 2]):
        path.with_suffix(".json").write_text(json.dumps(broken))
        with pytest.raises(ValueError, match=r"srcnn-x3\.json"):
            zoo.load(path)
    path.with_suffix(".json").write_text("{ no card")
    with pytest.raises(ValueError, match=r"srcnn-x3\.json"):
        zoo.load(path)


def matched(model: nn.Module, source: nn.Module) -> list[str]:
    """Load what matches; what is said to have stayed has stayed, and all else is the source's."""
    for value in source.state_dict().values():  # statistics of a training, not those of the start
        if value.is_floating_point():
            value.normal_()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    given = {name: value.clone() for name, value in source.state_dict().items()}
    stayed = zoo.load_matching(model, source.state_dict(), "source")
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name] if name in stayed else given[name]), name
    assert all(torch.equal(value, given[name]) for name, value in source.state_dict().items())
    return stayed


def test_what_matches_is_loaded():
    assert matched(DnCNN(depth=5), DnCNN(depth=5)) == []
    # Other channels: the first layer and the last. The bias of the first is one a feature.
    ends = ["layers.0.weight", "layers.11.weight", "layers.11.bias"]
    assert matched(DnCNN(3, depth=5), DnCNN(depth=5)) == ends
    assert matched(DnCNN(depth=5), DnCNN(3, depth=5)) == ends
    # More layers: those after the ones that are there, and where the last one was there is now a hidden one.
    stayed = matched(DnCNN(depth=7), DnCNN(depth=5))
    assert {name.rpartition(".")[0] for name in stayed} == {f"layers.{i}" for i in (11, 12, 14, 15, 17)}
    assert matched(SRCNN(f2=5), SRCNN()) == ["mapping.weight"]


@pytest.mark.parametrize(
    ("model", "source"),
    [
        (DnCNN(depth=5), SRCNN()),
        (VDSR(depth=5), DnCNN(depth=5)),
        (DnCNN(depth=5), VDSR(depth=5)),
        (DnCNN(depth=5, features=8), DnCNN(depth=5)),
        (DnCNN(depth=17), DnCNN(depth=5)),
    ],
)
def test_what_hardly_matches_is_refused(model, source):
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(ValueError, match=f"weights of here are those of another network than {type(model).__name__}"):
        zoo.load_matching(model, source.state_dict(), "here")
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_weights_of_dncnn_with_and_without_batch_normalisation(tmp_path):
    x = torch.rand(1, 1, 8, 8)
    for network in (DnCNN(depth=20).eval(), DnCNN.three(batch_norm=False).eval()):
        run = Run(Recipe("dncnn-3", type(network), None, None, None, 1, 1, None), network, 1, 0.0)
        loaded = zoo.load(zoo.save(run, tmp_path))
        assert loaded.batch_norm == network.batch_norm
        assert (loaded.scales, loaded.quality) == ((2, 3, 4), (5, 99))
        assert torch.equal(loaded(x), network(x))


def test_weights_need_their_card(tmp_path, run):
    path = zoo.save(run, tmp_path)
    path.with_suffix(".json").unlink()
    with pytest.raises(FileNotFoundError, match=r"srcnn-x3\.json .weights need their card"):
        zoo.load(path)
    with pytest.raises(FileNotFoundError, match=r"nothing\.safetensors"):
        zoo.load(tmp_path / "nothing.safetensors")


def test_unknown_names(tmp_path, run, monkeypatch):
    zoo.save(run, tmp_path)
    monkeypatch.setattr(zoo, "FOLDER", tmp_path)
    assert zoo.names() == ["srcnn-x3"]
    with pytest.raises(ValueError, match=r"no network is called 'srcnn3': did you mean srcnn-x3\?"):
        zoo.load("srcnn3")
    with pytest.raises(ValueError, match="no network is called 'qqq': there are srcnn-x3"):
        zoo.load("qqq")
    with pytest.raises(FileNotFoundError, match="vdsr has no trained weights here yet: imtrans train vdsr"):
        zoo.card("vdsr")
    for path in tmp_path.iterdir():
        path.unlink()
    with pytest.raises(ValueError, match="there are none yet"):
        zoo.find("qqq")
