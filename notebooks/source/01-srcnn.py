# %% [markdown]
# # 1 · SRCNN: three convolutions that sharpen a picture
#
# About 45 seconds on two CPU cores. With a GPU the two trainings take the
# larger budget `class`: some minutes.
#
# The paper is C. Dong, C. C. Loy, K. He, X. Tang, *Learning a Deep
# Convolutional Network for Image Super-Resolution*, ECCV 2014. The [page of
# this lecture](../lectures/01-srcnn.md) derives what the slides show; here we
# check it, build it, train it, measure it and break it. Afterwards you can
#
# - compute PSNR in its three forms and say what a decibel is worth;
# - explain why bicubic interpolation is a convolution with a fixed kernel;
# - write SRCNN in six lines, count its weights and say what it does at the
#   border of a picture;
# - train it, and compare a score with a published one on the same ruler.
#
# You need to have seen a convolutional network before, and a little PyTorch.
# The letters are those of [the notation page](../book/notation.md).

# %% tags=["ground"]
import importlib.util
import subprocess
import sys

REPOSITORY = ""
if (
    "google.colab" in sys.modules
    and importlib.util.find_spec("imtrans") is None
):
    pip = [sys.executable, "-m", "pip", "install", "-q"]
    subprocess.check_call([*pip, REPOSITORY])

# %% tags=["ground"]
import math
import os

import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn
from torchvision.transforms.functional import pil_to_tensor, to_pil_image

from imtrans import degrade, figures, images, measured, metrics, published
from imtrans import recipes, resize, widgets, zoo
from imtrans.data import benchmarks, photos
from imtrans.evaluation import evaluate, validator
from imtrans.exercises import check
from imtrans.losses import half_sum_of_squares, sum_of_squares
from imtrans.models.srcnn import SRCNN
from imtrans.restore import Bicubic, super_resolve
from imtrans.training import fit

# %% [markdown]
# The next cell holds what you may want to change: the seed, how long to train,
# and a folder for checkpoints (on Colab for instance one on your Drive), so
# that a training that was cut off goes on.

# %% tags=["ground"]
torch.manual_seed(0)
GPU = torch.cuda.is_available()
BUDGET = os.environ.get("IMTRANS_BUDGET", "class" if GPU else "quick")
DEVICE = "cpu" if BUDGET == "quick" else None  # None is the best at hand
CHECKPOINTS = None
print("budget:", BUDGET)

# %% [markdown]
# ## The problem
#
# A photograph $X$ of high resolution was shrunk by a factor $s=3$. We want it
# back. The network will not change the size of anything: bicubic interpolation
# first enlarges the small picture to $Y$, as large as $X$ but blurred, and the
# network $F$ is to make $F(Y)$ as similar to $X$ as possible. Like the paper
# we look at one channel, the luma.

# %% tags=["ground"]
SCALE = 3
photo = images.modcrop(
    photos.photo("astronaut").picture, SCALE
)  # (1, 3, 510, 510)
X = metrics.luma(photo, rounded=True)  # (1, 1, 510, 510)
low_res = degrade.bicubic_down(X, SCALE)  # (1, 1, 170, 170)
Y = resize.imresize(low_res, SCALE).clamp(0, 1)  # (1, 1, 510, 510)
print(tuple(X.shape), tuple(low_res.shape), tuple(Y.shape))

# %%
badge = (275, 336, 54, 46)  # left, top, width, height
figures.where(
    photo, badge, alt="An astronaut; a frame marks the badge on her suit."
)

# %%
squares = low_res.repeat_interleave(SCALE, -2).repeat_interleave(SCALE, -1)
figures.zoom(
    {"low resolution": squares, "Y, its bicubic enlargement": Y, "X": X},
    badge,
    alt="the badge, whose lettering can be read in X alone",
)

# %% [markdown]
# ## The ruler: PSNR
#
# Similarity is measured by the peak signal-to-noise ratio. With the mean
# squared error $MSE$ of two pictures and the largest value $MAX_I$ that a
# pixel can have,
#
# $$
# \begin{aligned}
# PSNR &= 10\log_{10}\frac{MAX_I^2}{MSE} \\
# &= 20\log_{10}\frac{MAX_I}{\sqrt{MSE}} \\
# &= 20\log_{10} MAX_I-10\log_{10} MSE.
# \end{aligned} \qquad (1)
# $$
#
# The first step takes a square out of the logarithm, the second splits a
# quotient. `metrics.psnr` computes it.

# %%
mse = (255 * X - 255 * Y).square().mean()  # on the slides' scale: MAX_I = 255
forms = [
    10 * torch.log10(255**2 / mse),
    20 * torch.log10(255 / mse.sqrt()),
    20 * torch.log10(torch.tensor(255.0)) - 10 * torch.log10(mse),
]

# %%
print([f"{form:.2f}" for form in forms], f"{metrics.psnr(X, Y).item():.2f}")

# %% [markdown]
# `metrics.psnr` takes pictures in $[0,1]$ with $MAX_I=1$ and gives the same
# number: if both pictures and $MAX_I$ grow by a factor, numerator and
# denominator of (1) grow by its square.
#
# Why is a network that is trained for squared error good on this ruler? For
# one picture, PSNR is a falling function of the squared error, so the two
# gradients point in opposite directions:
#
# $$
# \frac{\partial\,PSNR}{\partial F}
# = -\frac{10}{\ln 10}\,\frac{1}{\lVert F-X\rVert^2}\;
# \frac{\partial\lVert F-X\rVert^2}{\partial F}. \qquad (2)
# $$

# %%
guess = Y.clone().requires_grad_()
squares = sum_of_squares(guess, X)
uphill = torch.autograd.grad(metrics.psnr(guess, X).sum(), guess)[0]
downhill = torch.autograd.grad(squares, guess)[0]
factor = -10 / torch.log(torch.tensor(10.0)) / squares.detach()
print(
    "equation (2) holds:", torch.allclose(uphill, factor * downhill, atol=1e-9)
)

# %% [markdown]
# ## Why bicubic interpolation is a convolution
#
# Keys' kernel weighs the samples by their distance $x$, in pixels, from the
# place where a value is wanted:
#
# $$
# h(x)=\begin{cases}
# \tfrac32|x|^3-\tfrac52|x|^2+1 & |x|\le1 \\
# -\tfrac12|x|^3+\tfrac52|x|^2-4|x|+2 & 1<|x|\le2 \\
# 0 & \text{else.}
# \end{cases}
# \qquad (3)
# $$
#
# `resize.imresize` computes it as MATLAB does. To see the kernel in it,
# enlarge a single white pixel: what comes out is the answer of a linear system
# to an impulse.


# %%
def keys(x):
    x = x.abs()
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return torch.where(x <= 1, near, torch.where(x <= 2, far, 0.0))


# %%
impulse = torch.zeros(1, 1, 9, 9)
impulse[..., 4, 4] = 1
answer = resize.imresize(impulse, 3)[0, 0]  # (27, 27)
distance = (torch.arange(27) + 0.5) / 3 - 0.5 - 4  # from the white pixel
product = torch.outer(keys(distance), keys(distance))
print("equation (3) holds:", torch.allclose(answer, product, atol=1e-6))

# %%
fine = torch.linspace(-2.4, 2.4, 400)
chart, ax = figures.canvas(height=2.6)
ax.plot(fine, keys(fine), label="Keys' kernel, equation (3)")
ax.plot(distance[6:21], answer[13, 6:21], "o", label="middle row of the answer")
ax.set(xlabel="distance in input pixels", ylabel="weight")
ax.legend(frameon=False, fontsize=9)
figures.show(
    chart, alt="A peak of 1 at 0, negative lobes from 1 to 2; dots lie on it."
)

# %% [markdown]
# The dots are a third of a pixel apart: 11 of them are not zero. So enlarging
# by 3 is this: write each pixel into a grid three times as fine, zeros
# between, and convolve with one fixed $11\times11$ kernel. PyTorch calls that
# a transposed convolution with stride 3. At the edge `imresize` repeats the
# last pixel, so we compare inside. Shrinking is a convolution with stride 3
# and the same kernel, three times as wide.

# %%
taps = keys(torch.arange(-5, 6) / 3)
kernel = torch.outer(taps, taps)[None, None]  # (1, 1, 11, 11)
convolved = F.conv_transpose2d(low_res, kernel, stride=3, padding=4)
difference = images.shave(convolved - resize.imresize(low_res, 3), 6)
print("convolution equals imresize:", difference.abs().max().item() < 1e-5)

# %% [markdown]
# So $Y$ is a *known, linear* function of the low resolution. What SRCNN adds
# is a function that is learned and not linear.
#
# ## The network
#
# $$
# \begin{aligned}
# F_1(Y)&=\max(0,\;W_1*Y+B_1) \\
# F_2(Y)&=\max(0,\;W_2*F_1(Y)+B_2) \\
# F(Y)&=W_3*F_2(Y)+B_3
# \end{aligned} \qquad (4)
# $$
#
# $W_1$ holds $n_1=64$ filters of $9\times9$: it cuts out patches and describes
# each by 64 numbers. $W_2$ maps them to $n_2=32$ numbers, pixel by pixel
# ($1\times1$). $W_3$ lays $5\times5$ patches over each other, weighted by
# these. The paper calls it 9-1-5, after the kernels. In PyTorch these are six
# lines:

# %%
network = nn.Sequential(
    nn.Conv2d(1, 64, 9),  # W1 (64, 1, 9, 9), B1 (64)
    nn.ReLU(),
    nn.Conv2d(64, 32, 1),  # W2 (32, 64, 1, 1), B2 (32)
    nn.ReLU(),
    nn.Conv2d(32, 1, 5),  # W3 (1, 32, 5, 5), B3 (1)
)

# %% [markdown]
# `imtrans.models.srcnn.SRCNN` is the same network with the same parameters,
# and a choice of what happens at the border. With valid convolutions, which
# make the picture smaller, both give the same answer.

# %%
ours = SRCNN(padding="valid")
weights = network.state_dict().values()
ours.load_state_dict(dict(zip(ours.state_dict(), weights, strict=True)))

# %%
patch = Y[..., 300:333, 300:333]
with torch.no_grad():
    print("same answer:", torch.equal(network(patch), ours(patch)))
print(tuple(patch.shape), "->", tuple(ours(patch).shape))

# %% [markdown]
# A filter of layer $i$ has $n_{i-1}f_i^2$ weights and one bias. The number of
# multiplications for each pixel is the number of weights.

# %%
VARIANTS = {
    "9-1-5, wide": SRCNN(n1=128, n2=64),
    "9-1-5": SRCNN(),
    "9-1-5, narrow": SRCNN(n1=32, n2=16),
    "9-3-5": SRCNN(f2=3),
    "9-5-5": SRCNN(f2=5),
}

# %%
counts = []
for name, variant in VARIANTS.items():
    weights = sum(p.numel() for p in variant.parameters() if p.ndim == 4)
    biases = sum(p.numel() for p in variant.parameters() if p.ndim == 1)
    row = {"network": name, "weights": weights, "biases": biases}
    counts.append(row | {"parameters": weights + biases})
figures.table(counts, caption="Parameters of SRCNN, counted in the code.")

# %% [markdown]
# Later papers write "57K parameters" for SRCNN: they mean 9-5-5.
#
# How far does an output pixel look? Ask the gradient: it is not zero at
# exactly those input pixels that matter.

# %%
window = torch.rand(1, 1, 25, 25, requires_grad=True)
ours(window)[0, 0, 6, 6].backward()  # one pixel of the 13×13 output
rows = window.grad[0, 0].abs().sum(dim=1).nonzero().flatten()
print(f"rows {rows.min()} to {rows.max()}: a receptive field of {len(rows)}")

# %% [markdown]
# ## Training
#
# The parameters $\Theta=\{W_1,W_2,W_3,B_1,B_2,B_3\}$ are to make the mean
# squared distance on $n$ training patches small:
#
# $$
# L(\Theta)=\frac1n\sum_{i=1}^n\lVert F(Y_i;\Theta)-X_i\rVert^2. \qquad (5)
# $$
#
# The norm *sums* over the pixels of a patch (`losses.sum_of_squares`);
# PyTorch's `mse_loss` *averages* over them. Valid convolutions turn a patch of
# $33\times33$ into $21\times21$ pixels, so the two differ by a factor, and so
# do the learning rates that suit them:

# %%
prediction, target = torch.rand(2, 16, 1, 21, 21)
ratio = sum_of_squares(prediction, target) / F.mse_loss(prediction, target)
print(f"{ratio:.0f} = 21 · 21 pixels a patch")

# %% [markdown]
# Now train. The recipe says everything: data, loss, optimiser, length. The
# training data are photographs that come with scikit-image and scikit-learn,
# none of which is used for a score below, and dead leaves, pictures made of
# random disks. The authors trained by plain SGD for days; our recipe has a
# better optimiser (Muon) and less time.

# %%
recipe = recipes.RECIPES["srcnn-x3"](budget=BUDGET)
print(*recipe.material, recipe.optimizer, sep="\n")
print(f"{recipe.steps} steps of {recipe.batch} patches")

# %%
options = {"progress": False, "device": DEVICE}
if CHECKPOINTS:
    options |= {"folder": f"{CHECKPOINTS}/srcnn", "resume": True}

# %%
falls = "Loss over steps, on a logarithmic scale: it falls steeply, then less."
live = figures.LiveCurve(recipe.steps, alt=falls)
run = fit(recipe, on_step=live, validate=validator(scales=(SCALE,)), **options)

# %% [markdown]
# The loss says little about pictures. On a photograph that was kept apart, the
# network passes bicubic interpolation:

# %%
validated = [entry for entry in run.log if "psnr" in entry]
held_out = validator(scales=(SCALE,))

# %%
figures.curves(
    [entry["step"] for entry in validated],
    {"SRCNN": [entry["psnr"] for entry in validated]},
    levels={"bicubic": held_out(Bicubic())["psnr"]},
    xlabel="step",
    ylabel="PSNR in dB",
    alt="PSNR on a validation photograph: it rises and passes bicubic.",
)

# %% [markdown]
# ## The shipped weights
#
# This run was short. The package brings weights of the same architecture that
# were trained longer, on the 91 pictures that the paper used. Their card says
# how.

# %%
shipped = zoo.load("srcnn-x3")
card = zoo.card("srcnn-x3")
for key in ("data", "optimizer", "steps", "batch", "parameters"):
    print(f"{key}: {card[key]}")

# %% [markdown]
# `evaluation.evaluate` degrades pictures, restores them and compares: always
# by a named [protocol](../book/protocol.md). Here on the test photographs of
# the bundle, which neither network has seen.

# %%
test = [(p.name, p.picture) for p in photos.photos("test", gray=True)]
networks = {
    "bicubic": "bicubic",
    "this run": run.model,
    "shipped weights": shipped,
}
scores = {
    name: evaluate(net, test, scale=SCALE) for name, net in networks.items()
}

# %% tags=["nbval-ignore-output"]
rows = []
for name, score in scores.items():
    each = {row.name: row.psnr for row in score.rows}
    rows.append({"network": name, **each, "mean": score.psnr})
figures.table(
    rows, caption="PSNR in dB on the test photographs, ×3, protocol y8."
)

# %%
print(
    "this run beats bicubic:", scores["this run"].psnr > scores["bicubic"].psnr
)
print(
    "the shipped weights beat this run:",
    scores["shipped weights"].psnr > scores["this run"].psnr,
)

# %% [markdown]
# ### Our number beside the paper's
#
# Papers report the mean over the five pictures of Set5. Ours is on the card,
# measured by the paper's protocol: 8-bit luma, a border of 3 pixels left out.
# SC is the sparse-coding method that the slides name. If you have Set5, the
# cell below the table measures anew.

# %%
papers = [
    published.rows("srcnn", model=name, set="Set5", scale=SCALE)[0]
    for name in ("Bicubic", "SC", "SRCNN")
]
ours_set5 = next(s for s in card["scores"] if s["set"] == "Set5")
papers.append(
    {"model": "SRCNN, our weights", "source": "the card", **ours_set5}
)

# %%
figures.table(
    [
        {"method": p["model"], "PSNR": p["psnr"], "source": p["source"]}
        for p in papers
    ],
    caption="Set5 ×3, PSNR in dB, protocol y8; SRCNN is 9-1-5 on 91 pictures.",
)

# %% tags=["nbval-ignore-output"]
try:
    print(evaluate(shipped, benchmarks.load("Set5"), scale=SCALE).table())
except FileNotFoundError:
    print("Set5 is not at hand here; the number above is from the card.")

# %% [markdown]
# ## Pictures
#
# Decibels are not what we look at. The same box, four times:

# %%
with torch.no_grad():
    by_run, by_shipped = run.model(Y).clamp(0, 1), shipped(Y).clamp(0, 1)

# %%
figures.zoom(
    {"bicubic": Y, "this run": by_run, "shipped weights": by_shipped, "X": X},
    (194, 110, 52, 46),
    alt="a smile; edges are sharper than bicubic's, single teeth in X alone",
    factor=3,
)

# %% [markdown]
# Move the divider, with the mouse or with the arrow keys. Luma comes from the
# network, colour from bicubic interpolation (`restore.super_resolve`): nobody
# sees that the colours are blurred.

# %%
small = degrade.bicubic_down(photo, SCALE).clamp(0, 1)  # (1, 3, 170, 170)
enlarged = {
    "bicubic": resize.imresize(small, SCALE),
    "SRCNN": super_resolve(shipped, small, SCALE),
}

# %%
before, after = (
    figures.crop(p, (170, 30, 130, 130)) for p in enlarged.values()
)
widgets.before_after(
    before,
    after,
    labels=("bicubic", "SRCNN"),
    alt="the astronaut's face",
    factor=3,
)

# %% [markdown]
# ## What the first layer sees
#
# Each of the 64 filters looks at $9\times9$ pixels. Middle grey is zero; the
# strongest filter comes first, and each has its own contrast. There are edges
# in several directions, spots and rings, as in the paper's figure. The
# weakest, at the end, look like noise: training has hardly moved them from
# their random start.

# %%
figures.filters(
    shipped.patch_extraction.weight,
    alt="The 64 filters: bands in several directions, centred spots, textures.",
)

# %% [markdown]
# ## Borders
#
# In training no pixel beyond the patch is invented (*valid* convolutions). In
# use the answer must be as large as the picture, so each layer *repeats* the
# edge. What if it invents black (*zeros*), as many a re-implementation does?
# The same weights, three habits; the score leaves out 3 pixels at each side.


# %%
def at_border(padding, border):
    shipped.padding = padding
    with torch.no_grad():
        answer = shipped(Y).clamp(0, 1)
    shipped.padding = "replicate"
    cut = shipped.margin if padding == "valid" else 0  # valid: a smaller answer
    if border < cut:
        return None
    answer, truth = images.shave(answer, border - cut), images.shave(X, border)
    return metrics.psnr(answer, truth).item()


# %% tags=["nbval-ignore-output"]
habits = [
    {
        "padding": p,
        "3 pixels left out": at_border(p, 3),
        "6 left out": at_border(p, 6),
    }
    for p in ("valid", "replicate", "zeros")
]
figures.table(
    habits, caption="PSNR in dB on one photograph, by the layers' padding."
)

# %%
at_rim = {row["padding"]: row["3 pixels left out"] for row in habits}
inner = [row["6 left out"] for row in habits]
print(
    "zeros cost over half a decibel:",
    at_rim["replicate"] - at_rim["zeros"] > 0.5,
)
print("further inside all three agree:", max(inner) - min(inner) < 1e-4)

# %% [markdown]
# The receptive field reaches 6 pixels, so deeper inside nothing changes: the
# right column is the same three times. At the rim, zeros are the sharpest edge
# of the whole picture, and the network was trained to sharpen edges.

# %%
with torch.no_grad():
    shipped.padding = "zeros"
    black = shipped(Y).clamp(0, 1)
    shipped.padding = "replicate"

# %%
figures.zoom(
    {"zeros": black, "replicate": shipped(Y).detach()},
    (0, 460, 50, 50),
    alt="the lower left corner; with zeros, stripes run along the edge",
)

# %% [markdown]
# ## The trap: another ruler
#
# Numbers of different papers and programs are often not comparable, and the
# reason is seldom the network. We measure what each departure from the
# protocol does to the score of *the same method*: another luma, no border,
# another library's bicubic.


# %%
def by_matlab(x, size):
    return resize.imresize(x, size[0] / x.shape[-2])


def by_torch(x, size):
    return F.interpolate(x, size, mode="bicubic")


def by_pillow(x, size):
    image = to_pil_image(images.to_uint8(x)[0])
    resized = image.resize(size[::-1], Image.Resampling.BICUBIC)
    return images.to_float(pil_to_tensor(resized))[None]


# %%
def studio_luma(picture):
    return metrics.luma(picture, rounded=True)  # the protocol: 16 to 235


def full_luma(picture):
    return (
        (metrics.luma(picture, rounded=False) - 16 / 255) * 255 / 219
    )  # 0 to 255


def rgb(picture):
    return picture


# %%
def psnr(
    x, planes=studio_luma, down=by_matlab, up=by_matlab, border=3, net=None
):
    x = planes(images.modcrop(x, SCALE))  # (1, 1 or 3, H, W)
    height, width = x.shape[-2:]
    y = up(down(x, (height // SCALE, width // SCALE)), (height, width))
    if net:
        y = (
            net(y.transpose(0, 1)).transpose(0, 1).detach()
        )  # channel by channel
    y = images.to_float(images.to_uint8(y))
    return metrics.psnr(x, y, border=border).item()


# %%
def mean_psnr(**ruler):
    return (
        psnr(photo, **ruler) + psnr(photos.photo("chelsea").picture, **ruler)
    ) / 2


# %%
RULERS = {
    "the protocol, y8": {},
    "no border left out": {"border": 0},
    "luma from 0 to 255": {"planes": full_luma},
    "RGB": {"planes": rgb},
    "Pillow's bicubic": {"down": by_pillow, "up": by_pillow},
    "PyTorch's default bicubic": {"down": by_torch, "up": by_torch},
    "PyTorch's default, up only": {"up": by_torch},
}

# %%
trap = {
    ruler: {"bicubic": mean_psnr(**how), "SRCNN": mean_psnr(net=shipped, **how)}
    for ruler, how in RULERS.items()
}

# %% tags=["nbval-ignore-output"]
rows, base = [], trap["the protocol, y8"]
for ruler, row in trap.items():
    moved = {
        f"{name}, moved by": f"{row[name] - base[name]:+.2f}" for name in row
    }
    rows.append({"ruler": ruler, **row, **moved})
figures.table(rows, caption="Mean PSNR in dB on two photographs, by ruler.")

# %% [markdown]
# Read the table by rows. Full-range luma costs bicubic $20\log_{10}(255/219)$
# dB by its range alone, and RGB a little more; the network loses more than
# that, because it has learned on levels from 16 to 235. Pillow antialiases
# like MATLAB: harmless. PyTorch's default does not antialias and has another
# kernel (Keys' with $a=-0.75$). There the network falls below bicubic: it has
# never seen such a low resolution. So a wrong ruler does not just move all
# numbers. It changes who wins.

# %%
print(f"full range against studio range: {20 * math.log10(255 / 219):.2f} dB")
gain = {ruler: row["SRCNN"] - row["bicubic"] for ruler, row in trap.items()}
print("largest gain over bicubic:", max(gain, key=gain.get))
print("smallest gain over bicubic:", min(gain, key=gain.get))

# %% [markdown]
# ## How wide must it be?
#
# The paper trains 9-1-5 with twice and with half the filters and reports PSNR
# on Set5 and the time of a picture. Times of another decade's machine say
# little, their *ratios* more. We trained the three widths by one recipe for
# one number of steps, and timed them in turn on one machine.

# %%
PAPER_SECONDS = {128: 0.60, 64: 0.18, 32: 0.05}  # a picture, from the slides
width = []
for row in measured.rows("srcnn-width"):
    n1, n2 = row["n1"], row["n2"]
    paper = published.rows("srcnn", model=f"SRCNN {n1}-{n2}")[0]["psnr"]
    filters = {"filters": f"{n1}, {n2}", "weights": row["weights"]}
    decibels = {"PSNR, paper": paper, "PSNR, here": row["psnr"]}
    ratio = PAPER_SECONDS[n1] / PAPER_SECONDS[64]
    times = {"time, paper": ratio, "time, here": row["time_ratio"]}
    width.append(filters | decibels | times)

# %%
figures.table(
    width, caption="Set5 ×3, PSNR in dB, y8; time a picture, as a ratio."
)

# %% [markdown]
# Same order, same picture: twice the filters cost about three times the time,
# for one or two tenths of a decibel. The levels are not comparable: the paper
# trained on ImageNet for days, we for minutes on the 91 pictures, each width
# once.
#
# One of the three we train here: the narrow one, by the same recipe and for
# the same number of steps as our run above.

# %%
if CHECKPOINTS:
    options["folder"] = f"{CHECKPOINTS}/narrow"
narrow_recipe = recipes.srcnn(
    SCALE, budget=BUDGET, n1=32, n2=16, name="srcnn-narrow"
)

# %%
falls = (
    "The loss of the narrow network, on a logarithmic scale: the same shape."
)
live = figures.LiveCurve(recipe.steps, alt=falls)
narrow = fit(narrow_recipe, on_step=live, **options)

# %% tags=["nbval-ignore-output"]
both = {"9-1-5": run.model, "9-1-5, narrow": narrow.model}
means = {
    name: evaluate(net, test, scale=SCALE).psnr for name, net in both.items()
}
figures.table(
    [{"network": name, "PSNR": mean} for name, mean in means.items()],
    caption="Mean PSNR in dB on the test photographs, equal recipe and steps.",
)

# %% [markdown]
# After this short run on few pictures the two are close; in the table above,
# with more pictures and larger batches, they are not.
#
# ## Where it fails
#
# SRCNN knows one degradation: bicubic shrinking by 3 of a clean picture. Give
# it something else, and it sharpens what it should not. First noise: a little
# of it in the low resolution. Then a picture shrunk by 2 only, in which the
# network finds a blur that is not there.

# %%
noisy = resize.imresize(degrade.gaussian_noise(low_res, 10, seed=0), SCALE)
even = images.modcrop(X, 2)
by_two = degrade.bicubic_down_up(even, 2)

# %% tags=["nbval-ignore-output"]
failures = []
for name, seen, truth in (("noise", noisy, X), ("shrunk by 2", by_two, even)):
    row = {"input": name}
    for method, net in (("bicubic", Bicubic()), ("SRCNN ×3", shipped)):
        answer = net(seen).detach().clamp(0, 1)
        row[method] = metrics.psnr(answer, truth, border=3).item()
    failures.append(row)
figures.table(failures, caption="PSNR in dB where the input is a strange one.")

# %%
print(
    "bicubic wins twice:",
    all(row["bicubic"] > row["SRCNN ×3"] for row in failures),
)

# %%
with torch.no_grad():
    sharpened = shipped(noisy)

# %%
figures.zoom(
    {"bicubic, with noise": noisy, "SRCNN, with noise": sharpened},
    badge,
    alt="the badge under noise; the network's grains are harder than bicubic's",
)

# %% [markdown]
# And in the clean case: look at the badge again. The lettering was not in the
# low resolution, so it is not in the answer. The network makes edges sharp; it
# does not know letters.
#
# ## Try your own photograph
#
# Put a path between the quotes. On Colab, `from google.colab import files;
# PATH = next(iter(files.upload()))` asks for a file. Your picture is taken as
# it is and enlarged by 3, so keep it small.

# %%
PATH = ""
cat = photos.photo("chelsea").picture
mine = (
    images.read(PATH) if PATH else degrade.bicubic_down(cat, SCALE).clamp(0, 1)
)
by_network = super_resolve(shipped, mine, SCALE, tile=512)

# %%
box = (120, 80, 60, 50)  # left, top, width, height in the enlarged picture
large = {"bicubic": resize.imresize(mine, SCALE), "SRCNN": by_network}
figures.zoom(
    large, box, alt="a part of your photograph; as it stands, a cat's eye"
)

# %% [markdown]
# ## Exercises
#
# Fill in what stands for `...` and run the check below it.

# %% [markdown] tags=["exercise"]
# **Exercise 1. Levels and decibels.** Two 8-bit pictures differ by exactly
# `levels` grey levels in each pixel. What is their PSNR? Write it for any
# number of levels.
#
# *Hint.* What is the mean squared error if all errors are equal? Then use the
# last form of (1).


# %% tags=["stub"]
def psnr_of(levels):
    return ...


# %% tags=["solution"]
def psnr_of(levels):
    # Every squared error is levels², so that is their mean too.
    return 20 * math.log10(255) - 20 * math.log10(levels)


# %% tags=["wrong"]
def psnr_of(levels):
    return 20 * math.log10(255) - 10 * math.log10(levels)


# %% tags=["check"]
gray = torch.full((1, 1, 8, 8), 100 / 255)
half = 20 * math.log10(255) - 10 * math.log10(2)
check(
    psnr_of(2),
    metrics.psnr(gray, gray + 2 / 255).item(),
    because="doubling the error costs 6.02 dB, whatever it was",
    mistakes=[(half, "the MSE is the square of the levels")],
    tolerance=1e-4,
)

# %% [markdown] tags=["exercise"]
# **Exercise 2. Counting.** Write the number of parameters, weights and biases,
# of SRCNN with one channel and kernels $f_1,f_2,f_3$.
#
# *Hint.* A filter has a weight for each channel and pixel that it sees, and
# one bias.


# %% tags=["stub"]
def parameters(n1, n2, f1, f2, f3):
    return ...


# %% tags=["solution"]
def parameters(n1, n2, f1, f2, f3):
    first = n1 * (f1**2 + 1)
    second = n2 * (n1 * f2**2 + 1)
    third = n2 * f3**2 + 1
    return first + second + third


# %% tags=["wrong"]
def parameters(n1, n2, f1, f2, f3):
    return n1 * f1**2 + n1 * n2 * f2**2 + n2 * f3**2


# %% tags=["check"]
check(
    parameters(64, 32, 9, 5, 5),
    sum(p.numel() for p in SRCNN(f2=5).parameters()),
    because="this is what later papers call the 57K of SRCNN",
    mistakes=[(57_184, "these are the weights; each filter has a bias too")],
)

# %% [markdown] tags=["exercise"]
# **Exercise 3. The learning rate of the paper.** The authors' program
# minimises $\tfrac1{2N}\sum_i\lVert F(Y_i)-X_i\rVert^2$ by SGD with the
# learning rate $10^{-4}$. You have `nn.MSELoss()`, the mean over the pixels
# too. Which learning rate makes the same steps, for training patches of `side`
# × `side` pixels at the input of 9-1-5?
#
# *Hint.* The loss is scaled by some factor, so is its gradient, and so is the
# step. Valid convolutions: count the pixels of the *output*.


# %% tags=["stub"]
def learning_rate(side):
    return ...


# %% tags=["solution"]
def learning_rate(side):
    pixels = (side - 9 - 1 - 5 + 3) ** 2  # of an output patch
    return 1e-4 * pixels / 2  # the mean is 2 / pixels times the authors' loss


# %% tags=["wrong"]
def learning_rate(side):
    return 1e-4 * side**2 / 2


# %% tags=["check"]
out, goal = torch.rand(2, 16, 1, 21, 21)
check(
    learning_rate(33),
    1e-4 * (half_sum_of_squares(out, goal) / F.mse_loss(out, goal)).item(),
    because="with 1e-4 and the mean, training is 220 times too slow",
    mistakes=[
        (
            1e-4 * 33**2 / 2,
            "33 is the side of the input; the output is smaller",
        ),
        (1e-4 * 21**2, "the authors' loss has a half in front"),
        (
            1e-4 * 2 / 21**2,
            "a smaller loss needs a larger rate, not a smaller one",
        ),
    ],
)

# %% [markdown] tags=["exercise"]
# **Exercise 4. Nothing at all.** Set the parameters of an SRCNN by hand so
# that $F(Y)=Y$: the network that does nothing. It shows what a trained one
# must carry through its layers besides the detail.
#
# *Hint.* Start from zeros. One filter in each layer is enough; which pixel of
# its kernel must be 1? And why does ReLU do no harm?


# %% tags=["stub"]
def identity(network):
    for parameter in network.parameters():
        parameter.data.zero_()
    return ...  # set three weights and return the network


# %% tags=["solution"]
def identity(network):
    for parameter in network.parameters():
        parameter.data.zero_()
    network.patch_extraction.weight.data[0, 0, 4, 4] = 1  # the middle of 9×9
    network.mapping.weight.data[0, 0, 0, 0] = 1
    network.reconstruction.weight.data[0, 0, 2, 2] = 1  # the middle of 5×5
    return network  # pixels are never negative, so ReLU changes nothing


# %% tags=["wrong"]
def identity(network):
    for parameter in network.parameters():
        parameter.data.zero_()
    for layer in (
        network.patch_extraction,
        network.mapping,
        network.reconstruction,
    ):
        layer.weight.data[0, 0, 0, 0] = 1
    return network


# %% tags=["check"]
with torch.no_grad():
    made = identity(SRCNN())
    copy = ... if made is ... else made(Y)
moved = F.pad(Y, (6, 0, 6, 0), mode="replicate")[..., :510, :510]
check(
    copy,
    Y,
    because="VDSR, lecture 5, adds Y at the end: its layers need not carry it",
    mistakes=[(moved, "the picture is moved by 6 pixels: take the middle")],
)

# %% [markdown] tags=["exercise"]
# **Exercise 5. The weights of bicubic.** Enlarge by 3: an output pixel lies a
# third of a pixel right of an input pixel. With which weights do the four
# nearest input pixels, at distances $-\tfrac43,-\tfrac13,\tfrac23,\tfrac53$,
# enter? Give a tensor of four.
#
# *Hint.* Equation (3), no program needed; but one is allowed.

# %% tags=["stub"]
four_weights = ...

# %% tags=["solution"]
d = torch.tensor([4 / 3, 1 / 3, 2 / 3, 5 / 3])
inner = 1.5 * d**3 - 2.5 * d**2 + 1
outer = -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2
four_weights = torch.where(d <= 1, inner, outer)

# %% tags=["wrong"]
four_weights = torch.tensor([0.0, 2 / 3, 1 / 3, 0.0])

# %% tags=["check"]
columns = torch.eye(9)[:, None, None, :].expand(
    -1, -1, 9, -1
)  # a white one in each
linear = torch.tensor([0.0, 2 / 3, 1 / 3, 0.0])
check(
    four_weights,
    resize.imresize(columns, 3)[3:7, 0, 13, 14],
    because="two are negative: bicubic sharpens and overshoots at edges",
    mistakes=[(linear, "that is linear interpolation")],
)

# %% [markdown]
# The solutions are in [a notebook of their own](solutions/01-srcnn.ipynb).
#
# ## What we left out, and errata
#
# - The paper's own training: SGD for days, weights that start at $\mathcal
#   N(0,0.001^2)$. It is the budget `paper` of the recipe.
# - The nets 9-3-5 and 9-5-5 and training on ImageNet; our `srcnn-955-x3` is
#   9-5-5, trained on more pictures than the 91.
# - Colour: the journal paper tries YCbCr and RGB. Its table of that is on the
#   [page of the lecture](../lectures/01-srcnn.md).
# - The text of the paper blurs by a Gaussian before it shrinks; the released
#   program does not, and neither do we.
# - The slides do not say that their table of widths is at ×3 and from nets
#   trained on ImageNet. The journal paper is of 2016 (online 2015).
#
# ## References
#
# - C. Dong, C. C. Loy, K. He, X. Tang: Learning a Deep Convolutional Network
#   for Image Super-Resolution. ECCV 2014.
# - C. Dong, C. C. Loy, K. He, X. Tang: Image Super-Resolution Using Deep
#   Convolutional Networks. IEEE TPAMI 38(2), 2016.
# - R. G. Keys: Cubic Convolution Interpolation for Digital Image Processing.
#   IEEE TASSP 29(6), 1981.
# - J. Yang, J. Wright, T. Huang, Y. Ma: Image Super-Resolution via Sparse
#   Representation. IEEE TIP 19(11), 2010.
