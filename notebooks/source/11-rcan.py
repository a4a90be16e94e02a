# %% [markdown]
# # 11 · RCAN: skips in skips, and a gate for every channel
#
# About 50 seconds of computing on two CPU cores. With a GPU the training takes
# the larger budget `class`: some minutes. To read and run: 30 minutes; the
# exercises: 25 more.
#
# The paper is Y. Zhang, K. Li, K. Li, L. Wang, B. Zhong, Y. Fu, *Image
# Super-Resolution Using Very Deep Residual Channel Attention Networks*, ECCV
# 2018. The [page of this lecture](../lectures/11-rcan.md) derives its
# equations; here we check them, build the network, train it, and look into its
# gates. Equations have the numbers of the page. Afterwards you can
#
# - write RCAN in twenty lines;
# - measure what a skip does to a gradient;
# - read the gates of a network, replace them, and say what they are worth;
# - show that a piece of a picture is not restored as the picture is.
#
# You need lecture 6 (the pixel shuffle) and lecture 8 (residual blocks without
# batch normalisation). The letters are those of [the notation
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
import copy
import os
from dataclasses import replace

import torch
from torch import nn

from imtrans import degrade, experiments, figures, images, metrics, widgets
from imtrans.data import photos
from imtrans.exercises import check, claim
from imtrans.models.rcan import RCAN, ChannelAttention
from imtrans.restore import reach, super_resolve

# %% [markdown]
# The next cell holds what you may want to change: the seed, how long to train,
# and a folder for checkpoints, so that an interrupted training can continue.

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
# A photograph was shrunk by 2, and we want it back. Deeper networks do it
# better, until depth makes them hard to train. RCAN nests its skips, and lets
# every block decide how much of each feature map to add.

# %% tags=["ground"]
SCALE = 2
photo = images.modcrop(photos.photo("astronaut").picture, SCALE)
low_res = degrade.bicubic_down(photo, SCALE)  # (1, 3, 256, 256)
print(tuple(photo.shape), tuple(low_res.shape))

# %%
badge = (272, 336, 60, 48)  # left, top, width, height
squares = low_res.repeat_interleave(2, -2).repeat_interleave(2, -1)

# %%
figures.zoom(
    {"low resolution": squares.clamp(0, 1), "original": photo},
    badge,
    alt="a winged badge; its letters can be read in the original alone",
)

# %% [markdown]
# ## Channel attention
#
# Three steps, for maps $x_1,\dots,x_C$ of $H\times W$ values:
#
# $$
# \begin{aligned}
# z_c&=\tfrac1{HW}\sum_{i,j}x_c(i,j) &&(3)\\
# s&=f\big(W_U\,\delta(W_D\,z)\big) &&(4)\\
# \hat x_c&=s_c\,x_c &&(5)
# \end{aligned}
# $$
#
# $\delta$ is the rectifier and $f$ the sigmoid. By hand, with the biases that
# the equations leave out:


# %%
def attention(x, W_D, b_D, W_U, b_U):
    z = x.mean(dim=(2, 3))  # (N, C)
    hidden = torch.relu(z @ W_D.T + b_D)  # (N, C/r)
    s = torch.sigmoid(hidden @ W_U.T + b_U)  # (N, C)
    return s[:, :, None, None] * x


# %% [markdown]
# `ChannelAttention` of the package is the same. Its matrices are 1×1
# convolutions on a picture of one pixel.

# %%
layer = ChannelAttention(features=32, reduction=8)
down, up = layer.weights[1], layer.weights[3]
x = torch.randn(2, 32, 12, 10)

# %%
by_hand = attention(
    x, down.weight[:, :, 0, 0], down.bias, up.weight[:, :, 0, 0], up.bias
)
assert torch.allclose(by_hand, layer(x), atol=1e-6)
print("✓ the three equations are the layer")

# %% [markdown]
# What are the gates before any training? Weights and biases are small, so is
# what enters the sigmoid, and $f(0)=\tfrac12$:

# %%
s = layer.weights(x)
print(
    f"gates of a fresh layer: {s.mean():.1f}, all within 0.25 of it:",
    bool(((s - 0.5).abs() < 0.25).all()),
)

# %% [markdown]
# ## The network
#
# A skip adds the input to the output. RCAN has it on three levels, so we write
# it once:


# %%
class Skip(nn.Sequential):
    def forward(self, x):
        return x + super().forward(x)


# %%
def conv(a, b):
    return nn.Conv2d(a, b, 3, padding=1)


def block(C=32, r=8):  # equation (6): two convolutions and a gate
    return Skip(conv(C, C), nn.ReLU(), conv(C, C), ChannelAttention(C, r))


def group(B=3, C=32):  # blocks and a convolution under a short skip
    return Skip(*[block(C) for _ in range(B)], conv(C, C))


# %% [markdown]
# The whole network of equation (2), in the small size that we can train here:
# two groups of three blocks, 32 maps. In front the mean colour is taken away,
# and added again at the end.

# %%
network = nn.Sequential(
    conv(3, 32),  # F0
    Skip(group(), group(), conv(32, 32)),  # F_DF, under the long skip
    conv(32, 4 * 32),
    nn.PixelShuffle(2),  # (N, 32, 2H, 2W)
    conv(32, 3),
)

# %%
ours = RCAN.small(SCALE)
values = network.state_dict().values()
_ = ours.load_state_dict(dict(zip(ours.state_dict(), values, strict=True)))

# %%
x = torch.rand(1, 3, 20, 24)
with torch.no_grad():
    by_hand = network(x - ours.mean) + ours.mean
    assert torch.allclose(by_hand, ours(x), atol=1e-5)
print("✓ the same parameters, the same output", tuple(by_hand.shape))

# %% [markdown]
# And its sizes, by equation (7):

# %%
for name, model in {
    "RCAN, ×2": RCAN(2),
    "without attention": RCAN(2, reduction=None),
    "our small one": ours,
}.items():
    print(f"{sum(p.numel() for p in model.parameters()):>10,}", name)

# %% [markdown]
# ## What a skip does to a gradient
#
# The page's proposition says: without skips over the groups, every path of the
# gradient leads through all the convolutions that close a group. Each leaves
# about a third of the variance, so ten alone leave $3^{-10/2}\approx0.004$ of
# the length. Ten groups of two blocks, fresh from initialisation, thin, without
# attention; all blocks keep their own skips. How much of the gradient at the
# end arrives at the beginning?


# %%
def body(groups, skips):
    torch.manual_seed(0)
    kind = Skip if skips else nn.Sequential
    residual = [
        kind(
            *[Skip(conv(16, 16), nn.ReLU(), conv(16, 16)) for _ in range(2)],
            conv(16, 16),
        )
        for _ in range(groups)
    ]
    return nn.Sequential(*residual)


# %%
def arriving(network):
    x = torch.randn(1, 16, 24, 24, requires_grad=True)
    end = network(x)
    [gradient] = torch.autograd.grad(end, x, torch.randn_like(end))
    return (gradient.norm() / end.numel() ** 0.5).item()


depths = range(1, 11)
arrived = {
    name: [arriving(body(groups, skips)) for groups in depths]
    for name, skips in {"group skips": True, "no group skips": False}.items()
}

# %% tags=["nbval-ignore-output"]
chart, ax = figures.canvas(height=2.6)
for name, norms in arrived.items():
    ax.semilogy(depths, norms, "o-", label=name)
ax.set(xlabel="groups", ylabel="gradient that arrives")
ax.legend(frameon=False, fontsize=9)
figures.show(
    chart,
    alt="With group skips the gradient grows slowly with the number of groups; "
    "without them, it falls by more than a third with each.",
)

# %%
with_skips, no_skips = (norms[-1] for norms in arrived.values())
claim("with group skips the gradient arrives", with_skips, above=1)
claim("without them, a fiftieth is left at best", no_skips, below=0.02)

# %% [markdown]
# ## Training
#
# The loss is the mean absolute error (8). Pairs come from the bundled
# photographs, none of which is tested on below, and from dead leaves: random
# pictures of shapes that cover each other. Muon is an optimiser for the weights
# of hidden layers; lecture 1 names its source.

# %%
from imtrans import recipes

recipe = recipes.rcan.recipe(BUDGET, scale=SCALE)
pairs = recipe.data(recipe.seed)  # pairs[i]: (3, 24, 24), (3, 48, 48)
side = pairs[0][0].shape[-1]  # with a GPU they are larger
print(*recipe.sources, recipe.optimizer, sep="\n")
print(f"{recipe.steps} steps of {recipe.batch} pairs")

# %%
figures.strip(
    {f"in {i}": pairs[i][0][None] for i in range(5)},
    alt=f"a low-resolution patch of {side} by {side} pixels",
    factor=4,
)

# %%
figures.strip(
    {f"out {i}": pairs[i][1][None] for i in range(5)},
    alt="the same patch at twice the resolution",
    factor=2,
)

# %%
from imtrans.suite import validator
from imtrans.training import fit

times_2 = degrade.Downscale(SCALE)
options = {"progress": False, "device": DEVICE}
options["validate"] = validator([times_2])

# %%
keep = {}
if CHECKPOINTS:
    keep = {"folder": f"{CHECKPOINTS}/rcan", "resume": True}

# %%
falls = "Loss over steps, on a logarithmic scale: it falls steeply, then less."
live = figures.LiveCurve(recipe.steps, alt=falls)
run = fit(recipe, on_step=live, **options, **keep)

# %% [markdown]
# ## Measuring
#
# The run was short. `results/` keeps the weights of a longer one, some
# minutes on 481 pictures, and the package those of `RCAN.medium`, eight times
# as large. All three beside bicubic, on the bundled test photographs:

# %% tags=["ground"]
from imtrans import zoo

longer = RCAN.small(SCALE).eval()
longer.load_state_dict(experiments.weights("rcan-short"))
medium = zoo.load("rcan-medium-x2")

# %%
from imtrans.evaluation import evaluate
from imtrans.models.baselines import Bicubic

test = [(p.name, p.picture) for p in photos.photos("test")]

# %%
networks = {"bicubic": Bicubic(), "this run": run.model}
networks |= {"longer": longer, "medium": medium}
scores = {
    name: evaluate(net, test, times_2, protocol="rgb-y")
    for name, net in networks.items()
}

# %% tags=["nbval-ignore-output"]
table = []
for name, result in scores.items():
    each = {picture.name: picture.psnr for picture in result.rows}
    table.append({"network": name, **each, "mean": result.psnr})
figures.table(table, caption="PSNR in dB on two photographs, ×2, rgb-y.")

# %%
mean = {name: result.psnr for name, result in scores.items()}
gain = mean["this run"] - mean["bicubic"]
claim("this run beats bicubic by over half a decibel", gain, above=0.5)
more = mean["longer"] - mean["this run"]
claim("the longer one beats this run", more, above=0.2)
most = mean["medium"] - mean["longer"]
claim("and the larger one beats that", most, above=0.1)

# %% [markdown]
# On Set5 papers print the mean over five pictures. Ours and theirs:

# %% tags=["ground"]
from imtrans import published

# %%
papers = [
    published.rows("rcan", model=m, set="Set5", scale=2)[0]
    for m in ("Bicubic", "VDSR", "EDSR", "RDN", "RCAN")
]
[kept] = experiments.rows("rcan-short")
table = [{"network": row["model"], "PSNR": row["psnr"]} for row in papers]
card = zoo.card("rcan-medium-x2")
[score] = [
    row["psnr"]
    for row in card["scores"]
    if (row["set"], row["protocol"]) == ("Set5", "rgb-y")
]
ours = {
    f"RCAN small, {kept['steps']} steps, ours": kept["psnr"],
    f"RCAN medium, {card['steps']} steps, ours": score,
}
table += [{"network": name, "PSNR": psnr} for name, psnr in ours.items()]
figures.table(table, caption="Set5 ×2, PSNR in dB; papers as printed.")

# %% [markdown]
# The papers' rows follow three protocols, up to 0.09 dB apart; the page says
# which. The small network has 1/86 of RCAN's parameters and had 1/625 of its
# steps. It is here to be looked into.

# %%
restored = super_resolve(longer, low_res, SCALE).clamp(0, 1)
bicubic = super_resolve(Bicubic(), low_res, SCALE).clamp(0, 1)

# %%
figures.zoom(
    {"bicubic": bicubic, "RCAN small": restored, "original": photo},
    badge,
    alt="the badge; the network's edges are firm, its letters are not there",
)

# %% [markdown]
# ## Looking at the gates
#
# A hook writes down what a module returns. With one on each of the six
# attentions we see all $6\cdot32$ gates for a picture.


# %% tags=["ground"]
def attentions(network):
    return [m for m in network.modules() if isinstance(m, ChannelAttention)]


def gates(network, low_res):
    seen = []
    hooks = [
        layer.weights.register_forward_hook(lambda m, i, s: seen.append(s))
        for layer in attentions(network)
    ]
    with torch.no_grad():
        network(low_res)
    for hook in hooks:
        hook.remove()
    return torch.cat(seen)[:, :, 0, 0]  # (blocks, C)


# %%
small_cat = degrade.bicubic_down(photos.photo("chelsea").picture, SCALE)

# %%
examples = {
    "astronaut": low_res,
    "cat": small_cat,
    "grey": torch.full((1, 3, 96, 96), 0.5),
    "noise": torch.rand(1, 3, 96, 96),
}
seen = {name: gates(longer, x) for name, x in examples.items()}
print({name: tuple(s.shape) for name, s in seen.items()})


# %% [markdown]
# Move the slider from block to block. Each square is a channel, in the order
# of the first picture; black is a gate of 0.3, white one of 0.7.


# %%
def one_block(number):
    order = seen["astronaut"][number - 1].argsort(descending=True)
    pictures = {
        name: ((s[number - 1][order] - 0.3) / 0.4).view(1, 1, 4, 8)
        for name, s in seen.items()
    }
    alt = f"gates of block {number} as grey squares"
    return figures.strip(pictures, alt=alt, factor=16)


widgets.slider(
    one_block,
    range(1, 7),
    label="block",
    alt="the gates of one block for four pictures, sorted by the first",
)

# %% [markdown]
# Do they look at the picture? Two spreads tell: of a gate over the channels,
# and of one and the same gate over pictures. If the second were zero, the
# gates would be constants. The first says little: random biases give a fresh
# network just as much of it (`gates(RCAN.small(2), low_res).std(1)`).

# %% tags=["nbval-ignore-output"]
stacked = torch.stack([seen["astronaut"], seen["cat"]])  # (2, blocks, C)
table = [
    {
        "block": number + 1,
        "mean gate": stacked[:, number].mean().item(),
        "spread over channels": stacked[:, number].mean(0).std().item(),
        "difference of the two": (stacked[0] - stacked[1])[number]
        .abs()
        .mean()
        .item(),
    }
    for number in range(6)
]
figures.table(table, caption="Gates for two photographs.", digits=3)

# %% [markdown]
# ## Gates by hand
#
# Put a constant in place of all gates, and move it. At 0 every block is
# switched off, and what is left are the first and last convolutions and those
# that close groups and body.


# %% tags=["ground"]
class Constant(nn.Module):
    def __init__(self, values):
        super().__init__()
        self.values = values.view(1, -1, 1, 1)

    def forward(self, x):
        return self.values


def with_gates(network, values):  # (blocks, C)
    network = copy.deepcopy(network)
    for layer, row in zip(attentions(network), values, strict=True):
        layer.weights = Constant(row)
    return network


# %%
def opened(value):
    fixed = with_gates(longer, torch.full((6, 32), value))
    result = super_resolve(fixed, low_res, SCALE).clamp(0, 1)
    own = {f"all gates {value:g}": result, "its own gates": restored}
    return figures.zoom(own, badge, alt=f"the badge, all gates at {value:g}")


widgets.slider(
    opened,
    [0.0, 0.25, 0.5, 0.75, 1.0],
    label="gate",
    alt="the badge; far from the trained gates it is blurred or overdrawn",
    start=0.5,
)


# %% [markdown]
# Now in numbers. In place of the gates that look at the picture: their means
# over some photographs, one constant per channel. Such a network has no
# attention any more. What does it lose? (These scores are a little higher than
# those above: `rgb-y` rounds low resolution and result to 8 bits, and here
# nothing is rounded.)


# %%
def psnr(network, picture):
    small = degrade.bicubic_down(picture, SCALE)
    large = super_resolve(network, small, SCALE).clamp(0, 1)
    y, x = (
        metrics.luma(large, rounded=False),
        metrics.luma(picture, rounded=False),
    )
    return metrics.psnr(y, x, border=SCALE).item()


# %%
train = [p.picture for p in photos.photos("train")][:8]
average = torch.stack(
    [gates(longer, degrade.bicubic_down(p, SCALE)) for p in train]
).mean(dim=0)
cat = images.modcrop(photos.photo("chelsea").picture, SCALE)
two = [photo, cat]

# %%
per_block = average.mean(dim=1, keepdim=True).expand(-1, 32)
variants = {
    "from the picture": longer,
    "means, one per channel": with_gates(longer, average),
    "means, one per block": with_gates(longer, per_block),
    "1/2": with_gates(longer, torch.full((6, 32), 0.5)),
}
worth = {
    name: sum(psnr(net, picture) for picture in two) / 2
    for name, net in variants.items()
}

# %% tags=["nbval-ignore-output"]
figures.table(
    [{"gates": name, "PSNR": value} for name, value in worth.items()],
    caption="PSNR in dB on two photographs, ×2, luma without any rounding.",
)

# %%
own, fixed, _, half = worth.values()
claim("constants cost less than 0.05 dB", own - fixed, below=0.05)
claim("even 1/2 everywhere costs less than 0.2", own - half, below=0.2)

# %% [markdown]
# ## With and without
#
# The paper's table gives attention 0.03 to 0.08 dB after 50,000 steps. Train
# the small network once more, everything else the same, but without its
# attention:


# %%
from imtrans.recipes.starts import shrink_last_convolution


def without_attention():
    return shrink_last_convolution(RCAN.small(SCALE, reduction=None))


short = recipes.rcan.quick(scale=SCALE)
twin = replace(short, name="rcan-without", model=without_attention)

# %%
runs = {"with": run if BUDGET == "quick" else fit(short, **options)}
runs["without"] = fit(twin, **options)

# %% tags=["nbval-ignore-output"]
logs = {name: [e for e in r.log if "psnr" in e] for name, r in runs.items()}
figures.curves(
    [entry["step"] for entry in logs["with"]],
    {name: [entry["psnr"] for entry in log] for name, log in logs.items()},
    xlabel="step",
    ylabel="PSNR in dB",
    alt="PSNR on a validation photograph, with attention and without it.",
)

# %% tags=["nbval-ignore-output"]
psnrs = {
    name: evaluate(r.model, test, times_2, protocol="rgb-y").psnr
    for name, r in runs.items()
}
table = [{"attention": name, "PSNR": psnr} for name, psnr in psnrs.items()]
figures.table(table, caption="On the test photographs, in dB.")

# %%
gain = psnrs["without"] - mean["bicubic"]
claim("without attention, too, it beats bicubic by 0.5 dB", gain, above=0.5)

# %% [markdown]
# One start of one short run decides nothing, and the order may differ on your
# machine. So we trained the small network from three seeds and for longer: with
# attention, without it, and with twice the gate, so that it starts at 1 in
# place of ½:

# %%
rows = experiments.rows("rcan-attention")

# %%
table = []
for name in ("without", "with", "twice"):
    row = {"attention": name}
    row |= {r["seed"]: r["psnr"] for r in rows if r["attention"] == name}
    table.append({str(key): value for key, value in row.items()})
figures.table(
    table, caption=f"Set5 ×2, PSNR in dB, rgb-y, {rows[0]['steps']} steps."
)

# %% [markdown]
# On average attention loses here, but by no more than the seeds differ, and
# twice the gate is ahead of it in two seeds of three. The half-open start may
# be the reason, but doubling changes range and slope of the gate as well. A
# gain of 0.03 dB could not be seen here.
#
# ## Where it fails: your neighbour changes your face
#
# A network with a finite window restores a face in the same way, whatever
# hangs on the wall two metres away. Not this one. We put a panel of noise to
# the right of a face, far outside the reach of all convolutions, and compare
# the restored face with the one that was restored alone.

# %%
face = figures.crop(low_res, (70, 0, 100, 100))

# %%
panels = {
    "alone": face,
    "grey": torch.full((1, 3, 100, 100), 0.5),
    "noise": torch.rand(1, 3, 100, 100),
}


def beside(panel):
    bar = face[..., -1:].expand(-1, -1, -1, 40)  # the edge repeated: no new one
    return torch.cat([face, bar, panel], dim=-1)


# %%
def inner(network, picture):
    return super_resolve(network, picture, SCALE)[..., :120]  # far from the bar


without = with_gates(longer, average)  # constants: a finite window again
moved = {}
for name in ("grey", "noise"):
    for kind, net in {"attention": longer, "constants": without}.items():
        one, two_ = inner(net, face), inner(net, beside(panels[name]))
        moved[name, kind] = 255 * (one - two_).square().mean().sqrt().item()

# %% tags=["nbval-ignore-output"]
table = [
    {
        "beside the face": name,
        "with attention": moved[name, "attention"],
        "with constant gates": moved[name, "constants"],
    }
    for name in ("grey", "noise")
]
figures.table(
    table, caption="How much the face moves, in 8-bit levels rms.", digits=3
)

# %%
largest = max(moved[name, "constants"] for name in ("grey", "noise"))
claim("with constant gates nothing moves", largest, below=0.001)

# %%
claim(
    "with attention noise moves the face",
    moved["noise", "attention"],
    above=0.005,
)

# %% [markdown]
# Nobody can see some hundredths of a level, and these gates hardly look at the
# picture. But the change is there, and gates that look more would make it
# larger. The same happens when a large picture is cut into tiles to save
# memory: each tile has its own gates, so `restore` cannot be exact for RCAN.
# [The page](../lectures/11-rcan.md) measures by how much.

# %% [markdown]
# ## Errata, run
#
# Two errata of the page can be run. "15.6 M parameters" is the network for ×4:

# %%
for scale in (2, 4):
    print(f"×{scale}: {sum(p.numel() for p in RCAN(scale).parameters()):,}")

# %% [markdown]
# And the authors' code subtracts the mean, and adds it again, by two 1×1
# convolutions that it means to freeze. It sets an attribute of the module,
# which PyTorch allows and nothing reads. The method of nearly the same name
# freezes the parameters:

# %%
shift = nn.Conv2d(3, 3, 1)
shift.requires_grad = False
trained = sum(p.numel() for p in shift.parameters() if p.requires_grad)
print("the attribute:", 2 * trained, "numbers of the two are trained")

# %%
shift.requires_grad_(False)
trained = sum(p.numel() for p in shift.parameters() if p.requires_grad)
print("the method:", 2 * trained)

# %% [markdown]
# ## Try your own photograph
#
# Put a path between the quotes. On Colab, `from google.colab import files;
# PATH = next(iter(files.upload()))` asks for a file. Your picture is taken as
# it is and enlarged by 2, so keep it small.

# %%
PATH = ""
mine = images.read(PATH) if PATH else small_cat.clamp(0, 1)
large = {
    "bicubic": super_resolve(Bicubic(), mine, SCALE),
    "RCAN medium": super_resolve(medium, mine, SCALE, tile=512),
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
# in [a notebook of their own](solutions/11-rcan.ipynb).

# %% [markdown] tags=["exercise"]
# **Exercise 1. The price of attention.** How many parameters do all attentions
# of a network have, with $G$ groups of $B$ blocks, $C$ maps and reduction $r$?
#
# *Hint.* Two matrices and two vectors of biases per block.


# %% tags=["stub"]
def price(G, B, C, r):
    return ...


# %% tags=["solution"]
def price(G, B, C, r):
    down, up = C * C // r + C // r, C // r * C + C
    return G * B * (down + up)


# %% tags=["wrong"]
def price(G, B, C, r):
    return G * B * 2 * C * C // r


# %% tags=["check"]
check(
    price(10, 20, 64, 16),
    sum(p.numel() for layer in attentions(RCAN(2)) for p in layer.parameters()),
    because="116,000 of 15.4 million: 0.75 %",
    mistakes=[(102_400, "these are the weights; the biases are missing")],
)

# %% [markdown] tags=["exercise"]
# **Exercise 2. Fold it.** A gate that is the same for all pictures is no
# attention: it can be multiplied into the convolution before it. Return a
# convolution that computes $s\odot(W*x+b)$.
#
# *Hint.* `convolution.weight` is (out, in, 3, 3), `convolution.bias` (out,).
# What happens to the bias?


# %% tags=["stub"]
def fold(convolution, s):
    return ...  # a changed copy of the convolution


# %% tags=["solution"]
def fold(convolution, s):
    folded = copy.deepcopy(convolution)
    folded.weight.data *= s.view(-1, 1, 1, 1)
    folded.bias.data *= s  # the product is with the whole sum
    return folded


# %% tags=["wrong"]
def fold(convolution, s):
    folded = copy.deepcopy(convolution)
    folded.weight.data *= s.view(-1, 1, 1, 1)
    return folded


# %% tags=["check"]
torch.manual_seed(0)
plain, s = nn.Conv2d(4, 4, 3, padding=1), torch.tensor([0.1, 0.4, 0.7, 1.0])
x = torch.randn(1, 4, 8, 8)
with torch.no_grad():
    folded = fold(plain, s)
    answer = ... if folded is ... else folded(x)
    wanted = s.view(1, -1, 1, 1) * plain(x)
    forgotten = wanted + ((1 - s) * plain.bias).view(1, -1, 1, 1)
check(
    answer,
    wanted,
    because="so constant gates cost nothing, and are worth nothing new",
    mistakes=[(forgotten, "the bias is multiplied by the gate as well")],
)

# %% [markdown] tags=["exercise"]
# **Exercise 3. The ledger.** From the paper's table of ablations: the mean gain
# of attention over its four pairs, and the mean gain of both skips together
# over its two pairs (with and without attention), in dB. `value("LSC + SSC")`
# reads a cell; `"no LSC, SSC, CA"` is the empty network, `"CA"` attention
# alone.
#
# *Hint.* LSC and SSC are the long and the short skips. Each of the four sets of
# skips makes a pair: without attention and with it.


# %% tags=["ground"]
def value(parts):
    name = f"RCAN, 50,000 iterations, {parts}"
    return published.rows("rcan", model=name)[0]["psnr"]


# %% tags=["stub"]
ledger = ...  # (gain of attention, gain of the skips)

# %% tags=["solution"]
without_ca = ["no LSC, SSC, CA", "LSC", "SSC", "LSC + SSC"]
with_ca = ["CA", "LSC + CA", "SSC + CA", "LSC + SSC + CA"]
gains = [value(b) - value(a) for a, b in zip(without_ca, with_ca, strict=True)]
skips = [value(v[3]) - value(v[0]) for v in (without_ca, with_ca)]
ledger = (sum(gains) / 4, sum(skips) / 2)

# %% tags=["wrong"]
ledger = (
    value("CA") - value("no LSC, SSC, CA"),
    value("LSC + SSC") - value("no LSC, SSC, CA"),
)

# %% tags=["check"]
check(
    ledger,
    (0.0575, 0.40),
    because="the skips are worth seven times as much as the attention",
    mistakes=[((0.07, 0.42), "that is one pair each; take the mean of all")],
    tolerance=1e-3,
)

# %% [markdown] tags=["exercise"]
# **Exercise 4. What an overlap costs.** The convolutions of RCAN before the
# enlargement reach one pixel each. A large picture is cut into tiles of `tile`²
# pixels, and each tile sees so many pixels more on every side that the overlap
# covers all of these convolutions. How many times the work of the uncut picture
# does that take, for a network of $G$ groups of $B$ blocks?
#
# *Hint.* Count the 3×3 convolutions at low resolution: the first one, those of
# the groups, the one behind them. Then compare areas.


# %% tags=["stub"]
def work(G, B, tile):
    return ...


# %% tags=["solution"]
def work(G, B, tile):
    overlap = 1 + G * (2 * B + 1) + 1
    return ((tile + 2 * overlap) / tile) ** 2


# %% tags=["wrong"]
def work(G, B, tile):
    overlap = 1 + G * (2 * B + 1) + 1
    return ((tile + overlap) / tile) ** 2


# %% tags=["check"]
side = 400 + 2 * (1 + 10 * 41 + 1)
one_side = 400 + (1 + 10 * 41 + 1)
check(
    work(10, 20, 400),
    (side / 400) ** 2,
    because="over nine times the work, and still not exact; authors take 10",
    mistakes=[((one_side / 400) ** 2, "the overlap is on both sides")],
)

# %% [markdown] tags=["exercise"]
# **Exercise 5. What folding buys.** A network for ×2 with $G$ groups of $B$
# blocks, $C$ maps and reduction $r$ gets constant gates, and they are folded
# into its weights. How many parameters does that save? And which overlap, in
# pixels of the low resolution, makes its tiles exact? Give both as a tuple.
#
# *Hint.* With the means gone, only the 3×3 convolutions look around a pixel:
# all of them, also the one of the enlargement and the one behind it. The latter
# needs one pixel of the high resolution; a tile has whole ones of the low.


# %% tags=["stub"]
def folding(G, B, C, r):
    return ...  # (parameters saved, overlap)


# %% tags=["solution"]
def folding(G, B, C, r):
    saved = G * B * (2 * C * C // r + C // r + C)
    return saved, 1 + G * (2 * B + 1) + 1 + 1 + 1


# %% tags=["wrong"]
def folding(G, B, C, r):
    saved = G * B * (2 * C * C // r + C // r + C)
    return saved, 1 + G * (2 * B + 1) + 1


# %% tags=["check"]
folded = RCAN.small(SCALE, reduction=None)
count, left = (
    sum(p.numel() for p in net.parameters()) for net in (longer, folded)
)
check(
    folding(2, 3, 32, 8),
    (count - left, reach(folded)),
    because="one per cent of the parameters, and no approximation is left",
    mistakes=[
        ((count - left, 16), "the last two convolutions look around too")
    ],
)

# %% [markdown]
# ## Summary
#
# 1. RCAN is twenty lines: a skip, a block with a gate, groups, a shuffle.
# 2. In a fresh network without skips over its groups, most of the gradient is
#    lost on the way; with them it arrives.
# 3. Channel attention is a mean, two thin matrices, and a product. It starts
#    half open.
# 4. After a short training the gates differ between channels and hardly between
#    photographs: constants do as well.
# 5. A mean over the picture ties every pixel to all others: tiles and
#    neighbours change the result, here by less than one can see.
#
# The [page of the lecture](../lectures/11-rcan.md) has the tables, the errata
# and the references.
