"""A training on disk: its options, where it continues, what it starts from, what is published, what is damaged."""

import json
from dataclasses import replace

import pytest
import torch

from imtrans import assets, images, runs, suite, zoo
from imtrans.data import photos
from imtrans.metrics import METRICS
from imtrans.models.dncnn import DnCNN
from imtrans.models.srcnn import SRCNN
from imtrans.models.vdsr import VDSR
from imtrans.runs import Options, Training, publish


@pytest.fixture
def folder(tmp_path):
    """A folder with one photograph, to train on."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    images.write(folder / "cat.png", photos.photo("chelsea").picture[..., :120, :120])
    return str(folder)


@pytest.fixture
def training(runs_dir):
    return Training("srcnn-x3")


@pytest.fixture
def three(folder):
    """Three steps on the photograph."""
    return Options(steps=3, data=(folder,))


@pytest.fixture
def fits(monkeypatch):
    """What `fit` is called with; it is interrupted before its first step."""
    calls = []

    def interrupted(recipe, **options):
        calls.append((recipe, options))
        raise KeyboardInterrupt

    monkeypatch.setattr(runs, "fit", interrupted)
    return calls


def start(training, options, calls):
    """The recipe that a training begins with, and its first weights."""
    with pytest.raises(KeyboardInterrupt):
        training.run(options)
    recipe, given = calls[-1]
    return recipe, given["initial"]


# --- options ---------------------------------------------------------------------------------------------


def test_options_come_back_from_disk(tmp_path):
    options = Options(steps=7, seed=0, rate_factor=0.5, data=("a", "b"), start="vdsr")
    options.write(tmp_path / "options.json")
    assert Options.read(tmp_path / "options.json") == options


def test_options_of_earlier_runs_are_read(tmp_path):
    (tmp_path / "options.json").write_text('{"steps": 3000, "rate": null, "seed": 3, "data": [], "from": "vdsr"}')
    assert Options.read(tmp_path / "options.json") == Options(steps=3000, seed=3, start="vdsr")


def test_options_that_are_not_set_are_those_of_the_start():
    earlier = Options(steps=7, seed=1, rate_factor=0.5, data=("a",), start="vdsr")
    assert Options().completed(earlier) == earlier
    assert Options(seed=0, data=("b",)).completed(earlier) == Options(7, 0, 0.5, ("b",), "vdsr")


@pytest.mark.parametrize("content", ["", "{", "[]", "3", '{"steps": 3}'])
def test_damaged_options_are_named(training, content):
    training.folder.mkdir(parents=True)
    (training.folder / "options.json").write_text(content)
    with pytest.raises(ValueError, match=r"srcnn-x3-quick.options\.json is damaged: remove it, and repeat the options"):
        training.run(resume=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (Options(steps=0), "at least 1 step, got 0"),
        (Options(rate_factor=0), "above 0, got 0"),
        (Options(start="nowhere"), "no network is called 'nowhere'"),
    ],
)
def test_options_that_make_no_sense_leave_nothing_behind(training, folder, options, message):
    with pytest.raises(ValueError, match=message):
        training.run(options.completed(Options(data=(folder,))))
    assert not training.folder.exists()


def test_a_rate_factor_scales_the_schedule(training, folder, fits):
    recipe, _ = start(training, Options(rate_factor=0.5, data=(folder,)), fits)
    plain = zoo.ENTRIES["srcnn-x3"].recipe(budget="quick", data=[folder])
    for step in (0, 100, 1499):
        assert recipe.schedule(step, 1500) == pytest.approx(plain.schedule(step, 1500) / 2)


# --- resume ----------------------------------------------------------------------------------------------


def test_a_stopped_training_continues_with_the_options_of_its_start(training, three):
    assert training.run(three, seconds=0, device="cpu").step == 1
    assert not training.finished()
    run = training.run(resume=True, device="cpu")
    assert (run.step, run.recipe.steps, run.finished) == (3, 3, True)
    card = zoo.card(training.weights)
    assert card["steps"] == card["planned_steps"] == 3
    assert card["data"] == ["photographs: 1 pictures"]


def test_a_training_is_not_started_over_by_accident(training, three):
    training.run(three, seconds=0, device="cpu")
    with pytest.raises(ValueError, match="holds a training at step 1: resume it"):
        training.run(three, device="cpu")


def test_a_finished_training_is_that_of_its_length_and_seed(training, three):
    training.run(three, device="cpu")
    assert training.finished()
    assert training.finished(Options(steps=3, seed=0))
    assert not training.finished(Options(steps=4))
    assert not training.finished(Options(seed=7))


@pytest.mark.parametrize("other", [Options(steps=4), Options(seed=7)])
def test_a_checkpoint_of_other_options_is_refused(training, three, other):
    training.run(three, device="cpu")
    with pytest.raises(ValueError, match="holds another training, move it away"):
        training.run(other, resume=True, device="cpu")


@pytest.mark.parametrize("other", [Options(rate_factor=0.5), Options(data=("elsewhere",))])
def test_a_training_keeps_its_rate_and_its_pictures(training, three, other):
    training.run(three, seconds=0, device="cpu")
    with pytest.raises(ValueError, match="holds a training with another rate or other pictures, move it away"):
        training.run(other, resume=True, device="cpu")


@pytest.mark.parametrize(
    "damage", [lambda whole: b"", lambda whole: b"no checkpoint", lambda whole: whole[: len(whole) // 2]]
)
def test_a_damaged_checkpoint_is_named(training, three, damage):
    training.run(three, seconds=0, device="cpu")
    training.checkpoint.write_bytes(damage(training.checkpoint.read_bytes()))
    with pytest.raises(ValueError, match=r"srcnn-x3-quick.checkpoint\.pt is damaged: remove it") as error:
        training.run(resume=True, device="cpu")
    assert "\n" not in str(error.value)


# --- starting from weights -------------------------------------------------------------------------------


def test_a_start_is_kept_on_disk_and_on_the_card(runs_dir, three, save_network):
    training = Training("srcnn-x4")
    weights = save_network("srcnn-x3", SRCNN())
    training.run(Options(start=str(weights)).completed(three), resume=True, device="cpu")
    assert zoo.card(training.weights)["initialised_from"] == "srcnn-x3"
    assert training.options().start == str(weights)


def test_a_training_without_a_checkpoint_takes_the_start_that_is_given_now(training, folder, fits):
    """It was stopped before its first checkpoint."""
    start(training, Options(start="srcnn-x2", seed=1, data=(folder,)), fits)
    assert training.options(Options(start="srcnn-x4")).start == "srcnn-x4"
    assert training.options() == Options(start="srcnn-x2", seed=1, data=(folder,))


def test_a_training_with_a_checkpoint_keeps_its_start(training, three):
    training.run(three, seconds=0, device="cpu")
    assert training.options(Options(start="srcnn-x4")).start is None


@pytest.mark.parametrize("seed", [0, 3])
def test_layers_that_do_not_fit_start_at_random_by_the_seed(runs_dir, folder, fits, save_network, seed):
    source = DnCNN(depth=20)
    weights = save_network("dncnn-blind", source)
    recipe, initial = start(Training("cdncnn-blind"), Options(seed=seed, data=(folder,), start=str(weights)), fits)
    assert recipe.seed == seed
    torch.manual_seed(seed)
    wanted = DnCNN(3, depth=20).state_dict()
    wanted |= {key: value for key, value in source.state_dict().items() if value.shape == initial[key].shape}
    assert all(torch.equal(value, wanted[key]) for key, value in initial.items())


def test_layers_that_start_at_random_are_reported(runs_dir, folder, fits, save_network):
    weights = save_network("dncnn-blind", DnCNN(depth=20))
    options = Options(data=(folder,), start=str(weights))
    said = []
    for name in ("cdncnn-blind", "dncnn-3"):  # of dncnn-3 all fits
        with pytest.raises(KeyboardInterrupt):
            Training(name).run(options, report=said.append)
    assert said == [f"cdncnn-blind: layers.0, layers.56 start at random: {weights} has no such layers"]


@pytest.mark.parametrize("source", [VDSR(), DnCNN(depth=20), DnCNN(depth=20, batch_norm=False)])
def test_a_training_in_the_folded_form_starts_with_the_function_of_its_source(
    runs_dir, folder, fits, save_network, source
):
    weights = save_network("vdsr" if isinstance(source, VDSR) else "dncnn-blind", source)
    recipe, initial = start(Training("dncnn-3", "full"), Options(data=(folder,), start=str(weights)), fits)
    model, x = recipe.model(), torch.rand(1, 1, 24, 24)
    model.load_state_dict(initial)
    assert not model.batch_norm
    torch.testing.assert_close(model.eval()(x), source.eval()(x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "source", "weights", "message"),
    [
        ("dncnn-3", "vdsr", VDSR(), "the source is without batch normalisation"),
        ("vdsr", "dncnn-3", DnCNN.for_three_tasks(batch_norm=False), "the source predicts the noise"),
        ("vdsr", "srcnn-x3", SRCNN(), "its weights are those of another network than VDSR"),
    ],
)
def test_weights_that_cannot_start_a_training_leave_nothing_behind(
    runs_dir, folder, save_network, name, source, weights, message
):
    path = save_network(source, weights)
    with pytest.raises(ValueError, match=f"^{name} cannot start from .*{path.name}: {message}"):
        Training(name).run(Options(data=(folder,), start=str(path)))
    assert not runs_dir.exists()


# --- publish ---------------------------------------------------------------------------------------------


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """An empty zoo."""
    shelf = tmp_path / "zoo"
    shelf.mkdir()
    monkeypatch.setattr(zoo, "FOLDER", shelf)
    return shelf


@pytest.fixture
def value(monkeypatch):
    """What the validation of a network gives: the bias of its last layer."""
    validate = lambda model: {"psnr": 30 + model.reconstruction.bias.item()}  # noqa: E731
    monkeypatch.setattr(suite, "validator", lambda degradations, metric: validate)
    monkeypatch.setattr(suite, "card_scores", lambda network, name, progress: [{"set": "made", "psnr": 1.0}])


def finish(training, save_network, value):
    """A finished run whose weights have this value."""
    model = SRCNN()
    torch.nn.init.constant_(model.reconstruction.bias, value)
    training.folder.mkdir(parents=True, exist_ok=True)
    save_network(training.name, model, training.folder)


def test_a_run_without_weights_is_not_published(training, shelf):
    with pytest.raises(FileNotFoundError, match="holds no weights: imtrans train srcnn-x3 --budget quick"):
        publish(training)


def test_first_weights_are_published(training, shelf, value, save_network):
    finish(training, save_network, 0)
    published = publish(training)
    assert (published.taken, published.value, published.gain) == (True, 30, None)
    assert zoo.names() == ["srcnn-x3"]
    assert zoo.load("srcnn-x3").scales == (3,)


def test_a_published_card_has_validation_scores_and_note(training, shelf, value, save_network):
    finish(training, save_network, 0)
    published = publish(training, note="too bright")
    card = zoo.card("srcnn-x3")
    assert card["validation"] == {"psnr": 30}
    assert card["scores"] == list(published.scores) == [{"set": "made", "psnr": 1.0}]
    assert card["note"] == "too bright"


@pytest.mark.parametrize(("gain", "taken"), [(-0.01, False), (0.04, False), (0.06, True)])
def test_shipped_weights_are_replaced_by_a_gain(training, shelf, value, save_network, gain, taken):
    finish(training, save_network, 0)
    publish(training)
    before = zoo.card("srcnn-x3")
    finish(training, save_network, gain)
    published = publish(training)
    assert published.taken == taken
    assert published.gain == pytest.approx(gain, abs=1e-5)
    assert zoo.card("srcnn-x3")["gain"] == (pytest.approx(gain, abs=1e-4) if taken else None)
    assert (zoo.card("srcnn-x3") == before) == (not taken)


@pytest.mark.parametrize(("bias", "bits"), [(0.25, 16), (100.03, 32)])  # half floats lie 1/16 apart near 100
def test_weights_are_kept_in_16_bits_where_that_costs_nothing(training, shelf, value, save_network, bias, bits):
    finish(training, save_network, bias)
    publish(training)
    card, kept = zoo.card("srcnn-x3"), assets.load_weights(zoo.find("srcnn-x3"))
    assert card["bits"] == bits == 8 * kept["reconstruction.bias"].element_size()
    assert card["validation"]["psnr"] == pytest.approx(30 + bias, abs=0.005)


def test_rounding_may_cost_a_tenth_of_the_least_gain(training, shelf, value, save_network, monkeypatch):
    monkeypatch.setitem(zoo.ENTRIES, "srcnn-x3", replace(zoo.ENTRIES["srcnn-x3"], min_gain=0.01))
    finish(training, save_network, 4.0015)  # half floats lie 1/256 apart near 4: it becomes 4
    publish(training)
    assert zoo.card("srcnn-x3")["bits"] == 32


def test_a_rounding_that_helps_is_taken(training, shelf, value, save_network):
    finish(training, save_network, 100.05)  # it becomes 100.0625
    publish(training)
    assert zoo.card("srcnn-x3")["bits"] == 16


def test_a_training_that_was_stopped_is_published_by_force_alone(training, three, shelf, value):
    training.run(three, seconds=0, device="cpu")
    with pytest.raises(ValueError, match=r"imtrans train srcnn-x3 --budget quick --resume continues \(or --force\)"):
        publish(training)
    assert publish(training, force=True).taken


def test_a_stop_while_the_result_is_written_is_mended_by_resuming(training, three, monkeypatch):
    training.run(three, seconds=0, device="cpu")
    write_whole = assets.write_whole

    def stopped(path, content):
        if path.suffix == ".safetensors":
            raise KeyboardInterrupt
        write_whole(path, content)

    monkeypatch.setattr(assets, "write_whole", stopped)
    with pytest.raises(KeyboardInterrupt):
        training.run(resume=True, device="cpu")
    monkeypatch.setattr(assets, "write_whole", write_whole)
    assert not training.finished()
    assert training.run(resume=True, device="cpu").finished
    assert training.finished()
    assert zoo.load(training.weights)


def test_a_tensor_beyond_the_range_of_16_bits_stays_as_it_is():
    kept = runs._halved({"small": torch.tensor([0.5]), "large": torch.tensor([1e5]), "count": torch.tensor(3)})
    assert [value.dtype for value in kept.values()] == [torch.float16, torch.float32, torch.int64]


def test_force_publishes_worse_weights(training, shelf, value, save_network):
    finish(training, save_network, 0)
    publish(training)
    finish(training, save_network, -1)
    assert publish(training, force=True).taken
    assert zoo.card("srcnn-x3")["validation"] == {"psnr": 29}


@pytest.mark.parametrize("force", [False, True])
def test_weights_without_a_finite_error_are_not_published(training, shelf, value, save_network, force):
    finish(training, save_network, float("nan"))
    with pytest.raises(ValueError, match="psnr on held-out pictures is nan"):
        publish(training, force=force)


def test_a_measure_where_lower_is_better_is_published_by_a_fall(training, shelf, value, save_network, monkeypatch):
    monkeypatch.setitem(METRICS, "distance", replace(METRICS["psnr"], name="distance", higher_is_better=False))
    entry = replace(zoo.ENTRIES["srcnn-x3"], measure="distance", min_gain=0.5)
    monkeypatch.setitem(zoo.ENTRIES, "srcnn-x3", entry)
    validate = lambda model: {"distance": 30 + model.reconstruction.bias.item()}  # noqa: E731
    monkeypatch.setattr(suite, "validator", lambda degradations, metric: validate)
    for change, taken in ((0, True), (1, False), (-0.4, False), (-0.6, True)):
        finish(training, save_network, change)
        assert publish(training).taken == taken, change
    assert zoo.card("srcnn-x3")["validation"]["distance"] == pytest.approx(29.4)


def test_a_run_from_before_the_registry_is_published_with_a_whole_card(training, shelf, value, save_network):
    finish(training, save_network, 0)
    path = training.weights.with_suffix(".json")
    card = json.loads(path.read_text())
    old = {"name": "srcnn-x3", "model": "srcnn-x3", "recipe": "srcnn-x3"}
    new = ("paper", "model_in_paper", "recipe_version", "bits", "half_costs", "gain")
    old |= {key: card[key] for key in card if key not in new}
    path.write_text(json.dumps(old))
    publish(training)
    assert list(zoo.card("srcnn-x3")) == list(card)


def test_held_out_pictures_decide(training, shelf, save_network):
    """By the real measure: an identity is as good as bicubic."""
    model = SRCNN()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.patch_extraction.weight[0, 0, 4, 4] = 1
        model.mapping.weight[0, 0, 0, 0] = 1
        model.reconstruction.weight[0, 0, 2, 2] = 1
    training.folder.mkdir(parents=True)
    save_network("srcnn-x3", model, training.folder)
    assert 25 < publish(training).value < 40
    assert zoo.card("srcnn-x3")["scores"] == []  # no test set at hand
