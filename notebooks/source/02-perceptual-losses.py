# %% [markdown]
# # 2 · Perceptual losses: let a network judge the picture
#
# About 35 seconds of computing on two CPU cores. With a GPU the training takes
# the larger budget `class`: some minutes. To read and run: 30 minutes; the
# exercises: 30 more.
#
# The paper is J. Johnson, A. Alahi and L. Fei-Fei, *Perceptual Losses for
# Real-Time Style Transfer and Super-Resolution*, ECCV 2016. The [page of this
# lecture](../lectures/02-perceptual-losses.md) derives its equations; here we
# check them, build the network, train it and break it. Equations have the
# numbers of the page. Afterwards you can
#
# - measure a picture in features, and say which errors that forgives;
# - compute a Gram matrix, and say what it forgets;
# - write the transformation network and account for its padding;
# - begin to train a network that paints in one style;
# - show what instance normalisation cannot see.
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

import torch
import torch.nn.functional as F
from torch import nn

from imtrans import experiments, figures, images, losses, zoo
from imtrans.data import photos
from imtrans.exercises import check, claim
from imtrans.models import features

# %% [markdown]
# The next cell holds what you may want to change: the seed, the style, how long
# to train, and a folder for checkpoints (on Colab for instance one on your
# Drive), so that an interrupted training can continue.

# %% tags=["ground"]
torch.manual_seed(0)
GPU = torch.cuda.is_available()
BUDGET = os.environ.get("IMTRANS_BUDGET", "class" if GPU else "quick")
DEVICE = "cpu" if BUDGET == "quick" else None  # None: the best there is
CHECKPOINTS = None
STYLE = "strokes"  # or "glass"
print("budget:", BUDGET)

# %% [markdown]
# ## The problem
#
# A loss that compares pixels knows one right answer and nothing else. For a
# picture in another style there is none; for an enlargement there are many.
# The paper compares *features*: what a network sees that has learned to name
# the objects in photographs.
#
# ## The loss network
#
# The paper's is VGG-16. Here it is a small network that comes with the course
# and was trained to have nearly the same features. `trunk="hybrid"` has better
# ones, after `imtrans data fetch hybrid` (6 MB); what is shown from `results/`
# was made with those. The small one computes with a quarter of VGG-19's
# channels; a 1×1 convolution for each layer then makes as many maps as the
# hybrid has there. For a picture of $C\times H\times W$ values $x$, the
# activations $\phi_j(x)$ (1) are $C_j$ maps of $H_j\times W_j$ positions:

# %% tags=["ground"]
TAPS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
phi = features.load(TAPS, trunk="small")

# %%
print(phi.about)
face = (130, 20, 192, 192)  # left, top, width, height
photo = images.crop(photos.photo("astronaut").picture, face)
for tap, maps in phi(photo).items():
    print(tap, tuple(maps.shape))  # (N, C_j, H_j, W_j)

# %% [markdown]
# ## One pixel to the side
#
# *Two identical images offset from each other by one pixel*, say the slides.
# Take one, and a blur with just the same mean squared error.

# %%
wide = images.crop(photos.photo("astronaut").picture, (130, 20, 200, 192))
shifted = wide[..., 1:193]


# %%
def blurred(picture, sigma, reach=8):
    offsets = torch.arange(-reach, reach + 1.0)
    kernel = torch.exp(-offsets.square() / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).expand(3, 1, 1, -1)
    padded = F.pad(picture, (reach,) * 4, "reflect")
    rows = F.conv2d(padded, kernel, groups=3)
    return F.conv2d(rows, kernel.mT, groups=3)


# %%
wanted = F.mse_loss(shifted, photo)
low, high = 0.1, 8.0

# %%
for _ in range(20):
    sigma = (low + high) / 2
    too_weak = F.mse_loss(blurred(photo, sigma), photo) < wanted
    low, high = (sigma, high) if too_weak else (low, sigma)
blur = blurred(photo, high)


# %%
def show(pictures, side=80, **options):
    """The middle of each picture, its pixels twice as large."""
    middles = {k: images.middle(p, side) for k, p in pictures.items()}
    return figures.strip(middles, factor=2, **options)


# %%
show(
    {"original": photo, "shifted": shifted, "blurred": blur},
    alt="an astronaut's face; the blurred one has no eyelashes and no teeth",
)

# %% [markdown]
# The feature loss is the squared distance in features, divided by their number:
#
# $$
# \ell_{feat}^{\phi,j}(\hat y,y)
# =\frac1{C_jH_jW_j}\lVert\phi_j(\hat y)-\phi_j(y)\rVert_2^2 \qquad (2)
# $$

# %%
cat = images.crop(photos.photo("chelsea").picture, (110, 40, 192, 192))

# %%
with torch.no_grad():
    a, b = (phi(x)["relu2_1"][0] for x in (cat, photo))  # (C, H, W)
C, H, W = a.shape
by_hand = (a - b).square().sum() / (C * H * W)
found = losses.feature_reconstruction(a[None], b[None])
assert torch.isclose(by_hand, found, rtol=1e-4)
print(f"✓ (2), with {C} maps of {H}×{W} positions")

# %% [markdown]
# By layer, as a share of the distance to a photograph of something else:


# %%
@torch.no_grad()
def distances(one, other):
    ours, theirs = ({"pixels": x} | phi(x) for x in (one, other))
    loss = losses.feature_reconstruction
    return {k: loss(ours[k], theirs[k]).item() for k in ours}


# %%
unlike = distances(cat, photo)


def shares(picture):
    found = distances(picture, photo)
    return {k: 100 * found[k] / unlike[k] for k in found}


# %% tags=["nbval-ignore-output"]
figures.table(
    [
        {"copy": name} | shares(picture)
        for name, picture in (("shifted", shifted), ("blurred", blur))
    ],
    caption="Distance to the original, in % of that to a cat.",
    digits=1,
)

# %%
of_shift, of_blur = shares(shifted), shares(blur)
first = of_blur["relu1_1"] / of_shift["relu1_1"]
claim("in relu1_1 the blur costs less than twice the shift", first, below=2)
deep = of_blur["relu4_1"] / of_shift["relu4_1"]
claim("in relu4_1 it costs over four times as much", deep, above=4)

# %% [markdown]
# Depth makes the difference, not features as such. Move the shift:

# %%
from imtrans import widgets


def by_layer(shift):
    values = shares(wide[..., shift : shift + 192])
    chart, ax = figures.canvas(height=2.4)
    ax.bar(list(values), list(values.values()))
    ax.set(ylabel="% of the distance to a cat", ylim=(0, 100))
    return figures.show(
        chart,
        alt=f"shifted by {shift} pixels: bars for pixels and five layers",
    )


# %%
widgets.slider(
    by_layer,
    [0, 1, 2, 4, 8],
    label="shift",
    alt="the bars grow with the shift, those of the deep layers slowly",
    start=1,
)

# %% [markdown]
# ## Many right answers
#
# The page's proposition *Many right answers*: if $y_1,\dots,y_K$ are all
# equally likely, then
#
# $$
# \frac1K\sum_k\lVert\phi(\hat y)-\phi(y_k)\rVert^2
# =\lVert\phi(\hat y)-\bar\phi\rVert^2+\text{const},
# $$
#
# with $\bar\phi$ the mean of the $\phi(y_k)$. In pixels the best answer is the
# mean of all answers. A check with five shifted copies and two different
# $\hat y$: the difference of the two sides is the same constant.

# %%
copies = torch.cat([wide[..., s : s + 192] for s in range(5)])
with torch.no_grad():
    answers = phi(copies)["relu3_1"]
mean = answers.mean(dim=0, keepdim=True)

# %%
for guess in (cat, blur):
    with torch.no_grad():
        guessed = phi(guess)["relu3_1"]
    left = (guessed - answers).square().flatten(1).sum(dim=1).mean()
    right = (guessed - mean).square().sum()
    spread = (answers - mean).square().flatten(1).sum(dim=1).mean()
    assert torch.isclose(left, right + spread, rtol=1e-4)
print("✓ both sides agree")

# %% [markdown]
# For 25 right answers, one photograph shifted by up to two pixels: one of them,
# the best answer in pixels, and the best in features of the hybrid:

# %%
answers = ("one", "pixels", "features")
show(
    {
        name: experiments.picture(f"perceptual-mean-{name}.png")
        for name in answers
    },
    side=64,
    alt="fur beside a cat's eye; the best answer in pixels is blurred",
)

# %% [markdown]
# ## Style: what is active together
#
# $$
# G_j(x)_{c,c'}=\frac1{C_jH_jW_j}\sum_{h,w}\phi_j(x)_{c,h,w}\,
# \phi_j(x)_{c',h,w} \quad (3)
# $$
#
# With loops, on a few maps:


# %%
def gram_by_loops(maps):
    C, H, W = maps.shape
    G = torch.zeros(C, C)
    for c in range(C):
        for d in range(C):
            for h in range(H):
                for w in range(W):
                    G[c, d] += maps[c, h, w] * maps[d, h, w]
    return G / (C * H * W)


# %%
few = torch.rand(3, 6, 5)
G = losses.normalized_gram(few[None])[0]
assert torch.allclose(gram_by_loops(few), G, atol=1e-6)
print("✓ the loops and imtrans agree")

# %% [markdown]
# It forgets where things are. Shuffle all positions: the maps are different,
# the Gram matrix is not.

# %%
somewhere = few.flatten(1)[:, torch.randperm(30)].view(3, 6, 5)
assert torch.allclose(losses.normalized_gram(somewhere[None])[0], G)
print("✓ the same Gram matrix; moved:", not torch.equal(somewhere, few))

# %% [markdown]
# The style loss is the squared distance of two Gram matrices,
# $\lVert G_j(\hat y)-G_j(y)\rVert_F^2$ (4). The pictures may differ in size:

# %%
larger = torch.rand(3, 7, 8)
by_hand = (gram_by_loops(few) - gram_by_loops(larger)).square().sum()
found = losses.style_reconstruction(few[None], larger[None])
assert torch.isclose(by_hand, found, rtol=1e-4)
print("✓ (4), for maps of 6×5 and of 7×8 positions")

# %% [markdown]
# Summed over layers as it stands, one layer outweighs the others. Divided by
# the energy of the target, it does not:

# %%
from imtrans.recipes.johnson import style_picture

style = style_picture(STYLE)  # (1, 3, 384, 384)

# %%
rows = experiments.rows("perceptual-layers")
figures.table(
    [
        {"loss": name} | {row["tap"]: float(row[key]) for row in rows}
        for name, key in (("as written", "raw"), ("relative", "relative"))
    ],
    caption="Share of each layer, hybrid features, %.",
    digits=1,
)

# %%
figures.strip(
    {STYLE: F.avg_pool2d(style, 3)}, alt="brush strokes around three eddies"
)

# %% [markdown]
# ## The network
#
# Down to a quarter of the size, residual blocks, up again. Each convolution but
# the last is followed by a normalisation and a ReLU. The published layout pads
# once, by 40 pixels, and its blocks do not pad. In PyTorch:


# %%
def unit(convolution, relu=True):
    norm = nn.BatchNorm2d(convolution.out_channels)
    return nn.Sequential(convolution, norm, *[nn.ReLU()] * relu)


# %%
class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.layers = nn.Sequential(
            *unit(nn.Conv2d(c, c, 3)), *unit(nn.Conv2d(c, c, 3), relu=False)
        )

    def forward(self, x):
        return x[..., 2:-2, 2:-2] + self.layers(x)


# %%
def half_stride(c_in, c_out):
    return nn.ConvTranspose2d(c_in, c_out, 3, 2, padding=1, output_padding=1)


# %%
layers = nn.Sequential(
    nn.ReflectionPad2d(40),
    unit(nn.Conv2d(3, 32, 9, padding=4)),
    unit(nn.Conv2d(32, 64, 3, 2, padding=1)),
    unit(nn.Conv2d(64, 128, 3, 2, padding=1)),
    *[Block(128) for _ in range(5)],
    unit(half_stride(128, 64)),
    unit(half_stride(64, 32)),
    nn.Conv2d(32, 3, 9, padding=4),
)

# %% [markdown]
# `imtrans.models.transform_network.StyleNetwork` is the same network, with the
# scaled tanh at the end:

# %%
from imtrans.models.transform_network import StyleNetwork, prepared

published = StyleNetwork()
weights = layers.state_dict().values()
keys = published.layers.state_dict()
published.layers.load_state_dict(dict(zip(keys, weights, strict=True)))
layers.eval(), published.eval()

# %%
with torch.no_grad():
    raw = layers(prepared(photo))
    ours = published(photo)
m = torch.tensor([123.68, 116.779, 103.939]).view(1, 3, 1, 1)
assert torch.allclose(255 * ours, m + 150 * raw.tanh(), atol=1e-2)
print(sum(p.numel() for p in published.parameters()), "parameters")

# %%
sizes, x = [], torch.rand(1, 3, 256, 256)
with torch.no_grad():
    for layer in layers[:9]:
        x = layer(x)
        sizes.append(x.shape[-1])
print(sizes)

# %% [markdown]
# The blocks lose four positions each, and the padding gives them: 40 pixels at
# each side are 10 positions there.
#
# 1,600 of the parameters do nothing: the biases before a normalisation. Change
# them all, and in training mode the output is the same:

# %%
small = StyleNetwork.small().train()  # ours: half the width
before = small(photo)
idle = 0

# %%
with torch.no_grad():
    for module in small.modules():
        if isinstance(module, nn.Conv2d) and module.out_channels != 3:
            module.bias.add_(torch.randn_like(module.bias))
            idle += module.bias.numel()
assert torch.allclose(small(photo), before, atol=1e-3)
print(f"✓ {idle} biases without effect at half the width")

# %% [markdown]
# ## What instance normalisation cannot see
#
# It centres and scales each map of each picture by its own mean and deviation
# (7). Then $f(ax+b)=f(x)$: the page's proposition *Blind to exposure*. Batch
# normalisation for inference uses stored averages instead. Two untrained
# networks, the photograph, and the same at 40 % of its levels:

# %%
for norm in ("instance", "batch"):
    torch.manual_seed(0)
    network = StyleNetwork(1 / 4, norm=norm, layout="resize").eval()
    with torch.no_grad():
        bright, dark = network(photo), network(0.4 * photo)
    moved = ((bright - dark).std() / bright.std()).item()
    if norm == "instance":
        claim("instance: the output moves by less than 1 %", moved, below=0.01)
    else:
        claim("batch: it moves by more than 20 %", moved, above=0.2)

# %% [markdown]
# And with trained weights: the same network with the statistics of the picture
# and with stored averages of ten photographs, as batch normalisation has them.
# First the photograph as it is, then at 40 %:

# %%
pictures = {
    f"{kind}, {light}": experiments.picture(
        f"perceptual-norm-{kind}-{light}.png"
    )
    for light in ("bright", "dark")
    for kind in ("instance", "stored")
}
show(pictures, side=64, alt="a cat's eye in brush strokes")

# %%
table = [
    {
        "statistics": row["statistics"],
        "levels": f"{100 * row['exposure']:.0f} %",
        "style error": float(row["style"]),
        "output moves by, %": float(row["moved"]),
    }
    for row in experiments.rows("perceptual-norm")
]
caption = "Means over the ten photographs of the stored averages; hybrid."
figures.table(table, caption=caption, digits=2)

# %% [markdown]
# ## Training
#
# Training looks for the weights with the least loss (6), a weighted sum
# $\sum_i\lambda_i\ell_i$, on average over photographs. Here the terms are those
# of (8): relative errors of the content at relu3_3 and of five Gram matrices,
# and a little total variation. No pairs are needed: the content's target is the
# input. So that nothing has to be fetched, the budgets `quick` and `class` take
# few photographs, and many drawn discs (*dead leaves*). Two of the latter, and
# what the training has:

# %%
from dataclasses import replace
from functools import partial

from imtrans import recipes

# %%
recipe = recipes.johnson.recipe(BUDGET, style=STYLE)
pairs = recipe.data(recipe.seed)
print(*recipe.sources, sep="\n")

# %%
figures.strip(
    {f"{i}": pairs[i][0][None] for i in range(2)},
    alt="a training picture of 96 by 96 pixels, discs upon discs",
)

# %% [markdown]
# `recipes.johnson.PerceptualLoss` is that sum, averaged over a batch:

# %%
loss = recipes.johnson.PerceptualLoss(
    partial(style_picture, STYLE), trunk="small"
)
two = torch.cat([cat, blur])
with torch.no_grad():
    of_batch = loss(two, torch.cat([photo, photo]))
    terms = [loss.parts(picture[None], photo) for picture in two]

# %%
lambdas = (1, recipes.johnson.STYLE_WEIGHT, recipes.johnson.SMOOTHNESS)
each = [sum(w * t for w, t in zip(lambdas, ts, strict=True)) for ts in terms]
assert torch.isclose(sum(each) / 2, of_batch, rtol=1e-2)
print("✓ (6) and (8), with weights", lambdas)

# %% [markdown]
# So that half a minute shows something, the network has a quarter of the
# paper's channels, and three blocks:

# %%
tiny = partial(StyleNetwork, 1 / 4, 3, norm="instance", layout="resize")
if BUDGET == "quick":
    recipe = replace(recipe, model=tiny, steps=80)
print(f"{recipe.steps} steps of {recipe.batch} pictures; {recipe.optimizer}")

# %%
from imtrans.training import fit

options = {"progress": False, "device": DEVICE}
if CHECKPOINTS:
    options |= {"folder": f"{CHECKPOINTS}/johnson", "resume": True}

# %%
falls = "Loss over steps, logarithmic: it falls far, with ups and downs."
live = figures.LiveCurve(recipe.steps, alt=falls)
run = fit(recipe, on_step=live, **options)

# %% [markdown]
# ## Measuring
#
# The loss need not fall all the time: in the quick run it climbs once more near
# the tenth step. A likely cause is the learning rate, which rises to its full
# height over the first eight steps.
#
# What has the network learned? The error of content and style of the
# photograph itself and of the stylised one, neither seen in training:


# %%
@torch.no_grad()
def errors(picture):
    content, of_style, _ = loss.parts(picture, photo)
    return {"content": content.item(), "style": of_style.item()}


# %%
with torch.no_grad():
    painted = run.model(photo).clamp(0, 1)
measured = {"photograph": errors(photo), "this run": errors(painted)}

# %%
logged = [entry["loss"] for entry in run.log]
began, ended = sum(logged[:10]), sum(logged[-10:])
claim("the loss falls to less than a third", ended / began, below=1 / 3)
claim(
    "the content's error is below 1, that of features of zeros",
    measured["this run"]["content"],
    below=1,
)

# %% [markdown]
# The eighty steps of the quick run are too few: colours and stripes, no face
# yet. The weights that ship were trained longer, with twice the width, by
# better features, and show where it goes. (Their straight lines in flat areas
# are a weakness: the style has none.)

# %%
shipped = f"johnson-{STYLE}"
pictures = {"photograph": photo, "this run": painted}
if shipped in zoo.names():
    with torch.no_grad():
        pictures["shipped"] = zoo.load(shipped)(photo).clamp(0, 1)
    measured["shipped"] = errors(pictures["shipped"])
else:
    print(shipped, "has no trained weights here yet")

# %% tags=["nbval-ignore-output"]
show(
    pictures,
    alt="an astronaut's face; the short run leaves colours and stripes of it",
)

# %% tags=["nbval-ignore-output"]
figures.table(
    [{"picture": name} | values for name, values in measured.items()],
    caption="Relative errors, features of the small network.",
    digits=3,
)

# %% [markdown]
# ## A pass against a search
#
# The slides' speed-ups are for a GPU of 2015. On two CPU cores, with the
# paper's network; a few iterations timed and multiplied:

# %%
from imtrans import published as papers

slides = {
    (row["set"], row["task"]): row["speedup"]
    for row in papers.rows("perceptual-losses", model="Johnson, style")
}

# %%
table = []
for row in experiments.rows("perceptual-speed"):
    if row["network"] == "paper":
        size = f"{row['size']}×{row['size']}"
        line = {"size": size}
        for n in (100, 300, 500):
            line[f"{n}"] = f"{slides[size, f'{n} iterations']:g}"
            line[f"{n}, ours"] = row[f"speedup_{n}"]
        table.append(line)

# %%
caption = "Speed-up over so many iterations; ours with the hybrid."
figures.table(table, caption=caption)

# %% [markdown]
# ## The weight of the style
#
# The optimisation (5) has the same terms, but the *pixels* are the unknown.
# From the photograph, one step against the gradient, two levels per pixel:

# %%
pixels = photo.clone().requires_grad_()
before = loss(pixels, photo)
before.backward()
with torch.no_grad():
    after = loss(pixels - 2 / 255 * pixels.grad.sign(), photo)
claim("the step lowers the loss", (after / before).item(), below=0.97)

# %% [markdown]
# Stored: fifty steps of `stylize.gatys`, which takes relu4_2 for the content,
# with hybrid features. Move $\lambda_s$:

# %%
weights = ("0.3", "3", "30", "300")
widgets.frames(
    [
        images.middle(experiments.picture(f"perceptual-weights-{w}.png"), 80)
        for w in weights
    ],
    labels=[f"style weight {w}" for w in weights],
    alt="an astronaut's face; from a photograph to a field of strokes",
    factor=2,
)

# %% [markdown]
# ## Where it fails: another size
#
# The network knows strokes of one width in *pixels*. In a picture of twice the
# size they are half as wide, relative to the face. A photograph from a phone
# gets a fine grain in place of strokes: shrink it first.

# %%
painter = zoo.load(shipped) if shipped in zoo.names() else run.model.cpu()
double = F.interpolate(photo, scale_factor=2, mode="bicubic").clamp(0, 1)
with torch.no_grad():
    fine = painter(double).clamp(0, 1)

# %% tags=["nbval-ignore-output"]
show(
    {
        "as it is": painter(photo).detach().clamp(0, 1),
        "twice the size, shrunk again": F.avg_pool2d(fine, 2),
    },
    alt="an astronaut's face in strokes; on the right they are finer",
)

# %% [markdown]
# ## The other network: super-resolution
#
# It pads each convolution, works at the low resolution, and doubles the size at
# the end, two or three times. A fold of the page has the layers; the paper
# enlarges to 288 pixels:

# %%
from imtrans.models.transform_network import SuperResolutionNetwork

# %%
for scale in (4, 8):
    enlarger = SuperResolutionNetwork(scale).eval()
    x = torch.rand(1, 3, 288 // scale, 288 // scale)
    sides = [x.shape[-1]]
    with torch.no_grad():
        for layer in enlarger.layers[:-1]:  # the last is the scaled tanh
            x = layer(x)
            sides.append(x.shape[-1])
    print(f"×{scale}:", sides, sum(p.numel() for p in enlarger.parameters()))

# %% [markdown]
# ## The errata, run
#
# The page lists what is wrong in paper, slides and program. What a computer can
# show of it:
#
# *One layer in place of several.* The slides' style loss names a single $j$. Of
# the sum over the paper's four layers, that of relu2_2 is a small part:

# %%
paper_taps = ("relu1_2", "relu2_2", "relu3_3", "relu4_3")
psi = features.load(paper_taps, trunk="small")
with torch.no_grad():
    seen = {"style": psi(style), "photo": psi(photo)}
    seen |= {"shifted": psi(shifted), "cat": psi(cat)}

# %%
parts = {
    tap: losses.style_reconstruction(seen["photo"][tap], seen["style"][tap])
    for tap in paper_taps
}
share = (parts["relu2_2"] / sum(parts.values())).item()
claim("relu2_2 alone is less than 20 % of the sum", share, below=0.2)

# %% [markdown]
# *The content's layer.* relu2_2 in the text, relu3_3 in the program: the second
# takes the photograph less literally. The shift by one pixel again:


# %%
def share_of_shift(tap):
    maps = {name: found[tap] for name, found in seen.items()}
    near = losses.feature_reconstruction(maps["shifted"], maps["photo"])
    return near / losses.feature_reconstruction(maps["cat"], maps["photo"])


# %%
ratio = (share_of_shift("relu2_2") / share_of_shift("relu3_3")).item()
claim("relu2_2 counts it over twice as much as relu3_3", ratio, above=2)

# %% [markdown]
# *The range of the output.* $[0,255]$ by the text. The last layer, for very
# negative and very positive inputs:

# %%
extremes = torch.tensor([-1e3, 1e3]).view(2, 1, 1, 1).expand(2, 3, 1, 1)
levels = 255 * published.layers[-1](extremes)
print(f"{levels.min():.0f} to {levels.max():.0f}")

# %% [markdown]
# *The models.* The paper's have batch normalisation and full width, the
# released ones that people remember instance normalisation and half the width:

# %%
for network in (StyleNetwork(), StyleNetwork(1 / 2, norm="instance")):
    norm = next(m for m in network.modules() if "Norm" in type(m).__name__)
    count = sum(p.numel() for p in network.parameters())
    print(f"{type(norm).__name__}: {count:,} parameters")

# %% [markdown]
# *The padding.* A grey picture, reflected, is still grey. Transposed
# convolutions repeat themselves every four pixels, so the output equals itself
# moved by four, but at the border, where the zeros of other layers show:

# %%
gray = torch.full((1, 3, 128, 128), 0.5)
with torch.no_grad():
    output = 255 * published(gray)
moved = (output[..., 4:] - output[..., :-4]).abs()
inner = moved[..., 40:-40, 40:-40].max().item()
claim("inside the two agree within 0.01 levels", inner, below=0.01)
claim("at the border they differ by over a level", moved.max().item(), above=1)

# %% [markdown]
# *The released program for super-resolution.* It divides the levels of the
# input by 255 before the preprocessing, but not those of the target. The
# network's tanh ends at ±150:

# %%
levels = 255 * photo
target, network_input = prepared(levels), prepared(levels / 255)
print(f"input up to {network_input.max():.0f}, target to {target.max():.0f}")

# %%
best = target.clamp(-150, 150)
left = ((best - target).square().mean() / target.square().mean()).item()
claim("any output leaves over 97 % of the target's energy", left, above=0.97)

# %% [markdown]
# ## Try your own photograph
#
# Put a path between the quotes. On Colab, `from google.colab import files;
# PATH = next(iter(files.upload()))` asks for a file. Half a megapixel or less.

# %%
PATH = ""
mine = images.read(PATH)[:, :3] if PATH else cat
with torch.no_grad():
    mine_painted = painter(mine.expand(1, 3, -1, -1)).clamp(0, 1)

# %% tags=["nbval-ignore-output"]
figures.strip(
    {"painted, shown at half the size": F.avg_pool2d(mine_painted, 2)},
    alt="a cat's face in strokes, or your photograph",
    factor=2,
)

# %% [markdown]
# ## Exercises
#
# Fill in what stands for `...` and run the check below it. The solutions are
# in [a notebook of their own](solutions/02-perceptual-losses.ipynb).

# %% [markdown] tags=["exercise"]
# **Exercise 1. Padding.** The residual blocks work at a quarter of the size,
# with two unpadded convolutions of $k\times k$ each. By how many *pixels* must
# the picture be padded at each side, for $n$ blocks?
#
# *Hint.* How many positions does one convolution lose at each side?


# %% tags=["stub"]
def padding(n, k):
    return ...


# %% tags=["solution"]
def padding(n, k):
    return 4 * 2 * n * (k - 1) // 2


# %% tags=["wrong"]
def padding(n, k):
    return 2 * n * (k - 1) // 2


# %% tags=["check"]
check(
    (padding(5, 3), padding(3, 5)),
    (40, 48),
    because="40 is the paper's",
    mistakes=[
        ((10, 12), "these are positions at a quarter of the size"),
        ((80, 96), "this is both sides together"),
    ],
)

# %% [markdown] tags=["exercise"]
# **Exercise 2. Two right answers.** An input has the right answers $y=1$ and
# $y=-1$, equally likely, and a feature is $\phi(y)=y^2$. Which $\hat y\ge0$ is
# best for the squared error in pixels, which for that in features, and how
# large is each least mean error?
#
# *Hint.* The page's *Many right answers* needs only the mean of the answers,
# of $y$ or of $\phi(y)$.

# %% tags=["stub"]
best_in_pixels, error_in_pixels = ..., ...
best_in_features, error_in_features = ..., ...

# %% tags=["solution"]
best_in_pixels, error_in_pixels = 0.0, 1.0
best_in_features, error_in_features = 1.0, 0.0

# %% tags=["wrong"]
best_in_pixels, error_in_pixels = 0.0, 1.0
best_in_features, error_in_features = 0.0, 1.0

# %% tags=["check"]
check(
    (best_in_pixels, error_in_pixels, best_in_features, error_in_features),
    (0.0, 1.0, 1.0, 0.0),
    because="a wrong sign costs nothing in this feature; a zero is no answer",
    mistakes=[
        ((0.0, 1.0, 0.0, 1.0), "the mean of the features is 1, not 0"),
        ((0.0, 0.0, 1.0, 0.0), "0 is at distance 1 from both answers"),
    ],
)

# %% [markdown] tags=["exercise"]
# **Exercise 3. Another network.** Somebody builds the style network of the
# page's table, in the published layout, at half the width and with three
# residual blocks, and leaves the padding at 40 pixels. Which side has the
# output for a photograph of 256×256 pixels? How many biases of convolutions may
# one change after the training without any effect, if it has instance
# normalisation? And if it has batch normalisation, as used for inference?
#
# *Hint.* *Why 40?* and *How many parameters?* on the page; and what batch
# normalisation subtracts at inference.

# %% tags=["stub"]
output_side = ...
idle_by_instance, idle_by_batch = ..., ...

# %% tags=["solution"]
output_side = ((256 + 2 * 40) // 4 - 3 * 2 * 2) * 4
idle_by_instance = 16 + 32 + 64 + 3 * 2 * 64 + 32 + 16
idle_by_batch = 0  # the stored mean is not moved with the bias

# %% tags=["wrong"]
output_side = 256
idle_by_instance = idle_by_batch = 544

# %% tags=["check"]
check(
    (output_side, idle_by_instance, idle_by_batch),
    (288, 544, 0),
    because="a stored mean does not follow a bias that is changed later",
    mistakes=[
        ((288, 544, 544), "the stored mean is that of the old bias"),
        ((256, 544, 544), "see what three blocks lose, and what is stored"),
        ((256, 544, 0), "three blocks lose 48 of the 80 pixels"),
        ((288, 800, 0), "three blocks, not five"),
        ((288, 547, 0), "no normalisation follows the last convolution"),
    ],
)

# %% [markdown] tags=["exercise"]
# **Exercise 4. When does it pay, here?** Against 500 iterations per picture,
# training pays after some 900 pictures on the paper's GPU. And on our
# processor? The next cell has our times for the half-width network at 256×256
# (`seconds` of a pass, of an `iteration`), and the card of the weights (the
# last round of their training, on crops of 128×128). After how many pictures
# has a training on `samples` crops of `side`×`side` pixels paid, against 500
# iterations for each? Let the cost of a sample grow with its pixels.
#
# *Hint.* $n\,t_o = T + n\,t_f$. A step has `batch` samples.

# %% tags=["ground"]
timed = {
    (row["size"], row["network"]): row
    for row in experiments.rows("perceptual-speed")
}[256, "half width"]
card = zoo.card("johnson-strokes")
print({key: timed[key] for key in ("seconds", "iteration")})
print({key: card[key] for key in ("seconds", "steps", "batch")})


# %% tags=["stub"]
def break_even(samples, side):
    return ...


# %% tags=["solution"]
def break_even(samples, side):
    per_sample = card["seconds"] / (card["steps"] * card["batch"])
    training = samples * per_sample * (side / 128) ** 2
    return training / (500 * timed["iteration"] - timed["seconds"])


# %% tags=["wrong"]
def break_even(samples, side):
    per_sample = card["seconds"] / (card["steps"] * card["batch"])
    training = samples * per_sample
    return training / (500 * timed["iteration"] - timed["seconds"])


# %% tags=["check"]
last_round = card["steps"] * card["batch"]
saved = 500 * timed["iteration"] - timed["seconds"]  # by each picture
short = card["seconds"] / saved
long = 160_000 / last_round * short  # the paper's 40,000 steps of 4
check(
    (break_even(last_round, 128), break_even(160_000, 256)),
    (short, 4 * long),
    because=f"after {short:.0f} pictures; {4 * long:.0f} at the paper's "
    "length: a slow machine slows training and search alike",
    mistakes=[
        ((short, long), "a crop of 256×256 has four times the pixels"),
        ((short, 2 * long), "pixels grow with the square of the side"),
    ],
)

# %% [markdown] tags=["exercise"]
# **Exercise 5. Instance normalisation.** Write it: each map of each picture
# centred and scaled by its own mean and standard deviation, over its
# positions. For $x$ of shape $(N, C, H, W)$, with $\epsilon=10^{-5}$ added to
# the variance.
#
# *Hint.* Batch normalisation takes the mean over `dim=(0, 2, 3)`. The variance
# is the mean of squares, without $n-1$.


# %% tags=["stub"]
def instance_norm(x):
    return ...


# %% tags=["solution"]
def instance_norm(x):
    mean = x.mean(dim=(2, 3), keepdim=True)
    var = x.var(dim=(2, 3), keepdim=True, correction=0)
    return (x - mean) / (var + 1e-5).sqrt()


# %% tags=["wrong"]
def instance_norm(x):
    mean = x.mean(dim=(0, 2, 3), keepdim=True)
    var = x.var(dim=(0, 2, 3), keepdim=True, correction=0)
    return (x - mean) / (var + 1e-5).sqrt()


# %% tags=["check"]
torch.manual_seed(2)
maps = torch.rand(2, 3, 4, 4) * torch.tensor([1.0, 5.0]).view(2, 1, 1, 1)
by_batch = F.batch_norm(maps, None, None, training=True)
check(
    instance_norm(maps),
    F.instance_norm(maps),
    because="each picture sets its own scale",
    mistakes=[(by_batch, "this averages over the batch as well")],
    tolerance=1e-4,
)

# %% [markdown]
# ## Summary
#
# 1. In pixels a shift by one costs as much as a strong blur. In deep features
#    it costs next to nothing; in the first layer about as much as the blur.
# 2. If many answers are right, the best one in pixels is their mean.
# 3. A Gram matrix says which features are active together, not where.
# 4. A network trained on features and Gram matrices paints in one pass; eighty
#    steps give it colours and stripes, not yet a face in strokes.
# 5. Instance normalisation removes exposure; batch normalisation does not.
#
# The [page of the lecture](../lectures/02-perceptual-losses.md) has what we
# left out (super-resolution by features, the paper's training) and the
# references.
