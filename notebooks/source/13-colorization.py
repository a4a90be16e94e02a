# %% [markdown]
# # 13 · Colorization: one question, many right answers
#
# About half a minute of computing on two CPU cores. To read and run: 35
# minutes; the exercises: 25 more.
#
# The paper is R. Zhang, P. Isola, A. A. Efros, *Colorful Image Colorization*,
# ECCV 2016. The [page of this lecture](../lectures/13-colorization.md) derives
# its equations; here we check them, see a regression return a colour that
# nothing has, build the network and move the temperature. Equations have the
# numbers of the page. Afterwards you can
#
# - find the 313 colours by code, and encode a pixel softly;
# - show on a small world what L2 and what classes learn;
# - build the paper's network and count it;
# - rebalance a trained network without training it again;
# - colour a photograph, and say what the number AuC tells about it.
#
# You need lecture 1, [SRCNN](../lectures/01-srcnn.md), or something like it.
# The letters are those of [the notation page](../book/notation.md).

# %% tags=["ground"]
import importlib.util
import subprocess
import sys

REPOSITORY = ""  # the published course has its address here
if (
    "google.colab" in sys.modules
    and importlib.util.find_spec("imtrans") is None
):
    if not REPOSITORY:
        raise SystemExit("Install imtrans first: see How to use this book.")
    pip = [sys.executable, "-m", "pip", "install", "-q"]
    subprocess.check_call([*pip, REPOSITORY])

# %% tags=["ground"]
import os
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from imtrans import figures, images, resize, widgets
from imtrans.data import photos
from imtrans.exercises import check, claim

# %% [markdown]
# The next cell holds what you may want to change: the seed, and how long to
# train the two small networks. `class` takes ten times as many steps.

# %% tags=["ground"]
torch.manual_seed(0)
GPU = torch.cuda.is_available()
BUDGET = os.environ.get("IMTRANS_BUDGET", "class" if GPU else "quick")
DEVICE = "cpu" if BUDGET == "quick" else None  # None: the best there is
STEPS = 240 if BUDGET == "quick" else 2_400
print("budget:", BUDGET)

# %% [markdown]
# ## The problem
#
# The input is the lightness $X$, the output the colours $Y$ in $(a, b)$ (1).
# Both come from CIE Lab. A photograph, its lightness, and its colours alone, at
# an even lightness (shown small, `thumb`, to keep this notebook light):

# %% tags=["ground"]
from imtrans.color import rgb_to_lab
from imtrans.colorize import join

photo = resize.shrink(photos.photo("astronaut").picture, 160)
photo = photo[..., :160, :160].clamp(0, 1)
lab = rgb_to_lab(photo)
X, Y = lab[:, :1], lab[:, 1:]  # (1, 1, 160, 160), (1, 2, 160, 160)


def thumb(picture, shorter=72):
    return resize.shrink(picture, shorter)


# %%
even = torch.full_like(X, 60.0)
figures.strip(
    {
        "photograph": thumb(photo),
        "X": thumb(join(X, 0 * Y)),
        "Y": thumb(join(even, Y)),
    },
    factor=2,
    alt="an astronaut in an orange suit in front of a flag",
)

# %% [markdown]
# The network will return colours at a quarter of the resolution. Is that
# enough? Move the factor by which $Y$ is shrunk before it is laid under the
# full lightness:


# %%
def coarse(factor):
    small = F.avg_pool2d(Y, factor)
    large = F.interpolate(small, size=Y.shape[-2:], mode="bilinear")
    return figures.strip(
        {"colours shrunk": images.middle(join(X, large), 72)},
        alt=f"the astronaut with colours at 1/{factor} of the resolution",
        factor=2,
    )


# %%
widgets.slider(
    coarse,
    [1, 4, 8, 16, 32],
    label="factor",
    alt="the astronaut; colours spill over edges from 8 on",
    start=4,
)

# %% [markdown]
# ## The mean of what is possible
#
# The L2 loss (2) of one colour $c$ for many pixels that look alike is smallest
# at their mean (3). Apples: half of them red, three tenths green, two tenths
# yellow.

# %% tags=["ground"]
from imtrans.data.shapes import KINDS, ShapeWorld

apples = torch.tensor(list(KINDS["disc"]), dtype=torch.float32)  # (3, 2)
share = torch.tensor(list(KINDS["disc"].values()))

# %%
c = torch.zeros(2, requires_grad=True)
optimizer = torch.optim.SGD([c], lr=0.5)

# %%
for _ in range(50):
    optimizer.zero_grad()
    loss = (share * (apples - c).square().sum(dim=1)).sum() / 2
    loss.backward()
    optimizer.step()

# %%
mean = share @ apples
assert torch.allclose(c.detach(), mean, atol=1e-3)
nearest = (apples - mean).norm(dim=1).min()
print("the best colour is", [round(v) for v in mean.tolist()])
print(f"{nearest:.0f} units of Lab from the nearest apple")

# %%
swatch = torch.ones(1, 1, 40, 40)
colors = {"red": apples[0], "green": apples[1], "yellow": apples[2]}
figures.strip(
    {
        name: join(60 * swatch, ab.view(1, 2, 1, 1) * swatch)
        for name, ab in (colors | {"their mean": mean}).items()
    },
    alt="a swatch of this colour",
)

# %% [markdown]
# ## 313 colours
#
# Which points of the lattice of step 10 are colours of a screen? Project all
# colours of sRGB to $(a, b)$, take the convex hull, and keep what is less than
# 10 away from it, in the larger of the two directions. (Around each point lies
# a square of side 20; the hull of all squares is the hull, moved outwards.) The
# list of `imtrans`, with which we compare, is the authors': a test of the
# package says so.

# %%
from scipy.spatial import ConvexHull

level = torch.linspace(0, 1, 18, dtype=torch.float64)
rgb = torch.cartesian_prod(level, level, level).T[None, :, :, None]
ab = rgb_to_lab(rgb)[0, 1:, :, 0].T  # (5832, 2)
corner = torch.tensor([(-10, -10), (-10, 10), (10, -10), (10, 10)])
hull = ConvexHull((ab[:, None] + corner).reshape(-1, 2)).equations

# %%
tick = np.arange(-110, 111, 10)
lattice = np.stack(np.meshgrid(tick, tick, indexing="ij"), -1).reshape(-1, 2)
inside = (lattice @ hull[:, :2].T + hull[:, 2] < -1e-9).all(axis=1)

# %%
from imtrans.color import ab_bins

assert np.array_equal(lattice[inside], ab_bins().numpy())
print(inside.sum(), "colours, the same as in imtrans")

# %% [markdown]
# The soft code (4): the five nearest colours share a pixel by a Gaussian of
# their distance.


# %%
def soft_code(color, bins, sigma=5):
    distance = (bins - color).norm(dim=1)
    near, which = distance.topk(5, largest=False)
    weight = torch.exp(-(near**2) / (2 * sigma**2))
    code = torch.zeros(len(bins))
    code[which] = weight / weight.sum()
    return code


# %%
from imtrans.models.colorization import annealed_mean, encode

bins = ab_bins()
Z = encode(Y)  # (1, 313, 160, 160)
by_hand = soft_code(Y[0, :, 80, 80], bins)
assert torch.allclose(by_hand, Z[0, :, 80, 80], atol=1e-5)
assert torch.allclose(Z.sum(dim=1), torch.ones(1, 160, 160), atol=1e-5)
print("✓ the same code; every code sums to 1")

# %%
decoded = annealed_mean(Z.clamp(min=1e-30).log(), 1.0)
print(f"decoded again: {(decoded - Y).norm(dim=1).mean():.1f} units off")
rounded = bins[Z.argmax(dim=1)].movedim(-1, 1)
print(f"the nearest colour alone: {(rounded - Y).norm(dim=1).mean():.1f}")

# %% [markdown]
# And the loss (5), first without the weight $v$. `cross_entropy` is its mean
# over the positions, so the gradient by the logits is $\hat Z-Z$, divided by
# their number, here 20 × 20.

# %%
from imtrans.losses import cross_entropy

small_Z = Z[..., ::8, ::8]  # (1, 313, 20, 20)
logits = torch.randn_like(small_Z).requires_grad_()
cross_entropy(logits, small_Z).backward()
wanted = (logits.detach().softmax(dim=1) - small_Z) / 400
assert torch.allclose(logits.grad, wanted, atol=1e-7)
print("✓ the gradient is (Ẑ − Z) / 400")

# %% [markdown]
# ## A world of shapes
#
# Discs are red, green or yellow, squares blue or orange, triangles violet; the
# lightness is drawn without regard to the colour. Two scenes as the network
# sees them, and as they are:

# %%
scenes = [ShapeWorld(seed=5).scene(i) for i in range(2)]
pairs = {}
for i, s in enumerate(scenes):
    pairs[f"seen {i}"] = join(s.lightness[None], 0 * s.ab[None])
    pairs[f"truth {i}"] = join(s.lightness[None], s.ab[None])
figures.strip(pairs, alt="shapes on a gray ground", factor=2)

# %% [markdown]
# The same small network twice: with two outputs for $a$ and $b$, and with 313
# logits that begin at how often the colours occur. It works at a quarter of
# the resolution, as the paper's does.


# %%
def convolution(before, after, stride=1, dilation=1):
    options = {"padding": dilation, "dilation": dilation}
    return [nn.Conv2d(before, after, 3, stride, **options), nn.ReLU()]


def small_network(outputs, n=24):
    return nn.Sequential(
        *convolution(1, n // 2, stride=2),
        *convolution(n // 2, n, stride=2),
        nn.BatchNorm2d(n),
        *convolution(n, n),
        *convolution(n, n, dilation=2),
        nn.BatchNorm2d(n),
        *convolution(n, n, dilation=2),
        *convolution(n, n),
        nn.BatchNorm2d(n),
        nn.Conv2d(n, outputs, 1),
    )


# %%
from imtrans.models.colorization import mean_code

first = torch.stack([ShapeWorld()[i][1] for i in range(100)])
shape_prior = mean_code(first)  # (313,)


def classes():
    network = small_network(313)
    network[-1].bias.data = shape_prior.clamp(min=1e-6).log()
    return network


# %% [markdown]
# `fit` is the loop of lecture 1 with a schedule. The samples hold the lightness
# on a scale of about $\pm1$; the regression learns $Y/50$, so that its numbers
# are about 1 too.

# %%
from imtrans.training import MuonAndAdam, Recipe, cosine, fit


class Scaled(ShapeWorld):
    def __getitem__(self, index):
        lightness, ab = super().__getitem__(index)
        return (lightness - 50) / 25, ab


def recipe(model, loss):
    return Recipe(
        name="shapes",
        model=model,
        data=lambda seed: Scaled(seed=seed),
        loss=loss,
        optimizer=MuonAndAdam(0.02, adam_lr=5e-3),
        schedule=cosine(warmup=10),
        steps=STEPS,
        batch=8,
    )


# %%
options = {"progress": False, "device": DEVICE}
l2 = recipe(lambda: small_network(2), lambda y, ab: F.mse_loss(y, ab / 50))
regression = fit(l2, **options).model

# %%
falls = "Cross-entropy over steps: it falls steeply, then slowly."
live = figures.LiveCurve(STEPS, alt=falls, ylabel="nats")
ce = recipe(classes, lambda logits, ab: cross_entropy(logits, encode(ab)))
classifier = fit(ce, on_step=live, **options).model

# %% [markdown]
# What do they make of scenes that they have not seen? Here is one; classes at
# $T=1$, the mean, and at $T=0$, the mode.

# %%
test = [ShapeWorld(seed=77).scene(i) for i in range(40)]
light = torch.stack([scene.lightness for scene in test])  # (40, 1, 64, 64)
kind = torch.stack([scene.kind for scene in test])[:, 2::4, 2::4]
with torch.no_grad():
    by_l2 = 50 * regression((light - 50) / 25)  # (40, 2, 16, 16)
    shape_logits = classifier((light - 50) / 25)  # (40, 313, 16, 16)

# %%
answers = {"L2": by_l2}
for T in (1.0, 0.38, 0.1, 0.0):
    answers[f"classes, T = {T:g}"] = annealed_mean(shape_logits, T)
number = next(i for i in range(40) if len(test[i].kind.unique()) == 4)
shown = {"truth": test[number].ab[None]}
for name, ab in answers.items():
    if name == "classes, T = 0.1":
        continue  # so that one row of a page holds the rest
    shown[name] = F.interpolate(ab[[number]], scale_factor=4, mode="bilinear")

# %%
figures.strip(
    {name: join(light[[number]], ab) for name, ab in shown.items()},
    alt="a scene of discs, squares and triangles",
    factor=2,
)

# %% [markdown]
# Count: how much of each shape has a colour of its set, within 15 units? L2
# can be right for the triangles alone. (Both networks had the same steps here.
# The regression learns more slowly, and after the few of `quick` even its
# triangles are mostly too dull; on the page it is trained longer.)

# %%
near = {}
for index, (name, sets) in enumerate(KINDS.items()):
    colors = torch.tensor(list(sets), dtype=torch.float32)
    for method, ab in answers.items():
        found = ab.movedim(1, -1)[kind == index]  # (pixels, 2)
        distance = torch.cdist(found, colors).amin(dim=1)
        near[name, method] = 100 * (distance < 15).float().mean().item()

# %% tags=["nbval-ignore-output"]
table = [
    {"shape": name}
    | {m.removeprefix("classes, "): round(near[name, m]) for m in answers}
    for name in KINDS
]
figures.table(
    table,
    caption="Percent of the pixels in a colour of the set: by L2, and by "
    "classes at each T.",
)

# %%
mode = "classes, T = 0"
claim(
    "L2 gives under 10 % of discs a colour of discs",
    near["disc", "L2"],
    below=10,
)
claim("the mode of classes gives it to over 60 %", near["disc", mode], above=60)
claim(
    "squares at T = 1 hardly ever have one",
    near["square", "classes, T = 1"],
    below=15,
)

# %% [markdown]
# And does the classifier know how often a disc is red? It was never told.

# %%
probability = shape_logits.softmax(dim=1).movedim(1, -1)[kind == 0].mean(dim=0)
around = [(bins - apple).norm(dim=1) < 15 for apple in apples]
told = torch.tensor([probability[which].sum() for which in around])

# %%
claim(
    "red, green, yellow are each right to 12 points",
    (told - share).abs().max(),
    below=0.12,
)

# %% tags=["nbval-ignore-output"]
kinds = ("red", "green", "yellow")
for name, found, true in zip(kinds, told, share, strict=True):
    print(f"{name}: {100 * found:.0f} %, in truth {100 * true:.0f} %")

# %% [markdown]
# ## The network of the paper
#
# Eight blocks; 3×3 convolutions with ReLU, batch normalisation after the last
# ReLU of blocks 1 to 7. `width` is the fraction of the paper's channels.


# %%
def stage(*channels, stride=1, dilation=1):
    layers = []
    for i, (a, b) in enumerate(pairwise(channels), start=2):
        last = i == len(channels)
        layers += convolution(a, b, stride if last else 1, dilation)
    return [*layers, nn.BatchNorm2d(channels[-1], affine=False)]


# %%
def paper_network(width=1.0):
    c1, c2, c3, c4 = (round(width * c) for c in (64, 128, 256, 512))
    return nn.Sequential(
        *stage(1, c1, c1, stride=2),  # 1
        *stage(c1, c2, c2, stride=2),  # 2
        *stage(c2, c3, c3, c3, stride=2),  # 3
        *stage(c3, c4, c4, c4),  # 4
        *stage(c4, c4, c4, c4, dilation=2),  # 5
        *stage(c4, c4, c4, c4, dilation=2),  # 6
        *stage(c4, c4, c4, c4),  # 7
        nn.ConvTranspose2d(c4, c3, 4, stride=2, padding=1),  # 8
        nn.ReLU(),
        *convolution(c3, c3),
        *convolution(c3, c3),
        nn.Conv2d(c3, 313, 1),
    )


# %% [markdown]
# `imtrans.models.colorization.Colorizer` is the same network: the same weights
# give the same output. The full one is only counted here.

# %%
from imtrans.models.colorization import Colorizer

eighth, ours = paper_network(1 / 8).eval(), Colorizer(width=1 / 8).eval()
weights = list(eighth.state_dict().values())
names = [name for name in ours.state_dict() if name != "log_prior"]
ours.load_state_dict(dict(zip(names, weights, strict=True)), strict=False)
patch = X[..., :64, :64]
with torch.no_grad():
    assert torch.allclose(eighth((patch - 50) / 100), ours(patch), atol=1e-5)

# %%
with torch.device("meta"):  # shapes without memory
    full, small = Colorizer(), Colorizer.small()
for name, network in (("the paper's", full), ("ours", small)):
    print(f"{name}: {sum(p.numel() for p in network.parameters()):,}")

# %% [markdown]
# Ours has 3/16 of the channels and one skip from block 2 into block 8. The
# recipe is `imtrans.recipes.colorization`; `imtrans train colorizer` follows
# it. That is too long for a notebook, so we load the weights that the package
# ships.

# %%
from imtrans import zoo

if "colorizer" in zoo.names():
    colorizer = zoo.load("colorizer")
else:
    print("no trained weights here yet: what follows is an untrained network")
    colorizer = Colorizer.small().initialize(mean_code(Y)).eval()

# %% [markdown]
# ## Rare colours
#
# How often do the colours occur? Here in the photographs of the bundle: the
# frequencies $p$, spread by a Gaussian to $\tilde p$, and the weights (6) with
# $\lambda=\frac12$. Their mean is 1:

# %%
from imtrans.models.colorization import bin_frequencies, smoothed

few = [resize.shrink(p.picture, 96) for p in photos.photos("train")]
pixels = [rgb_to_lab(p)[:, 1:].flatten(2) for p in few]
p = bin_frequencies(torch.cat(pixels, dim=2)[..., None])
p_smooth = smoothed(p)  # p̃, (313,)

# %%
Q, lam = 313, 0.5
w = 1 / ((1 - lam) * p_smooth + lam / Q)
w = w / (p_smooth * w).sum()

# %%
assert torch.isclose((p_smooth * w).sum(), torch.tensor(1.0))
ratio = w.max() / w.min()
assert torch.isclose(ratio, 1 + Q * p_smooth.max(), rtol=1e-2)
print(f"largest over smallest weight: {ratio:.0f}, by the rule 1 + Q p̃_max")

# %% [markdown]
# **A change of prior** (8). One kind of surroundings, with three colours that
# occur in 70, 20 and 10 % of the cases, and weights 0.5, 1 and 4. Minimise the
# weighted loss, and look where it ends:

# %%
truth_q, w_q = torch.tensor([0.7, 0.2, 0.1]), torch.tensor([0.5, 1.0, 4.0])
z = torch.zeros(3, requires_grad=True)
optimizer = torch.optim.Adam([z], lr=0.1)

# %%
for _ in range(300):
    optimizer.zero_grad()
    (-(truth_q * w_q * z.log_softmax(0)).sum()).backward()
    optimizer.step()

# %%
expected = truth_q * w_q / (truth_q @ w_q)
assert torch.allclose(z.detach().softmax(0), expected, atol=1e-3)
shifted = (truth_q.log() + w_q.log()).softmax(0)
assert torch.allclose(shifted, expected)
print("✓ p w, normalised:", [round(v, 2) for v in expected.tolist()])

# %% [markdown]
# So $\log w$, added to the logits of a plain classifier, stands for a second
# training: exactly for hard codes as here, nearly for soft ones (the page
# measures how nearly). `imtrans.colorize.logits` does that with the prior that
# is stored with the weights.
#
# ## From a distribution to a colour
#
# What does the network say when it knows nothing? Then $\hat z$ is the prior.
# Decode it by (9), plain and with $\log w$:

# %%
from imtrans.models.colorization import rebalancing_weights

prior = colorizer.log_prior.exp()
log_w = rebalancing_weights(prior).log()
unsure = {
    "plain": colorizer.log_prior,
    "with log w": colorizer.log_prior + log_w,
}
dont_know = {
    f"{name}, T = {T:g}": annealed_mean(logit.view(1, -1, 1, 1), T)
    for name, logit in unsure.items()
    for T in (1.0, 0.38)
}

# %%
figures.strip(
    {name: join(60 * swatch, ab * swatch) for name, ab in dont_know.items()},
    alt="a swatch of the colour of not knowing",
)

# %%
chroma = {name: ab.norm().item() for name, ab in dont_know.items()}
for name, value in chroma.items():
    print(f"{name}: chroma {value:.1f}")

# %% [markdown]
# Annealing alone makes unsure pixels grayer: the mode is gray. With $\log w$
# they are brown, near to sepia, at $T=1$, and a yellowish gray at $T=0.38$. At
# $T=0$ they would be gray again: $\log w$ does not change the order of the
# prior.
#
# Now the photograph. Move the temperature:

# %%
from imtrans.colorize import colorize, predict_ab


def at(T):
    plain = colorize(colorizer, photo, temperature=T, mix=None)
    weighted = colorize(colorizer, photo, temperature=T)
    return figures.strip(
        {
            "plain": thumb(plain, 64),
            "with log w": thumb(weighted, 64),
        },
        factor=2,
        alt=f"the astronaut, coloured at T = {T:g}",
    )


# %%
widgets.slider(
    at,
    [0.0, 0.1, 0.38, 0.7, 1.0],
    label="T",
    alt="the astronaut; spots at T = 0, dull colours at T = 1",
    start=0.38,
)

# %% [markdown]
# ## Measuring
#
# AuC (10), literally: the share of pixels whose error is at most $t$, for $t$
# from 0 to 150; and as what it is, a mean error. On the three colour
# photographs of the bundle that no training of the colorizer has seen:

# %%
from imtrans.colorize import auc, lightness

names = ("astronaut", "chelsea", "coffee")
views = [resize.shrink(photos.photo(n).picture, 160) for n in names]
truths = [rgb_to_lab(v)[:, 1:] for v in views]
guesses = [predict_ab(colorizer, lightness(v)) for v in views]

# %%
errors = torch.cat(
    [
        (g - t).norm(dim=1).flatten()
        for g, t in zip(guesses, truths, strict=True)
    ]
)
thresholds = torch.linspace(0, 150, 1501)
curve = torch.stack([(errors <= t).float().mean() for t in thresholds])
area = 100 * torch.trapezoid(curve, thresholds).item() / 150
in_disguise = 100 * (1 - errors.clamp(max=150).mean().item() / 150)
claim(
    "area and mean error agree to 0.05 points",
    abs(area - in_disguise),
    below=0.05,
)

# %% tags=["nbval-ignore-output"]
table = []
for name, found in {"gray": [0 * t for t in truths], "ours": guesses}.items():
    pairs = list(zip(found, truths, strict=True))
    row = {"method": name, "AuC": auc(pairs), "rebalanced": auc(pairs, prior)}
    table.append(row | {"mean error": 1.5 * (100 - auc(pairs))})
figures.table(table, caption="Three photographs; AuC in percent.", digits=1)

# %% [markdown]
# Three photographs say little; the page has the hundred of B100, beside the L2
# network, and the paper's table of ten thousand. *Rebalanced* counts each pixel
# by one over the frequency of its true colour in the training pictures: its
# level depends on which rare colours a set has.

# %%
figures.strip(
    {
        f"{n}, ours": thumb(join(lightness(v), g))
        for n, v, g in zip(names, views, guesses, strict=True)
    },
    factor=2,
    alt="a photograph with colours by the network",
)

# %% [markdown]
# ## Where it fails
#
# Does it rely on what is above and what is below? Turn the photograph upside
# down. Nothing about the colours of the scene has changed.

# %%
upside_down = colorize(colorizer, views[2].flip(-2)).flip(-2)
figures.strip(
    {
        "upright": thumb(colorize(colorizer, views[2])),
        "was upside down": thumb(upside_down),
    },
    factor=2,
    alt="a cup of coffee on a wooden table",
)

# %% [markdown]
# The table stays green, wrong both times. The saucer and the inside of the cup
# change their colours: part of the answer depends on what is above.
#
# And things that hardly any training picture shows: tissue, stained brown and
# blue by a chemist.

# %%
tissue = resize.shrink(photos.photo("tissue").picture, 160)
figures.strip(
    {"ours": thumb(colorize(colorizer, tissue)), "truth": thumb(tissue)},
    factor=2,
    alt="stained tissue under a microscope",
)

# %% [markdown]
# ## Try your own photograph
#
# Put a path between the quotes; gray or colour, only the lightness is used. On
# Colab, `from google.colab import files; PATH = next(iter(files.upload()))`
# asks for a file. The command line does the same:
# `imtrans colorize IN OUT --temperature 0.38`.

# %%
PATH = ""
mine = images.read(PATH)[:, :3] if PATH else views[1]
figures.strip(
    {"yours, coloured": thumb(colorize(colorizer, mine), 64)},
    factor=2,
    alt="your photograph; by default, a cat",
)

# %% [markdown]
# ## Exercises
#
# Fill in what stands for `...` and run the check below it. The solutions are
# in [a notebook of their own](solutions/13-colorization.ipynb).

# %% [markdown] tags=["exercise"]
# **Exercise 1. The largest weight.** The most frequent bin of the authors'
# prior has $\tilde p_{\max}=0.2012$. By what factor is the weight of a colour
# that never occurs larger than that of the most frequent one, for a given
# $\lambda$?
#
# *Hint.* (6). The normalisation cancels.


# %% tags=["stub"]
def ratio_of_weights(lam, largest=0.2012, Q=313):
    return ...


# %% tags=["solution"]
def ratio_of_weights(lam, largest=0.2012, Q=313):
    return ((1 - lam) * largest + lam / Q) / (lam / Q)


# %% tags=["wrong"]
def ratio_of_weights(lam, largest=0.2012, Q=313):
    return Q * largest


# %% tags=["check"]
check(
    (ratio_of_weights(0.5), ratio_of_weights(0.1)),
    (63.9756, 567.7804),
    because="λ bounds what a rare pixel may cost",
    mistakes=[
        ((62.9756, 62.9756), "the uniform part is in both; and λ counts")
    ],
    tolerance=1e-4,
)

# %% [markdown] tags=["exercise"]
# **Exercise 2. Undo the weights.** A network was trained by the weighted loss
# with $\lambda=\frac12$. Write the logits of the network that a training with
# another $\lambda$ would have given. `prior` is $\tilde p$.
#
# *Hint.* (8) says what the weights did to the posterior; do it backwards, then
# forwards. `rebalancing_weights(prior, mix)` gives $w$ for $\lambda=$ `mix`.


# %% tags=["stub"]
def reweighted(logits, prior, new):
    return ...


# %% tags=["solution"]
def reweighted(logits, prior, new):
    old_w, new_w = (rebalancing_weights(prior, mix) for mix in (0.5, new))
    return logits - old_w.log() + new_w.log()


# %% tags=["wrong"]
def reweighted(logits, prior, new):
    return logits + rebalancing_weights(prior, new).log()


# %% tags=["check"]
from imtrans.models.colorization import rebalancing_weights

posterior = torch.tensor([0.6, 0.3, 0.1]).log()
toy = torch.tensor([0.7, 0.2, 0.1])
half, tenth = (rebalancing_weights(toy, mix).log() for mix in (0.5, 0.1))
answer = reweighted(posterior + half, toy, 0.1)
check(
    ... if answer is ... else answer.softmax(0),
    (posterior + tenth).softmax(0),
    because="a prior can be exchanged as often as one likes",
    mistakes=[
        (
            (posterior + half + tenth).softmax(0),
            "the old weights are still in it",
        )
    ],
)

# %% [markdown] tags=["exercise"]
# **Exercise 3. Annealing.** A pixel is gray with probability 0.6 and has a
# colour of chroma 40 with 0.4. What chroma does the annealed mean give at the
# temperature $T$?
#
# *Hint.* (9): raise both to the power $1/T$, normalise, take the mean.


# %% tags=["stub"]
def annealed_chroma(T):
    return ...


# %% tags=["solution"]
def annealed_chroma(T):
    gray, vivid = 0.6 ** (1 / T), 0.4 ** (1 / T)
    return 40 * vivid / (gray + vivid)


# %% tags=["wrong"]
def annealed_chroma(T):
    return 40 * 0.4 / T


# %% tags=["check"]
check(
    (annealed_chroma(1), annealed_chroma(0.38)),
    (16.0, 10.2391),
    because="annealing pulls towards the mode, and the mode is gray here",
    mistakes=[((16.0, 42.105263), "T is an exponent, not a factor")],
    tolerance=1e-4,
)

# %% [markdown] tags=["exercise"]
# **Exercise 4. What an AuC says.** A method has an AuC of 91.2 %, and no error
# is above 150. What is its mean error in units of Lab? And which AuC does the
# answer "gray" have where the mean chroma is 18?
#
# *Hint.* (10), and what gray gets wrong.

# %% tags=["stub"]
mean_error, gray_auc = ..., ...

# %% tags=["solution"]
mean_error = 150 * (1 - 0.912)
gray_auc = 100 * (1 - 18 / 150)

# %% tags=["wrong"]
mean_error, gray_auc = 91.2 / 150, 18 / 150

# %% tags=["check"]
check(
    (mean_error, gray_auc),
    (13.2, 88.0),
    because="vivid pictures are hard, by this measure, for everybody",
    mistakes=[((0.608, 0.12), "AuC is one minus the error over 150")],
    tolerance=1e-3,
)

# %% [markdown] tags=["exercise"]
# **Exercise 5. Bins that no pixel has.** Of the 313 colours, how many are the
# nearest one of some colour of sRGB? Count with 86 levels per channel (every
# third of 8 bits).
#
# *Hint.* `rgb_to_lab` takes (N, 3, H, W). On a lattice, the nearest point is
# found by rounding. `torch.unique(..., dim=0)`.


# %% tags=["stub"]
def reachable():
    return ...


# %% tags=["solution"]
def reachable():
    levels = torch.linspace(0, 1, 86, dtype=torch.float64)
    found = set()
    for red in levels:
        green, blue = torch.meshgrid(levels, levels, indexing="ij")
        rgb = torch.stack([red.expand(86, 86), green, blue])[None]
        ab = rgb_to_lab(rgb)[0, 1:].flatten(1).T
        points = (ab / 10).round().unique(dim=0)
        found |= {tuple(point) for point in points.tolist()}
    return len(found)


# %% tags=["wrong"]
def reachable():
    return 313


# %% tags=["check"]
check(
    reachable(),
    261,
    because="the other 52 only ever get the tails of soft codes",
    mistakes=[(313, "that is the whole list; some of it lies outside of sRGB")],
)

# %% [markdown]
# ## Summary
#
# 1. L2 returns the mean of what is possible: for discs and squares a colour
#    that is not in the set.
# 2. 313 classes, softly encoded, keep the answers apart. The set of colours of
#    each shape was learned, and how often each occurs.
# 3. $\log w$ on the logits does most of what the weighted loss does, without
#    training.
# 4. The temperature leads from the mean to the mode. Unsure pixels get the
#    colour of the prior: near gray, or with $\log w$ nearer to sepia.
# 5. AuC is a mean error, and people judge otherwise: the paper's best by their
#    verdict loses to its L2 by AuC.
#
# The [page of the lecture](../lectures/13-colorization.md) has what we left out
# (the paper's tables, the pretext task, what a colorized photograph is not) and
# the references.
