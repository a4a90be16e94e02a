"""The recipes: they build for every budget, they train, and the weights of the zoo are what they make."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from imtrans import hardware, zoo
from imtrans.data import benchmarks, photos, styles
from imtrans.data.pairs import NoisePairs
from imtrans.degrade import bicubic_down_up
from imtrans.images import modcrop, to_float, to_uint8, write
from imtrans.metrics import luma, psnr
from imtrans.models import features
from imtrans.models.dncnn import fold_batch_norm
from imtrans.recipes import BUDGETS, colorization, dncnn, srcnn
from imtrans.recipes.loss_network import LossNetwork
from imtrans.recipes.pictures import TrainingSet, training_pictures
from imtrans.training import Adam, Recipe, constant, fit

RECIPES = {name: entry.recipe for name, entry in zoo.RESTORERS.items()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three pictures, one of them gray, just large enough for the largest patch."""
    folder = tmp_path_factory.mktemp("pictures")
    random = np.random.default_rng(0)
    for name, channels in (("a", 3), ("b", 3), ("c", 1)):
        coarse = torch.from_numpy(random.random((1, channels, 50, 51), dtype=np.float32))
        write(folder / f"{name}.png", torch.nn.functional.interpolate(coarse, scale_factor=4, mode="bilinear"))
    return folder


@pytest.mark.parametrize("budget", BUDGETS)
@pytest.mark.parametrize("name", zoo.RESTORERS)
def test_every_recipe_builds_for_every_budget(name, budget, folder):
    recipe = zoo.RESTORERS[name].recipe(budget, data=[folder])
    assert recipe.name == name
    assert recipe.budget == budget
    assert recipe.sources == (f"{folder.name}: 3 pictures",)
    assert recipe.steps > 0
    network = recipe.model()
    observed, clean = recipe.data(0)[0]
    assert observed.shape[0] == clean.shape[0] == network.channels
    deployed = (recipe.deployed or recipe.model)()
    deployed.load_state_dict(network.state_dict())
    wanted = zoo.RESTORERS[name].build()  # what the zoo will load; a DnCNN in either form
    wanted = fold_batch_norm(wanted) if getattr(network, "batch_norm", True) is False else wanted
    assert deployed.state_dict().keys() == wanted.state_dict().keys()
    # Each parameter is driven by one optimiser and one only.
    driven = [
        id(p) for optimizer in recipe.optimizer.build(network) for g in optimizer.param_groups for p in g["params"]
    ]
    assert sorted(driven) == sorted(id(p) for p in network.parameters())
    factors = [recipe.schedule(step, recipe.steps) for step in np.linspace(0, recipe.steps - 1, 9, dtype=int)]
    assert all(0 < factor <= 1 for factor in factors)


@pytest.fixture
def no_data(monkeypatch, tmp_path):
    """A machine without picture sets, and noise in place of the drawings, which take their time."""
    monkeypatch.delenv("IMTRANS_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(styles, "STYLES", {"noise": lambda size=256, seed=0: torch.rand(1, 3, size, size)})


@pytest.mark.parametrize("budget", BUDGETS)
@pytest.mark.parametrize("name", zoo.OTHERS)
def test_a_training_of_any_budget_ends_in_weights_that_the_registry_loads(name, budget, folder, monkeypatch, no_data):
    recipe = zoo.OTHERS[name].recipe(budget, data=[folder])
    monkeypatch.setattr(colorization, "prior_of", lambda pictures: torch.full((313,), 1 / 313))
    network = recipe.model()
    shapes, wanted = (
        {key: value.shape for key, value in built.state_dict().items()}
        for built in ((recipe.deployed or (lambda: network))(), zoo.OTHERS[name].build())
    )
    assert shapes == wanted
    zoo.OTHERS[name].build().load_state_dict(network.state_dict())


class Seen(Exception):
    """The device of an input."""


class Probe(torch.nn.Module):
    """A network on another device, which reports the device of what it is given."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1, device="meta"))

    def forward(self, x):
        raise Seen(x.device.type)

    encode = forward


@pytest.mark.parametrize("name", zoo.OTHERS)
def test_a_validator_brings_its_pictures_to_the_device_of_the_network(name, no_data):
    with pytest.raises(Seen, match="meta"):
        zoo.OTHERS[name].validator()(Probe())


def test_a_loss_network_moves_to_the_device_of_the_pictures(monkeypatch):
    monkeypatch.setattr(features, "load", lambda taps, trunk: features.VGG(taps, width=1 / 16))
    monkeypatch.setattr(hardware, "autocast_dtype", lambda device: None)
    network = LossNetwork(["relu1_1", "relu2_1"])
    for device in ("cpu", "meta"):
        found = network(torch.rand(1, 3, 16, 16, device=device))
        assert list(found) == ["relu1_1", "relu2_1"]
        assert {x.device.type for x in found.values()} == {device}


@pytest.mark.parametrize("autocast", [True, False])
def test_a_loss_network_computes_in_fp16_only_where_the_loss_is_scaled(monkeypatch, autocast):
    class Watched(torch.nn.Module):
        def forward(self, picture):
            low.append(torch.is_autocast_enabled("cpu"))
            return {"relu1_1": picture}

    low, network = [], LossNetwork(["relu1_1"])
    monkeypatch.setattr(features, "load", lambda taps, trunk: Watched())
    monkeypatch.setattr(hardware, "autocast_dtype", lambda device: torch.float16)
    recipe = Recipe(
        name="scale",
        model=lambda: torch.nn.BatchNorm2d(3),
        data=lambda seed: [tuple(torch.rand(2, 3, 4, 4))] * 4,
        loss=lambda prediction, clean: (network(prediction)["relu1_1"] - clean).square().mean(),
        optimizer=Adam(),
        steps=1,
        batch=4,
        schedule=constant,
        autocast=autocast,
    )
    fit(recipe, progress=False, device="cpu")
    assert low == [autocast]


@pytest.mark.parametrize("budget", ["quick", "paper"])
@pytest.mark.parametrize("name", zoo.RESTORERS)
def test_every_recipe_trains_for_one_step(name, budget, folder):
    recipe = zoo.RESTORERS[name].recipe(budget, data=[folder])
    recipe = replace(recipe, batch=1 if budget == "paper" else 4, steps=1)
    torch.manual_seed(recipe.seed)
    before = dict(recipe.model().named_parameters())
    run = fit(recipe, progress=False, device="cpu")
    assert run.finished
    assert np.isfinite(run.log[0]["loss"])
    after = run.model.state_dict()
    assert all(after[key].isfinite().all() for key in after)
    assert any(not torch.equal(after[key], value) for key, value in before.items())
    clean = zoo.RESTORERS[name].build()
    clean.load_state_dict(after)
    if "dncnn" in name:  # patches as in the paper: 40² for one noise level, 50² for more
        assert recipe.data(0)[0][0].shape[-1] == (40 if name in ("dncnn-15", "dncnn-25", "dncnn-50") else 50)


@pytest.mark.parametrize("name", ["vdsr", "dncnn-25", "dncnn-3"])
def test_the_first_rate_of_a_paper_needs_its_clip(name, folder):
    """SGD at 0.1 on a sum of squares: without its clip the loss is not finite after three steps."""
    recipe = replace(zoo.RESTORERS[name].recipe("paper", data=[folder]), batch=2, steps=5, schedule=constant, workers=0)
    assert fit(recipe, progress=False, device="cpu").finished
    with pytest.raises(FloatingPointError):
        fit(replace(recipe, clip=None), progress=False, device="cpu")


@pytest.mark.parametrize("budget", BUDGETS)
def test_denoisers_are_trained_for_what_they_say(budget, folder):
    """Noise of the levels, low resolution of the scales and JPEG of the qualities that the zoo's networks have."""
    for name in (name for name in zoo.RESTORERS if "dncnn" in name):
        samples, model = zoo.RESTORERS[name].recipe(budget, data=[folder]).data(0), zoo.RESTORERS[name].build()
        lowest, highest = levels = samples.levels if isinstance(samples, NoisePairs) else samples.sigma
        assert model.sigma == (lowest if lowest == highest else levels)
        assert model.scales == getattr(samples, "scales", ())
        assert model.quality == getattr(samples, "quality", None)
        assert samples[0][0].shape[0] == model.channels


@pytest.mark.parametrize("name", zoo.RESTORERS)
def test_quick_needs_nothing_but_the_clone(name, monkeypatch):
    """Pictures out of packages, in single precision, so that outputs agree between machines."""
    monkeypatch.delenv("IMTRANS_DATA", raising=False)
    recipe = zoo.RESTORERS[name].recipe()
    assert recipe.budget == "quick"
    assert not recipe.autocast
    assert recipe.sources == ("bundled photographs: 5 pictures", "dead leaves: 32 pictures")


def test_a_budget_by_its_name_is_the_function_of_that_budget(folder):
    functions = {"quick": dncnn.quick, "class": dncnn.classroom, "full": dncnn.full, "paper": dncnn.paper}
    for budget, function in functions.items():
        by_name, direct = dncnn.recipe(budget, sigma=30, data=[folder]), function(30, data=[folder])
        assert (by_name.name, by_name.budget, by_name.steps) == ("dncnn-30", budget, direct.steps)


def test_quick_is_the_default_budget():
    assert dncnn.recipe(sigma=30).budget == "quick"


def test_srcnn_can_be_made_narrower(folder):
    recipe = srcnn.recipe("quick", scale=2, n1=8, n2=4, data=[folder])
    assert recipe.model().mapping.weight.shape == recipe.deployed().mapping.weight.shape == (4, 8, 1, 1)


def test_an_unknown_budget_is_refused():
    for entry in zoo.RESTORERS.values():
        with pytest.raises(ValueError, match="quick, class, full, paper, got 'huge'"):
            entry.recipe("huge")


def test_folders_replace_the_sets_of_a_recipe(folder, tmp_path):
    namesake = tmp_path / folder.name
    namesake.mkdir()
    write(namesake / "d.png", torch.rand(1, 3, 99, 99))
    found = training_pictures(("T91",), [folder, str(namesake)])
    assert found.sources == (f"{folder.name}: 3 pictures", f"{folder.name}: 1 pictures")
    assert [p.shape[1] for p in found.pictures] == [3, 3, 1, 3]
    with pytest.raises(FileNotFoundError, match="no such folder"):
        training_pictures((), [tmp_path / "nowhere"])


def test_one_folder_may_be_given_by_its_name_alone(folder):
    assert training_pictures(folders=str(folder)).sources == (f"{folder.name}: 3 pictures",)


def test_a_training_set_is_converted_to_luma_and_to_rgb(folder):
    found = training_pictures(folders=[folder])
    assert [p.shape[1] for p in found.luma().pictures] == [1, 1, 1]
    assert [p.shape[1] for p in found.rgb().pictures] == [3, 3, 3]
    assert torch.equal(found.luma().pictures[2], found.pictures[2])
    assert found.luma().sources == found.rgb().sources == found.sources


def test_a_training_set_is_resized_by_each_factor():
    found = TrainingSet([torch.rand(1, 1, 50, 40)], ("one",))
    resized = found.resized([Fraction(1), Fraction(3, 5)])
    assert [tuple(p.shape) for p in resized.pictures] == [(1, 1, 50, 40), (1, 1, 30, 24)]
    assert resized.pictures[0] is found.pictures[0]
    assert 0 <= resized.pictures[1].min() <= resized.pictures[1].max() <= 1


def test_quick_srcnn_beats_bicubic_on_photographs_it_never_saw():
    """After a seventh of its quick training. The whole of it gains more."""
    recipe = replace(zoo.RESTORERS["srcnn-x3"].recipe(), steps=200)
    run = fit(recipe, progress=False, device="cpu")
    for name, least in (("chelsea", 0.15), ("astronaut", 0.3)):
        clean = modcrop(luma(photos.photo(name).picture, rounded=True), 3)
        bicubic = bicubic_down_up(clean, 3)
        with torch.inference_mode():
            restored = run.model(bicubic)
        scores = [psnr(to_float(to_uint8(picture)), clean, border=3).item() for picture in (bicubic, restored)]
        assert scores[1] > scores[0] + least, name


def from_scratch() -> list[str]:
    return [name for name in zoo.names() if zoo.card(name)["initialised_from"] is None]


class Enough(Exception):
    """Five steps are done."""


@pytest.mark.parametrize("name", from_scratch())
def test_the_zoo_is_what_the_recipes_make(data_root, monkeypatch, name):
    """The first five losses of the committed log, from the recipe, its seed and the training sets."""
    card = zoo.card(name)
    if "BSD200: 200 pictures" in card["data"]:
        monkeypatch.setattr(benchmarks, "TEST_PICTURES", {})  # nobody knew yet that BSD200 has one of Set5
    device = "cpu" if card.get("sampler", "host").startswith("host") else None
    if device is None and not torch.cuda.is_available():
        pytest.skip("a GPU made the samples of this training, and no other device makes them again")
    recipe = zoo.entry(name).recipe(budget=card["budget"])
    assert list(recipe.sources) == card["data"]
    assert recipe.optimization == card["optimizer"]
    recipe = replace(recipe, seed=card["seed"], steps=card["planned_steps"], batch=card["batch"])
    losses = []

    def stop_after_five(step, loss):
        losses.append(loss)
        if step == 5:
            raise Enough

    try:
        fit(recipe, on_step=stop_after_five, progress=False, device=device)
    except Enough:
        pass
    except FileNotFoundError as error:
        pytest.skip(str(error))  # a teacher that is not on this machine
    logged = zoo.log(name)[:5]
    assert [entry["step"] for entry in logged] == [1, 2, 3, 4, 5]
    # The regression of colours, whose loss is in the hundreds, drifts by 3e-3 within four steps of bf16.
    rel = {"colorizer-l2": 1e-2}.get(name, 1e-3) if recipe.autocast else 1e-5
    assert losses == pytest.approx([entry["loss"] for entry in logged], rel=rel)
