"""The recipes: they build for every budget, they train, and the weights of the zoo are what they make."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from imtrans import zoo
from imtrans.data import photos
from imtrans.data.pairs import NoisePairs
from imtrans.degrade import bicubic_down_up
from imtrans.images import modcrop, to_float, to_uint8, write
from imtrans.metrics import luma, psnr
from imtrans.models.dncnn import fold_batch_norm
from imtrans.recipes import BUDGETS, RECIPES, material
from imtrans.training import constant, fit


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three pictures, one of them gray, just large enough for the largest patch."""
    folder = tmp_path_factory.mktemp("pictures")
    random = np.random.default_rng(0)
    for name, channels in (("a", 3), ("b", 3), ("c", 1)):
        coarse = torch.from_numpy(random.random((1, channels, 25, 26), dtype=np.float32))
        write(folder / f"{name}.png", torch.nn.functional.interpolate(coarse, scale_factor=4, mode="bilinear"))
    return folder


@pytest.mark.parametrize("budget", BUDGETS)
@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_builds_for_every_budget(name, budget, folder):
    recipe = RECIPES[name](budget=budget, data=[folder])
    assert recipe.name == name
    assert recipe.budget == budget
    assert recipe.material == (f"{folder.name}: 3 pictures",)
    assert recipe.optimizer
    assert recipe.steps > 0
    network = recipe.model()
    observed, clean = recipe.data(0)[0]
    assert observed.shape[0] == clean.shape[0] == network.channels
    in_use = (recipe.in_use or recipe.model)()
    in_use.load_state_dict(network.state_dict())
    wanted = zoo.ENTRIES[name].build()  # what the zoo will load; a DnCNN in either form
    wanted = fold_batch_norm(wanted) if getattr(network, "batch_norm", True) is False else wanted
    assert in_use.state_dict().keys() == wanted.state_dict().keys()
    # Each parameter is driven by one optimiser and one only.
    driven = [id(p) for optimizer in recipe.optimizers(network) for g in optimizer.param_groups for p in g["params"]]
    assert sorted(driven) == sorted(id(p) for p in network.parameters())
    factors = [recipe.schedule(step, recipe.steps) for step in np.linspace(0, recipe.steps - 1, 9, dtype=int)]
    assert all(0 < factor <= 1 for factor in factors)


@pytest.mark.parametrize("budget", ["quick", "paper"])
@pytest.mark.parametrize("name", RECIPES)
def test_one_step(name, budget, folder):
    recipe = RECIPES[name](budget=budget, data=[folder])
    recipe = replace(recipe, batch=1 if budget == "paper" else 4, steps=1)
    torch.manual_seed(recipe.seed)
    before = dict(recipe.model().named_parameters())
    run = fit(recipe, progress=False, device="cpu")
    assert run.finished
    assert np.isfinite(run.log[0]["loss"])
    after = run.model.state_dict()
    assert all(after[key].isfinite().all() for key in after)
    assert any(not torch.equal(after[key], value) for key, value in before.items())
    clean = zoo.ENTRIES[name].build()
    clean.load_state_dict(after)
    if "dncnn" in name:  # patches as in the paper: 40² for one noise level, 50² for more
        assert recipe.data(0)[0][0].shape[-1] == (40 if name in ("dncnn-15", "dncnn-25", "dncnn-50") else 50)


@pytest.mark.parametrize("name", ["vdsr", "dncnn-25", "dncnn-3"])
def test_the_high_first_rate_of_a_paper(name, folder):
    """SGD at 0.1 on a sum of squares: without its clip the loss is no number after three steps."""
    recipe = replace(RECIPES[name](budget="paper", data=[folder]), batch=2, steps=5, schedule=constant, workers=0)
    assert fit(recipe, progress=False, device="cpu").finished
    with pytest.raises(FloatingPointError):
        fit(replace(recipe, clip=None), progress=False, device="cpu")


@pytest.mark.parametrize("budget", BUDGETS)
def test_denoisers_are_trained_for_what_they_say(budget, folder):
    """Noise of the levels, low resolution of the scales and JPEG of the qualities that the zoo's networks have."""
    for name in (name for name in RECIPES if "dncnn" in name):
        samples, model = RECIPES[name](budget=budget, data=[folder]).data(0), zoo.ENTRIES[name].build()
        lowest, highest = levels = samples.levels if isinstance(samples, NoisePairs) else samples.sigma
        assert model.sigma == (lowest if lowest == highest else levels)
        assert model.scales == getattr(samples, "scales", ())
        assert model.quality == getattr(samples, "quality", None)
        assert samples[0][0].shape[0] == model.channels


@pytest.mark.parametrize("name", RECIPES)
def test_quick_needs_nothing_but_the_clone(name, monkeypatch):
    """Pictures out of packages, in single precision, so that outputs agree between machines."""
    monkeypatch.delenv("IMTRANS_DATA", raising=False)
    recipe = RECIPES[name]()
    assert recipe.budget == "quick"
    assert not recipe.autocast
    assert recipe.material == ("bundled photographs: 5 pictures", "dead leaves: 32 pictures")


def test_another_budget_is_refused():
    for build in RECIPES.values():
        with pytest.raises(ValueError, match="quick, class, full, paper, got 'huge'"):
            build(budget="huge")


def test_folders_take_the_place_of_sets(folder, tmp_path):
    namesake = tmp_path / folder.name
    namesake.mkdir()
    write(namesake / "d.png", torch.rand(1, 3, 99, 99))
    found = material.material(("T91",), [folder, str(namesake)])
    assert found.words == (f"{folder.name}: 3 pictures", f"{folder.name}: 1 pictures")
    assert [p.shape[1] for p in found.pictures] == [3, 3, 1, 3]
    assert [p.shape[1] for p in material.to_luma(found.pictures)] == [1] * 4
    assert [p.shape[1] for p in material.to_rgb(found.pictures)] == [3] * 4
    with pytest.raises(FileNotFoundError, match="no such folder"):
        material.material((), [tmp_path / "nowhere"])


def test_shrunk():
    pictures = [torch.rand(1, 1, 50, 40)]
    found = material.shrunk(pictures, [material.Fraction(1), material.Fraction(3, 5)])
    assert [tuple(p.shape) for p in found] == [(1, 1, 50, 40), (1, 1, 30, 24)]
    assert found[0] is pictures[0]
    assert 0 <= found[1].min() <= found[1].max() <= 1


def test_quick_srcnn_beats_bicubic_on_photographs_it_never_saw():
    """After a seventh of its quick training. The whole of it gains more."""
    recipe = replace(RECIPES["srcnn-x3"](), steps=200)
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
def test_the_zoo_is_what_the_recipes_make(data_root, name):
    """The first five losses of the committed log, from the recipe, its seed and the training sets."""
    card = zoo.card(name)
    recipe = RECIPES[card["recipe"]](budget=card["budget"])
    assert list(recipe.material) == card["data"]
    assert recipe.optimizer == card["optimizer"]
    recipe = replace(recipe, seed=card["seed"], steps=card["planned_steps"], batch=card["batch"])
    losses = []

    def stop_after_five(step, loss):
        losses.append(loss)
        if step == 5:
            raise Enough

    with pytest.raises(Enough):
        fit(recipe, on_step=stop_after_five, progress=False, device="cpu")
    logged = zoo.log(name)[:5]
    assert [entry["step"] for entry in logged] == [1, 2, 3, 4, 5]
    assert losses == pytest.approx([entry["loss"] for entry in logged], rel=1e-3 if recipe.autocast else 1e-5)
