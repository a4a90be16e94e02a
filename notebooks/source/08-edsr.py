# %% [markdown]
# # 8 · EDSR and MDSR: a plain network, made large
#
# About 40 seconds of computing on two CPU cores. On a GPU the notebook trains
# longer by default (budget `class`, some minutes). To read and run: 40 minutes;
# the exercises: 25 more.
#
# The paper is B. Lim, S. Son, H. Kim, S. Nah, K. M. Lee, *Enhanced Deep
# Residual Networks for Single Image Super-Resolution*, CVPR workshops 2017.
# The [page of this lecture](../lectures/08-edsr.md) derives its equations;
# here we check them, build the network, train a small one, measure the shipped
# one and break it. Equations have the numbers of the page. Afterwards you can
#
# - write EDSR in some twenty lines, and say which of MDSR's branches learn;
# - show what batch normalisation does to contrast, and what it keeps in memory;
# - say why a wide network takes larger steps;
# - compute how much squared error a self-ensemble removes, without the truth.
#
# You need the pixel shuffle of lecture 6 and [lecture
# 1](../lectures/01-srcnn.md)'s PSNR. The letters are those of [the notation
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
from dataclasses import replace
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

from imtrans import degrade, figures, images, resize
from imtrans.data import photos
from imtrans.exercises import check, claim
from imtrans.models.edsr import EDSR, MDSR, ResidualBlock

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
# A photograph was shrunk by $s=2$, and we want it back, in colour. EDSR works
# at the *low* resolution and enlarges in its last layers. What should stand in
# between, if one removes everything that a network for pictures does not need?

# %%
SCALE = 2
photo = photos.photo("astronaut").picture  # (1, 3, 512, 512)
low_res = degrade.bicubic_down(photo, SCALE).clamp(0, 1)
enlarged = resize.imresize(low_res, SCALE).clamp(0, 1)
badge = (132, 346, 82, 82)  # left, top, width, height
figures.zoom(
    {"bicubic": enlarged, "original": photo},
    badge,
    alt="a round mission patch, whose names can be read in the original only",
    factor=3,
)

# %% [markdown]
# ## The block
#
# $$
# \begin{aligned}
# z_l&=\max(0,\;W_1*x_l+b_1)\\
# x_{l+1}&=x_l+\rho\,(W_2*z_l+b_2)
# \end{aligned} \qquad (1)
# $$


# %%
class Block(nn.Module):
    def __init__(self, features, rho):
        super().__init__()
        self.rho = rho
        self.first = nn.Conv2d(features, features, 3, padding=1)
        self.second = nn.Conv2d(features, features, 3, padding=1)

    def forward(self, x):  # (N, F, H, W), same out
        return x + self.rho * self.second(self.first(x).relu())


# %% [markdown]
# ## The network
#
# Head, blocks, a convolution, the long skip, and a tail with lecture 6's pixel
# shuffle. This is all of EDSR at ×2:


# %%
class Network(nn.Module):
    def __init__(self, blocks=16, features=64, rho=1.0):
        super().__init__()
        conv = partial(nn.Conv2d, kernel_size=3, padding=1)
        self.head = conv(3, features)
        stack = [Block(features, rho) for _ in range(blocks)]
        self.body = nn.Sequential(*stack, conv(features, features))
        up = [conv(features, 4 * features), nn.PixelShuffle(2)]
        self.tail = nn.Sequential(*up, conv(features, 3))
        self.mean = torch.tensor([0.4488, 0.4371, 0.4040]).view(3, 1, 1)

    def forward(self, low_res):  # (N, 3, H, W)
        x = self.head(low_res - self.mean)  # (N, F, H, W)
        return self.tail(x + self.body(x)) + self.mean  # (N, 3, 2H, 2W)


# %% [markdown]
# `imtrans.models.edsr.EDSR` has the same parameters in the same order. With
# the shipped weights in both, they return the same picture:

# %%
from imtrans import zoo

shipped = zoo.load("edsr-baseline-x2")
network = Network().eval()
weights = zip(network.state_dict(), shipped.state_dict().values(), strict=True)
network.load_state_dict(dict(weights))

# %%
patch = figures.crop(low_res, (66, 173, 41, 41))  # the badge
with torch.no_grad():
    assert torch.allclose(network(patch), shipped(patch), atol=1e-5)
count = sum(p.numel() for p in network.parameters())
print(f"{count:,} parameters; {tuple(patch.shape)} -> (1, 3, 82, 82)")

# %% [markdown]
# The sizes of the table on the course's slides, counted on the models. On the
# device `meta` tensors have a shape and no content, so that 43 million cost
# nothing:

# %%
sizes = {
    "baseline": EDSR.baseline,
    "EDSR": EDSR.paper,
    "MDSR baseline, all scales": lambda scale: MDSR.baseline(),
    "MDSR, all scales": lambda scale: MDSR.paper(),
}
table = []
for name, build in sizes.items():
    with torch.device("meta"):
        models = {scale: build(scale) for scale in (2, 3, 4)}
    counts = {
        s: sum(p.numel() for p in m.parameters()) for s, m in models.items()
    }
    table.append({"network": name} | {f"×{s}": n for s, n in counts.items()})
figures.table(table, caption="Parameters.")

# %% [markdown]
# ## Batch normalisation and contrast
#
# $$
# \hat x=\frac{x-\mu}{\sigma},\qquad y=\gamma\,\hat x+\beta \qquad (2)
# $$
#
# $\mu$ and $\sigma$ are mean and standard deviation of a channel over the
# batch. If all of a batch has half the contrast, numerator and denominator are
# halved alike. Here each picture is a batch of its own:

# %%
foggy = 0.5 * photo + 0.4  # half the contrast, brighter

# %%
convolution = nn.Conv2d(3, 16, 3)
normalise = nn.BatchNorm2d(16, eps=1e-12).train()
with torch.no_grad():
    clear, fog = (normalise(convolution(x)) for x in (photo, foggy))
assert torch.allclose(clear, fog, atol=1e-3)
print("✓ after one normalised layer the two are the same")

# %%
head = (180, 30, 96, 96)
figures.zoom(
    {"photograph": photo, "in fog": foggy},
    head,
    alt="an astronaut's face",
    factor=1,
)

# %%
channels = {"of the photograph": clear, "of the fog": fog}
figures.zoom(
    {name: 0.5 + maps[:, :1] / 6 for name, maps in channels.items()},
    head,
    alt="a normalised channel, edges and shades of a face",
    factor=1,
)

# %% [markdown]
# A classifier wants just that. A network that has to return the fog does not.
# The blindness is for what a *batch* has in common. Side by side in one batch,
# the fog stays paler than the photograph; and so it does in use, where running
# averages stand for mean and deviation and the layer only scales and shifts:

# %%
with torch.no_grad():
    features = convolution(torch.cat([photo, foggy]))
    modes = {"in one batch": normalise(features)}
    modes["in use"] = normalise.eval()(features)
for name, maps in modes.items():
    of_photo, of_fog = maps.std(dim=(2, 3)).mean(dim=1).tolist()
    print(f"{name}, fog has {of_fog / of_photo:.2f} of the contrast")

# %% [markdown]
# ### What it keeps
#
# Back-propagation needs what entered each layer. PyTorch tells which tensors
# it keeps:


# %%
def kept(block, features=32, side=24):
    """Stacks of feature maps that a block keeps for the backward pass."""
    x = torch.rand(1, features, side, side, requires_grad=True) + 0
    sizes = {}

    def note(tensor):
        sizes[tensor.untyped_storage().data_ptr()] = tensor.numel()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda t: t):
        y = block(x)  # held, so that no memory is used twice
    return sum(n == features * side**2 for n in sizes.values()), y.shape


# %%
plain, normalised = (kept(ResidualBlock(32, batch_norm=b))[0] for b in (0, 1))
print(f"a plain block keeps {plain} stacks, a normalised one {normalised}")

# %% [markdown]
# So for the same memory a plain network has twice as many blocks.
#
# ## A wide network takes larger steps
#
# Adam moves every weight by about the learning rate $\eta$, and an output sums
# over $9F$ of them:
#
# $$
# \Delta\approx\eta\sum_{i=1}^{9F}|x_i| \qquad (3)
# $$
#
# One step of the paper's Adam, from a fresh network of 16 blocks, on the
# paper's scale of 0 to 255. How far does the output move? (The page has the
# mean of three starts on other patches, so its numbers differ from these.)

# %%
from imtrans import recipes

recipe = recipes.edsr.quick(scale=SCALE)
pairs = recipe.data(recipe.seed)  # pairs[i] is (low resolution, clean)

# %%
two = zip(pairs[0], pairs[1], strict=True)
x, y = (torch.stack(side) for side in two)
x, y = x[..., :16, :16], y[..., :32, :32]
print(tuple(x.shape), "->", tuple(y.shape))


# %%
def in_levels(model):  # what EDSR computes between its two means
    features = model.head(255 * (x - model.mean))
    return model.tail(features + model.body(features))


# %%
def movement(features, rho=1.0):
    """Root mean square change of the output by one step, in levels."""
    torch.manual_seed(0)
    model = EDSR(2, blocks=16, features=features, residual_scale=rho)
    before = in_levels(model)
    F.l1_loss(before, 255 * (y - model.mean)).backward()
    torch.optim.Adam(model.parameters(), lr=1e-4).step()
    with torch.no_grad():
        return (in_levels(model) - before).square().mean().sqrt().item()


# %% tags=["nbval-ignore-output"]
moved = {width: movement(width) for width in (64, 128, 256)}
moved["256, ρ = 0.1"] = movement(256, rho=0.1)
figures.table(
    [{"features": f, "movement": m} for f, m in moved.items()],
    caption="Movement of the output by one step, in grey levels.",
    digits=1,
)

# %%
wider = moved[256] / moved[64]
claim("four times the width moves over 4 times as far", wider, above=4)
braked = moved["256, ρ = 0.1"] / moved[256]
claim("0.1 takes a good part of it back", braked, below=0.75)

# %% [markdown]
# What that does to the paper's full network, 32 blocks of 256 features, we
# measured beforehand. With $\rho=1$ and with $\rho=0.1$:

# %%
from imtrans import experiments

rows = experiments.rows("edsr-wide")
series = {
    f"ρ = {rho:g}": [r["levels"] for r in rows if r["rho"] == rho]
    for rho in (0.1, 1)  # in the colours of the page
}
figures.curves(
    range(1, len(rows) // 2 + 1),
    series,
    xlabel="step",
    ylabel="loss in grey levels",
    alt="Both losses jump, without scaling far higher, and come down again.",
)

# %% [markdown]
# ## L1 or L2
#
# $$
# \mathcal L_1=\tfrac1N\sum_n\lVert I^{SR}_n-I^{HR}_n\rVert_1 \qquad (5)
# $$
#
# What do the two losses want where the data leave several values open? Say a
# pixel is 0 in seven of ten pictures that fit, and 1 in three:

# %%
possible = torch.tensor([0.0] * 7 + [1.0] * 3)
guesses = torch.linspace(0, 1, 101)[:, None]
l1 = (guesses - possible).abs().mean(dim=1)
l2 = (guesses - possible).square().mean(dim=1)
print(f"L1 wants {guesses[l1.argmin()].item():.1f}, the median")
print(f"L2 wants {guesses[l2.argmin()].item():.1f}, the mean")

# %% [markdown]
# PSNR rewards the mean, so the minimum is not why L1 has a slightly higher PSNR
# in the paper. The page looks for another reason.
#
# ## Training
#
# EDSR sees pairs of patches in colour:

# %%
figures.strip(
    {f"low {i}": pairs[i][0][None] for i in range(5)},
    alt="a training patch of 24 by 24 pixels",
    factor=2,
)

# %%
figures.strip(
    {f"clean {i}": pairs[i][1][None] for i in range(5)},
    alt="the same at 48 by 48 pixels",
    factor=2,
)

# %% [markdown]
# The recipe of the baseline says how. Its optimiser is younger than the paper:
# [Muon](../book/glossary.md) for the hidden convolutions, Adam for the rest. On
# a CPU we train a smaller network, 4 blocks of 32 features, on smaller batches;
# with a GPU the baseline itself.


# %%
from imtrans.recipes.starts import shrink_residual_blocks


def small(batch_norm=False):
    shape = {"blocks": 4, "features": 32, "residual_scale": 1.0}
    return shrink_residual_blocks(EDSR(2, **shape, batch_norm=batch_norm))


# %%
short = replace(recipes.edsr.quick(scale=SCALE), model=small, steps=150)
short = replace(short, name="edsr-small", batch=8, validate_every=30)
longer = recipes.edsr.recipe(BUDGET, scale=SCALE)
recipe = short if BUDGET == "quick" else longer
print(recipe.optimizer, f"{recipe.steps} steps of {recipe.batch}", sep="\n")

# %%
from imtrans.suite import validator
from imtrans.training import fit

times_2 = degrade.Downscale(SCALE)
options = {"progress": False, "device": DEVICE}
options["validate"] = validator([times_2])

# %%
keep = {}
if CHECKPOINTS:
    keep = {"folder": f"{CHECKPOINTS}/edsr", "resume": True}

# %%
falls = "Loss over steps, on a logarithmic scale: it falls steeply, then less."
live = figures.LiveCurve(recipe.steps, alt=falls, ylabel="L1")
run = fit(recipe, on_step=live, **options, **keep)

# %% [markdown]
# ### With batch normalisation
#
# The same network with normalised blocks, everything else the same:

# %%
twin = replace(short, model=partial(small, batch_norm=True))
runs = {"plain": run if BUDGET == "quick" else fit(short, **options)}
runs["batch norm"] = fit(twin, **options)

# %% tags=["nbval-ignore-output"]
logs = {name: [e for e in r.log if "psnr" in e] for name, r in runs.items()}
figures.curves(
    [entry["step"] for entry in logs["plain"]],
    {name: [entry["psnr"] for entry in log] for name, log in logs.items()},
    xlabel="step",
    ylabel="PSNR in dB",
    alt="PSNR on a validation photograph with and without batch norm.",
)

# %% [markdown]
# One short run shows little, and the order may differ on your machine. It has
# Muon, a start with small second convolutions, and one photograph to measure
# on. The page's runs have Adam, PyTorch's start, three starts each and somewhat
# more steps:

# %%
rows = experiments.rows("edsr-ablation")

# %%
table = []
for name in dict.fromkeys(row["network"] for row in rows):
    mine = [row for row in rows if row["network"] == name]
    psnr = {
        f"start {r['seed']}": r["psnr"] for r in mine if r["seed"] != "mean"
    }
    shape = {"blocks": mine[0]["blocks"], "steps": mine[0]["steps"]}
    table.append({"network": name} | shape | psnr | {"mean": mine[-1]["psnr"]})
figures.table(table, caption="PSNR in dB on held-out pictures, ×2, rgb-y.")

# %% [markdown]
# Batch normalisation is behind from every start. Its time, spent on more
# steps, or its memory, spent on more blocks, gain a little on the plain
# network, but two starts of one network differ by as much. And L2 is ahead of
# L1: not what the paper reports for larger networks after 300,000 steps.
#
# ## The shipped weights
#
# They are the baseline, 16 blocks of 64 features, trained for longer:

# %%
card = zoo.card("edsr-baseline-x2")
for key in ("data", "optimizer", "steps", "batch", "parameters"):
    print(f"{key}: {card[key]}")

# %%
from imtrans.evaluation import evaluate
from imtrans.models.baselines import Bicubic

# %%
box = (100, 300, 192, 192)  # a part of the photograph, to save time
test = [("astronaut", figures.crop(photo, box))]
networks = {"bicubic": Bicubic(), "this run": run.model, "shipped": shipped}

# %%
scores = {
    name: evaluate(model, test, times_2, protocol="rgb-y").psnr
    for name, model in networks.items()
}

# %% tags=["nbval-ignore-output"]
figures.table(
    [{"network": name, "PSNR": psnr} for name, psnr in scores.items()],
    caption="PSNR in dB on a part of a test photograph, ×2, rgb-y.",
)

# %%
by_training = scores["shipped"] - scores["this run"]
claim("the longer training is worth over 1 dB", by_training, above=1)
over = scores["shipped"] - scores["bicubic"]
claim("the shipped weights beat bicubic by over 2 dB", over, above=2)

# %% [markdown]
# ### Our number beside the paper's
#
# The paper has no row for the baseline on Set5; later papers do. EDSR itself
# has thirty times the parameters.

# %%
from imtrans import published

# %%
measured = {(s["set"], s["protocol"]): s["psnr"] for s in card["scores"]}
table = [{"network": "baseline, ours", "PSNR": measured["Set5", "rgb-y"]}]
for model in ("VDSR", "EDSR baseline", "EDSR", "EDSR+"):
    row = published.rows("edsr", model=model, set="Set5", scale=2)[0]
    table.append({"network": model, "PSNR": row["psnr"]})
    table[-1]["protocol"] = row["protocol"]
table[0]["protocol"] = "rgb-y"
figures.table(table, caption="Set5 ×2, PSNR in dB.")

# %% tags=["nbval-ignore-output"]
from imtrans.data import benchmarks

try:
    set5 = benchmarks.load("Set5")
    print(evaluate(shipped, set5, times_2, protocol="rgb-y").table())
except FileNotFoundError:
    print("Set5 is not available here; the number above is from the card.")

# %% [markdown]
# Move the divider: bicubic interpolation to the left, EDSR to the right.

# %%
from imtrans import widgets
from imtrans.restore import super_resolve

part = figures.crop(low_res, (50, 150, 96, 96))  # (1, 3, 96, 96)
by_both = resize.imresize(part, SCALE), super_resolve(shipped, part, SCALE)
widgets.before_after(
    *(figures.crop(picture, (32, 46, 82, 82)) for picture in by_both),
    labels=("bicubic", "EDSR"),
    alt="a mission patch on the astronaut's suit",
    factor=2,
)

# %% [markdown]
# **Halfway.** What follows turns the picture eight ways, gives one network
# three scales, and shows it a JPEG. A good place for a break.
#
# ## Self-ensemble
#
# $$
# I^{SR}_+=\frac18\sum_{i=1}^8T_i^{-1}f\big(T_i(I^{LR})\big) \qquad (6)
# $$
#
# The eight views of a picture, and what the network makes of them, turned
# back:


# %%
def turned(x, i):
    return (x.flip(-1) if i >= 4 else x).rot90(i % 4, (-2, -1))


def turned_back(x, i):
    x = x.rot90(-(i % 4), (-2, -1))
    return x.flip(-1) if i >= 4 else x


# %%
with torch.no_grad():
    views = [turned_back(shipped(turned(part, i)), i) for i in range(8)]
outputs = torch.cat(views)  # (8, 3, 192, 192)

# %%
mean = outputs.mean(dim=0, keepdim=True)
by_package = super_resolve(shipped, part, SCALE, self_ensemble=True)
assert torch.allclose(mean, by_package, atol=1e-5)
print("✓ the mean of eight views is what self_ensemble returns")

# %% [markdown]
# The eight differ a little, most of all at fine detail. Their spread:

# %%
spread_map = (outputs - mean).square().mean(dim=(0, 1)).sqrt()[None, None]
figures.zoom(
    {"EDSR+": mean, "spread × 20": 20 * spread_map},
    (32, 46, 82, 82),
    alt="the mission patch; the spread is large at edges and letters",
    factor=2,
)

# %% [markdown]
# The squared error of the mean is the mean squared error less the spread:
#
# $$
# \begin{aligned}
# \lVert\bar f-X\rVert^2={}&\frac18\sum_i\lVert f_i-X\rVert^2\\
# &-\frac18\sum_i\lVert f_i-\bar f\rVert^2
# \end{aligned} \qquad (7)
# $$

# %%
truth = figures.crop(photo, (100, 300, 192, 192))
one = (outputs - truth).double().square().mean()
all_eight = (mean - truth).double().square().mean()
spread = (outputs - mean).double().square().mean()

# %%
assert abs(one - spread - all_eight) < 1e-8
gain = 10 * math.log10(one / all_eight)
claim("the ensemble gains, but less than half a decibel", gain, below=0.5)
print("the squared error that it removes is the spread, which needs no truth")

# %% [markdown]
# ## MDSR: three scales, one body
#
# The scale chooses two first blocks and a tail; the body is shared. After a
# batch at ×3 exactly these have a gradient:

# %%
several = MDSR(blocks=2, features=8)
for scale in several.scales:
    print(f"×{scale}:", tuple(several(torch.rand(1, 3, 10, 12), scale).shape))

# %%
several(torch.rand(1, 3, 10, 12), 3).square().mean().backward()
modules = {"head": several.head, "body": several.body}
for key, branch in several.first.items():
    modules |= {f"first, {key}": branch, f"tail, {key}": several.tails[key]}
for name, module in modules.items():
    learns = next(module.parameters()).grad is not None
    print(f"{name}: {'learns' if learns else 'rests'}")

# %% [markdown]
# ## Where it fails: a JPEG
#
# Our EDSR has seen clean pictures only. It enlarges the blocks and the ringing
# of a JPEG with the same care as the picture. Move the quality. (In a running
# notebook the slider computes the pictures; on a static page they are stored.)


# %%
def from_jpeg(quality):
    square = figures.crop(low_res, (66, 173, 41, 41))  # the badge
    decoded = degrade.jpeg(square, quality)
    pictures = {
        "bicubic": resize.imresize(decoded, SCALE),
        "EDSR": super_resolve(shipped, decoded, SCALE),
    }
    alt = f"the mission patch; low resolution as JPEG of quality {quality}"
    return figures.strip(pictures, alt=alt, factor=2)


# %%
widgets.slider(
    from_jpeg,
    [100, 80, 50, 30, 10],
    label="quality",
    alt="the mission patch; the lower the quality, the more blocks and dirt",
)

# %% [markdown]
# ## Try your own photograph
#
# Put a path between the quotes. On Colab, `from google.colab import files;
# PATH = next(iter(files.upload()))` asks for a file. Your picture is taken as
# it is and enlarged by 2; without one you see a cat.

# %%
PATH = ""
cat = photos.photo("chelsea").picture
cat = degrade.bicubic_down(figures.crop(cat, (150, 70, 100, 80)), 2)
mine = images.read(PATH) if PATH else cat.clamp(0, 1)

# %%
large = {
    "bicubic": resize.imresize(mine, SCALE),
    "EDSR": super_resolve(shipped, mine, SCALE, tile=256),
}
figures.strip(large, alt="your photograph; by default, the eye of a cat")

# %% [markdown]
# Nobody knows the truth here. We can still say how much less squared error the
# mean of the eight views has than one of them on average:

# %% tags=["nbval-ignore-output"]
views = []
for i in range(8):
    view = super_resolve(shipped, turned(mine, i), SCALE, tile=256)
    views.append(turned_back(view, i))
removed = torch.cat(views).var(dim=0, correction=0).mean()
print(f"the spread: {255**2 * removed:.2f} squared levels")

# %% [markdown]
# ## Errata, run
#
# Sizes first. The 43M and 1.5M of the slides' table are those of ×4. The
# authors' first program builds 36 blocks, the paper 32. And MDSR's last
# convolution is one per scale in the paper's figure, one for all in the
# authors' PyTorch code:

# %%
with torch.device("meta"):
    built = {f"EDSR ×{s}": EDSR.paper(s) for s in (2, 4)}
    built |= {f"baseline ×{s}": EDSR.baseline(s) for s in (2, 4)}
    built["EDSR ×2 with 36 blocks"] = EDSR(2, blocks=36)
    built["MDSR baseline, a last layer per scale"] = MDSR.baseline()
    one_for_all = MDSR.baseline()
for tail in one_for_all.tails.values():
    tail[-1] = one_for_all.tails["x2"][-1]
built["MDSR baseline, one for all"] = one_for_all

# %%
for name, model in built.items():
    print(f"{name}: {sum(p.numel() for p in model.parameters()):,}")
last = sum(p.numel() for p in one_for_all.tails["x2"][-1].parameters())
print(f"The last two differ by two layers: 2 · {last:,} = {2 * last:,}")

# %% [markdown]
# Then the paper's SSIM on DIV2K. MATLAB's `ssim` takes a picture in colour for
# a volume, and its window reaches across red, green and blue. Differences
# between the channels, which interpolation keeps, then count as structure that
# both pictures share:

# %%
from scipy.ndimage import gaussian_filter


def ssim(a, b, sigma):  # (3, H, W), levels
    blur = partial(gaussian_filter, sigma=sigma, mode="nearest")
    mean_a, mean_b = blur(a), blur(b)
    variances = blur(a * a) - mean_a**2 + blur(b * b) - mean_b**2
    covariance = blur(a * b) - mean_a * mean_b
    c1, c2 = 2.55**2, 7.65**2
    light = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    return (light * (2 * covariance + c2) / (variances + c2)).mean()


# %%
pair = [255 * picture[0].double().numpy() for picture in (photo, enlarged)]
by_channel, as_volume = (ssim(*pair, (s, 1.5, 1.5)) for s in (0, 1.5))
claim("SSIM of a volume is higher", as_volume - by_channel, above=0.005)

# %% [markdown]
# ## Exercises
#
# Fill in what stands for `...` and run the check below it. The solutions are
# in [a notebook of their own](solutions/08-edsr.ipynb).

# %% [markdown] tags=["exercise"]
# **Exercise 1. Counting.** Write the number of parameters of EDSR with
# `blocks` blocks of `features` features at ×2 or ×3, equation (4).
#
# *Hint.* A 3×3 convolution from $a$ to $b$ channels has $9ab$ weights and $b$
# biases. Head, two per block and one more, upsampler, last.


# %% tags=["stub"]
def parameters(blocks, features, scale):
    return ...


# %% tags=["solution"]
def parameters(blocks, features, scale):
    square = 9 * features**2 + features  # one convolution from F to F
    head, last = 28 * features, 27 * features + 3
    return head + (2 * blocks + 1 + scale**2) * square + last


# %% tags=["wrong"]
def parameters(blocks, features, scale):
    square = 9 * features**2 + features
    return 28 * features + (2 * blocks + scale**2) * square + 27 * features + 3


# %% tags=["check"]
with torch.device("meta"):
    wide = sum(p.numel() for p in EDSR.paper(3).parameters())
check(
    (parameters(16, 64, 2), parameters(32, 256, 3)),
    (1_369_859, wide),
    because="×3 has 43.7 million; the paper's 43M is ×4, and ×2 has 40.7",
    mistakes=[
        (
            (1_369_859 - 36_928, wide - 590_080),
            "one convolution follows the blocks, before the long skip",
        ),
    ],
)

# %% [markdown] tags=["exercise"]
# **Exercise 2. The gain of an ensemble.** Eight outputs have a mean squared
# error of `error` each, in squared grey levels. Their variance around their
# mean, over the eight and all pixels, is `spread`. How many decibels does their
# mean gain over one of them?
#
# *Hint.* Equation (7), then the definition of PSNR.


# %% tags=["stub"]
def gained(error, spread):
    return ...


# %% tags=["solution"]
def gained(error, spread):
    return 10 * math.log10(error / (error - spread))


# %% tags=["wrong"]
def gained(error, spread):
    return 10 * math.log10((error + spread) / error)


# %% tags=["check"]
check(
    gained(10, 0.2),
    0.0877392,
    because="about what the paper's EDSR+ gains over EDSR on Set5",
    mistakes=[
        (10 * math.log10(10.2 / 10), "the mean's error is error − spread"),
        (20 * math.log10(10 / 9.8), "the errors are squared already"),
    ],
)

# %% [markdown] tags=["exercise"]
# **Exercise 3. A brake for free.** Residual scaling costs nothing in use. Turn
# a block with $\rho=0.1$ into one with $\rho=1$ that computes the same: change
# what `plain` holds.
#
# *Hint.* $\rho\,(W_2*z+b_2)$ is linear in two things.


# %% tags=["stub"]
def folded(block):
    plain = ResidualBlock(8, residual_scale=1.0)
    plain.load_state_dict(block.state_dict())
    return ...  # change plain.layers[2] and return plain


# %% tags=["solution"]
def folded(block):
    plain = ResidualBlock(8, residual_scale=1.0)
    plain.load_state_dict(block.state_dict())
    plain.layers[2].weight.data *= block.residual_scale
    plain.layers[2].bias.data *= block.residual_scale
    return plain


# %% tags=["wrong"]
def folded(block):
    plain = ResidualBlock(8, residual_scale=1.0)
    plain.load_state_dict(block.state_dict())
    plain.layers[2].weight.data *= block.residual_scale
    return plain


# %% tags=["check"]
scaled, some = ResidualBlock(8, residual_scale=0.1), torch.rand(1, 8, 9, 9)
scaled.layers[2].bias.data.fill_(1.0)
with torch.no_grad():
    simple = folded(scaled)
    result = ... if simple is ... else simple(some)
    check(
        result,
        scaled(some),
        because="ρ changes how the network learns, not what it can compute",
        mistakes=[(scaled(some) + 0.9, "the bias is scaled too")],
    )

# %% [markdown] tags=["exercise"]
# **Exercise 4. What the memory buys.** Two facts together: what a block keeps,
# and what it holds. A normalised baseline has 16 blocks of 64 features at ×2.
# How many *blocks*, and how many *parameters*, has the plain network whose
# blocks keep as many feature maps?
#
# *Hint.* The cell *What it keeps*, and exercise 1.

# %% tags=["stub"]
blocks, weights_and_biases = ..., ...

# %% tags=["solution"]
blocks = 16 * 4 // 2  # four stacks per normalised block, two per plain one
convolution_of_64 = 9 * 64**2 + 64
weights_and_biases = 1_369_859 + (blocks - 16) * 2 * convolution_of_64

# %% tags=["wrong"]
blocks, weights_and_biases = 32, 2 * 1_369_859

# %% tags=["check"]
with torch.device("meta"):
    deep = EDSR(2, blocks=32, features=64).parameters()
check(
    (blocks, weights_and_biases),
    (32, sum(p.numel() for p in deep)),
    because="twice the blocks, and less than twice the parameters",
    mistakes=[((32, 2 * 1_369_859), "head and tail are not doubled")],
)

# %% [markdown] tags=["exercise"]
# **Exercise 5. Who learns from a batch?** Again two facts: MDSR's branches,
# and counting. Which share of the parameters of `MDSR.baseline()` gets a
# gradient from one batch at ×3?
#
# *Hint.* Count them by their names: `named_parameters()` of the modules `head`,
# `first.x3`, `body` and `tails.x3`.

# %% tags=["stub"]
share = ...

# %% tags=["solution"]
model = MDSR.baseline()
used = ("head", "body", "first.x3", "tails.x3")
learning = [p for n, p in model.named_parameters() if n.startswith(used)]
share = sum(p.numel() for p in learning) / 3_230_665

# %% tags=["wrong"]
share = 1_554_499 / 3_230_665

# %% tags=["check"]
check(
    share,
    1_964_355 / 3_230_665,
    because="the body learns from every batch, a branch from a third of them",
    mistakes=[
        (1_554_499 / 3_230_665, "that is EDSR ×3: MDSR has first blocks too"),
    ],
)

# %% [markdown]
# ## Summary
#
# 1. EDSR is one block, repeated: convolution, ReLU, convolution, times ρ, plus
#    the input; with a head, a long skip and a pixel shuffle.
# 2. In training, batch normalisation cannot see the contrast of its batch. It
#    keeps four stacks of feature maps per block where two suffice. The memory
#    buys depth or width.
# 3. One step of Adam moves a wide network further. A factor of 0.1 is a brake,
#    which folds away in use.
# 4. A self-ensemble removes as much squared error as its outputs are spread.
# 5. MDSR shares its body among three scales and learns one of them per batch.
#
# The [page of the lecture](../lectures/08-edsr.md) has what we left out (the
# paper's training, the challenge), its errata and its references.
