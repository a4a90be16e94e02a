"""The ``paper`` recipes against the papers' numbers, written down once more, here."""

from typing import NamedTuple

import pytest
import torch

from imtrans import zoo
from imtrans.data import benchmarks
from imtrans.losses import half_sum_of_squares
from imtrans.recipes import dncnn, rcan, rdn

RECIPES = {name: entry.recipe for name, entry in zoo.RESTORERS.items()}


class Solver(NamedTuple):
    """The numbers of one training.

    Rates are those of the hidden weights at the first step, of the last layer, of the other biases; ``later`` are the
    rates of the hidden weights after a number of steps. ``theta`` is the bound of the clipping, rate × largest
    gradient. ``patch`` is the side of the observed patch, of the clean patch.
    """

    optimizer: type
    rate: float
    last_layer: float
    biases: float
    later: dict[int, float]
    weight_decay: float
    theta: float | None
    patch: tuple[int, int] | None
    batch: int
    steps: int
    sets: tuple[str, ...]
    loss: str


SGD, ADAM = torch.optim.SGD, torch.optim.Adam
HALF, MEAN, L1 = "half the squared norm", "mean square", "mean absolute error"

SRCNN = Solver(  # the authors' Caffe solver; section 3.3 of the paper
    optimizer=SGD,
    rate=1e-4,
    last_layer=1e-5,
    biases=1e-5,
    later={7_500_000: 1e-4, 14_999_999: 1e-4},
    weight_decay=0,
    theta=None,
    patch=(33, 21),
    batch=128,
    steps=15_000_000,
    sets=("T91",),
    loss=HALF,
)
DNCNN = Solver(  # section 4.1: 50 epochs of 1,600 batches, the rate from 1e-1 to 1e-4
    optimizer=SGD,
    rate=0.1,
    last_layer=0.1,
    biases=0.1,
    later={40_000: 0.1 * 10**-1.5, 79_999: 1e-4},
    weight_decay=1e-4,
    theta=0.005,  # of the authors' code; the paper does not mention clipping
    patch=(40, 40),
    batch=128,
    steps=50 * 1_600,
    sets=("Train400",),
    loss=HALF,
)
DNCNN_BLIND = DNCNN._replace(patch=(50, 50), steps=50 * 3_000, later={75_000: 0.1 * 10**-1.5, 149_999: 1e-4})
EDSR = Solver(  # section 4.2 and the ablation's length
    optimizer=ADAM,
    rate=1e-4,
    last_layer=1e-4,
    biases=1e-4,
    later={199_999: 1e-4, 200_000: 5e-5, 299_999: 5e-5},
    weight_decay=0,
    theta=None,
    patch=(48, 96),
    batch=16,
    steps=300_000,
    sets=("T91", "BSD200", "BSD500_test"),  # DIV2K may not be passed on
    loss=L1,
)

ESPCN = Solver(  # section 3.2; optimiser, batch and length are not in the paper: ours
    optimizer=SGD,
    rate=0.01,
    last_layer=0.001,
    biases=0.01,
    later={499_999: 1e-4},
    weight_decay=0,
    theta=None,
    patch=(17, 51),
    batch=64,
    steps=500_000,
    sets=("T91",),
    loss=MEAN,
)
RDN_AND_RCAN = EDSR._replace(  # the authors' code: 1,000 "epochs" of 1,000 updates, halved every 200
    later={199_999: 1e-4, 200_000: 5e-5, 999_999: 1e-4 / 16},
    steps=1_000_000,
)
PAPERS = {
    "srcnn-x2": SRCNN,
    "srcnn-x3": SRCNN,
    "srcnn-x4": SRCNN,
    "srcnn-955-x3": SRCNN._replace(patch=(33, 17), sets=("T91", "BSD200")),  # the paper's is trained on ImageNet
    "vdsr": Solver(  # section 4.2; 80 epochs, a tenth after every 20
        optimizer=SGD,
        rate=0.1,
        last_layer=0.1,
        biases=0.1,
        later={2_489: 0.1, 2_490: 0.01, 4_979: 0.01, 4_980: 1e-3, 7_470: 1e-4, 9_959: 1e-4},
        weight_decay=1e-4,
        theta=1e-4,  # not published; ours
        patch=(41, 41),
        batch=64,
        steps=9_960,
        sets=("T91", "BSD200"),
        loss=HALF,
    ),
    "espcn-x2": ESPCN._replace(patch=(17, 34)),
    "espcn-x3": ESPCN,
    "espcn-x4": ESPCN._replace(patch=(17, 68)),
    "dncnn-15": DNCNN,
    "dncnn-25": DNCNN,
    "dncnn-50": DNCNN,
    "dncnn-blind": DNCNN_BLIND,
    "dncnn-3": DNCNN_BLIND._replace(
        steps=50 * 8_000, later={200_000: 0.1 * 10**-1.5, 399_999: 1e-4}, sets=("T91", "BSD200")
    ),
    "cdncnn-blind": DNCNN_BLIND._replace(sets=("BSD200", "BSD500_test")),
    "edsr-baseline-x2": EDSR,
    "edsr-baseline-x3": EDSR._replace(patch=(48, 144)),
    "edsr-baseline-x4": EDSR._replace(patch=(48, 192)),
    "mdsr-baseline": EDSR._replace(patch=None),  # by the scale that is drawn
    "rdn-small-x2": RDN_AND_RCAN,
    "rcan-small-x2": RDN_AND_RCAN,
    "rcan-medium-x2": RDN_AND_RCAN,
}


@pytest.fixture
def loaded(monkeypatch):
    """The names of the sets that a recipe loads; each has one picture here."""
    names = []

    def load(name, held_out):
        assert held_out is False
        names.append(name)
        return [("picture", torch.rand(1, 3, 200, 200))]

    monkeypatch.setattr(benchmarks, "load", load)
    return names


def test_every_recipe_is_in_the_table():
    assert list(PAPERS) == list(zoo.RESTORERS)


@pytest.mark.parametrize("name", PAPERS)
def test_a_paper_recipe_has_the_numbers_of_its_paper(name, loaded):
    paper, recipe = PAPERS[name], zoo.RESTORERS[name].recipe("paper")
    assert (recipe.batch, recipe.steps, tuple(loaded)) == (paper.batch, paper.steps, paper.sets)
    assert not recipe.autocast
    assert recipe.ema is None
    observed, clean = recipe.data(0)[0]
    if paper.patch is not None:
        assert (observed.shape[-1], clean.shape[-1]) == paper.patch


@pytest.mark.parametrize("name", PAPERS)
def test_a_paper_recipe_has_the_rates_of_its_paper(name, loaded):
    paper, recipe = PAPERS[name], zoo.RESTORERS[name].recipe("paper")
    model = recipe.model()
    (optimizer,) = recipe.optimizer.build(model)
    assert type(optimizer) is paper.optimizer
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    last = list(names.values())[-1].rpartition(".")[0]
    for group in optimizer.param_groups:
        assert group["weight_decay"] == paper.weight_decay
        assert group["momentum"] == 0.9 if paper.optimizer is SGD else group["betas"] == (0.9, 0.999)
        for parameter in group["params"]:
            layer, _, kind = names[id(parameter)].rpartition(".")
            rate = paper.last_layer if layer == last else paper.biases if kind == "bias" else paper.rate
            assert group["lr"] == pytest.approx(rate), names[id(parameter)]
    assert recipe.schedule(0, recipe.steps) == 1
    later = {step: paper.rate * recipe.schedule(step, recipe.steps) for step in paper.later}
    assert later == pytest.approx(paper.later, rel=1e-3)


@pytest.mark.parametrize("name", PAPERS)
def test_a_paper_recipe_clips_as_its_paper(name, loaded):
    paper, recipe = PAPERS[name], zoo.RESTORERS[name].recipe("paper")
    if paper.theta is None:
        assert recipe.clip is None
        return
    for rate in (0.1, 1e-3):
        weight = torch.nn.Parameter(torch.zeros(2))
        weight.grad = torch.tensor([1e6, -1e6])
        recipe.clip([weight], rate)
        assert (rate * weight.grad).tolist() == pytest.approx([paper.theta, -paper.theta])


@pytest.mark.parametrize("name", PAPERS)
def test_a_paper_recipe_has_the_loss_of_its_paper(name, loaded):
    paper, recipe = PAPERS[name], zoo.RESTORERS[name].recipe("paper")
    prediction, clean = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[1.0, 0.0], [0.0, 4.5]])
    # The errors are 0, 2, 3 and -0.5; two samples.
    wanted = {HALF: (4 + 9 + 0.25) / 2 / 2, MEAN: (4 + 9 + 0.25) / 4, L1: (2 + 3 + 0.5) / 4}
    assert recipe.loss(prediction, clean).item() == pytest.approx(wanted[paper.loss])


def test_srcnn_starts_from_the_gaussian_of_the_paper(loaded):
    weights = zoo.RESTORERS["srcnn-x3"].recipe("paper").model().patch_extraction.weight
    assert weights.std().item() == pytest.approx(0.001, rel=0.05)


def test_dncnn_trains_for_the_noise_level_that_it_is_asked_for(loaded):
    assert dncnn.paper(sigma=37).data(0).levels == (37, 37)
    assert RECIPES["dncnn-25"]("paper").loss is half_sum_of_squares


def test_mdsr_draws_a_scale_per_batch(loaded):
    """Section 4.2: 48 pixels of the low resolution at each scale, and one scale in all 16 samples of a batch."""
    samples = RECIPES["mdsr-baseline"]("paper").data(0)
    scales = []
    for step in range(12):
        pairs = [samples[16 * step + i] for i in (0, 7, 15)]
        assert {observed.shape for observed, _ in pairs} == {(3, 48, 48)}
        (side,) = {clean.shape[-1] for _, clean in pairs}
        scales.append(side // 48)
    assert set(scales) == {2, 3, 4}


@pytest.mark.parametrize(("paper", "parameters"), [(rdn.paper, 22_123_395), (rcan.paper, 15_444_643)])
def test_the_networks_of_rdn_and_rcan_are_sizes_of_their_paper_recipes(paper, parameters, loaded):
    with torch.device("meta"):  # shapes alone
        model = paper(size="paper").model()
    assert sum(p.numel() for p in model.parameters()) == parameters
