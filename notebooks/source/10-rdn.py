# %% [markdown]
# # 10 · RDN: a block that forgets nothing
#
# About 30 seconds of computing on two CPU cores. With a GPU the training takes
# the larger budget `class`: some minutes. To read and run: 30 minutes; the
# exercises: 25 more.
#
# The paper is Y. Zhang, Y. Tian, Y. Kong, B. Zhong, Y. Fu, *Residual Dense
# Network for Image Super-Resolution*, CVPR 2018. The [page of this
# lecture](../lectures/10-rdn.md) derives its equations; here we check them,
# build the network, train a small one, and switch its parts off. Equations have
# the numbers of the page. Afterwards you can
#
# - write a residual dense block, and the network around it;
# - take a fusion apart into a sum of skips;
# - find out, before any training, whether a picture arrives at a network's end;
# - say why an ablation can hide what it shows.
#
# You need lecture 6 (the pixel shuffle) and lecture 8 (residual blocks). The
# letters are those of [the notation page](../book/notation.md).

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
from dataclasses import replace
from functools import partial
from itertools import product

import torch
from torch import nn

from imtrans import degrade, experiments, figures, images, published, widgets
from imtrans.data import photos
from imtrans.exercises import check, claim
from imtrans.models.rdn import RDN, ResidualDenseBlock
from imtrans.restore import super_resolve

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
# A photograph was shrunk by 2, and we want it back. A deep network makes maps
# from maps from maps, and each layer can pass on only what the one before it
# has left. RDN keeps all maps of a block side by side, and lets small
# convolutions decide what to keep.

# %% tags=["ground"]
SCALE = 2
photo = images.modcrop(photos.photo("astronaut").picture, SCALE)
low_res = degrade.bicubic_down(photo, SCALE)  # (1, 3, 256, 256)
print(tuple(photo.shape), tuple(low_res.shape))

# %%
badge = (272, 336, 60, 48)  # left, top, width, height
squares = low_res.repeat_interleave(2, -2).repeat_interleave(2, -1)
figures.zoom(
    {"low resolution": squares.clamp(0, 1), "original": photo},
    badge,
    alt="a winged badge; its letters can be read in the original alone",
)

# %% [markdown]
# ## The residual dense block
#
# $C$ convolutions, each of which sees the block's input and all maps made so
# far, and adds $G$ new ones; a 1×1 convolution that goes back to $G_0$ maps;
# and a skip:
#
# $$
# \begin{aligned}
# F_{d,c}&=\sigma\big(W_{d,c}[F_{d-1},F_{d,1},\dots,F_{d,c-1}]\big) &&(1)\\
# F_{d,LF}&=H_{LFF}\big([F_{d-1},F_{d,1},\dots,F_{d,C}]\big) &&(2)\\
# F_d&=F_{d-1}+F_{d,LF} &&(3)
# \end{aligned}
# $$
#
# $\sigma$ is the ReLU. In PyTorch:


# %%
class Block(nn.Module):
    def __init__(self, G0, G, C):
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Conv2d(G0 + c * G, G, 3, padding=1) for c in range(C)
        )
        self.fusion = nn.Conv2d(G0 + C * G, G0, 1)

    def forward(self, x):
        maps = x
        for layer in self.layers:
            new = torch.relu(layer(maps))  # (N, G, H, W)
            maps = torch.cat([maps, new], dim=1)
        return x + self.fusion(maps)


# %% [markdown]
# `imtrans.models.rdn.ResidualDenseBlock` has the same parameters under the same
# names and returns the same:

# %%
block = Block(G0=32, G=16, C=3)
theirs = ResidualDenseBlock(features=32, growth=16, layers=3)
theirs.load_state_dict(block.state_dict())
x = torch.randn(1, 32, 12, 10)
assert torch.allclose(block(x), theirs(x), atol=1e-6)
print([tuple(layer.weight.shape) for layer in block.layers])


# %% [markdown]
# The second dimension grows, and the cost with it. In the large network, with
# $C=8$ and $G=G_0=64$, layer $c$ has $c$ shares of the weights:


# %%
def count(module):
    return sum(p.numel() for p in module.parameters())


large = ResidualDenseBlock()  # the paper's
shares = [layer.weight.numel() / 36_864 for layer in large.layers]
print(shares, f"{count(large):,} parameters")

# %% [markdown]
# ## Joining and choosing is adding
#
# The page's proposition: a 1×1 convolution of joined maps is a sum with one
# matrix per part. Take the fusion of the block apart:

# %%
with torch.no_grad():
    parts = torch.randn(1, 32, 12, 10), *torch.randn(3, 1, 16, 12, 10)
    joined = block.fusion(torch.cat(parts, dim=1))
    matrices = block.fusion.weight[..., 0, 0].split([32, 16, 16, 16], dim=1)
    terms = [
        torch.einsum("oc,nchw->nohw", matrix, part)
        for matrix, part in zip(matrices, parts, strict=True)
    ]
    added = sum(terms) + block.fusion.bias.view(1, -1, 1, 1)
assert torch.allclose(joined, added, atol=1e-5)
print("✓ the fusion is a sum of", len(terms), "terms")

# %% [markdown]
# So concatenation contains addition: with parts of equal size and identities
# for matrices, it is the skip of lecture 8.
#
# ## The whole network
#
# $$
# \begin{aligned}
# F_{-1}&=H_{SFE1}(I_{LR}),\quad F_0=H_{SFE2}(F_{-1})\\
# F_d&=H_{RDB,d}(F_{d-1}),\quad d=1,\dots,D\\
# F_{DF}&=F_{-1}+H_{GFF}([F_1,\dots,F_D])\\
# I_{SR}&=\operatorname{conv}(\operatorname{upscale}(F_{DF}))
# \end{aligned} \qquad (5)
# $$


# %%
class Network(nn.Module):
    def __init__(self, D, C, G, G0):
        super().__init__()
        self.head = nn.Conv2d(3, G0, 3, padding=1)
        self.second = nn.Conv2d(G0, G0, 3, padding=1)
        self.blocks = nn.ModuleList(Block(G0, G, C) for _ in range(D))
        self.fusion = nn.Sequential(
            nn.Conv2d(D * G0, G0, 1), nn.Conv2d(G0, G0, 3, padding=1)
        )
        upscale = [nn.Conv2d(G0, 4 * G0, 3, padding=1), nn.PixelShuffle(2)]
        last = nn.Conv2d(G0, 3, 3, padding=1)
        self.tail = nn.Sequential(nn.Sequential(*upscale), last)

    def forward(self, x):
        shallow = self.head(x)
        outputs = [self.second(shallow)]
        for block in self.blocks:
            outputs.append(block(outputs[-1]))
        fused = self.fusion(torch.cat(outputs[1:], dim=1))  # without F_0
        return self.tail(shallow + fused)


# %% [markdown]
# The package's `RDN` subtracts the mean colour of DIV2K first and adds it at
# the end. All else is the same:


# %% tags=["ground"]
def toy():
    return RDN(SCALE, blocks=4, layers=3, growth=16, features=32)


# %%
mine, theirs = Network(D=4, C=3, G=16, G0=32), toy()
theirs.load_state_dict(mine.state_dict())
patch = low_res[..., 100:124, 100:124]
with torch.no_grad():
    by_hand = mine(patch - theirs.mean) + theirs.mean
    assert torch.allclose(by_hand, theirs(patch), atol=1e-5)
print(f"✓ {count(mine):,} parameters")

# %%
for name, build in {"paper": RDN, "small": RDN.small, "toy": toy}.items():
    print(f"{name:6} {count(build()):>11,}")

# %% [markdown]
# ## Does the picture arrive?
#
# The paper switches three parts on and off: contiguous memory (the block's
# input reaches every layer), local residual learning (3), and global feature
# fusion. Before we train anything, look at twelve fresh blocks. Two pictures
# enter, a patch and its mirror image: how much of their difference is left at
# the end of the body? And how large is the gradient of the first block's first
# layer, beside that of the body's last? (One seed; the gradient is that of the
# mean of $|I_{SR}-0.5|$, in place of a loss.)

# %%
PARTS = ("contiguous_memory", "local_residual", "global_fusion")
two = torch.cat([patch, patch.flip(-1)])


def difference(pair):
    return (pair[0] - pair[1]).norm().item()


# %%
def arriving(**switches):
    torch.manual_seed(0)
    network = RDN(2, 12, 3, 16, 16, **switches)
    kept = []
    for layer in (network.second, network.fusion[0]):
        layer.register_forward_hook(lambda m, i, out: kept.append(out))
    (network(two) - 0.5).abs().mean().backward()
    first = network.blocks[0].layers[0].weight.grad.norm()
    last = network.fusion[1].weight.grad.norm()
    return difference(kept[1]) / difference(kept[0]), (first / last).item()


# %%
found = {
    on: arriving(**dict(zip(PARTS, on, strict=True)))
    for on in product((False, True), repeat=3)
}

# %% tags=["nbval-ignore-output"]
table = []
for on, (left, gradient) in found.items():
    row = dict(zip(PARTS, ["yes" if part else "–" for part in on], strict=True))
    numbers = {"difference": f"{left:.0e}", "gradient": f"{gradient:.0e}"}
    table.append(row | numbers)
figures.table(table, caption="What arrives in a fresh network, as a ratio.")

# %%
none, whole = found[False, False, False], found[True, True, True]
claim("with all parts the pictures arrive", whole[0], above=0.01)
claim("with none they do not, by far", none[0] / whole[0], below=1e-4)
claim("and the first block gets no gradient", none[1], below=1e-8)

# %% [markdown]
# Without any part, every map is made from the maps before it alone. Each layer
# of PyTorch's default start shrinks what varies; what is left at the end is a
# constant, from the biases. The body says nothing about the picture. But the
# *global* skip, from $F_{-1}$ to the end, is still there, and has no ReLU on
# its way. Such a network is linear.
#
# The difference in the first row is hardly more than the rounding of 32-bit
# numbers. Contiguous memory alone lets little through as well: its path leads
# through twelve 1×1 convolutions, and each shrinks what varies. But gradients
# reach much further back on it.
#
# ## Training
#
# The loss is the mean absolute error. Pairs come from the bundled photographs,
# none of which is tested on below, and from dead leaves, pictures made of
# random disks. `RDN.small`, with 1.4 million parameters, is too slow for a
# notebook on a CPU, so the budget `quick` trains the toy here. (With a GPU it
# is `RDN.small`, and "toy" below stands for that.) Its last convolution begins
# with small weights, so that the first output is nearly plain. Muon is an
# optimiser of which the [glossary](../book/glossary.md) tells more.

# %%
from imtrans import recipes
from imtrans.recipes.starts import shrink_last_convolution


def start():
    return shrink_last_convolution(toy())


# %%
recipe = recipes.rdn.recipe(BUDGET, scale=SCALE)
if BUDGET == "quick":
    recipe = replace(recipe, model=start, steps=440, validate_every=110)
pairs = recipe.data(recipe.seed)  # pairs[i]: (3, 16, 16), (3, 32, 32)
side = pairs[0][0].shape[-1]  # with a GPU they are larger
print(*recipe.sources, recipe.optimizer, sep="\n")
print(f"{recipe.steps} steps of {recipe.batch} pairs")

# %%
figures.strip(
    {f"in {i}": pairs[i][0][None] for i in range(5)},
    alt=f"a low-resolution patch of {side} by {side} pixels",
    factor=6,
)

# %%
figures.strip(
    {f"out {i}": pairs[i][1][None] for i in range(5)},
    alt="the same patch at twice the resolution",
    factor=3,
)

# %%
from imtrans.suite import validator
from imtrans.training import fit

times_2 = degrade.Downscale(SCALE)
options = {"progress": False, "device": DEVICE}
if CHECKPOINTS:
    options |= {"folder": f"{CHECKPOINTS}/rdn", "resume": True}

# %%
falls = "Loss over steps, on a logarithmic scale: it falls steeply, then less."
live = figures.LiveCurve(recipe.steps, alt=falls)
run = fit(recipe, on_step=live, validate=validator([times_2]), **options)

# %% [markdown]
# ### A network without a body
#
# For the same number of steps: the first convolution, the pixel shuffle, the
# last convolution, and nothing between. It is linear, a learned bicubic
# interpolation.


# %%
class Linear(RDN):
    def forward(self, x):
        return self.tail(self.head(x - self.mean)) + self.mean


# %%
bare = partial(Linear, SCALE, blocks=1, layers=1, growth=1, features=32)
linear_recipe = replace(recipe, name="linear", model=bare)
if CHECKPOINTS:
    options["folder"] = f"{CHECKPOINTS}/linear"
linear = fit(linear_recipe, **options)

# %% [markdown]
# ## Measuring
#
# All on one test photograph, which no network has seen, beside the shipped
# weights of `RDN.small` and of EDSR's baseline (lecture 8), which is as large.

# %%
from imtrans import zoo
from imtrans.evaluation import evaluate
from imtrans.models.baselines import Bicubic

networks = {"bicubic": Bicubic(), "linear": linear.model, "toy RDN": run.model}
for name in ("edsr-baseline-x2", "rdn-small-x2"):
    networks[name] = zoo.load(name)
test = [("cat", images.modcrop(photos.photo("chelsea").picture, SCALE))]

# %% tags=["nbval-ignore-output"]
mean = {
    name: evaluate(net, test, times_2, protocol="rgb-y").psnr
    for name, net in networks.items()
}
table = [{"network": name, "PSNR": psnr} for name, psnr in mean.items()]
figures.table(table, caption="One photograph, ×2, PSNR in dB, rgb-y.")

# %%
claim("the toy beats bicubic", mean["toy RDN"] - mean["bicubic"], above=0.4)
gain = mean["linear"] - mean["bicubic"]
claim("and so does a linear network", gain, above=0.3)

# %% [markdown]
# Look at the second row. Bicubic interpolation is a linear filter that somebody
# chose; the network without a body is one that was trained. In the short run of
# the budget `quick` the toy is about level with it: its body does not help yet.
# What a body is for, the shipped weights show: larger networks, and thousands
# of steps.
#
# ### Our number beside the paper's
#
# On Set5, ours from the card, the file beside the weights that holds their
# scores. RDN has sixteen times the parameters of `RDN.small`, and its authors
# trained it for much longer.

# %%
card = zoo.card("rdn-small-x2")
[ours] = [
    score | {"model": "RDN small, ours"}
    for score in card["scores"]
    if (score["set"], score["protocol"]) == ("Set5", "rgb-y")
]
papers = [
    published.rows("rdn", model=model, set="Set5", scale=2)[0]
    for model in ("Bicubic", "MDSR", "RDN", "RDN+")
]

# %%
table = [
    {
        "network": row["model"],
        "PSNR": f"{row['psnr']:.2f}",
        "SSIM": row["ssim"],
        "protocol": row["protocol"],
    }
    for row in [ours, *papers]
]
steps = f"{card['steps']:,} steps"
figures.table(
    table, caption=f"Set5 ×2; ours after {steps}, papers as printed.", digits=4
)

# %%
restored = {
    name: super_resolve(networks[name], low_res, SCALE).clamp(0, 1)
    for name in ("bicubic", "linear", "toy RDN")
}
figures.zoom(
    restored | {"original": photo},
    badge,
    alt="the badge: soft by bicubic, firmer by both networks, clear originally",
)

# %% [markdown]
# ## The ablation
#
# Eight networks of twelve blocks, trained by Adam and on many more photographs
# than yours, and one without a body. One seed each:

# %%
rows = experiments.rows("rdn-ablation")
table = []
for row in sorted(rows, key=lambda row: row["psnr"]):
    parts = ", ".join(p for p in PARTS if row[p] == "yes") or "none"
    linear_one = row[PARTS[0]] == "no body"
    parts = "no body: linear" if linear_one else parts
    table.append({"parts": parts, "PSNR": row["psnr"]})
figures.table(
    table, caption=f"Set5 ×2, PSNR in dB, rgb-y, {rows[0]['steps']} steps."
)

# %% [markdown]
# After so few steps the network without any part is no better than the one
# without a body. The best three have the local residual and another part. What
# arrives in a fresh network does not foretell this order: global fusion alone
# lets picture and gradient through, contiguous memory alone hardly does, and
# their scores are close. In the paper's much longer trainings any one part is
# enough (its numbers are from memory, see the page). An ablation answers for
# one network and one length of training. (The linear network of this table is
# not yours: another optimiser, other pictures, another test.)
#
# ## What a block remembers
#
# The body of the toy is not of much use yet, so look into the first block of
# the shipped `rdn-small-x2`. Move the slider from layer to layer: the four maps
# that vary most, of those that the layer has *added*; at 0, of the block's
# input. All of them are still there when the fusion chooses.

# %%
shipped = networks["rdn-small-x2"].cpu().eval()
with torch.no_grad():
    part = low_res[..., 150:226, 120:220] - shipped.mean  # the badge, the suit
    F_0 = shipped.second(shipped.head(part))


# %%
@torch.no_grad()
def added(layer):
    maps = F_0
    for convolution in shipped.blocks[0].layers[:layer]:
        new = convolution(maps).relu()
        maps = torch.cat([maps, new], dim=1)
    new = F_0 if layer == 0 else new
    best = new.std((0, 2, 3)).argsort(descending=True)[:4]
    chosen = new[:, best]
    chosen = chosen / chosen.amax((2, 3), keepdim=True).clamp(min=1e-6)
    alt = f"a map of layer {layer}, white where it is strong"
    pictures = {f"map {k + 1}": chosen[:, k : k + 1] for k in range(4)}
    return figures.strip(pictures, alt=alt, factor=1)


# %%
last_layer = len(shipped.blocks[0].layers)
widgets.slider(
    added,
    range(last_layer + 1),
    label="layer",
    alt="four maps of one layer; edges of the badge and the suit",
)

# %% [markdown]
# And what does the global fusion use? By the proposition above each block's
# term is a matrix times maps. The size of the matrix, and how much the maps
# vary over this part of the picture:

# %% tags=["nbval-ignore-output"]
kernel = shipped.fusion[0].weight[..., 0, 0].detach()  # (G0, D·G0)
norms = [m.norm().item() for m in kernel.split(kernel.shape[0], dim=1)]
with torch.no_grad():
    x = F_0
    maps = [x := block(x) for block in shipped.blocks]  # F_1 … F_D
table = [
    {"block": d, "matrix": norm, "maps": F.std((2, 3)).mean().item()}
    for d, (norm, F) in enumerate(zip(norms, maps, strict=True), 1)
]
figures.table(
    table, caption="Matrices, Frobenius norm; maps, mean standard deviation."
)

# %% [markdown]
# A fresh matrix has the size $\sqrt{G_0/3D}$, here about 1.6. The product of
# the two columns says, roughly, how strong a block's term is in the sum.
#
# ## Where it fails
#
# The paper trains a network per degradation, with reason. Yours knows bicubic
# shrinking. Put noise of σ = 30 on the low resolution, as in the paper's DN:

# %%
noisy = degrade.gaussian_noise(low_res, 30, seed=0).clamp(0, 1)
from_noise = {
    name: super_resolve(networks[name], noisy, SCALE).clamp(0, 1)
    for name in ("bicubic", "toy RDN")
}
figures.zoom(from_noise, badge, alt="the badge, full of coloured grains")

# %%
from imtrans.metrics import mse

worse = mse(from_noise["toy RDN"], photo) / mse(from_noise["bicubic"], photo)
claim("on noise, bicubic has the smaller error", worse.item(), above=1)

# %% [markdown]
# ## Errata, run
#
# On B100 at ×4 the slide has 27.77 dB for RDN. What the paper prints, and what
# either number makes of the comparison with MDSR:


# %%
def printed(model, set, scale):
    return published.rows("rdn", model=model, set=set, scale=scale)[0]["psnr"]


mdsr, rdn = printed("MDSR", "B100", 4), printed("RDN", "B100", 4)
for source, psnr in {"slide": 27.77, "paper": rdn}.items():
    print(f"{source}: {psnr:.2f} dB, {psnr - mdsr:.2f} more than MDSR")

# %% [markdown]
# The files of the released networks are called `F64D18C6G64`. A network with 18
# blocks of 6 convolutions would have another size than the released one:

# %%
with torch.device("meta"):  # shapes alone
    sizes = count(RDN(blocks=18, layers=6)), count(RDN())
print("by the file's name {:,}, released {:,}".format(*sizes))

# %% [markdown]
# FSRCNN lies below bicubic interpolation in the table of BD, on every set:

# %%
for s in ("Set5", "Set14", "B100", "Urban100", "Manga109"):
    fsrcnn, bicubic = (printed(f"{m}, BD", s, 3) for m in ("FSRCNN", "Bicubic"))
    print(f"{s}: {bicubic - fsrcnn:.2f} dB below")

# %% [markdown]
# ## Try your own photograph
#
# Put a path between the quotes. On Colab, `from google.colab import files;
# PATH = next(iter(files.upload()))` asks for a file. Your picture is taken as
# it is and enlarged by 2, so keep it small.

# %%
PATH = ""
small_cat = degrade.bicubic_down(test[0][1], SCALE).clamp(0, 1)
own = images.read(PATH) if PATH else small_cat
large = {
    "bicubic": super_resolve(Bicubic(), own, SCALE),
    "toy RDN": super_resolve(run.model, own, SCALE, tile=512),
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
# in [a notebook of their own](solutions/10-rdn.ipynb).

# %% [markdown] tags=["exercise"]
# **Exercise 1. The size of a block.** Write the number of parameters of a
# residual dense block, biases included, for any $G_0$, $G$ and $C$.
#
# *Hint.* Layer $c$ reads $G_0+(c-1)G$ maps. Do not forget the fusion.


# %% tags=["stub"]
def size(G0, G, C):
    return ...


# %% tags=["solution"]
def size(G0, G, C):
    layers = sum(9 * (G0 + c * G) * G + G for c in range(C))
    return layers + (G0 + C * G) * G0 + G0


# %% tags=["wrong"]
def size(G0, G, C):
    return sum(9 * (G0 + c * G) * G + G for c in range(C))


# %% tags=["check"]
check(
    size(64, 32, 6),
    sum(p.numel() for p in ResidualDenseBlock(64, 32, 6).parameters()),
    because="the paper's ablation has twenty of these",
    mistakes=[(249_024, "these are the convolutions; the fusion is missing")],
)

# %% [markdown] tags=["exercise"]
# **Exercise 2. Long blocks or many?** Two facts together: the 3×3 weights of a
# block with $G_0=G$ are $9G^2\,C(C+1)/2$, and a network has $D$ blocks. The
# large network has $D=16$, $C=8$. Keep $G$ and use $C=4$: with how many blocks
# does the number of 3×3 weights in the blocks come closest to that of the large
# network? And how many 3×3 convolutions in a row would the blocks then have?
#
# *Hint.* Only $D\,C(C+1)$ matters. Round to a whole number of blocks.

# %% tags=["stub"]
blocks_and_convolutions = ...  # (D, convolutions in a row)

# %% tags=["solution"]
D = round(16 * 8 * 9 / (4 * 5))
blocks_and_convolutions = (D, 4 * D)

# %% tags=["wrong"]
blocks_and_convolutions = (32, 128)

# %% tags=["check"]
check(
    blocks_and_convolutions,
    (58, 232),
    because="short blocks buy depth: 232 in a row in place of 128",
    mistakes=[((32, 128), "the cost grows with C², not with C")],
)

# %% [markdown] tags=["exercise"]
# **Exercise 3. Addition as fusion.** Set the weights of a fusion of `n` parts
# with `G0` maps each so that it *adds* the parts.
#
# *Hint.* `fusion.weight` is (G0, n·G0, 1, 1). Which matrix leaves a part as it
# is?


# %% tags=["stub"]
def make_sum(fusion, n, G0):
    fusion.bias.data.zero_()
    return ...  # set fusion.weight.data and return fusion


# %% tags=["solution"]
def make_sum(fusion, n, G0):
    fusion.bias.data.zero_()
    fusion.weight.data = torch.eye(G0).repeat(1, n)[..., None, None]
    return fusion


# %% tags=["wrong"]
def make_sum(fusion, n, G0):
    fusion.bias.data.zero_()
    fusion.weight.data = torch.ones(G0, n * G0, 1, 1)
    return fusion


# %% tags=["check"]
torch.manual_seed(0)
three = torch.randn(3, 1, 4, 5, 5)
with torch.no_grad():
    fusion = make_sum(nn.Conv2d(12, 4, 1), n=3, G0=4)
    answer = ... if fusion is ... else fusion(torch.cat(list(three), dim=1))
blend = three.sum(dim=(0, 2))[:, None].expand(-1, 4, -1, -1)
check(
    answer,
    three.sum(dim=0),
    because="EDSR's skips are the case with identities",
    mistakes=[(blend, "this adds all channels as well; use identities")],
)

# %% [markdown] tags=["exercise"]
# **Exercise 4. The reader of ablations.** From the paper's eight cells: the
# mean loss when *one* part is removed from the whole, and the mean gain when
# *one* part is added to nothing, in dB. `value("CM + LRL")` reads a cell;
# `"no CM, LRL, GFF"` is the empty network.
#
# *Hint.* Three cells have two parts, three have one.


# %% tags=["ground"]
def value(parts):
    name = f"RDN D20C6G32, {parts}"
    return published.rows("rdn", model=name)[0]["psnr"]


# %% tags=["stub"]
loss_and_gain = ...  # (mean loss, mean gain)

# %% tags=["solution"]
two = [value(parts) for parts in ("CM + LRL", "CM + GFF", "LRL + GFF")]
one = [value(part) for part in ("CM", "LRL", "GFF")]
loss_and_gain = (
    value("CM + LRL + GFF") - sum(two) / 3,
    sum(one) / 3 - value("no CM, LRL, GFF"),
)

# %% tags=["wrong"]
loss_and_gain = (0.08, 3.19)

# %% tags=["check"]
check(
    loss_and_gain,
    (0.08, 2.99333),
    because="forty times apart: the parts are substitutes for each other",
    mistakes=[((0.08, 3.19), "3.19 is the gain of all three together")],
    tolerance=1e-3,
)

# %% [markdown] tags=["exercise"]
# **Exercise 5. Without contiguous memory.** Two facts together: without CM the
# layers of a block, all but the first, and its fusion no longer read the
# block's input; and a 3×3 convolution adds 2 to the side of the square that a
# value depends on. `RDN.small` at ×2 has 8 blocks of 4 convolutions, $G=32$,
# $G_0=64$. How many parameters does it lose without CM? And how many pixels of
# the low resolution wide is the square on which a value of the last block's
# output depends, with CM and without? Count the two convolutions before the
# blocks.
#
# *Hint.* A layer that loses the input loses $9\,G_0G$ weights. A path through
# all convolutions exists in either network.

# %% tags=["stub"]
lost_and_sides = ...  # (parameters, pixels with CM, pixels without)

# %% tags=["solution"]
lost = 8 * (3 * 9 * 64 * 32 + 64 * 64)
side = 1 + 2 * (2 + 8 * 4)
lost_and_sides = (lost, side, side)

# %% tags=["wrong"]
lost_and_sides = (442_368, 69, 69)

# %% tags=["check"]
check(
    lost_and_sides,
    (475_136, 69, 69),
    because="a third of its parameters, and none of its field",
    mistakes=[
        ((442_368, 69, 69), "the fusion reads 64 maps fewer, too"),
        ((475_136, 69, 21), "a block's layers still form a chain without CM"),
    ],
)

# %% [markdown]
# ## Summary
#
# 1. A dense block is ten lines: join, convolve, join again, fuse, add.
# 2. Its cost grows with the square of its depth.
# 3. A fusion is a sum of skips with learned matrices.
# 4. In a fresh network without any short path nothing of the picture arrives at
#    the end of the body. What is left is a linear network, by the global skip.
# 5. In the paper's long trainings any one path was enough; in our short ones it
#    was not.
#
# The [page of the lecture](../lectures/10-rdn.md) has the tables, the errata
# and the references.
