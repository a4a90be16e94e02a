# %% [markdown]
# # 4 · AdaIN: any style, one network
#
# About 40 seconds of computing on two CPU cores. With a GPU the training takes
# the larger budget `class`: some minutes. To read and run: 25 minutes; the
# exercises: 30 more.
#
# The paper is X. Huang and S. Belongie, *Arbitrary Style Transfer in Real-time
# with Adaptive Instance Normalization*, ICCV 2017. The
# [page of this lecture](../lectures/04-adain.md) tells the story; here we check
# its formulas, write the network out, train a decoder, and paint. Equations
# have the numbers of the page. Afterwards you can
#
# - compute AdaIN in one line and test its identities;
# - write encoder and decoder in a dozen lines;
# - compare the loss that the slides print with the one that is minimised;
# - move strength, mixture, masks and colours without training anything;
# - say where two numbers per channel are not enough.
#
# You need lectures [2](../lectures/02-perceptual-losses.md) and
# [3](../lectures/03-gatys.md), or to know what a Gram matrix of features is.
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

from imtrans import figures, images, losses, published, stylize, zoo
from imtrans.data import photos
from imtrans.data.styles import STYLES
from imtrans.exercises import check, claim
from imtrans.models import features

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
# Paint a photograph in the style of a picture that the network has not seen in
# training. Optimisation (lecture 3) can, in minutes. A network per style
# (lecture 2) cannot. The two style pictures here are drawn by programs; the
# shipped network was trained with other drawings by the same programs.

# %% tags=["ground"]
SIDE = 160


def square(picture, side=SIDE):
    size = {"size": (side, side), "mode": "bicubic", "antialias": True}
    return F.interpolate(picture, **size).clamp(0, 1)


face = images.crop(photos.photo("astronaut").picture, (110, 0, 256, 256))
content = square(face)  # (1, 3, 160, 160)
strokes, glass = (draw(size=SIDE) for draw in STYLES.values())

# %%
figures.strip(
    {"content": content, "strokes": strokes, "glass": glass},
    alt="an astronaut, brush strokes or panes of leaded glass",
    limit=12_500,
)

# %% [markdown]
# The shipped network has a quarter of the paper's channels, and its encoder is
# a student of VGG-19, not VGG-19 itself. The judge of results is no independent
# network: it is the same student, with one 1×1 convolution per layer that maps
# its features to its teacher's channels. The page's judge is that teacher, the
# larger hybrid, so its numbers differ.

# %% tags=["ground"]
network = zoo.load("adain")
TAPS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
judge = features.load(TAPS, "small")
print("painter:", network.about)
print("judge:", judge.about)

# %% [markdown]
# ## Two numbers per channel
#
# $$
# \mathrm{AdaIN}(x,y)=\sigma(y)\,\frac{x-\mu(x)}{\sigma(x)}+\mu(y) \qquad (1)
# $$
#
# with the mean (2) and the deviation (3) of each channel over its positions.
# Written as it stands:


# %% tags=["ground"]
def statistics(x, epsilon=1e-5):
    mean = x.mean(dim=(2, 3), keepdim=True)  # (N, C, 1, 1)
    variance = (x - mean).square().mean(dim=(2, 3), keepdim=True)
    return mean, (variance + epsilon).sqrt()


# %% tags=["ground"]
def adain(x, y):
    (mean_x, deviation_x), (mean_y, deviation_y) = statistics(x), statistics(y)
    return deviation_y * (x - mean_x) / deviation_x + mean_y


# %%
with torch.no_grad():
    x, y, z = (network.encode(picture) for picture in (content, strokes, glass))
t = adain(x, y)
print(tuple(x.shape), "->", 2 * x.shape[1], "numbers are the style")

# %% [markdown]
# Three things that must hold. The statistics of the result are the style's; a
# picture in its own style stays as it is; each picture of a batch is computed
# alone.

# %%
for ours, theirs in zip(statistics(t), statistics(y), strict=True):
    alive = statistics(x)[1] > 0.1  # a flat channel cannot be stretched
    assert torch.allclose(ours[alive], theirs[alive], rtol=1e-2, atol=1e-2)
assert torch.allclose(adain(x, x), x, atol=1e-4)
both = adain(torch.cat([x, y]), torch.cat([y, z]))
assert torch.allclose(both[:1], t, atol=1e-5)
print("✓ moments, identity, batch")

# %% [markdown]
# And two that show what AdaIN is: it equals PyTorch's instance normalisation
# with another scale and shift, and it is blind to *where* things are in the
# style.

# %%
mean_y, deviation_y = statistics(y)
assert torch.allclose(F.instance_norm(x) * deviation_y + mean_y, t, atol=1e-3)
shuffled = y.flatten(2)[..., torch.randperm(y[0, 0].numel())].view_as(y)
assert torch.allclose(adain(x, shuffled), t, atol=1e-3)
print("✓ instance normalisation; the style's positions do not matter")

# %%
from imtrans.models.adain import adain as ours

assert torch.allclose(ours(x, y), t, atol=1e-5)
print("✓ imtrans.models.adain.adain")

# %% [markdown]
# One channel, before and after. The histogram moves and stretches; its order
# stays:

# %%
channel = int((statistics(y)[0] - statistics(x)[0])[0, :, 0, 0].argmax())
chart, axes = figures.canvas(height=2.2, columns=3)
maps = {"content": x, "style": y, "AdaIN": t}
maps = {name: values[0, channel].flatten() for name, values in maps.items()}
together = torch.cat(list(maps.values()))
for ax, (name, values) in zip(axes, maps.items(), strict=True):
    ax.hist(values, bins=30)
    ax.set_title(name, fontsize=9)
    ax.set_xlim(together.min().item(), together.max().item())
figures.show(chart, alt="AdaIN has the content's shape at the style's place.")

# %% [markdown]
# The target $t$ has negative entries, but the features that the loss compares
# with it come out of a ReLU. How much of $t$ can never be reached?

# %%
negative = (t < 0).float().mean().item()
energy = (t.clamp(max=0).square().sum() / t.square().sum()).item()
claim("over 3 % of the entries are negative", negative, above=0.03)
claim("they hold less than 5 % of the energy", energy, below=0.05)
print(f"{100 * negative:.0f} % of the entries, {100 * energy:.1f} % of energy")

# %% [markdown]
# ## The network
#
# $x=f(c)$, $y=f(s)$, $t=\mathrm{AdaIN}(x,y)$, and the picture is $g(t)$ (5).
# The encoder $f$ is VGG up to relu4_1. The decoder $g$ is its mirror image.
# Here are both, with a quarter of VGG's channels:


# %%
def conv(before, after):
    return nn.Conv2d(before, after, 3, padding=1, padding_mode="reflect")


def stack(*layers):
    """A pair of numbers is a convolution and a ReLU; the rest stays."""
    found = []
    for layer in layers:
        pair = isinstance(layer, tuple)
        found += [conv(*layer), nn.ReLU()] if pair else [layer]
    return nn.Sequential(*found)


# %%
pool, up = nn.MaxPool2d(2), nn.Upsample(scale_factor=2)  # nearest
encoder = stack(
    *((3, 16), (16, 16), pool, (16, 32), (32, 32), pool),
    *((32, 64), (64, 64), (64, 64), (64, 64), pool, (64, 128)),
)
decoder = stack(
    *((128, 64), up, (64, 64), (64, 64), (64, 64), (64, 32), up),
    *((32, 32), (32, 16), up, (16, 16), conv(16, 3)),  # no last ReLU
)

# %% [markdown]
# They equal those of the package, whose weights fit in the same order. (The
# package also normalises its input with ImageNet's mean and deviation first.)

# %%
for mine, theirs in ((encoder, network.encoder), (decoder, network.decoder)):
    values = theirs.state_dict().values()
    mine.load_state_dict(dict(zip(mine.state_dict(), values, strict=True)))
with torch.no_grad():
    prepared = (content - network.encoder.mean) / network.encoder.std
    assert torch.allclose(encoder(prepared), x, atol=1e-4)
    assert torch.allclose(decoder(t), network.decoder(t), atol=1e-4)
print("✓ equal")

# %%
from imtrans.models.adain import AdaIN

for name, model in {"paper": AdaIN(), "ours": network}.items():
    parts = (model.encoder, model.decoder)
    counts = [sum(p.numel() for p in part.parameters()) for part in parts]
    print(f"{name}: encoder {counts[0]:,}, decoder {counts[1]:,}")

# %% [markdown]
# And paint:


# %% tags=["ground"]
@torch.no_grad()
def decoded(feature_map):
    return network.decoder(feature_map).clamp(0, 1)


# %%
painted = {"strokes": decoded(t), "glass": decoded(adain(x, z))}
figures.strip(
    {"decoder alone": decoded(x)} | painted,
    alt="the astronaut, as decoded from its own or from changed features",
    limit=12_500,
)

# %% [markdown]
# ## The loss
#
# The content loss (7) compares $f(g(t))$ with $t$; the style loss (8) compares
# means and deviations at four layers. The slides print norms, the authors'
# program takes their squares (9), the content's as a mean over its $CHW$
# entries. First the content, by hand and by PyTorch:

# %%
with torch.no_grad():
    picture = network.decoder(t)  # g(t), not clipped
    encoded = network.encode(picture)  # f(g(t))
apart = (encoded - t).flatten()
content_norm = (apart @ apart).sqrt()  # (7)
content_square = (apart @ apart) / apart.numel()  # (9)
assert torch.isclose(content_norm, torch.dist(encoded, t), rtol=1e-4)
assert torch.isclose(content_square, F.mse_loss(encoded, t), rtol=1e-4)
print("✓ (7), and the first half of (9)")

# %% [markdown]
# Then the style, layer by layer:


# %%
def differences(picture, style, tap):
    """Of the means and of the deviations at a layer, (C,) each."""
    with torch.no_grad():
        a, b = (statistics(judge(p)[tap]) for p in (picture, style))
    return [(u - v).flatten() for u, v in zip(a, b, strict=True)]


# %%
maps, wanted = judge(picture), judge(strokes)
style_square = 0
for tap in TAPS:
    apart = differences(picture, strokes, tap)
    norms = sum(d.norm() for d in apart)
    squares = sum(d.square().sum() for d in apart)
    pair = maps[tap], wanted[tap]
    assert torch.isclose(norms, losses.statistics_norms(*pair), rtol=1e-3)
    assert torch.isclose(squares, losses.statistics_squares(*pair), rtol=1e-3)
    style_square += squares
print("✓ (8), and the second half of (9)")

# %% [markdown]
# The sum (6), with the squares of the authors' program and the $\lambda=0.1$ of
# its main decoder:

# %%
from imtrans import recipes

loss = recipes.adain.StyleLoss(
    0.1, 0, F.mse_loss, losses.statistics_squares, trunk="small"
)
loss.network = judge  # the same network, in full precision on each machine
result = {"content": content, "target": t} | {
    "picture": picture,
    "encoded": encoded,
}
by_hand = content_square + 0.1 * style_square
assert torch.isclose(loss(result, strokes), by_hand, rtol=1e-3)
print("✓ (6)")

# %% [markdown]
# ## Errata, run
#
# Three places where slides and programs differ. *Norms for squares*: the
# gradient of a norm, with respect to the error, has length 1 however small the
# error is; that of a square fades with it.

# %%
for size in (1.0, 0.1, 0.001):
    error = (size * torch.ones(4) / 2).requires_grad_()
    norm, square_ = error.norm(), error.square().sum()
    g1 = torch.autograd.grad(norm, error)[0].norm().item()
    g2 = torch.autograd.grad(square_, error)[0].norm().item()
    print(f"error {size:g}: gradient of the norm {g1:.3f}, square {g2:.3f}")

# %% [markdown]
# *Which variance*: the slides divide by $HW$, a much-used port by $HW-1$. At
# 32×32 positions nobody sees it; a single position gives no number at all.

# %%
for side in (32, 2, 1):
    ramp = torch.linspace(-1, 1, side * side).view(1, 1, side, side)
    apart = (ramp - ramp.mean()).square().sum()
    ratio = ((apart / (side**2 - 1)) / (apart / side**2)).sqrt().item()
    print(f"{side}×{side}: deviation of the port over that of (3): {ratio:.4f}")

# %% [markdown]
# *Which deviation has the ε*: on the slides both have it, and
# $\mathrm{AdaIN}(x,x)=x$. The authors' program has it in $\sigma(x)$ only. Then
# a channel with the variance $v$ keeps $\sqrt{v/(v+\epsilon)}$ of itself:
# hardly anything where it is nearly silent.


# %%
def one_sided(x, y):
    (mean_x, deviation_x), (mean_y, _) = statistics(x), statistics(y)
    deviation_y = statistics(y, epsilon=0)[1]
    return deviation_y * (x - mean_x) / deviation_x + mean_y


# %%
ramp = torch.linspace(-1, 1, 256).view(1, 1, 16, 16)
unit = ramp / ramp.std(correction=0)
for v in (1e-1, 1e-5, 1e-7):
    c = v**0.5 * unit
    both, one = (f(c, c).norm() / c.norm() for f in (adain, one_sided))
    print(f"v = {v:g}: ε in both keeps {both:.2f}, in one {one:.2f}")

# %% [markdown]
# ## Training a decoder
#
# The recipe has two stages, and they are a matter of its *data* alone. In the
# first pairs each picture is its own style: there is no style loss yet, and the
# decoder learns to reconstruct. Then other styles come in, half of them in
# changed colours, and with them the style loss. Muon, the optimiser, makes the
# update of each layer nearly an orthogonal matrix.
#
# To need no download, most contents here are drawn discs, and the rest a few
# photographs that come with the package.

# %%
recipe = recipes.adain.recipe(BUDGET)
pairs = recipe.data(recipe.seed)
start = pairs.alone  # number of pairs without a style
print(f"{recipe.steps} steps of {recipe.batch}; {recipe.optimizer}")

# %%
shown = {}
for i in (0, start + 1, start + 2):
    crop, style = images.middle(pairs[i][0], 64).split(3)
    shown[f"content {i}"], shown[f"style {i}"] = crop[None], style[None]

# %%
figures.strip(
    shown, alt="a training crop of 64 by 64 pixels", factor=2, limit=4_000
)

# %%
from imtrans.training import fit

options = {"progress": False, "device": DEVICE}
if CHECKPOINTS:
    options |= {"folder": f"{CHECKPOINTS}/adain", "resume": True}
falls = "Loss over steps: it falls, jumps up when styles come in, falls again."
live = figures.LiveCurve(recipe.steps, alt=falls)
run = fit(recipe, on_step=live, **options)

# %%
last = pairs.alone // recipe.batch  # step of the first stage
alone = [entry["loss"] for entry in run.log if entry["step"] <= last]
fell = sum(alone[-5:]) / sum(alone[:5])
claim("the first stage brought the loss to less than half", fell, below=0.5)

# %% [markdown]
# The shipped decoder saw photographs as contents, in larger and many more
# pairs. The 120 steps of `quick` are not enough for a picture: they only show
# that the loss falls. Side by side:

# %%
with torch.no_grad():
    short = run.model(content, strokes).clamp(0, 1)
    alone = run.model(content, content).clamp(0, 1)

# %%
figures.strip(
    {"this run": short, "own style": alone, "shipped": painted["strokes"]},
    alt="the astronaut in brush strokes or in its own style",
    limit=10_500,
)


# %%
@torch.no_grad()
def style_error(picture, style, error=losses.statistics_error):
    maps, wanted = judge(picture), judge(style)
    return sum(error(maps[tap], wanted[tap]).item() for tap in TAPS)


gain = style_error(short, strokes) / style_error(painted["strokes"], strokes)
claim("the shipped decoder is nearer to the style", gain, above=1)

# %% [markdown]
# ## Measuring
#
# The paper has no table of quality. It has one of seconds, on a GPU of 2017.
# Ours are from two CPU cores and narrower networks: a quarter of the paper's
# channels for AdaIN (`new style`). `one style` is another network on each side:
# Ulyanov's in the paper, ours of lecture 2, with half the channels of its own
# paper. So compare rows with each other in the paper's columns only.

# %%
from imtrans import experiments

PAPER = {  # our names → network and task in table 1 of the paper
    "optimisation": ("Gatys et al.", "new style"),
    "one style": ("Ulyanov et al.", "known style"),
    "new style": ("AdaIN", "new style"),
}
ours = {(r["way"], r["side"]): r for r in experiments.rows("adain-times")}
table = []
for way, (model, task) in PAPER.items():
    theirs = published.rows("adain", model=model, task=task)
    columns = {f"paper, {r['set']}": r["seconds"] for r in theirs}
    columns |= {f"ours, {s}²": ours[way, s]["seconds"] for s in (256, 512)}
    table.append({"way": way} | columns)
figures.table(table, caption="Seconds per picture.", digits=3)

# %% [markdown]
# ## Ablation: which statistics?
#
# Match the means alone, the deviations alone, both, or the whole covariance
# (WCT). How far is the Gram matrix of the *features* from the style's, (4)?


# %% tags=["ground"]
def gram_error(a, b):
    grams = (losses.gram_per_position(each) for each in (a, b))
    return losses.relative_error(*grams).item()


# %%
def power(matrix, exponent):
    values, vectors = torch.linalg.eigh(matrix.double())
    kept = values > 1e-5 * values.max()
    scaled = vectors[:, kept] * values[kept] ** exponent
    return (scaled @ vectors[:, kept].T).float()


# %%
def wct(x, y):
    x_flat, y_flat = x[0].flatten(1), y[0].flatten(1)
    turn = power(torch.cov(y_flat), 0.5) @ power(torch.cov(x_flat), -0.5)
    moved = turn @ (x_flat - x_flat.mean(1, keepdim=True))
    return (moved + y_flat.mean(1, keepdim=True)).view_as(x)


# %%
mean_x, deviation_x = statistics(x)
changed = {
    "nothing": x,
    "means": x - mean_x + mean_y,
    "deviations": (x - mean_x) / deviation_x * deviation_y + mean_x,
    "both (AdaIN)": t,
    "covariance (WCT)": wct(x, y),
}
found = {name: gram_error(each, y) for name, each in changed.items()}

# %%
table = [{"matched": n, "Gram error": e} for n, e in found.items()]
figures.table(table, caption="Gram error in relu4_1's own map.", digits=3)

# %%
claim(
    "both together leave less than half of the error",
    found["both (AdaIN)"] / found["nothing"],
    below=0.5,
)

# %%
claim(
    "WCT leaves less than a tenth of what AdaIN leaves",
    found["covariance (WCT)"] / found["both (AdaIN)"],
    below=0.1,
)

# %%
figures.strip(
    {name: decoded(each) for name, each in list(changed.items())[1:]},
    alt="the astronaut by the same decoder, in four degrees of style",
    limit=11_000,
)

# %% [markdown]
# ## Play: strength
#
# $T(c,s,\alpha)=g\big((1-\alpha)f(c)+\alpha\,\mathrm{AdaIN}(f(c),f(s))\big)$
# (10). With a kernel, the slider computes every value.

# %%
from imtrans import widgets


def at_strength(alpha):
    mixed = stylize.adain(content, glass, network=network, alpha=alpha)
    pictures = {"glass": mixed}
    return figures.strip(
        pictures, alt=f"the astronaut, α = {alpha:g}", limit=12_500
    )


# %%
widgets.slider(
    at_strength,
    [0.0, 0.5, 1.0],
    label="α",
    alt="an astronaut, from a photograph to a painting",
    start=1.0,
)

# %% [markdown]
# ## Play: mixtures, masks, colours
#
# Several styles with weights (11); styles that stay inside a mask; the
# photograph's own colours. All of it is one function:


# %%
def between(weight):
    mixed = stylize.adain(
        content,
        [strokes, glass],
        network=network,
        weights=[1 - weight, weight],
    )
    alt = f"the astronaut, {weight:.0%} glass and the rest strokes"
    return figures.strip({"mixture": mixed}, alt=alt, limit=12_500)


# %%
widgets.slider(
    between,
    [0.0, 0.5, 1.0],
    label="glass",
    alt="an astronaut, from brush strokes to leaded glass",
    start=0.5,
)

# %% [markdown]
# The mask is a disc around the head, soft at its rim: strokes inside, glass
# outside. How large should it be?

# %%
places = torch.linspace(-1, 1, SIDE)
down, right = places.view(-1, 1), places.view(1, -1)
distance = ((right - 0.05) ** 2 + (down + 0.2) ** 2).sqrt()


def in_a_disc(radius):
    inside = torch.sigmoid(20 * (radius**2 - distance**2))[None, None]
    masked = stylize.adain(
        content, [strokes, glass], network=network, masks=[inside, 1 - inside]
    )
    alt = f"the astronaut, strokes within {radius:g} of the head, else glass"
    return figures.strip({"masked": masked}, alt=alt, limit=11_000)


# %%
widgets.slider(
    in_a_disc,
    [0.3, 0.6, 0.9],
    label="radius",
    alt="an astronaut in glass, and in strokes within a disc that grows",
    start=0.6,
)

# %% [markdown]
# To keep the photograph's colours, the *style* is changed first: its RGB values
# get the mean and the covariance of the photograph's. Halfway is possible, too:

# %%
matched = stylize.match_colors(strokes, content)
apart = (matched.mean(dim=(2, 3)) - content.mean(dim=(2, 3))).abs().max()
claim("the mean colours agree within 0.05", apart, below=0.05)


# %%
def in_own_colors(share):
    style = torch.lerp(strokes, matched, share)
    kept = stylize.adain(content, style, network=network)
    alt = f"the astronaut in strokes, {share:.0%} in the photograph's colours"
    return figures.strip({"own colours": kept}, alt=alt, limit=9_000)


# %%
widgets.slider(
    in_own_colors,
    [0.0, 0.5, 1.0],
    label="own colours",
    alt="brush strokes, from the style's colours to the photograph's",
    start=1.0,
)

# %% [markdown]
# ## Where it fails: large shapes, and faces
#
# One position of relu4_1 sees 68 pixels. What is larger in the style than that
# cannot be transferred as a shape: strokes and panes are, the suns of `strokes`
# are not (look at the paintings above). In turn, what is smaller in the
# photograph than a stroke is painted over: eyes and mouth of a face of 40
# pixels are distorted. Nothing in the network knows that faces matter, but you
# can enlarge the photograph, paint, and shrink:

# %%
large = square(face, 2 * SIDE)
fine = square(stylize.adain(large, strokes, network=network))
head = (36, 44, 70, 70)  # left, top, width, height
figures.zoom(
    {"photograph": content, "painted": painted["strokes"], "enlarged": fine},
    head,
    alt="the astronaut's face",
    factor=2,
)

# %% [markdown]
# ## Try your own photograph, and your own style
#
# Put paths between the quotes. On Colab, `from google.colab import files;
# PHOTO = next(iter(files.upload()))` asks for a file.

# %%
PHOTO, STYLE = "", ""
photo = images.read(PHOTO) if PHOTO else photos.photo("chelsea").picture
photo = images.crop(photo, (128, 48, 200, 200)) if not PHOTO else photo
style = images.read(STYLE) if STYLE else STYLES["glass"](size=200)
result = stylize.adain(photo, style, network=network)

# %%
figures.strip(
    {"painted": result},
    alt="your photograph in your style; by default a cat in leaded glass",
    limit=20_000,
)

# %% [markdown]
# ## Exercises
#
# Replace each `...` with your answer and run the check below it. The solutions
# are in [a notebook of their own](solutions/04-adain.ipynb).

# %% [markdown] tags=["exercise"]
# **Exercise 1. How many numbers?** For the paper's network: how many numbers of
# the style picture does the AdaIN layer use, how many does the style loss (8)
# compare, and how many *different* numbers do the Gram matrices of the same
# four layers have?
#
# *Hint.* The channels are 64, 128, 256 and 512. A Gram matrix is symmetric.

# %% tags=["stub"]
layer, loss, grams = ..., ..., ...

# %% tags=["solution"]
channels = (64, 128, 256, 512)
layer, loss = 2 * channels[-1], 2 * sum(channels)
grams = sum(n * (n + 1) // 2 for n in channels)

# %% tags=["wrong"]
layer, loss = 2 * 512, 2 * (64 + 128 + 256 + 512)
grams = 64**2 + 128**2 + 256**2 + 512**2

# %% tags=["check"]
check(
    (layer, loss, grams),
    (1024, 1920, sum(n * (n + 1) // 2 for n in (64, 128, 256, 512))),
    because="a Gram loss asks for ninety times as many numbers",
    mistakes=[
        ((1024, 1920, 348160), "G_ij = G_ji: count each pair once"),
        ((512, 960, 174560), "a mean and a deviation per channel"),
    ],
)

# %% [markdown] tags=["exercise"]
# **Exercise 2. Mix without a network.** Write the features of the mixture (11)
# of several styles, but compute $\hat x=(x-\mu(x))/\sigma(x)$ only once. `ys`
# is a list of feature maps; their `weights` sum to 1.
#
# *Hint.* The proposition on the page. `statistics` is defined above.


# %% tags=["stub"]
def mixture(x, ys, weights):
    return ...


# %% tags=["solution"]
def mixture(x, ys, weights):
    mean, deviation = statistics(x)
    moments = [statistics(y) for y in ys]
    new_mean = sum(w * m for w, (m, _) in zip(weights, moments, strict=True))
    spread = sum(w * s for w, (_, s) in zip(weights, moments, strict=True))
    return (x - mean) / deviation * spread + new_mean


# %% tags=["wrong"]
def mixture(x, ys, weights):
    mean, deviation = statistics(x)
    moments = [statistics(y) for y in ys]
    new_mean = sum(w * m for w, (m, _) in zip(weights, moments, strict=True))
    variance = sum(w * s**2 for w, (_, s) in zip(weights, moments, strict=True))
    return (x - mean) / deviation * variance.sqrt() + new_mean


# %% tags=["check"]
torch.manual_seed(0)
a, b = torch.rand(1, 4, 5, 5), torch.rand(1, 4, 6, 6)
c = 3 * torch.rand(1, 4, 7, 7)
wanted = 0.3 * adain(a, b) + 0.7 * adain(a, c)
by_variance = (a - statistics(a)[0]) / statistics(a)[1] * (
    0.3 * statistics(b)[1] ** 2 + 0.7 * statistics(c)[1] ** 2
).sqrt() + (0.3 * statistics(b)[0] + 0.7 * statistics(c)[0])
check(
    mixture(a, [b, c], [0.3, 0.7]),
    wanted,
    because="so a style is a point in a space of 2 C coordinates",
    mistakes=[(by_variance, "deviations are mixed, not variances")],
)

# %% [markdown] tags=["exercise"]
# **Exercise 3. Many frames, many styles.** A film of 100 frames of 512² pixels:
# each frame is wanted in each of five styles, by the paper's network and in the
# paper's seconds. Nothing is computed twice. How many seconds does it take, and
# how many bytes (32 bits per number) have to be kept of the five styles?
#
# *Hint.* The table of seconds on the page has AdaIN with and without encoding
# the style: that is the time of one encoder. Of a style only the numbers of
# exercise 1's first answer are used.

# %% tags=["stub"]
seconds, kept_bytes = ..., ...

# %% tags=["solution"]
encoding = 0.098 - 0.065  # pictures of one size take the same time
decoding = 0.065 - encoding
seconds = 5 * encoding + 100 * (encoding + 5 * decoding)
kept_bytes = 5 * 1024 * 4

# %% tags=["wrong"]
seconds, kept_bytes = 5 * 0.033 + 100 * 5 * 0.065, 5 * 1024 * 4

# %% tags=["check"]
times = published.rows("adain", model="AdaIN", set="512²")
known, new = (row["seconds"] for row in times)
once = 5 * (new - known)  # the styles
frame = (new - known) + 5 * (known - (new - known))
check(
    (seconds, kept_bytes),
    (once + 100 * frame, 20_480),
    because="one encoder serves all styles of a frame; a style is 4 kB",
    mistakes=[
        ((once + 500 * known, 20_480), "a frame is encoded once, not 5 times"),
        ((500 * new, 20_480), "a style is encoded once, so is a frame"),
    ],
)

# %% [markdown] tags=["exercise"]
# **Exercise 4. An eddy that fits.** The widest eddy of `strokes`, drawn at 384
# pixels, measures 150 pixels across, its broadest strokes 12. What is the
# largest `--style-side` at which a position of relu4_1 sees the whole eddy? And
# how wide, in pixels, do the broadest strokes come out then?
#
# *Hint.* The page has the window of a position, and what `--style-side` does:
# the picture shrinks, strokes and eddies alike.

# %% tags=["stub"]
side, width = ..., ...  # a whole number; a width in pixels

# %% tags=["solution"]
side = int(384 * 68 / 150)
width = 12 * side / 384

# %% tags=["wrong"]
side, width = 384, 12

# %% tags=["check"]
fits = [s for s in range(1, 385) if 150 * s / 384 <= 68]
check(
    (side, width),
    (max(fits), 12 * max(fits) / 384),
    because="the eddy is seen, but strokes are less than half as wide",
    mistakes=[
        ((384, 12.0), "at 384 the eddy has 150 pixels, the window 68"),
        ((68, 12 * 68 / 384), "68 is the eddy, not the whole picture"),
    ],
)

# %% [markdown] tags=["exercise"]
# **Exercise 5. A size that does not fit.** A photograph has 250 rows and 333
# columns. The ports pool with rounding *up*, our encoder with rounding *down*.
# What is the size of the decoded picture in the ports, and what would it be
# with our network, if `stylize.adain` did not pad first?
#
# *Hint.* Three poolings, three upsamplings.

# %% tags=["stub"]
in_ports, in_ours = ..., ...  # (rows, columns) each

# %% tags=["solution"]
in_ports = tuple(8 * -(-side // 8) for side in (250, 333))
in_ours = tuple(8 * (side // 8) for side in (250, 333))

# %% tags=["wrong"]
in_ports, in_ours = (256, 336), (250, 333)

# %% tags=["check"]
with torch.no_grad():
    sizes = network.decoder(network.encode(torch.rand(1, 3, 250, 333))).shape
check(
    (in_ports, in_ours),
    ((256, 336), tuple(sizes[-2:])),
    because="so pad to a multiple of 8 by reflection, and cut afterwards",
    mistakes=[(((256, 336), (250, 333)), "250 is no multiple of 8")],
)

# %% [markdown]
# ## Summary
#
# 1. AdaIN gives each channel the style's mean and deviation, without weights.
# 2. The encoder is fixed. The decoder, VGG mirrored, is trained once for all
#    styles.
# 3. The target $t$ is partly negative: no ReLU reaches it exactly.
# 4. The formulas have norms, the programs squares: the gradients differ.
# 5. Strength, mixtures and masks act on features; colours and size change the
#    style picture before the encoder.
#
# The [page of the lecture](../lectures/04-adain.md) has what became of the idea
# in StyleGAN and diffusion, the errata, and the references.
