# %% [markdown]
# # 6 · ESPCN: enlarge in the last layer
#
# About 40 seconds of computing on two CPU cores. With a GPU the training takes
# the larger budget `class`: some minutes. To read and run: 35 minutes; the
# exercises: 25 more.
#
# The paper is W. Shi and others, *Real-Time Single Image and Video
# Super-Resolution Using an Efficient Sub-Pixel Convolutional Neural Network*,
# CVPR 2016. The [page of this lecture](../lectures/06-espcn.md) derives its
# equations; here we check them, build the network, train it, enlarge a video
# and break it. Equations have the numbers of the page. Afterwards you can
#
# - write ESPCN in six lines and say what it saves;
# - shuffle by the paper and by PyTorch, and convert one into the other;
# - turn the last layer into a transposed convolution and back;
# - find a checkerboard and remove it;
# - enlarge a video and say how many frames per second your machine makes.
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
import time

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
# The low resolution $I^{LR}$ has $H\times W$ pixels, the picture that we want,
# $I^{HR}$, has $rH\times rW$ (1). SRCNN enlarges first and then works on
# $r^2$ times as many pixels as there are numbers to work with. ESPCN works on
# $I^{LR}$, and its last layer makes the large picture.

# %% tags=["ground"]
r = 3
photo = images.modcrop(photos.photo("chelsea").picture, r)
high_res = metrics.luma(photo, rounded=True)  # (1, 1, 300, 450)
low_res = degrade.bicubic_down(high_res, r)  # (1, 1, 100, 150)
print(tuple(low_res.shape), "->", tuple(high_res.shape))

# %% [markdown]
# ## The network
#
# $$
# \begin{aligned}
# f^1 &= \tanh(W_1 * I^{LR} + b_1) &&(2)\\
# f^2 &= \tanh(W_2 * f^1 + b_2) &&(3)\\
# I^{SR} &= \mathcal{PS}(W_3 * f^2 + b_3) &&(4)
# \end{aligned}
# $$
#
# In PyTorch it is six lines. Look at the shapes: the picture becomes large in
# the last one.

# %%
network = nn.Sequential(
    nn.Conv2d(1, 64, 5, padding=2),  # (1, 64, 100, 150)
    nn.Tanh(),
    nn.Conv2d(64, 32, 3, padding=1),  # (1, 32, 100, 150)
    nn.Tanh(),
    nn.Conv2d(32, r**2, 3, padding=1),  # (1, 9, 100, 150)
    nn.PixelShuffle(r),  # (1, 1, 300, 450)
)

# %% [markdown]
# `imtrans.models.espcn.ESPCN` is the same network with the same parameters:
# the 22,624 weights of the page's table and 105 biases.

# %% tags=["ground"]
from imtrans.models.espcn import ESPCN

# %%
ours = ESPCN(r)
parameters = network.state_dict().values()
ours.load_state_dict(dict(zip(ours.state_dict(), parameters, strict=True)))
assert torch.equal(network(low_res), ours(low_res))
print(sum(p.numel() for p in ours.parameters()), "parameters")

# %% [markdown]
# How far does an output pixel look? Ask the gradient:

# %%
window = torch.rand(1, 1, 15, 15, requires_grad=True)
ours(window)[0, 0, 22, 22].backward()
seen = window.grad[0, 0].abs().sum(dim=1).nonzero()
print(f"{len(seen)} small pixels, {r * len(seen)} large ones")

# %% [markdown]
# ### Nine small pictures
#
# What does the last convolution return before the shuffle? With trained
# weights, nine pictures of the same cat, each on a grid that is moved by a
# third of a pixel. The shuffle deals their pixels out. Four of the nine:

# %%
from imtrans import zoo

shipped = zoo.load("espcn-x3")
with torch.no_grad():
    maps = shipped.layers(low_res)  # (1, 9, 100, 150)
    woven = shipped.shuffle(maps)  # (1, 1, 300, 450)

# %%
face = (36, 12, 84, 76)  # left, top, width, height in the small picture
figures.strip(
    {f"map {k}": images.crop(maps[:, [k]], face) for k in (0, 1, 3, 8)},
    alt="a cat's face, small; it can hardly be told from the others",
)

# %%
large_face = tuple(r * side for side in face)
figures.strip(
    {"woven": images.crop(woven.clamp(0, 1), large_face)},
    alt="the same face three times as large, with sharp rims of the eyes",
)

# %% [markdown]
# ### What it costs
#
# Per pixel of the *result*, a weight costs $1/r^2$ multiplications (5).


# %%
def cost(kernels, channels, enlarged):
    """Multiplications per output pixel; ``enlarged``: r² if enlarged last."""
    pairs = zip(channels[:-1], channels[1:], kernels, strict=True)
    return sum(n * m * k**2 for n, m, k in pairs) / enlarged


# %%
srcnn = cost((9, 5, 5), (1, 64, 32, 1), 1)
for scale in (2, 3, 4):
    espcn = cost((5, 3, 3), (1, 64, 32, scale**2), scale**2)
    print(f"×{scale}: {espcn:.0f}, SRCNN 9-5-5 needs {srcnn / espcn:.1f} times")

# %% [markdown]
# ## The shuffle, index by index
#
# The slides print
#
# $$
# \begin{aligned}
# &\mathcal{PS}(T)_{x,y,c}\\
# &\quad=T_{\lfloor x/r\rfloor,\lfloor y/r\rfloor,\;
# c\,r\,\mathrm{mod}(y,r)+c\,\mathrm{mod}(x,r)}.
# \end{aligned} \qquad (6)
# $$
#
# Which channels does it read? For $r=2$ and three colours there are twelve. A
# colour $c=0$ would read channel 0 everywhere, so count the colours from 1:

# %%
slide = {
    c: sorted(c * 2 * y + c * x for y in range(2) for x in range(2))
    for c in (1, 2, 3)
}
read = {channel for channels in slide.values() for channel in channels}
print(slide, "never read:", sorted(set(range(12)) - read))

# %% [markdown]
# So the formula is no shuffle. With the number of colours $C$ in front and the
# colour $c$ added at the end it is one:
#
# $$
# \begin{aligned}
# &\mathcal{PS}(T)_{x,y,c}\\
# &\quad=T_{\lfloor x/r\rfloor,\lfloor y/r\rfloor,\;
# C\,r\,\mathrm{mod}(y,r)+C\,\mathrm{mod}(x,r)+c}.
# \end{aligned} \qquad (7)
# $$


# %%
def paper_shuffle(T, r):
    C, H, W = T.shape[0] // r**2, *T.shape[1:]
    out = torch.zeros(C, r * H, r * W)
    for x in range(r * H):
        for y in range(r * W):
            for c in range(C):
                channel = C * r * (y % r) + C * (x % r) + c
                out[c, x, y] = T[channel, x // r, y // r]
    return out


# %%
from imtrans.models.espcn import periodic_shuffle

T = torch.rand(12, 4, 5)
assert torch.equal(paper_shuffle(T, 2), periodic_shuffle(T[None], 2)[0])
print("✓ the loops and imtrans agree")

# %% [markdown]
# PyTorch reads channel $cr^2+ri+j$ for the colour $c$, row $i$ and column $j$
# of a block (8). Number the channels of a single pixel and look at the two
# blocks:

# %%
numbers = torch.arange(9.0).view(1, 9, 1, 1)
print("PyTorch", F.pixel_shuffle(numbers, 3)[0, 0].int().tolist())
print("paper  ", periodic_shuffle(numbers, 3)[0, 0].int().tolist())

# %% [markdown]
# One is the other transposed. In general the permutation
# $\pi(cr^2+ri+j)=Crj+Ci+c$ (9) leads from one order to the other:

# %%
C, r2 = 3, 2
order = [
    C * r2 * j + C * i + c
    for c in range(C)
    for i in range(r2)
    for j in range(r2)
]
print(order)
permuted = F.pixel_shuffle(T[order][None], r2)
assert torch.equal(permuted, periodic_shuffle(T[None], r2))
print("✓ PixelShuffle(T[π]) = PS(T)")

# %% [markdown]
# ### Bicubic interpolation is such a layer
#
# At each of the nine places in a block the weights of bicubic interpolation
# are the same in every block: nine fixed kernels of $4\times4$ weights. Some
# begin one pixel earlier than others, so we hold them in windows of
# $5\times5$. A single white pixel shows them all at once.

# %%
impulse = torch.zeros(1, 1, 9, 9)
impulse[..., 4, 4] = 1
answer = resize.imresize(impulse, 3)[0, 0].view(9, 3, 9, 3)  # h, i, w, j
kernels = answer[2:7, :, 2:7].flip(0, 2).permute(1, 3, 0, 2)  # i, j, a, b
kernels = kernels.reshape(9, 1, 5, 5)

# %%
by_layer = F.pixel_shuffle(F.conv2d(low_res, kernels, padding=2), 3)
by_resize = resize.imresize(low_res, 3)
inside = (..., slice(6, -6), slice(6, -6))
assert torch.allclose(by_layer[inside], by_resize[inside], atol=1e-5)
print("✓ nine kernels and a shuffle: bicubic interpolation")

# %% [markdown]
# ## A fractionally strided convolution
#
# A convolution with stride $1/r$ slides a wide kernel $W_s$ over small pixels
# that lie $r$ apart (11). It equals the sub-pixel layer (10) if $k_s=rk$ and
#
# $$
# W_s[\,r(k-1-a)+i\,]=W[i,a] \qquad (12)
# $$
#
# in both directions. That is a shuffle of the kernels, turned over:

# %%
last = shipped.layers[-1]
W, b = last.weight.detach(), last.bias.detach()  # (9, 32, 3, 3), (9)
W_s = F.pixel_shuffle(W.flip(-2, -1).transpose(0, 1), r)
print(tuple(W.shape), "->", tuple(W_s.shape))

# %%
with torch.no_grad():
    features = shipped.layers[:-1](low_res)  # (1, 32, 100, 150)
sub_pixel = F.pixel_shuffle(F.conv2d(features, W, padding=1), r)
strided = F.conv_transpose2d(features, W_s, stride=r, padding=r)
assert torch.allclose(sub_pixel, strided, atol=1e-5)
print("✓ the same picture")

# %% [markdown]
# We left out the biases: the sub-pixel layer has nine, one per place; a
# transposed convolution has one, which adds no pattern. (Kernels with different
# sums still can.) And literally, with zeros between the pixels:

# %%
spread = torch.zeros(1, 32, 300, 450)
spread[..., ::r, ::r] = features
spread = F.pad(spread, (5, 3, 5, 3))
literal = F.conv2d(spread, W_s.flip(-2, -1).transpose(0, 1))
assert torch.allclose(sub_pixel, literal, atol=1e-5)
print("✓ the same again; most products are with 0")

# %%
from imtrans import experiments

rows = experiments.rows("espcn-layers")
table = [
    {"scale": f"×{scale}"}
    | {row["way"]: row["ratio"] for row in rows if row["scale"] == scale}
    for scale in (2, 3, 4)
]
figures.table(table, caption="Time, measured; sub-pixel = 1.", digits=1)

# %% [markdown]
# ## The checkerboard
#
# Split the variance of a picture into what varies between its $r\times r$
# blocks and what varies within them. In a photograph, little lies within:


# %% tags=["ground"]
def within(picture, r=3):
    """Share of the variance that lies within the r×r blocks, in percent."""
    blocks = F.pixel_unshuffle(picture, r)  # (1, r², H/r, W/r)
    inside = blocks - blocks.mean(dim=1, keepdim=True)
    return 100 * (inside.square().mean() / picture.var(correction=0)).item()


# %%
with torch.no_grad():
    untrained = ESPCN(r)(low_res)
shares = [within(high_res), within(woven), within(untrained)]
print("photograph {:.0f} %, trained {:.0f} %".format(*shares[:2]))
claim(
    "of the untrained picture, over 80 % is in the blocks", shares[2], above=80
)

# %%
stretched = (untrained - untrained.mean()) / (6 * untrained.std()) + 0.5
eye = (162, 93, 60, 60)
figures.zoom(
    {"untrained": stretched, "trained": woven},
    eye,
    alt="the place of a cat's eye. Before training a fine regular pattern "
    "hides the eye; after it the eye is there",
)

# %% [markdown]
# The nine filters of the last layer begin as nine independent random filters.
# ICNR (initialisation to convolution and nearest-neighbour resize, Aitken and
# others, 2017) begins with nine *copies* of one filter and of its bias: then
# all pixels of a block are equal. Exercise 3 writes it.
#
# ## Training
#
# The loss is the mean squared error over the pixels of the large picture:
#
# $$
# \ell=\frac1{r^2HW}\sum_{x,y}\big(I^{HR}_{x,y}-f^L_{x,y}(I^{LR})\big)^2.
# \qquad (13)
# $$
#
# (Here $x$ and $y$ count from 1, in (6) and (7) from 0.) It does not see the
# order of the pixels. So the shuffle can be left out of the training, if the
# truth is unshuffled once:

# %%
shuffled = F.mse_loss(woven, high_res)
unshuffled = F.mse_loss(maps, F.pixel_unshuffle(high_res, r))
assert torch.isclose(shuffled, unshuffled, rtol=1e-5)
print("✓ the same loss")

# %% [markdown]
# The training pairs are 17×17 small pixels and the 51×51 large ones that they
# came from, out of photographs none of which is used for a score below:

# %%
from imtrans import recipes

recipe = recipes.espcn.recipe(BUDGET, scale=r)
pairs = recipe.data(recipe.seed)

# %%
figures.strip(
    {f"small {i}": pairs[i][0][None] for i in range(5)},
    alt="a low-resolution training patch of 17 by 17 pixels",
    factor=3,
)

# %%
figures.strip(
    {f"large {i}": pairs[i][1][None] for i in range(5)},
    alt="the 51 by 51 pixels that it came from",
    factor=2,
)

# %% [markdown]
# `fit` is the loop of lecture 1 with a schedule and validation. The recipe
# departs from the paper: mean *absolute* error, the optimiser
# [Muon](../book/training.md), random patches.

# %%
from imtrans.suite import validator
from imtrans.training import fit

times_3 = degrade.Downscale(r)
options = {"progress": False, "device": DEVICE}
if CHECKPOINTS:
    options |= {"folder": f"{CHECKPOINTS}/espcn", "resume": True}
print(f"{recipe.steps} steps of {recipe.batch} pairs; {recipe.optimizer}")

# %%
falls = "Loss over steps, on a logarithmic scale: it falls steeply, then less."
live = figures.LiveCurve(recipe.steps, alt=falls)
run = fit(recipe, on_step=live, validate=validator([times_3]), **options)

# %% [markdown]
# On a photograph kept apart, the network passes bicubic interpolation:

# %%
from imtrans.models.baselines import Bicubic

validated = [entry for entry in run.log if "psnr" in entry]
figures.curves(
    [entry["step"] for entry in validated],
    {"ESPCN": [entry["psnr"] for entry in validated]},
    levels={"bicubic": validator([times_3])(Bicubic())["psnr"]},
    xlabel="step",
    ylabel="PSNR in dB",
    alt="PSNR on a validation photograph: it rises and passes bicubic.",
)

# %% [markdown]
# ## Measuring
#
# The shipped weights were trained longer, on T91 (the paper's 91 pictures) and
# BSD200. We score both on the test photographs, which neither network has seen:

# %%
from imtrans.evaluation import evaluate

test = [(p.name, p.picture) for p in photos.photos("test", gray=True)]
networks = {"bicubic": Bicubic(), "this run": run.model, "shipped": shipped}
networks["SRCNN 9-1-5"] = zoo.load("srcnn-x3")
scores = {name: evaluate(n, test, times_3) for name, n in networks.items()}

# %% tags=["nbval-ignore-output"]
table = []
for name, result in scores.items():
    each = {picture.name: picture.psnr for picture in result.rows}
    table.append({"network": name, **each, "mean": result.psnr})
figures.table(table, caption="PSNR in dB on the test photographs, ×3, y8.")

# %%
mean = {name: result.psnr for name, result in scores.items()}
by_training = mean["this run"] - mean["bicubic"]
claim("this run beats bicubic by over 0.2 dB", by_training, above=0.2)
claim(
    "the shipped weights beat this run",
    mean["shipped"] - mean["this run"],
    above=0,
)

# %% [markdown]
# Beside the paper's rows on Set5. The paper does not say by which protocol it
# measured, so a difference of a tenth of a decibel to ours says nothing. Rows
# with † could not be checked ([How we know](../book/how-we-know.md)).

# %%
from imtrans import published

names = ("Bicubic", "SRCNN", "ESPCN ReLU 91 images", "ESPCN 91 images")
rows = [
    published.rows("espcn", model=name, set="Set5", scale=r)[0]
    for name in (*names, "ESPCN")
]
card = zoo.card("espcn-x3")
ours_set5 = next(s for s in card["scores"] if s["set"] == "Set5")
rows.append({"model": "espcn-x3, ours", "source": "the card", **ours_set5})

# %%
table = []
for row in rows:
    dagger = "" if row.get("verified", True) else " †"
    method = {"method": row["model"] + dagger, "PSNR": row["psnr"]}
    table.append(method | {"source": row["source"]})
figures.table(table, caption="PSNR in dB on Set5, ×3.")

# %%
from imtrans.data import benchmarks

if benchmarks.locate("Set5"):
    set5 = evaluate(shipped, benchmarks.load("Set5"), times_3)
    print(f"measured here: {set5.psnr:.2f} dB")
else:
    print("Set5 is not on this machine; the table has the card's score")

# %% [markdown]
# ## tanh or ReLU? And does ICNR help?
#
# The paper finds tanh better, by 0.16 dB. We trained each variant from three
# seeds by the `quick` recipe, cut to 1,200 steps; here are the scores at its
# end. The row `icnr` is tanh again, with ICNR's start.

# %%
at_the_end = {
    (row["variant"], row["seed"]): row["psnr"]
    for row in experiments.rows("espcn-training")
    if row["step"] == 1200
}
table = [
    {"variant": name}
    | {f"seed {seed}": at_the_end[name, seed] for seed in range(3)}
    | {"mean": at_the_end[name, "mean"]}
    for name in ("tanh", "relu", "icnr")
]
figures.table(table, caption="PSNR in dB on five photographs, ×3.")

# %% [markdown]
# ReLU is ahead of tanh, with every seed: the opposite sign. The paper trained
# much longer, with another optimiser; what holds there need not hold here, and
# our one rate may suit ReLU better. ICNR makes no difference at the end. It
# makes one at the beginning, as sixty steps with plain Adam, from one seed,
# show:

# %%
from imtrans.recipes.starts import icnr


def losses(model, steps=60, size=16):
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    values = []
    for step in range(steps):
        batch = [pairs[size * step + i] for i in range(size)]
        small, large = (torch.stack(x) for x in zip(*batch, strict=True))
        loss = F.mse_loss(model(small), large)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        values.append(loss.item())
    return values


# %%
starts = {"PyTorch's start": lambda model: model, "ICNR": icnr}
falling, blocks = {}, {}
for name, start in starts.items():
    torch.manual_seed(1)
    model = start(ESPCN(r))
    falling[name] = losses(model)
    with torch.no_grad():
        blocks[name] = within(model(low_res))

# %% tags=["nbval-ignore-output"]
chart, ax = figures.canvas(height=2.6)
for name, values in falling.items():
    ax.semilogy(range(1, 61), values, label=name)
ax.set(xlabel="step", ylabel="loss")
ax.legend(frameon=False, fontsize=9)
figures.show(chart, alt="Two losses over 60 steps; ICNR's falls earlier.")

# %%
ratio = blocks["ICNR"] / blocks["PyTorch's start"]
claim("ICNR's picture has less than half as much in blocks", ratio, below=0.5)

# %% [markdown]
# ## A video
#
# A clip: a window of 120×90 pixels moves over the astronaut's photograph, and
# each frame is shrunk by 3. ESPCN enlarges them one by one; luma goes through
# the network, the colours through bicubic interpolation.

# %%
from imtrans.restore import super_resolve

scene = photos.photo("astronaut").picture  # (1, 3, 512, 512)
path = [(160 + 8 * t, 20 + 6 * t) for t in range(6)]  # left, top
clean = [images.crop(scene, (*corner, 120, 90)) for corner in path]
clip = [degrade.bicubic_down(frame, r).clamp(0, 1) for frame in clean]

# %%
began = time.perf_counter()
enlarged = [super_resolve(shipped, frame, r).clamp(0, 1) for frame in clip]
seconds = time.perf_counter() - began
interpolated = [resize.imresize(frame, r).clamp(0, 1) for frame in clip]

# %% tags=["nbval-ignore-output"]
print(f"{len(clip) / seconds:.0f} frames per second of 120×90")

# %% [markdown]
# On frames this small most of the time is not spent on multiplications; the
# page has the times of 1920×1080.
#
# Move through the frames: bicubic on the left, ESPCN on the right.

# %%
from imtrans import widgets

gap = torch.ones(1, 3, 90, 6)
widgets.frames(
    [
        torch.cat([left, gap, right], dim=-1)
        for left, right in zip(interpolated, enlarged, strict=True)
    ],
    labels=[f"frame {t + 1} of {len(clip)}" for t in range(len(clip))],
    alt="an astronaut's face; bicubic on the left, ESPCN on the right",
    factor=3,
)

# %%
gains = [
    metrics.psnr(e, c, border=3).item() - metrics.psnr(i, c, border=3).item()
    for e, i, c in zip(enlarged, interpolated, clean, strict=True)
]
claim("ESPCN is ahead in every frame by over 0.5 dB", min(gains), above=0.5)

# %% [markdown]
# A file works the same way: `imtrans super-resolve small.mp4 large.mp4 --model
# espcn-x3`. It needs the extra `imtrans[video]`.
#
# Each frame was enlarged on its own. But nine frames that are moved by thirds
# of a small pixel hold nine times as many numbers. Enlarge each, move them
# back, and take the mean. (What a mean gains by itself is on the page: little.)


# %%
def shot(top, left):
    """The scene from one place, shrunk and enlarged, moved back."""
    frame = high_res[..., top : top + 297, left : left + 447]
    small = degrade.bicubic_down(frame, r).clamp(0, 1)
    large = super_resolve(shipped, small, r).clamp(0, 1)
    return large[..., 2 - top : 297 - top, 2 - left : 447 - left]


# %%
shots = [shot(top, left) for top in range(3) for left in range(3)]
truth = high_res[..., 2:297, 2:447]
single = sum(metrics.psnr(s, truth, border=8).item() for s in shots) / 9
together = metrics.psnr(sum(shots) / 9, truth, border=8).item()
claim("the mean of nine is better by over 0.2 dB", together - single, above=0.2)

# %% [markdown]
# ## Where it fails: the slides' own filter
#
# The slides blur $I^{HR}$ with a Gaussian filter before they drop pixels. Our
# network knows bicubic shrinking. Move the filter's width σ: what happens if it
# is narrower, or wider, than what the network expects?


# %%
def blurred(sigma):
    small = degrade.blur_down(high_res, r, sigma)
    with torch.no_grad():
        pictures = {
            "bicubic": resize.imresize(small, r),
            "ESPCN": shipped(small),
        }
    alt = f"a cat's eye; Gaussian filter, σ = {sigma:g}, then every third pixel"
    return figures.zoom(
        pictures | {"original": high_res}, eye, alt=alt, factor=3
    )


# %%
widgets.slider(
    blurred,
    [0.4, 0.6, 1.0, 1.3, 2.0],
    label="σ",
    alt="a cat's eye: jagged for a narrow filter, soft for a wide one",
    start=1.0,
)

# %% [markdown]
# Narrow filters leave frequencies that the small grid cannot hold. They come
# back as jagged edges, and the network sharpens these, too. Wide filters leave
# the picture soft: ESPCN stays ahead of bicubic interpolation, but both fall.

# %%
rows = experiments.rows("espcn-blur")
widths = sorted({row["sigma"] for row in rows})
chart, ax = figures.canvas(height=2.6)
for name, label in (("bicubic", "bicubic"), ("espcn", "ESPCN")):
    cat = {x["sigma"]: x[name] for x in rows if x["photograph"] == "chelsea"}
    ax.plot(widths, [cat[s] for s in widths], "o-", label=label)
ax.set(xlabel="σ in pixels of the original", ylabel="PSNR in dB")
ax.legend(frameon=False, fontsize=9)
figures.show(
    chart, alt="ESPCN is below bicubic for σ under 0.8, best at 1, then falls."
)

# %%
narrow = degrade.blur_down(high_res, r, 0.4)
with torch.no_grad():
    pictures = [resize.imresize(narrow, r), shipped(narrow)]
psnr = [metrics.psnr(p.clamp(0, 1), high_res).item() for p in pictures]
claim("bicubic wins at σ = 0.4, by over 1 dB", psnr[0] - psnr[1], above=1)

# %% [markdown]
# ## Try your own photograph
#
# Put a path between the quotes. On Colab, `from google.colab import files;
# PATH = next(iter(files.upload()))` asks for a file. Your picture is taken as
# it is and enlarged by 3, so keep it small.

# %%
PATH = ""
small_photo = degrade.bicubic_down(photo, r).clamp(0, 1)
mine = images.read(PATH) if PATH else small_photo
large = {
    "bicubic": resize.imresize(mine, r),
    "ESPCN": super_resolve(shipped, mine, r, tile=512),
}

# %%
figures.zoom(
    large,
    (300, 150, 60, 50),
    alt="a part of your photograph; by default, fur below a cat's other eye",
)

# %% [markdown]
# ## Exercises
#
# Fill in what stands for `...` and run the check below it. The solutions are
# in [a notebook of their own](solutions/06-espcn.ipynb).

# %% [markdown] tags=["exercise"]
# **Exercise 1. Cheaper and wider.** For ESPCN (5-3-3, 64 and 32 features, one
# colour) at the scale $r$, give two numbers: the multiplications per output
# pixel, and the side of the window that an output pixel sees, in *large*
# pixels. The check asks for ×8.
#
# *Hint.* All layers work on small pixels. The last one has $r^2$ filters.


# %% tags=["stub"]
def cost_and_window(r):
    return ..., ...


# %% tags=["solution"]
def cost_and_window(r):
    weights = 25 * 64 + 9 * 64 * 32 + 9 * 32 * r**2
    return weights / r**2, r * (5 + 3 + 3 - 2)


# %% tags=["wrong"]
def cost_and_window(r):
    return 25 * 64 + 9 * 64 * 32 + 9 * 32 * r**2, 9


# %% tags=["check"]
check(
    cost_and_window(8),
    (601.0, 72.0),
    because="at ×8 it is cheaper than at ×4 and sees twice as far",
    mistakes=[
        ((38464, 9), "both are in small pixels: 64 large ones in each"),
        ((601, 9), "the window is in small pixels"),
    ],
)

# %% [markdown] tags=["exercise"]
# **Exercise 2. Weights from TensorFlow.** Its `depth_to_space` reads the
# channel $C\,r\,i+C\,j+c$ for the row $i$, the column $j$ and the colour $c$;
# PyTorch $c\,r^2+r\,i+j$. Write the list `order` such that
# `pixel_shuffle(T[:, order], r)` gives TensorFlow's picture.
#
# *Hint.* `order[k]` is the channel of TensorFlow that belongs where PyTorch
# looks for its channel $k$. Three nested loops, in PyTorch's order.


# %% tags=["stub"]
def from_tensorflow(r, C):
    return ...


# %% tags=["solution"]
def from_tensorflow(r, C):
    return [
        C * r * i + C * j + c
        for c in range(C)
        for i in range(r)
        for j in range(r)
    ]


# %% tags=["wrong"]
def from_tensorflow(r, C):
    return [
        C * r * j + C * i + c
        for c in range(C)
        for i in range(r)
        for j in range(r)
    ]


# %% tags=["check"]
depth = torch.arange(12.0).view(1, 12, 1, 1)
wanted = depth.view(2, 2, 3).permute(2, 0, 1)[None]  # (1, 3, 2, 2)
tf_order = from_tensorflow(2, 3)
mixed = ... if tf_order is ... else F.pixel_shuffle(depth[:, tf_order], 2)
check(
    mixed,
    wanted,
    because="for one colour the order changes nothing, so tests on luma pass",
    mistakes=[(wanted.mT, "this is the paper's order: rows and columns")],
)

# %% [markdown] tags=["exercise"]
# **Exercise 3. ICNR.** Make weights for the last convolution, $(Cr^2, n, k,
# k)$, from random ones $(C, n, k, k)$, such that the untrained layer followed
# by `PixelShuffle(r)` repeats pixels. For colour pictures too!
#
# *Hint.* PyTorch's channel is $cr^2+ri+j$. Which channels belong to one
# colour? `repeat_interleave` and `repeat` differ in just this.


# %% tags=["stub"]
def copies(weight, r):
    return ...


# %% tags=["solution"]
def copies(weight, r):
    # The r² channels of a colour lie one after the other.
    return weight.repeat_interleave(r**2, dim=0)


# %% tags=["wrong"]
def copies(weight, r):
    return weight.repeat(r**2, 1, 1, 1)


# %% tags=["check"]
torch.manual_seed(0)
few, x = torch.rand(2, 4, 3, 3), torch.rand(1, 4, 6, 6)
weight = copies(few, 3)
picture = (
    ... if weight is ... else F.pixel_shuffle(F.conv2d(x, weight, padding=1), 3)
)
coarse = F.conv2d(x, few, padding=1)
mixed_up = F.conv2d(x, few.repeat(9, 1, 1, 1), padding=1)
check(
    picture,
    coarse.repeat_interleave(3, -2).repeat_interleave(3, -1),
    because="the untrained network now enlarges by nearest neighbours",
    mistakes=[(F.pixel_shuffle(mixed_up, 3), "this mixes the two colours")],
)

# %% [markdown] tags=["exercise"]
# **Exercise 4. Seams.** A transposed convolution with stride $r$ and a kernel
# of side $K$: how many small pixels does an output pixel read, in one
# direction, at each of the $r$ places in a block? Return a sorted list of $r$
# numbers. (If they are not equal, there is a checkerboard even in a layer
# whose weights are all the same.)
#
# *Hint.* (12): place $i$ uses the entries $i, i+r, i+2r, \dots$ of the kernel.


# %% tags=["stub"]
def taps(K, r):
    return ...


# %% tags=["solution"]
def taps(K, r):
    return sorted(len(range(i, K, r)) for i in range(r))


# %% tags=["wrong"]
def taps(K, r):
    return [K // r] * r


# %% tags=["check"]
line = torch.ones(1, 1, 20)
counted = F.conv_transpose1d(line, torch.ones(1, 1, 5), stride=2)[0, 0, 10:12]
check(
    [taps(9, 3), taps(5, 2)],
    [[3, 3, 3], sorted(int(n) for n in counted)],
    because="only a kernel of r·k reads k pixels everywhere, as ESPCN does",
    mistakes=[
        ([[3, 3, 3], [2, 2]], "5 is odd: one place gets a tap more"),
    ],
)

# %% [markdown] tags=["exercise"]
# **Exercise 5. Bicubic's largest weight.** Enlarge by 2 as a sub-pixel layer:
# four kernels of $4\times4$. What is the largest weight in them, and what is
# the sum of each kernel?
#
# *Hint.* A large pixel lies a quarter of a pixel beside a small one. Keys'
# kernel near 0 is $1.5|x|^3-2.5x^2+1$, and two dimensions are a product.

# %% tags=["stub"]
largest, total = ..., ...

# %% tags=["solution"]
one_dimension = 1.5 * 0.25**3 - 2.5 * 0.25**2 + 1
largest, total = one_dimension**2, 1.0

# %% tags=["wrong"]
largest, total = 1.5 * 0.25**3 - 2.5 * 0.25**2 + 1, 1.0

# %% tags=["check"]
point = torch.zeros(1, 1, 9, 9)
point[..., 4, 4] = 1
found = resize.imresize(point, 2)
check(
    (largest, total),
    (found.max().item(), found[..., ::2, ::2].sum().item()),
    because="a sum of 1 keeps an even surface even",
    mistakes=[((0.8671875, 1.0), "this is one dimension: square it")],
    tolerance=1e-4,
)

# %% [markdown]
# ## Summary
#
# 1. ESPCN is six lines. Three convolutions work on small pixels; a shuffle
#    makes the large picture.
# 2. The paper's shuffle and PyTorch's differ by a permutation of the channels;
#    the slides' formula is neither.
# 3. Convolution and shuffle are a transposed convolution whose wide kernel is
#    the shuffled kernels, and they are faster.
# 4. Untrained it draws a checkerboard. Equal copies at the start remove it.
# 5. Frame by frame it enlarges video, on a GPU fast enough to watch; several
#    frames together know more.
#
# The [page of the lecture](../lectures/06-espcn.md) has what we left out (the
# paper's training, its second table, its errata) and the references.
