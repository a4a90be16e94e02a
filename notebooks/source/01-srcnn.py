# %% [markdown]
# # 1 · SRCNN: three convolutions that sharpen a picture
#
# About 40 seconds of computing on two CPU cores. On a GPU the notebook trains
# longer by default (budget `class`, a few minutes). To read and run: 40
# minutes; the exercises: 25 more.
#
# The paper is C. Dong, C. C. Loy, K. He, X. Tang, *Learning a Deep
# Convolutional Network for Image Super-Resolution*, ECCV 2014. The [page of
# this lecture](../lectures/01-srcnn.md) derives its equations; here we check
# them, build the network, train it, measure it and break it. Equations have
# the numbers of the page. Afterwards you can
#
# - compute PSNR and see why squared error is the loss that goes with it;
# - write SRCNN in a few lines, and the loop that trains it in five more;
# - say what a network does at the border of a picture;
# - compare a score with a published one, and tell when that means nothing.
#
# You need to have seen a convolutional network before, and a little PyTorch.
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
import math
import os

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
# A photograph $X$ was shrunk by $s=3$, and we want it back. Bicubic
# interpolation enlarges the small picture to $Y$, as large as $X$ but blurred;
# the network $F$ is to make $F(Y)$ as similar to $X$ as possible. Like the
# paper we look at one channel, the luma.

# %% tags=["ground"]
SCALE = 3
photo = images.modcrop(photos.photo("astronaut").picture, SCALE)
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
low_res_squares = low_res.repeat_interleave(3, -2).repeat_interleave(3, -1)
figures.zoom(
    {"low resolution": low_res_squares, "Y, by bicubic": Y, "X": X},
    badge,
    alt="the badge, whose lettering can be read in X alone",
)

# %% [markdown]
# ## PSNR
#
# $$
# \begin{aligned}
# PSNR &= 10\log_{10}\frac{MAX_I^2}{MSE} \\
# &= 20\log_{10}\frac{MAX_I}{\sqrt{MSE}} \\
# &= 20\log_{10} MAX_I-10\log_{10} MSE
# \end{aligned} \qquad (3)
# $$
#
# `metrics.psnr` computes it for pictures in $[0,1]$, with $MAX_I=1$. On the
# slides' scale, with $MAX_I=255$, the three forms give the same number. (The
# scores further down follow the protocol, which rounds $Y$ to 8 bits and leaves
# out the outer 3 pixels. That moves them by a few hundredths.)

# %%
mse = (255 * X - 255 * Y).square().mean()
forms = [
    10 * torch.log10(255**2 / mse),
    20 * torch.log10(255 / mse.sqrt()),
    20 * math.log10(255) - 10 * torch.log10(mse),
]
print([f"{form:.2f}" for form in forms], f"{metrics.psnr(X, Y).item():.2f}")

# %% [markdown]
# Why does a network that is trained on squared error do well by this score?
# The gradients of both point in opposite directions. With $E=\lVert
# F-X\rVert^2$,
#
# $$
# \frac{\partial\,PSNR}{\partial F}
# = -\frac{10}{\ln 10}\,\frac{1}{E}\;\frac{\partial E}{\partial F}.
# $$

# %% tags=["ground"]
from imtrans.losses import half_sum_of_squares, sum_of_squares

# %%
guess = Y.clone().requires_grad_()
error = sum_of_squares(guess, X)
uphill = torch.autograd.grad(metrics.psnr(guess, X).sum(), guess)[0]
downhill = torch.autograd.grad(error, guess)[0]
factor = -10 / math.log(10) / error.detach()
assert torch.allclose(uphill, factor * downhill, atol=1e-9)
print("✓ the gradients are opposite")

# %% [markdown]
# ## Bicubic interpolation is a fixed filter
#
# Each new pixel is a sum of old ones, weighted by Keys' kernel of their
# distance $x$ ([the protocol](../book/protocol.md) has the formula).
# `resize.imresize` computes it as MATLAB does. A single white pixel shows the
# kernel: what a linear filter makes of an impulse is the filter itself.


# %%
def keys(x):
    x = x.abs()
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return torch.where(x <= 1, near, torch.where(x <= 2, far, 0.0))


# %%
impulse = torch.zeros(1, 1, 9, 9)
impulse[..., 4, 4] = 1
response = resize.imresize(impulse, 3)[0, 0]  # (27, 27)
distance = (torch.arange(27) + 0.5) / 3 - 0.5 - 4  # from the white pixel
product = torch.outer(keys(distance), keys(distance))
assert torch.allclose(response, product, atol=1e-6)
print("✓ rows and columns follow Keys' kernel")

# %%
fine = torch.linspace(-2.4, 2.4, 400)
chart, ax = figures.canvas(height=2.6)
ax.plot(fine, keys(fine), label="Keys' kernel")
ax.plot(distance[6:21], response[13, 6:21], "o", label="imresize, middle row")
ax.set(xlabel="distance in input pixels", ylabel="weight")
ax.legend(frameon=False, fontsize=9)
figures.show(
    chart, alt="A peak of 1 at 0, negative lobes from 1 to 2; dots lie on it."
)

# %% [markdown]
# Shrinking by 3 uses the same kernel, three times as wide and with weights a
# third as large. So $Y$ is a *known, linear* function of the low resolution.
# What SRCNN adds is learned and not linear.
#
# ## The network
#
# $$
# \begin{aligned}
# F_1(Y)&=\max(0,\;W_1*Y+B_1) &&(4)\\
# F_2(Y)&=\max(0,\;W_2*F_1(Y)+B_2) &&(5)\\
# F(Y)&=W_3*F_2(Y)+B_3 &&(6)
# \end{aligned}
# $$
#
# The paper calls it 9-1-5, after the sizes of its kernels. In PyTorch it is a
# list of five modules:

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
# and a choice of what happens at the border. With `"valid"` convolutions, which
# make the picture smaller, both return the same:

# %% tags=["ground"]
from imtrans.models.srcnn import SRCNN

# %%
ours = SRCNN(padding="valid")
parameters = network.state_dict().values()
ours.load_state_dict(dict(zip(ours.state_dict(), parameters, strict=True)))

# %%
patch = Y[..., 300:333, 300:333]
assert torch.equal(network(patch), ours(patch))
print(tuple(patch.shape), "->", tuple(ours(patch).shape))

# %% [markdown]
# How many parameters, and how far does an output pixel look? Count the first;
# for the second ask the gradient, which is not zero at exactly those input
# pixels that matter.

# %%
print(sum(p.numel() for p in ours.parameters()), "parameters in 9-1-5")
print(sum(p.numel() for p in SRCNN(f2=5).parameters()), "in 9-5-5")

# %%
window = torch.rand(1, 1, 25, 25, requires_grad=True)
ours(window)[0, 0, 6, 6].backward()  # one pixel of the 13×13 output
seen = window.grad[0, 0].abs().sum(dim=1).nonzero().flatten()
print(f"{len(seen)} rows of Y, {len(seen) / SCALE:.1f} of the low resolution")

# %% [markdown]
# ## Training
#
# The parameters $\Theta$ are to make the squared error small on $n$ training
# patches:
#
# $$
# L(\Theta)=\frac1n\sum_{i=1}^n\lVert F(Y_i;\Theta)-X_i\rVert^2. \qquad (12)
# $$
#
# `losses.sum_of_squares` computes it: a *sum* over the pixels of a patch, and a
# mean over patches. PyTorch's `mse_loss` takes the mean over pixels too:

# %%
prediction, target = torch.rand(2, 16, 1, 21, 21)
ratio = sum_of_squares(prediction, target) / F.mse_loss(prediction, target)
print(f"{ratio:.0f} = 21 · 21 pixels per patch")

# %% [markdown]
# ### The training pairs
#
# The training data are photographs that come with scikit-image and
# scikit-learn, none of which is used for a score below, and dead leaves,
# pictures made of random disks. Here are six pairs. $X_i$ is smaller: it is
# the part that valid convolutions can reach.

# %%
from imtrans import recipes

recipe = recipes.srcnn.recipe(BUDGET, scale=SCALE)
pairs = recipe.data(recipe.seed)  # pairs[i] is (Y_i, X_i)

# %%
figures.strip(
    {f"Y{i}": pairs[i][0][None] for i in range(6)},
    alt="a blurred training patch of 33 by 33 pixels",
    factor=3,
)

# %%
figures.strip(
    {f"X{i}": pairs[i][1][None] for i in range(6)},
    alt="its sharp middle of 21 by 21 pixels",
    factor=3,
)

# %% [markdown]
# ### The loop
#
# All training in this course is one loop, and its body is five lines. Take some
# pairs; compute the loss; clear the old gradient; let PyTorch compute the new
# one with respect to all parameters; let the optimiser take a step against it.
# (The sixth line keeps the loss for the chart.)


# %%
def batch(step, size=16):
    samples = [pairs[size * step + i] for i in range(size)]
    return [torch.stack(side) for side in zip(*samples, strict=True)]


# %%
def train(network, steps):
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    losses = []
    for step in range(steps):
        Y_i, X_i = batch(step)  # (16, 1, 33, 33), (16, 1, 21, 21)
        loss = sum_of_squares(network(Y_i), X_i)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


# %% [markdown]
# We use it twice. The paper draws its first weights from
# $\mathcal N(0,0.001^2)$, so small that the untrained network returns black;
# PyTorch's default is larger. The paper suspects initialisation when its deeper
# networks fail. What does the start change in a network of three layers?

# %%
from imtrans.recipes.starts import small_gaussian

torch.manual_seed(0)
by_default = train(SRCNN(padding="valid"), steps=400)
by_paper = train(small_gaussian(SRCNN(padding="valid")), steps=400)

# %%
last_batches = [batch(step) for step in range(350, 400)]
bicubic_loss = sum(
    sum_of_squares(Y_i[..., 6:-6, 6:-6], X_i) / 50 for Y_i, X_i in last_batches
)

# %% tags=["nbval-ignore-output"]
chart, ax = figures.canvas(height=2.6)
for name, losses in {"default": by_default, "paper's": by_paper}.items():
    means = torch.tensor(losses).unfold(0, 10, 1).mean(dim=1)
    ax.semilogy(range(10, 401), means, label=f"{name} start")
ax.axhline(bicubic_loss.item(), color="gray", linestyle="--", label="bicubic")
ax.set(xlabel="step", ylabel="loss, mean of 10 steps")
ax.legend(frameon=False, fontsize=9)
figures.show(
    chart,
    alt="Two losses fall; the paper's start lags behind the default, "
    "which passes the dashed line of bicubic.",
)

# %%
late = [sum(losses[-50:]) / 50 for losses in (by_default, by_paper)]
claim("the paper's start lags behind", late[1] / late[0], above=1.1)
claim("after 400 steps bicubic is beaten", late[0] / bicubic_loss, below=1)

# %% [markdown]
# So the start costs time: after 400 steps of Adam, the network with the paper's
# start is about as good as bicubic interpolation, the other is better.
#
# ### The same with `fit`
#
# `training.fit` is this loop with a schedule for the learning rate, validation
# on a photograph kept apart, and checkpoints. The recipe's loss is half of
# (12), as in the authors' program, so bicubic is at half its level in the chart
# above. The optimiser for the kernels,
# [Muon](https://kellerjordan.github.io/posts/muon/), changes one thing: it
# makes every step equally large in all directions of a weight matrix, so that
# weak directions learn as fast as strong ones. The recipe says everything else:

# %%
print(*recipe.sources, recipe.optimizer, sep="\n")
print(f"{recipe.steps} steps of {recipe.batch} pairs")

# %%
from imtrans.suite import validator
from imtrans.training import fit

times_3 = degrade.Downscale(SCALE)
options = {"progress": False, "device": DEVICE}
if CHECKPOINTS:
    options |= {"folder": f"{CHECKPOINTS}/srcnn", "resume": True}

# %%
falls = "Loss over steps, on a logarithmic scale: it falls steeply, then less."
live = figures.LiveCurve(recipe.steps, alt=falls)
run = fit(recipe, on_step=live, validate=validator([times_3]), **options)

# %% [markdown]
# The loss says little about pictures. On the photograph kept apart, the score
# rises, if not steadily, and passes that of bicubic interpolation:

# %%
from imtrans.models.baselines import Bicubic

validated = [entry for entry in run.log if "psnr" in entry]
bicubic_psnr = validator([times_3])(Bicubic())["psnr"]

# %%
figures.curves(
    [entry["step"] for entry in validated],
    {"SRCNN": [entry["psnr"] for entry in validated]},
    levels={"bicubic": bicubic_psnr},
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
from imtrans import zoo

shipped = zoo.load("srcnn-x3")
card = zoo.card("srcnn-x3")
for key in ("data", "optimizer", "steps", "batch", "parameters"):
    print(f"{key}: {card[key]}")

# %% [markdown]
# `evaluation.evaluate` degrades pictures, restores them and compares, always by
# a named [protocol](../book/protocol.md). Here on the test photographs of the
# bundle, which neither network has seen.

# %%
from imtrans.evaluation import evaluate

test = [(p.name, p.picture) for p in photos.photos("test", gray=True)]
networks = {"bicubic": Bicubic(), "this run": run.model, "shipped": shipped}
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
by_more = mean["shipped"] - mean["this run"]
claim("the shipped weights beat this run", by_more, above=0)

# %% [markdown]
# ### Our number beside the paper's
#
# Papers report the mean over the five pictures of Set5. Ours is on the card,
# measured by the paper's protocol: 8-bit luma, a border of 3 pixels left out.
# If you have Set5, the cell below the table measures anew.

# %%
from imtrans import published

papers = [
    published.rows("srcnn", model=name, set="Set5", scale=SCALE)[0]
    for name in ("Bicubic", "SC", "SRCNN")
]
ours_set5 = next(s for s in card["scores"] if s["set"] == "Set5")
papers += [{"model": "SRCNN, ours", "source": "the card", **ours_set5}]

# %%
columns = {"method": "model", "PSNR": "psnr", "source": "source"}
figures.table(
    [{new: row[old] for new, old in columns.items()} for row in papers],
    caption="Set5 ×3, PSNR in dB, protocol y8; SRCNN is 9-1-5 on 91 pictures.",
)

# %% tags=["nbval-ignore-output"]
from imtrans.data import benchmarks

try:
    print(evaluate(shipped, benchmarks.load("Set5"), times_3).table())
except FileNotFoundError:
    print("Set5 is not available here; the number above is from the card.")

# %% [markdown]
# ### Pictures
#
# Decibels are not what we look at. The same box, four times:

# %%
with torch.no_grad():
    by_run, by_shipped = run.model(Y).clamp(0, 1), shipped(Y).clamp(0, 1)

# %%
figures.zoom(
    {"bicubic": Y, "this run": by_run, "shipped": by_shipped, "X": X},
    (194, 110, 52, 46),
    alt="a smile; edges are sharper than bicubic's, single teeth in X alone",
    factor=3,
)

# %% [markdown]
# Move the divider, with the mouse or with the arrow keys. Luma comes from the
# network, colour from bicubic interpolation (`restore.super_resolve`): nobody
# sees that the colours are blurred.

# %%
from imtrans import widgets
from imtrans.restore import super_resolve

small = degrade.bicubic_down(photo, SCALE).clamp(0, 1)  # (1, 3, 170, 170)
enlarged = [resize.imresize(small, 3), super_resolve(shipped, small, 3)]

# %%
face = (170, 30, 130, 130)
widgets.before_after(
    *(figures.crop(picture, face) for picture in enlarged),
    labels=("bicubic", "SRCNN"),
    alt="the astronaut's face",
    factor=3,
)

# %% [markdown]
# **Halfway.** The network is built, trained and measured. What follows breaks
# it: at the border of the picture, with another protocol, with another
# degradation. A good place for a break.
#
# ## Borders
#
# In training no pixel beyond the patch is invented. In use the output must be
# as large as the picture, so each layer *repeats* the edge. What if it invents
# black (*zeros*), as many a re-implementation does? The same trained weights
# can be run with any padding, so we can compare:


# %%
def with_padding(padding):
    network = SRCNN(padding=padding)
    network.load_state_dict(shipped.state_dict())
    return network


# %%
def psnr_inside(padding, border):
    network = with_padding(padding)
    cut = network.margin if padding == "valid" else 0  # the output is smaller
    if border < cut:
        return None
    with torch.no_grad():
        output = network(Y).clamp(0, 1)
    output, truth = images.shave(output, border - cut), images.shave(X, border)
    return metrics.psnr(output, truth).item()


# %%
habits = ("valid", "replicate", "zeros")
borders = {p: {b: psnr_inside(p, b) for b in (3, 6)} for p in habits}

# %% tags=["nbval-ignore-output"]
table = [
    {"padding": p, "3 pixels left out": row[3], "6 left out": row[6]}
    for p, row in borders.items()
]
figures.table(table, caption="PSNR in dB on one photograph, by the padding.")

# %%
cost = borders["replicate"][3] - borders["zeros"][3]
claim("zeros cost more than a decibel", cost, above=1)
inner = [row[6] for row in borders.values()]
assert max(inner) - min(inner) < 1e-4
print("✓ with 6 pixels left out, all three agree")

# %%
with torch.no_grad():
    in_corner = {p: with_padding(p)(Y) for p in ("zeros", "replicate")}
figures.zoom(
    in_corner,
    (0, 460, 50, 50),
    alt="the lower left corner; with zeros, stripes run along the edge",
)

# %% [markdown]
# This is the mixed case, trained without padding and used with zeros. A network
# trained with zeros throughout would be another one, and is not tested here. On
# Set5 the mixed case costs more than on this photograph; the
# [page](../lectures/01-srcnn.md) says why.
#
# ## The trap: another protocol
#
# Numbers of different papers and programs are often not comparable, and the
# reason is seldom the network. We measure what each departure from the
# protocol does to the score of *the same method*: another luma, no border,
# another library's bicubic. First the three ways to resize:

# %%
from PIL import Image
from torchvision.transforms.functional import pil_to_tensor, to_pil_image


def by_matlab(x, size):
    return resize.imresize(x, size[0] / x.shape[-2])


def by_torch(x, size):
    return F.interpolate(x, size, mode="bicubic")


def by_pillow(x, size):
    image = to_pil_image(images.to_uint8(x)[0])
    image = image.resize(size[::-1], Image.Resampling.BICUBIC)
    return images.to_float(pil_to_tensor(image))[None]


# %% [markdown]
# Then three answers to the question which planes are compared:


# %%
def studio_luma(picture):  # the protocol's, 16 to 235
    return metrics.luma(picture, rounded=True)


def full_luma(picture):  # 0 to 255, as in Pillow or OpenCV
    return (metrics.luma(picture, rounded=False) * 255 - 16) / 219


def rgb(picture):
    return picture


# %% [markdown]
# And a score that takes all of these as arguments. Its defaults are the
# protocol. The planes go through the network as a batch, one at a time.


# %%
def score(
    picture,
    planes=studio_luma,
    down=by_matlab,
    up=by_matlab,
    border=3,
    net=None,
):
    x = planes(images.modcrop(picture, SCALE))  # (1, 1 or 3, H, W)
    height, width = x.shape[-2:]
    y = up(down(x, (height // SCALE, width // SCALE)), (height, width))
    if net is not None:
        with torch.no_grad():
            y = torch.cat([net(y[:, [c]]) for c in range(y.shape[1])], dim=1)
    y = images.to_float(images.to_uint8(y))  # clipped and rounded
    return metrics.psnr(x, y, border=border).item()


# %%
PROTOCOLS = {
    "the protocol, y8": {},
    "no border left out": {"border": 0},
    "luma from 0 to 255": {"planes": full_luma},
    "RGB": {"planes": rgb},
    "Pillow's bicubic": {"down": by_pillow, "up": by_pillow},
    "PyTorch's bicubic": {"down": by_torch, "up": by_torch},
    "PyTorch's, up only": {"up": by_torch},
}

# %%
two = [photo, photos.photo("chelsea").picture]
trap = {
    name: [
        sum(score(picture, net=net, **how) for picture in two) / 2
        for net in (None, shipped)
    ]
    for name, how in PROTOCOLS.items()
}

# %% tags=["nbval-ignore-output"]
usual = trap["the protocol, y8"]
table = [
    {
        "protocol": name,
        "bicubic": row[0],
        "SRCNN": row[1],
        "bicubic moved by": row[0] - usual[0],
        "SRCNN moved by": row[1] - usual[1],
    }
    for name, row in trap.items()
]
figures.table(table, caption="Mean PSNR in dB on two photographs.")

# %% [markdown]
# Read the table by rows. Full-range luma costs bicubic 1.32 dB by its range
# alone, and RGB a little more; the network loses more than that, perhaps
# because it has learned on levels from 16 to 235. Pillow antialiases like
# MATLAB: harmless. PyTorch's default does not antialias and has another kernel
# (Keys' with $a=-0.75$). There the network falls below bicubic, as it has
# never seen a picture that was shrunk in this way. The shrinking does it: where
# PyTorch only enlarges, the network stays ahead. So a wrong protocol does not
# just move all numbers. It changes who wins.
#
# Rounding has no row. It adds about 1/12 of a squared grey level to mean
# squared errors of 30 and more: about 0.01 dB.

# %%
gain = {name: row[1] - row[0] for name, row in trap.items()}
claim("by the protocol SRCNN wins", gain["the protocol, y8"], above=0.5)
claim("by PyTorch's bicubic it loses", gain["PyTorch's bicubic"], below=-0.3)

# %% [markdown]
# ## How wide must it be?
#
# The paper trains 9-1-5 with twice and with half the filters and reports PSNR
# on Set5 and the time per picture. Times of another decade's machine say
# little, their *ratios* more. We trained the three widths once each on the 91
# images, by one recipe and for equally many steps, fewer than the shipped
# weights have had, and timed them in turn on one machine.

# %%
from imtrans import experiments

PAPER_SECONDS = {128: 0.60, 64: 0.18, 32: 0.05}  # per picture, from the slides
table = []
for row in experiments.rows("srcnn-width"):
    n1, n2 = row["n1"], row["n2"]
    paper = published.rows("srcnn", model=f"SRCNN {n1}-{n2}")[0]
    filters = {"filters": f"{n1}, {n2}", "weights": row["weights"]}
    psnr = {"PSNR, paper": paper["psnr"], "PSNR, here": row["psnr"]}
    ratio = PAPER_SECONDS[n1] / PAPER_SECONDS[64]
    times = {"time, paper": ratio, "time, here": row["time_ratio"]}
    table.append(filters | psnr | times)

# %%
figures.table(
    table, caption="Set5 ×3, PSNR in dB, y8; time per picture, as a ratio."
)

# %% [markdown]
# The order is the paper's, and so are the falling returns: twice the filters
# take about three times as long and gain about a tenth of a decibel, a little
# less in the paper and a little more here; half the filters lose about a
# quarter in both. The levels are not comparable, since the paper trained on
# ImageNet for days.
#
# ## Where it fails
#
# SRCNN knows one degradation: bicubic shrinking by 3 of a clean picture. Now
# put some noise into the low resolution. The network sharpens the grains as if
# they were detail. In a running notebook the slider computes every noise level;
# on the static page it shows six stored ones.


# %%
def with_noise(sigma):
    noisy = degrade.gaussian_noise(low_res, sigma, seed=0)
    y = resize.imresize(noisy, SCALE)
    with torch.no_grad():
        pictures = {"bicubic": y, "SRCNN": shipped(y)}
    alt = f"the badge; noise of σ = {sigma} in the low resolution"
    return figures.zoom(pictures, badge, alt=alt)


# %%
widgets.slider(
    with_noise,
    [0, 2, 5, 10, 15, 20],
    label="σ",
    alt="the badge with more and more noise; SRCNN's grains are harder",
)

# %% [markdown]
# And a picture that was shrunk by 2 only, in which the network corrects a
# stronger blur than there is:

# %%
even = images.modcrop(X, 2)
inputs = {
    "noise of σ = 10": (degrade.gaussian_noise(low_res, 10, seed=0), 3, X),
    "shrunk by 2": (degrade.bicubic_down(even, 2), 2, even),
}

# %% tags=["nbval-ignore-output"]
table = []
for name, (observed, factor, truth) in inputs.items():
    y = resize.imresize(observed, factor)
    with torch.no_grad():
        outputs = [y.clamp(0, 1), shipped(y).clamp(0, 1)]
    psnr = [metrics.psnr(output, truth, border=3).item() for output in outputs]
    table.append({"input": name, "bicubic": psnr[0], "SRCNN ×3": psnr[1]})
figures.table(table, caption="PSNR in dB on inputs it was not trained for.")

# %%
lead = min(row["bicubic"] - row["SRCNN ×3"] for row in table)
claim("bicubic wins both times, by over 0.5 dB", lead, above=0.5)

# %% [markdown]
# ## Try your own photograph
#
# Put a path between the quotes. On Colab, `from google.colab import files;
# PATH = next(iter(files.upload()))` asks for a file. Your picture is taken as
# it is and enlarged by 3, so keep it small.

# %%
PATH = ""
cat = degrade.bicubic_down(photos.photo("chelsea").picture, SCALE).clamp(0, 1)
mine = images.read(PATH) if PATH else cat
large = {
    "bicubic": resize.imresize(mine, SCALE),
    "SRCNN": super_resolve(shipped, mine, SCALE, tile=512),
}

# %%
box = (120, 80, 60, 50)  # left, top, width, height in the enlarged picture
figures.zoom(
    large, box, alt="a part of your photograph; by default, a cat's eye"
)

# %% [markdown]
# ## Exercises
#
# Fill in what stands for `...` and run the check below it. The solutions are
# in [a notebook of their own](solutions/01-srcnn.ipynb).

# %% [markdown] tags=["exercise"]
# **Exercise 1. Levels and decibels.** Two 8-bit pictures differ by exactly
# `levels` grey levels in each pixel. What is their PSNR? Write it for any
# number of levels.
#
# *Hint.* What is the mean squared error if all errors are equal? Then use the
# last form of (3).


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
# **Exercise 2. Counting.** Write the number of parameters of SRCNN with one
# channel and kernels $f_1,f_2,f_3$: the weights of equation (8) and the biases.
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
# too. With which learning rate does it make the same steps as the authors'
# program makes *on the same patches*, `side` × `side` pixels at the input of
# 9-$f_2$-5? (If instead you enlarge the patches and want to keep the steps that
# the paper made on its own, the answer is another: see *Test yourself* on the
# page.)
#
# *Hint.* The loss is scaled by some factor, so is its gradient, and so is the
# step. Valid convolutions: count the pixels of the *output*.


# %% tags=["stub"]
def learning_rate(side, f2):
    return ...


# %% tags=["solution"]
def learning_rate(side, f2):
    pixels = (side - 9 - f2 - 5 + 3) ** 2  # of an output patch
    return 1e-4 * pixels / 2  # the mean is 2 / pixels times the authors' loss


# %% tags=["wrong"]
def learning_rate(side, f2):
    return 1e-4 * side**2 / 2


# %% tags=["check"]
out, goal = torch.rand(2, 16, 1, 17, 17)
check(
    learning_rate(33, f2=5),
    1e-4 * (half_sum_of_squares(out, goal) / F.mse_loss(out, goal)).item(),
    because="with 1e-4 and the mean, 9-5-5 trains 145 times too slowly",
    mistakes=[
        (
            1e-4 * 33**2 / 2,
            "33 is the side of the input; the output is smaller",
        ),
        (1e-4 * 17**2, "the authors' loss has a half in front"),
        (
            1e-4 * 2 / 17**2,
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
    by_hand = identity(SRCNN())
    output = ... if by_hand is ... else by_hand(Y)
moved = F.pad(Y, (6, 0, 6, 0), mode="replicate")[..., :510, :510]
check(
    output,
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
# *Hint.* Keys' kernel above, no program needed; but one is allowed.

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
# Picture k of nine is black, but its column k is white: (9, 1, 9, 9).
columns = torch.eye(9)[:, None, None, :].expand(-1, -1, 9, -1)
enlarged = resize.imresize(columns, 3)[:, 0]  # (9, 27, 27)
# Column 14 of the output lies a third of a pixel right of input column 4, so
# what it shows of picture k is the weight of input column k.
weights = enlarged[:, 13, 14]
linear = torch.tensor([0.0, 2 / 3, 1 / 3, 0.0])
check(
    four_weights,
    weights[3:7],  # of input columns 3, 4, 5 and 6
    because="two are negative: bicubic sharpens and overshoots at edges",
    mistakes=[(linear, "that is linear interpolation")],
)

# %% [markdown]
# ## Summary
#
# 1. PSNR is squared error on a logarithmic scale; their gradients point in
#    opposite directions.
# 2. SRCNN is five modules, and a step of training is five lines. It learns to
#    correct one known blur.
# 3. Valid convolutions in training, replication in use: weights trained so do
#    not know what a black border means.
# 4. A score means something with its protocol only. If the picture was shrunk
#    without antialiasing, bicubic interpolation wins.
# 5. A network knows the degradation it was trained on, and no other.
#
# The [page of the lecture](../lectures/01-srcnn.md) has what we left out
# (9-5-5, colour, depth, the paper's own training), its errata and its
# references.
