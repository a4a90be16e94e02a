"""The registry, the shipped weights, their cards and their logs; what is refused."""

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file
from torch import nn

from imtrans import images, published, restore, zoo
from imtrans.assets import load_weights, save_weights, sha256_file
from imtrans.metrics import METRICS
from imtrans.models.dncnn import DnCNN
from imtrans.models.srcnn import SRCNN
from imtrans.training import Adam, Recipe, Run, constant

# --- every entry against its name --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One picture in a folder of its own, in place of a training set."""
    folder = tmp_path_factory.mktemp("pictures")
    images.write(folder / "picture.png", torch.rand(1, 3, 120, 120, generator=torch.Generator().manual_seed(0)))
    return folder


def samples(name, folder):
    return zoo.ENTRIES[name].recipe(budget="quick", data=[folder]).data(0)


@pytest.mark.parametrize("name", [name for name in zoo.ENTRIES if re.search(r"-x\d$", name)])
def test_a_network_named_after_a_scale_is_for_that_scale(name, folder):
    scale = int(name[-1])
    assert zoo.ENTRIES[name].build().scales == (scale,)
    assert samples(name, folder).scales == (scale,)


@pytest.mark.parametrize("name", [name for name in zoo.ENTRIES if re.search(r"dncnn-\d\d$", name)])
def test_a_denoiser_named_after_a_noise_level_is_for_that_level(name, folder):
    sigma = int(name[-2:])
    model = zoo.ENTRIES[name].build()
    assert (model.sigma, model.scales, model.quality) == (sigma, (), None)
    assert samples(name, folder).levels == (sigma, sigma)


@pytest.mark.parametrize("name", [name for name in zoo.ENTRIES if "blind" in name])
def test_a_blind_denoiser_is_for_all_levels_to_55(name, folder):
    model = zoo.ENTRIES[name].build()
    assert (model.sigma, model.scales, model.quality) == ((0, 55), (), None)
    assert samples(name, folder).levels == (0, 55)


def test_a_network_named_after_no_scale_is_for_several():
    assert zoo.ENTRIES["vdsr"].build().scales == (2, 3, 4)
    three = zoo.ENTRIES["dncnn-3"].build()
    assert (three.scales, three.sigma, three.quality) == ((2, 3, 4), (0, 55), (5, 99))


@pytest.mark.parametrize("name", [name for name in zoo.ENTRIES if "dncnn" in name])
def test_a_denoiser_is_for_colour_if_its_name_says_so(name, folder):
    channels = 3 if name.startswith("c") else 1
    assert zoo.ENTRIES[name].build().channels == channels
    assert samples(name, folder)[0][0].shape[0] == channels


@pytest.mark.parametrize("name", [name for name in zoo.ENTRIES if name.startswith("srcnn")])
def test_an_srcnn_has_the_kernels_of_its_name(name):
    model = zoo.ENTRIES[name].build()
    kernels = [layer.kernel_size[0] for layer in (model.patch_extraction, model.mapping, model.reconstruction)]
    assert kernels == ([9, 5, 5] if "955" in name else [9, 1, 5])


@pytest.mark.parametrize("name", zoo.ENTRIES)
def test_an_entry_has_the_recipe_of_its_name(name, folder):
    assert zoo.ENTRIES[name].recipe(budget="quick", data=[folder]).name == name


def test_no_name_stands_in_both_tables_of_the_registry():
    assert not zoo.RESTORERS.keys() & zoo.OTHERS.keys()


@pytest.mark.parametrize("name", zoo.OTHERS)
def test_a_network_that_restores_nothing_has_a_measure_of_its_own(name):
    assert zoo.OTHERS[name].validator is not None
    assert zoo.OTHERS[name].measure not in METRICS


@pytest.mark.parametrize("name", zoo.RESTORERS)
def test_an_entry_names_its_paper(name):
    entry = zoo.ENTRIES[name]
    assert re.fullmatch(rf"(c?{entry.paper}|{'mdsr' if entry.paper == 'edsr' else entry.paper})(-.*)?", name)
    assert entry.paper in published.papers()
    # CDnCNN-B has no numbers in the paper's tables.
    named = entry.model_in_paper is None or name == "cdncnn-blind"
    assert named or published.rows(entry.paper, model=entry.model_in_paper)


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("srcnn-x3", "SRCNN"),
        ("srcnn-955-x3", "SRCNN 9-5-5"),
        ("dncnn-15", "DnCNN-S"),
        ("dncnn-blind", "DnCNN-B"),
        ("cdncnn-blind", "CDnCNN-B"),
        ("dncnn-3", "DnCNN-3"),
        ("edsr-baseline-x2", "EDSR baseline"),
        ("mdsr-baseline", "MDSR baseline"),
    ],
)
def test_a_variant_is_the_one_of_the_paper(name, model):
    assert zoo.ENTRIES[name].model_in_paper == model


def test_the_registry_follows_the_lectures():
    playlist = yaml.safe_load((Path(__file__).parents[1] / "book" / "playlist.yml").read_text(encoding="utf-8"))
    order = [lecture["slug"] for lecture in playlist["lectures"]]
    for table in (zoo.RESTORERS, zoo.OTHERS):
        papers = [entry.paper for entry in table.values()]
        assert papers == sorted(papers, key=order.index)


# --- which network for which noise -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sigma", "channels", "name"),
    [
        (None, 1, "dncnn-blind"),
        (None, 3, "cdncnn-blind"),
        (15, 1, "dncnn-15"),
        (25.0, 1, "dncnn-25"),
        (50, 1, "dncnn-50"),
        (25, 3, "cdncnn-blind"),
        (30, 1, "dncnn-blind"),
        (3, 1, "dncnn-blind"),  # dncnn-3 is for three tasks
        (70, 1, "dncnn-blind"),
        (55.5, 3, "cdncnn-blind"),
    ],
)
def test_a_noise_level_chooses_its_denoiser(sigma, channels, name):
    assert zoo.denoiser_for(sigma, channels) == name


@pytest.mark.parametrize(("sigma", "name"), [(None, "dncnn-blind"), (25, "dncnn-25"), (30, "dncnn-blind")])
def test_colour_is_denoised_by_channels_where_no_network_for_colour_is_trained(monkeypatch, sigma, name):
    monkeypatch.setattr(zoo, "names", lambda: [name for name in zoo.ENTRIES if name != "cdncnn-blind"])
    assert zoo.denoiser_for(sigma, 3) == name


def test_a_denoiser_is_named_before_any_is_trained(monkeypatch):
    monkeypatch.setattr(zoo, "names", list)
    assert zoo.denoiser_for(25, 3) == "dncnn-25"


@pytest.mark.parametrize("sigma", [0, -5, math.inf, math.nan])
def test_a_noise_level_that_is_not_above_0_is_refused(sigma):
    with pytest.raises(ValueError, match="must be above 0, got"):
        zoo.denoiser_for(sigma, 1)


# --- the shipped weights -----------------------------------------------------------------------------------


CARD_KEYS = (
    *("name", "paper", "model_in_paper", "recipe_version", "budget", "parameters", "data", "optimizer", "steps"),
    *("planned_steps", "batch", "seconds", "machine", "versions", "seed", "initialised_from", "validation", "scores"),
    *("bits", "half_costs", "gain", "sha256"),
)


@pytest.mark.parametrize("name", zoo.names())
def test_weights_are_those_of_their_card(name):
    path, card = zoo.find(name), zoo.card(name)
    assert card["sha256"] == sha256_file(path)
    model = zoo.load(name)
    assert not model.training
    assert sum(p.numel() for p in model.parameters()) == card["parameters"]
    assert all(weight.isfinite().all() for weight in model.state_dict().values())


@pytest.mark.parametrize("name", [name for name in zoo.names() if name in zoo.RESTORERS])
def test_a_trained_network_leaves_a_flat_picture_flat(name):
    model = zoo.load(name)
    with torch.inference_mode():
        y = model(torch.full((1, model.channels, 24, 24), 0.4))
    assert y.mean().item() == pytest.approx(0.4, abs=0.05)


@pytest.mark.parametrize("name", zoo.names())
def test_a_card_tells_how_its_weights_were_made(name):
    card, entry = zoo.card(name), zoo.ENTRIES[name]
    assert set(card) - set(CARD_KEYS) <= {"note", "measured", "sampler"}
    assert set(CARD_KEYS) - set(card) <= {"bits", "half_costs", "gain"}  # which early cards do not have
    assert (card["name"], card["paper"], card["model_in_paper"]) == (name, entry.paper, entry.model_in_paper)
    assert card["recipe_version"] >= 1
    assert card["budget"] in ("full", "class", "paper")
    assert 0 < card["steps"] <= card["planned_steps"]
    for key in ("data", "optimizer", "seconds", "machine", "versions"):
        assert card[key], key
    assert bool(card["scores"]) == (name in zoo.RESTORERS)
    assert card.get("bits", 32) == min(8 * w.element_size() for w in load_weights(zoo.find(name)).values() if w.ndim)
    assert isinstance(card["seed"], int)
    assert card["initialised_from"] is None or card["initialised_from"] in zoo.ENTRIES


@pytest.mark.parametrize("name", zoo.names())
def test_scores_of_a_card_name_set_degradation_and_protocol(name):
    for score in zoo.card(name)["scores"]:
        assert {"set", "degradation", "protocol", "psnr", "ssim", "border"} <= score.keys()
        assert 20 < score["psnr"] < 45
        assert 0.4 < score["ssim"] < 1


@pytest.mark.parametrize("name", zoo.names())
def test_a_log_ends_with_the_training(name):
    log, card, entry = zoo.log(name), zoo.card(name), zoo.entry(name)
    steps = [line["step"] for line in log]
    assert steps[:5] == [1, 2, 3, 4, 5]
    assert steps == sorted(set(steps))
    assert steps[-1] == card["steps"]
    assert all(math.isfinite(line["loss"]) and line["lr"] > 0 for line in log)
    seconds = [line["seconds"] for line in log]
    assert seconds == sorted(seconds)
    assert card["seconds"] >= round(seconds[-1]) - 1
    value = card["validation"][entry.measure]  # on whole pictures, held out; the log's is on crops of them
    assert 20 < value < 45 if name in zoo.RESTORERS else value > 0


def saw_the_woman() -> list[str]:
    """Networks scored on Set5 whose recipe, of version 1, had all of BSD200: one picture there is the woman of Set5."""
    cards = {name: zoo.card(name) for name in zoo.names()}
    scored = [name for name, card in cards.items() if any(score["set"] == "Set5" for score in card["scores"])]
    return [name for name in scored if "BSD200: 200 pictures" in cards[name]["data"]]


@pytest.mark.parametrize("name", saw_the_woman())
def test_a_card_says_when_a_picture_of_set5_was_among_the_training_pictures(name):
    assert "the woman" in zoo.card(name)["note"]


@pytest.mark.parametrize("name", [name for name in zoo.names() if name in zoo.RESTORERS])
def test_a_card_names_a_gap_to_the_paper(name):
    card = zoo.card(name)
    if card["model_in_paper"] is None:
        return
    for score in card["scores"]:
        same = {key: score.get(key) for key in ("set", "scale", "sigma", "quality", "protocol")}
        for row in published.rows(card["paper"], model=card["model_in_paper"], **same):
            if row["psnr"] is not None and score["psnr"] < row["psnr"] - 0.1:
                assert "below its paper" in card.get("note", ""), same


def test_weights_are_light():
    files = [path for path in zoo.FOLDER.iterdir() if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 40e6


@pytest.mark.parametrize(
    ("task", "megabytes"), [("super-resolution", 16.5), ("denoising", 7.5), ("style and features", 8)]
)
def test_no_task_takes_more_than_its_share_of_the_package(task, megabytes):
    def of(name: str) -> str:
        if name in zoo.RESTORERS:
            kinds = restore.tasks(zoo.entry(name).build())
            return "denoising" if "denoising" in kinds else "super-resolution"
        return "colorization" if name.startswith("colorizer") else "style and features"

    names = [name for name in zoo.names() if of(name) == task]
    assert sum(zoo.find(name).stat().st_size for name in names) <= megabytes * 1e6


def test_the_zoo_holds_no_files_of_other_networks():
    files = [path for path in zoo.FOLDER.iterdir() if path.is_file() and path.suffix != ".py"]
    assert not {path.name for path in files if path.stem not in zoo.ENTRIES}


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


def test_a_saved_run_is_loaded(tmp_path, run):
    path = zoo.save(run, tmp_path, initialised_from="srcnn-x2")
    assert path == tmp_path / "srcnn-x3.safetensors"
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".json", ".jsonl", ".safetensors"]
    loaded = zoo.load(path)
    assert not loaded.training
    for name, weight in run.model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], weight)
        assert torch.equal(load_file(path)[name], weight)
    card = zoo.card(str(path))
    assert tuple(card) == CARD_KEYS
    assert (card["paper"], card["model_in_paper"], card["recipe_version"]) == ("srcnn", "SRCNN", 1)
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


def test_a_card_says_if_a_gpu_made_the_samples(tmp_path, run):
    path = zoo.save(replace(run, device="cpu", sampler="device"), tmp_path)
    assert zoo.card(path)["sampler"] == "device"


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


@pytest.mark.parametrize(
    "content", ['{"name": "alexnet", "sha256": "0"}', '{"name": "srcnn-x3"}', "[1, 2]", "{ no card"]
)
def test_a_file_that_is_not_a_card_is_refused(tmp_path, run, content):
    path = zoo.save(run, tmp_path)
    path.with_suffix(".json").write_text(content)
    with pytest.raises(ValueError, match=r"srcnn-x3\.json"):
        zoo.load(path)


def test_a_run_of_no_registered_network_is_not_saved(tmp_path, run):
    run.recipe = replace(run.recipe, name="srcnn-x33")
    with pytest.raises(ValueError, match="no network is called 'srcnn-x33': did you mean srcnn-x3"):
        zoo.save(run, tmp_path)


def test_a_dncnn_is_loaded_in_the_form_of_its_weights(tmp_path):
    x = torch.rand(1, 1, 8, 8)
    for network in (DnCNN(depth=20).eval(), DnCNN.for_three_tasks(batch_norm=False).eval()):
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


def test_an_unknown_name_is_met_with_suggestions(tmp_path, run, monkeypatch):
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
