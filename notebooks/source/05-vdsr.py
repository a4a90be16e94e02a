# %% [markdown]
# # 5 · VDSR: twenty layers that add what is missing
#
# About 35 seconds of computing on two CPU cores. With a GPU the training takes
# the larger budget `class`: some minutes. To read and run: 35 minutes; the
# exercises: 25 more.
#
# The paper is J. Kim, J. K. Lee, K. M. Lee, *Accurate Image Super-Resolution
# Using Very Deep Convolutional Networks*, CVPR 2016. The [page of this
# lecture](../lectures/05-vdsr.md) derives its equations; here we check them,
# train with the skip and without, watch the clip at work, and look for the
# factors at which the network does harm. Equations have the numbers of the
# page. Afterwards you can
#
# - say why the difference of two pictures is an easier target than a picture;
# - write VDSR in a few lines, count it, and find how far it sees;
# - bound the step of each weight under adjustable gradient clipping;
# - tell for which inputs one network for three scales can be trusted.
#
# You need [lecture 1](01-srcnn.ipynb), which has the problem, PSNR and the
# training loop. The letters are those of [the notation
# page](../book/notation.md).

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
import math
import os
from fractions import Fraction

import torch
import torch.nn.functional as F
from torch import nn

from imtrans import degrade, figures, images, metrics, resize
from imtrans.data import photos
from imtrans.exercises import check, claim

# %% [markdown]
# The next cell holds what you may want to change: the seed, how long to train,
# and a folder for checkpoints (on Colab for instance one on your Drive), so
# that an interrupted training can continue.

# %% tags=["ground"]
torch.manual_seed(0)
GPU = torch.cuda.is_available()
BUDGET = os.environ.get("IMTRANS_BUDGET", "class" if GPU else "quick")
DEVICE = "cpu" if BUDGET == "quick" else None  # None: the best there is
CHECKPOINTS = None
print("budget:", BUDGET)

# %% [markdown]
# ## The problem
#
# A photograph $y$ was shrunk and enlarged again by bicubic interpolation:
#
# $$
# x=\;\uparrow_s(\downarrow_s(y)),\qquad r=y-x. \qquad (1)
# $$
#
# SRCNN computes $y$ from $x$. VDSR computes the residual $r$, what
# interpolation lost, and adds it. We look at one channel, the luma.

# %% tags=["ground"]
SCALE = 3
photo = images.modcrop(photos.photo("camera").picture, 60)  # gray
x = degrade.bicubic_down_up(photo, SCALE)  # (1, 1, 480, 480)
r = photo - x

# %%
man = (180, 60, 120, 120)  # left, top, width, height
figures.zoom(
    {"x": x, "r on middle gray": 0.5 + r, "y": photo},
    man,
    alt="a man behind a camera; in r there are thin lines along the edges",
    factor=2,
)

# %% [markdown]
# How large is $r$? As a share of the variance of the picture:

# %% tags=["nbval-ignore-output"]
table = []
for s in (2, 3, 4):
    lost = photo - degrade.bicubic_down_up(photo, s)
    row = {"scale": s, "levels": 255 * lost.square().mean().sqrt().item()}
    row["% of variance"] = (100 * lost.square().mean() / photo.var()).item()
    table.append(row)
figures.table(table, caption="The residual: root mean square, share.")

# %%
shares = [row["% of variance"] for row in table]
claim("r holds less than a tenth of the variance", max(shares), below=10)

# %% [markdown]
# ## The loss is the old one
#
# $$
# \begin{aligned}
# L(\Theta)&=\frac1N\sum_i\tfrac12\lVert r_i-f(x_i)\rVert^2\\
# &=\frac1N\sum_i\tfrac12\lVert y_i-(x_i+f(x_i))\rVert^2
# \end{aligned} \qquad (2)
# $$
#
# `losses.half_sum_of_squares` computes it. Whether it is told the residuals or
# the pictures, it is the same number:

# %% tags=["ground"]
from imtrans.losses import half_sum_of_squares

# %%
x_i, y_i = torch.rand(2, 4, 1, 41, 41)
f_i = 0.1 * torch.randn(4, 1, 41, 41)  # any answer of a network
by_residual = half_sum_of_squares(f_i, y_i - x_i)
by_picture = half_sum_of_squares(x_i + f_i, y_i)
assert torch.allclose(by_residual, by_picture)
print("✓ both forms of (2) agree")

# %% [markdown]
# ## The network
#
# $$
# \begin{aligned}
# a_d&=\max(0,\;W_d*a_{d-1}+b_d)\\
# f(x)&=W_D*a_{D-1}+b_D
# \end{aligned} \qquad (3)
# $$
#
# Twenty 3×3 convolutions; 64 channels between them; zeros at the border.


# %% tags=["ground"]
def layers(depth=20, features=64):
    stack = [nn.Conv2d(1, features, 3, padding=1), nn.ReLU()]
    for _ in range(depth - 2):
        stack += [nn.Conv2d(features, features, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*stack, nn.Conv2d(features, 1, 3, padding=1))


# %% [markdown]
# `imtrans.models.vdsr.VDSR` has the same parameters, and adds $x$:

# %% tags=["ground"]
from imtrans.models.vdsr import VDSR

# %%
f, ours = layers(), VDSR()
f.load_state_dict(ours.layers.state_dict())
patch = x[..., 100:141, 100:141]  # (1, 1, 41, 41)
with torch.no_grad():
    assert torch.equal(patch + f(patch), ours(patch))
print(sum(p.numel() for p in ours.parameters()), "parameters")

# %% [markdown]
# The receptive field has the side $2D+1$ (4). Ask the gradient of one output
# pixel. With weights that are all positive nothing cancels, and no ReLU is
# closed:

# %%
probe = layers(depth=20, features=2)
for parameter in probe.parameters():
    parameter.data.fill_(0.1)
window = torch.ones(1, 1, 61, 61, requires_grad=True)
probe(window)[0, 0, 30, 30].backward()
seen = (window.grad[0, 0].abs().sum(dim=1) > 0).sum().item()
print(f"{seen} rows of x; {seen / SCALE:.1f} of the low resolution at ×3")

# %% [markdown]
# ## The training pairs
#
# Patches of 41×41, as large as the field, of all three scales in one batch.
# The pictures are photographs that come with scikit-image and scikit-learn,
# none of which is scored below, and dead leaves, pictures made of random disks.
# Below each $x_i$ stands its residual, on middle gray. Can you tell the scales?
# The answer stands below the pictures.

# %% tags=["ground"]
from imtrans import recipes

# %%
narrow = {"features": 16} if BUDGET == "quick" else {}
recipe = recipes.vdsr.recipe(BUDGET, **narrow)
pairs = recipe.data(recipe.seed)  # pairs[i] is (x_i, y_i)

# %%
figures.strip(
    {f"x{i}": pairs[i][0][None] for i in range(6)},
    alt="a training patch of 41 by 41 pixels, blurred more or less",
    factor=2,
)

# %%
figures.strip(
    {f"r{i}": 0.5 + (pairs[i][1] - pairs[i][0])[None] for i in range(6)},
    alt="what the patch above lacks",
    factor=2,
)

# %%
import numpy as np

# The first number that the sampler draws for a pair chooses the scale.
drawn = [np.random.default_rng([recipe.seed, i]).integers(3) for i in range(6)]
print("scales:", *[(2, 3, 4)[k] for k in drawn])

# %% [markdown]
# ## With the skip and without
#
# The same twenty layers, once as $f(x)\approx y$ and once as $x+f(x)\approx
# y$, trained by the loop of lecture 1 with the same patches in the same order.
# To be quick, 16 channels in place of 64, and Adam. Both start from the same
# random weights, drawn as in the paper (He et al.).


# %%
class Plain(VDSR):
    def forward(self, x):
        return self.layers(x)


# %%
def batch(step, size=8):
    samples = [pairs[size * step + i] for i in range(size)]
    return [torch.stack(side) for side in zip(*samples, strict=True)]


# %%
def train(network, steps):
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    losses = []
    for step in range(steps):
        x_i, y_i = batch(step)  # (8, 1, 41, 41) each
        loss = half_sum_of_squares(network(x_i), y_i)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


# %%
STEPS = 45
losses = {}
for name, kind in {"residual": VDSR, "plain": Plain}.items():
    torch.manual_seed(0)
    losses[name] = train(kind(features=16), STEPS)
bicubic = [half_sum_of_squares(*batch(step)).item() for step in range(STEPS)]

# %% tags=["nbval-ignore-output"]
chart, ax = figures.canvas(height=2.6)
for name, values in (losses | {"bicubic": bicubic}).items():
    means = torch.tensor(values).unfold(0, 10, 1).mean(dim=1)
    style = "--" if name == "bicubic" else "-"
    ax.semilogy(range(10, STEPS + 1), means, style, label=name)
ax.set(xlabel="step", ylabel="loss, mean of 10 steps")
ax.legend(frameon=False, fontsize=9)
figures.show(
    chart,
    alt="The residual network's loss lies at that of bicubic from the start; "
    "the plain one's comes down from far above and stays above.",
)

# %%
whole = {name: sum(values) for name, values in losses.items()}
ratio = whole["plain"] / whole["residual"]
claim("over the whole run plain has over twice the loss", ratio, above=2)

# %% [markdown]
# In 45 steps the residual network has hardly learned anything: its curve hides
# behind that of bicubic. What the chart shows is the head start. Given one
# channel more per layer, the plain network can compute the same (exercise 4),
# but it has to build the identity first, through twenty layers. How long that
# takes depends on the initial weights and on the solver. So does the head
# start: here the random $f(x)$ happens to be small; on the page, with other
# depths and widths and by SGD, even the residual networks begin below bicubic.
#
# ## A rate of 0.1
#
# The paper trains by SGD with a rate of 0.1, on the summed loss (2). Try it:


# %%
def by_sgd(network, rate, theta=None, steps=8):
    optimizer = torch.optim.SGD(network.parameters(), rate, momentum=0.9)
    losses = []
    for step in range(steps):
        x_i, y_i = batch(step)
        loss = half_sum_of_squares(network(x_i), y_i)
        optimizer.zero_grad()
        loss.backward()
        if theta is not None:
            bound = theta / rate
            nn.utils.clip_grad_value_(network.parameters(), bound)
        optimizer.step()
        losses.append(loss.item())
    return losses


# %%
torch.manual_seed(0)
start = VDSR(depth=10, features=32).state_dict()
ends = {}
for theta in (None, 1e-4):
    network = VDSR(depth=10, features=32)
    network.load_state_dict(start)
    ends[theta] = by_sgd(network, rate=0.1, theta=theta)[-1]
print("without a clip, a finite loss:", math.isfinite(ends[None]))
print("with one, a finite loss:", math.isfinite(ends[1e-4]))

# %% [markdown]
# The clip bounds each element of the gradient $g$ by $\theta/\gamma$, where
# $\gamma$ is the current rate:
#
# $$
# g\leftarrow\min\big(\max(g,-\theta/\gamma),\;\theta/\gamma\big) \qquad (6)
# $$
#
# `training.clip_by_rate` computes it. Look at the first gradient of the whole
# network: how many elements does the bound reach? (The page's shares are a
# little higher: they are from a batch of 16 pairs, these are from 8.)

# %%
from imtrans.training import clip_by_rate

torch.manual_seed(0)
network = VDSR()
x_i, y_i = batch(0)
half_sum_of_squares(network(x_i), y_i).backward()
gradient = torch.cat([p.grad.flatten() for p in network.parameters()])

# %% tags=["nbval-ignore-output"]
table = [
    {
        "θ": f"{theta:g}",
        "clipped at γ = 0.1, %": 100
        * (gradient.abs() > theta / 0.1).float().mean().item(),
        "at γ = 0.001, %": 100
        * (gradient.abs() > theta / 0.001).float().mean().item(),
    }
    for theta in (1e-4, 1e-3, 1e-2)
]
figures.table(table, caption="Share of the elements.", digits=0)

# %% [markdown]
# And what is the step $\gamma g$ of a clipped element? Take the elements that
# are clipped at both rates.


# %%
def step_after_clip(rate, theta=1e-4):
    p = nn.Parameter(torch.zeros_like(gradient))
    p.grad = gradient.clone()
    clip_by_rate(theta)([p], rate)
    return rate * p.grad


# %%
fast, slow = step_after_clip(0.1), step_after_clip(0.01)
both = gradient.abs() > 1e-4 / 0.01
assert torch.allclose(fast[both], slow[both])
assert torch.allclose(fast[both], 1e-4 * gradient[both].sign())
print("✓ without momentum each moves by θ, at either rate, against its sign")

# %% [markdown]
# So the first step with θ = 0.0001 is mostly *sign descent*. With momentum 0.9
# a step can reach ten times θ (exercise 1). The paper does not give θ. The
# figure in [*A rate of 0.1*](../lectures/05-vdsr.md) on the page compares four
# values, from 0.01 to 0.00001: only 0.0001 ends clearly above bicubic.

# %% [markdown]
# ## Training for three scales
#
# Now `fit`, with the recipe of the course: an L1 loss,
# [Muon](../book/glossary.md) and Adam in place of SGD and the clip, all scales
# mixed. It multiplies the random weights of the last layer by 0.1, so that the
# network starts near bicubic and its loss has no steep fall: one batch differs
# from the next by more. The table below shows what the run has gained.

# %%
print(*recipe.sources, recipe.optimizer, sep="\n")
print(f"{recipe.steps} steps of {recipe.batch} pairs")

# %%
from imtrans.suite import validator
from imtrans.training import fit

scales = [degrade.Downscale(s) for s in (2, 3, 4)]
options = {"progress": False, "device": DEVICE}
if CHECKPOINTS:
    options |= {"folder": f"{CHECKPOINTS}/vdsr", "resume": True}

# %%
varies = "Loss over steps: it varies from batch to batch more than it falls."
live = figures.LiveCurve(recipe.steps, alt=varies)
run = fit(recipe, on_step=live, validate=validator(scales), **options)

# %% [markdown]
# ## The shipped weights
#
# This run was short and narrow. The package brings the whole network, trained
# for longer on the paper's two sets, T91 and BSD200. We compare on parts of
# three photographs that neither has seen.

# %%
from imtrans import zoo
from imtrans.evaluation import evaluate
from imtrans.models.baselines import Bicubic

shipped = zoo.load("vdsr")
parts = {"astronaut": (160, 0), "chelsea": (110, 40), "camera": (180, 60)}
test = [
    (name, images.crop(photos.photo(name).picture, (*corner, 144, 144)))
    for name, corner in parts.items()
]

# %%
networks = {"bicubic": Bicubic(), "this run": run.model, "shipped": shipped}
mean = {
    name: [evaluate(network, test, s).psnr for s in scales]
    for name, network in networks.items()
}

# %% tags=["nbval-ignore-output"]
table = [
    {"network": name, "×2": row[0], "×3": row[1], "×4": row[2]}
    for name, row in mean.items()
]
figures.table(table, caption="PSNR in dB, mean of three parts, y8.")

# %%
total = {name: (row[1] + row[2]) / 2 for name, row in mean.items()}
gain = {name: value - total["bicubic"] for name, value in total.items()}
claim("the shipped weights gain over 0.8 dB there", gain["shipped"], above=0.8)

# %% [markdown]
# At ×2 the short run is hardly better than bicubic, or worse: the narrow
# network has not yet learned to tell the scales, and what helps at ×4 harms
# there.

# %% [markdown]
# ### Our number beside the paper's
#
# On Set5, from the card. The protocol `y8` is the paper's: luma, rounded to 8
# bits, less a border as wide as the scale ([the evaluation
# protocol](../book/protocol.md)). If you have Set5, the cell below the table
# measures anew.

# %%
from imtrans import published

table = []
for s in (2, 3, 4):
    card = next(
        row
        for row in zoo.card("vdsr")["scores"]
        if (row["set"], row["scale"]) == ("Set5", s)
    )
    row = {"scale": f"×{s}"}
    for model in ("Bicubic", "SRCNN 9-5-5", "VDSR"):
        found = published.rows("vdsr", model=model, set="Set5", scale=s)
        row[model] = found[0]["psnr"]
    table.append(row | {"ours": card["psnr"]})

# %%
figures.table(table, caption="Set5, PSNR in dB, protocol y8.")

# %% tags=["nbval-ignore-output"]
from imtrans.data import benchmarks

try:
    print(evaluate(shipped, benchmarks.load("Set5"), scales[1]).table())
except FileNotFoundError:
    print("Set5 is not available here; the number above is from the card.")

# %% [markdown]
# ### Pictures
#
# What the twenty layers add, and the sum:

# %%
cut = images.crop(x, man)  # the cut comes first: less to compute
with torch.no_grad():
    added = shipped(cut) - cut
figures.strip(
    {
        "x": cut,
        "f(x), twice, on gray": 0.5 + 2 * added,
        "x + f(x)": cut + added,
    },
    alt="the man behind his camera",
    factor=2,
)

# %% [markdown]
# Move the divider, with the mouse or with the arrow keys.

# %%
from imtrans import widgets

widgets.before_after(
    cut,
    (cut + added).clamp(0, 1),
    labels=("bicubic", "VDSR"),
    alt="hair, ear and camera; edges become crisp",
    factor=3,
)

# %% [markdown]
# ## One network, which scales?
#
# A network for one scale, used at another, gains less or does harm: the page
# has [the table](../lectures/05-vdsr.md) for our three SRCNNs, in *One network,
# three scales*. VDSR was trained on all three and has to tell them by their
# blur. What does it do at factors that it has *not* seen? Move the slider.


# %%
def at_factor(factor):
    exact = Fraction(factor).limit_denominator(20)
    y = images.crop(photo, (180, 60, 120, 120))
    small = resize.imresize(y, 1 / exact)
    y_size = y.shape[-2:]
    enlarged = resize.imresize(small, exact)[..., : y_size[0], : y_size[1]]
    with torch.no_grad():
        return y, enlarged, shipped(enlarged)


# %%
def compared(factor):
    y, enlarged, restored = at_factor(factor)
    pictures = {"bicubic": enlarged, "VDSR": restored, "y": y}
    labels = {
        f"{name}, {metrics.psnr(p.clamp(0, 1), y, border=5).item():.1f} dB": p
        for name, p in pictures.items()
        if name != "y"
    }
    alt = f"hair and camera, enlarged by a factor of {factor:g}"
    return figures.strip(labels | {"y": y}, alt=alt, factor=2)


# %% tags=["nbval-ignore-output"]
widgets.slider(
    compared,
    [1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0],
    label="factor",
    start=2.0,
    alt="bicubic and VDSR; at 1.25 and 1.5 VDSR's lines are too hard",
)

# %% [markdown]
# Between the trained scales it works. Well below ×2 it does harm, since no
# training picture was that sharp. This is where the method fails. How much it
# costs depends on the picture; the page's curve is the mean of three pictures
# of Set5 (bird, butterfly, woman). Here:


# %%
def gain_at(factor):
    y, enlarged, restored = at_factor(factor)
    before, after = (
        metrics.psnr(p.clamp(0, 1), y, border=5).item()
        for p in (enlarged, restored)
    )
    return after - before


# %%
claim("between the scales, at ×2.5, it gains", gain_at(2.5), above=0.5)
claim("below them, at ×1.25, it does harm", gain_at(1.25), below=-1)

# %% [markdown]
# ## Deeper, with and without
#
# The paper's own comparison, in small, measured beforehand: six trainings by
# its solver, 150 steps each, on the 91 pictures. The page shows their curves.

# %%
from imtrans import experiments

table = [
    {"layers": r["depth"], "network": r["network"], "PSNR": r["psnr"]}
    for r in experiments.rows("vdsr-depth")
]
figures.table(table, caption="Set5 ×2, PSNR in dB; bicubic has 33.66.")

# %% [markdown]
# ## Try your own photograph
#
# Put a path between the quotes. On Colab, `from google.colab import files;
# PATH = next(iter(files.upload()))` asks for a file. Your picture is taken as
# it is and enlarged by 3, so keep it small.

# %%
from imtrans.restore import super_resolve

PATH = ""
whole = photos.photo("chelsea").picture[..., 60:180, 90:240]
cat = degrade.bicubic_down(whole, SCALE).clamp(0, 1)
mine = images.read(PATH) if PATH else cat
large = {
    "bicubic": resize.imresize(mine, SCALE),
    "VDSR": super_resolve(shipped, mine, SCALE, tile=256),
}

# %%
box = (20, 10, 90, 90)  # left, top, width, height in the enlarged picture
figures.zoom(
    large, box, alt="a part of your photograph; by default, a cat", factor=2
)

# %% [markdown]
# ## Errata, run
#
# The paper says that a network with a field of $n\times n$ returns $1\times1$
# for an input of $(n+1)\times(n+1)$. Without padding, as that sentence has it:

# %%
unpadded = nn.Sequential(*[nn.Conv2d(1, 1, 3) for _ in range(20)])
for side in (41, 42):
    returned = unpadded(torch.rand(1, 1, side, side))
    print(side, "->", *returned.shape[-2:])

# %% [markdown]
# In the section on the final network, which saw 291 pictures, it says that
# training takes 80 epochs, 9,960 iterations of 64 patches. At no overlap, all
# scales together, 91 of these pictures have 7,992 patches, and all have 54,192.

# %%
per_epoch = 9960 * 64 / 80
print(f"{per_epoch:.0f} patches per epoch")
for pictures, patches in ((91, 7992), (291, 54192)):
    print(f"{100 * per_epoch / patches:.1f} % of those of {pictures} pictures")

# %% [markdown]
# The count fits the 91: see *Training as published* on [the
# page](../lectures/05-vdsr.md).

# %% [markdown]
# ## Exercises
#
# Fill in what stands for `...` and run the check below it. The solutions are
# in [a notebook of their own](solutions/05-vdsr.ipynb).

# %% [markdown] tags=["exercise"]
# **Exercise 1. After the cuts.** The page says which share of the elements is
# clipped at the first rate, 0.1. Here `share[k]` is that share, in %, for
# $\theta=10^{-k}$. Then the rate is divided by ten `cuts` times; θ stays, and
# suppose that the gradients stay, too. Return the share, in %, of the elements
# that are still clipped, and how far such a weight moves per step in the end,
# if SGD has the momentum $\mu$.
#
# *Hint.* Which number does (6) compare a gradient with? Two entries of the
# table below (6) are equal. For the step: $v\leftarrow\mu v+g$, then
# $w\leftarrow w-\gamma v$. Where does $v$ settle?


# %% tags=["stub"]
def after_cuts(share, k, cuts, momentum):
    return ..., ...


# %% tags=["solution"]
def after_cuts(share, k, cuts, momentum):
    # The bound θ/γ has grown by 10 per cut: at 0.1 a larger θ had the same.
    # v = μ v + θ/γ has the solution θ/γ / (1 − μ), and γ v has no γ in it.
    return share[k - cuts], 10.0**-k / (1 - momentum)


# %% tags=["wrong"]
def after_cuts(share, k, cuts, momentum):
    return share[k], 10.0**-k / (1 - momentum)


# %% tags=["check"]
from imtrans.training import clip_by_rate

torch.manual_seed(0)
sizes = (4 * torch.randn(10_000, dtype=torch.float64)).exp()  # gradients
share = {k: (sizes > 10 * 10.0**-k).sum().item() / 100 for k in (1, 2, 3, 4)}
weights = nn.Parameter(torch.zeros_like(sizes))
descent = torch.optim.SGD([weights], lr=1e-4, momentum=0.9)  # after three cuts
for _ in range(400):
    before, weights.grad = weights.detach().clone(), sizes.clone()
    clip_by_rate(1e-4)([weights], 1e-4)
    descent.step()
step = before - weights.detach()
alike = (step > (1 - 1e-6) * step.max()).sum().item() / 100
check(
    after_cuts(share, 4, 3, 0.9),
    (alike, step.max().item()),
    because="many still move by ten times θ, at a thousandth of the rate",
    mistakes=[
        ((share[4], 1e-3), "the bound has grown with each cut"),
        ((alike, 1e-4), "that is the first step; momentum adds up the others"),
    ],
    tolerance=1e-6,
)

# %% [markdown] tags=["exercise"]
# **Exercise 2. The paper's rate for your loss.** You train with
# `nn.MSELoss()`, the mean over patches *and* pixels, in place of (2). Which
# rate makes the same steps as the paper's `rate` on patches of `side` × `side`
# pixels? And to which bound must each element of your gradient be clipped, if
# the clip is to be that of (6)? Return both.
#
# *Hint.* By which factor is your loss smaller? The gradient is smaller by the
# same factor, and so must the bound be.


# %% tags=["stub"]
def for_mean_loss(rate, theta, side):
    return ..., ...


# %% tags=["solution"]
def for_mean_loss(rate, theta, side):
    mine = rate * side**2 / 2
    return mine, theta / mine  # the step θ is the same, and the rule too


# %% tags=["wrong"]
def for_mean_loss(rate, theta, side):
    return rate * side**2 / 2, theta / rate


# %% tags=["check"]
out, goal = torch.rand(2, 16, 1, 41, 41)
ratio = (half_sum_of_squares(out, goal) / F.mse_loss(out, goal)).item()
check(
    for_mean_loss(0.1, 0.001, 41),
    (0.1 * ratio, 0.001 / (0.1 * ratio)),
    because="a rate of 84; without a clip, 0.1 makes steps 840 times too short",
    mistakes=[
        (
            (0.1 * ratio, 0.001 / 0.1),
            "that bound is for gradients 840 times as large as yours",
        ),
        (
            (0.1 / ratio, 0.001 / (0.1 / ratio)),
            "a smaller loss needs a larger rate, not a smaller one",
        ),
    ],
    tolerance=1e-4,
)

# %% [markdown] tags=["exercise"]
# **Exercise 3. The price of a view.** An output pixel shall see at least
# `rows` rows of the *low* resolution at the scale `scale`. How many
# multiplications does the smallest such VDSR need, with 64 channels, per pixel
# of the *low* resolution?
#
# *Hint.* Three facts of the page's *Twenty layers*: how far $D$ layers see, how
# many weights they have, how often each is used. The first and the last count
# pixels of the enlarged picture.


# %% tags=["stub"]
def price(rows, scale):
    return ...


# %% tags=["solution"]
def price(rows, scale):
    depth = math.ceil((rows * scale - 1) / 2)  # 2 D + 1 rows of x, or more
    weights = 9 * (2 * 64 + (depth - 2) * 64**2)
    return weights * scale**2  # that many pixels of x per pixel


# %% tags=["wrong"]
def price(rows, scale):
    depth = math.ceil((rows * scale - 1) / 2)
    return 9 * (2 * 64 + (depth - 2) * 64**2)


# %% tags=["check"]
needs = []
for scale in (2, 4):
    deep = next(d for d in range(2, 99) if (2 * d + 1) / scale >= 20)
    weights = sum(p.numel() for p in layers(deep).parameters() if p.dim() > 1)
    needs.append(weights * scale**2)
check(
    (price(20, 2), price(20, 4)),
    tuple(needs),
    because="the same view costs over eight times as much at ×4 as at ×2; "
    "lecture 6 convolves the small picture, where scales cost about the same",
    mistakes=[
        ((664704, 1401984), "that is per pixel of the enlarged picture"),
        ((664704 * 4, 664704 * 16), "twenty layers see only ten rows at ×4"),
    ],
)

# %% [markdown] tags=["exercise"]
# **Exercise 4. The skip as a channel.** Turn the residual network $x+f(x)$
# into a plain one that computes the same picture: give each hidden layer one
# channel more, and send $x$ through it. Complete the three lines.
#
# *Hint.* Which pixel of a 3×3 kernel must be 1 to copy a channel? Why is ReLU
# harmless?


# %% tags=["stub"]
def without_skip(residual, features):
    old = [m for m in residual if isinstance(m, nn.Conv2d)]
    plain = layers(len(old), features + 1)
    new = [m for m in plain if isinstance(m, nn.Conv2d)]
    for to, of in zip(new, old, strict=True):
        to.weight.data.zero_(), to.bias.data.zero_()
        to.weight.data[: of.out_channels, : of.in_channels] = of.weight.data
        to.bias.data[: of.out_channels] = of.bias.data
    # here: the first layer, those between, the last; then return plain
    return ...


# %% tags=["solution"]
def without_skip(residual, features):
    old = [m for m in residual if isinstance(m, nn.Conv2d)]
    plain = layers(len(old), features + 1)
    new = [m for m in plain if isinstance(m, nn.Conv2d)]
    for to, of in zip(new, old, strict=True):
        to.weight.data.zero_(), to.bias.data.zero_()
        to.weight.data[: of.out_channels, : of.in_channels] = of.weight.data
        to.bias.data[: of.out_channels] = of.bias.data
    new[0].weight.data[features, 0, 1, 1] = 1
    for between in new[1:-1]:
        between.weight.data[features, features, 1, 1] = 1
    new[-1].weight.data[0, features, 1, 1] = 1
    return plain  # x is never negative, so ReLU changes nothing


# %% tags=["wrong"]
def without_skip(residual, features):
    old = [m for m in residual if isinstance(m, nn.Conv2d)]
    plain = layers(len(old), features + 1)
    new = [m for m in plain if isinstance(m, nn.Conv2d)]
    for to, of in zip(new, old, strict=True):
        to.weight.data.zero_(), to.bias.data.zero_()
        to.weight.data[: of.out_channels, : of.in_channels] = of.weight.data
        to.bias.data[: of.out_channels] = of.bias.data
    return plain


# %% tags=["check"]
torch.manual_seed(0)
small_f, square = layers(depth=6, features=8), torch.rand(1, 1, 24, 24)
by_you = without_skip(small_f, 8)
with torch.no_grad():
    told = ... if by_you is ... else by_you(square)
    wanted, without = square + small_f(square), small_f(square)
check(
    told,
    wanted,
    because="so a plain network can do it; finding it is the hard part",
    mistakes=[(without, "x does not arrive: set the new channel's weights")],
)

# %% [markdown]
# ## Summary
#
# 1. What interpolation lost is a few percent of the variance, drawn in thin
#    lines. VDSR predicts that, and adds it.
# 2. Without the skip, twenty layers have to learn the identity first. They can
#    represent it, and training is slow to find it.
# 3. A rate of 0.1 on a summed loss needs the clip. A clipped element moves by
#    θ, whatever the rate is, and with momentum 0.9 by up to ten times θ.
# 4. One network serves ×2, ×3 and ×4 and what lies between, since it reads the
#    blur from the picture.
# 5. On pictures sharper than those it has seen, it does harm, and nothing in
#    its output says so.
