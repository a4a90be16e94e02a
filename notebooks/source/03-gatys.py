# %% [markdown]
# # 3 · Gatys: paint by moving pixels
#
# About 40 seconds of computing on two CPU cores. To read and run: 30 minutes;
# the exercises: 30 more.
#
# The paper is L. Gatys, A. Ecker and M. Bethge, *Image Style Transfer Using
# Convolutional Neural Networks*, CVPR 2016. The
# [page of this lecture](../lectures/03-gatys.md) derives its equations; here
# we check them, write the method in a dozen lines, paint, and turn the dials.
# Equations have the numbers of the page. Afterwards you can
#
# - take the features of a frozen network and compare two pictures by them;
# - compute a Gram matrix, and say what it forgets;
# - check both gradients of the paper;
# - paint a photograph by L-BFGS, and choose layers, ratio and start;
# - keep the photograph's colours, and measure a style in another way.
#
# You need automatic differentiation in PyTorch, at the level of lecture 1,
# [SRCNN](../lectures/01-srcnn.md). The letters are those of
# [the notation page](../book/notation.md).

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
import torch

from imtrans import color, experiments, figures, images, losses, stylize
from imtrans.data import photos, styles
from imtrans.exercises import check, claim
from imtrans.models import features
from imtrans.resize import imresize

# %% [markdown]
# The next cell holds what you may want to change: the seed, the device, the
# feature network, and the side of the pictures. Stored outputs come from the
# CPU, the small network and 96 pixels. With a GPU take 384.

# %% tags=["ground"]
torch.manual_seed(0)
DEVICE = "cpu"  # or "cuda"
TRUNK = "small"  # or "hybrid", "vgg19": imtrans data fetch hybrid
SIDE = 96

# %% [markdown]
# ## The problem
#
# A photograph $\vec p$ and an artwork $\vec a$ are given. A picture $\vec x$
# is sought that shows what the photograph shows, in the way of the artwork.
# Nobody has that painting, so there is no right answer to compare pixels with.
# The artwork below is drawn by a program.

# %% tags=["ground"]
box = (48, 0, 384, 384)  # left, top, width, height
p = images.crop(photos.photo("astronaut").picture, box)
p = imresize(p, SIDE / 384).clamp(0, 1)  # (1, 3, 96, 96)
a = imresize(styles.strokes(), 1.5 * SIDE / 384).clamp(0, 1)  # (1, 3, 144, 144)

# %%
figures.strip(
    {"photograph": p, "artwork": a},
    alt="an astronaut before a shuttle; brush strokes that whirl",
    factor=2,
    limit=14_000 * SIDE**2 // 96**2,
)

# %% [markdown]
# ## A frozen network as an instrument
#
# VGG-19 itself is a file of 548 MB. The package brings a small network of the
# same layers, and says so: a quarter of the channels inside, and behind each
# layer a 1×1 convolution to the channels of its teacher. The teacher is the
# *hybrid* of the page: VGG-19 up to relu3_1, and above it a smaller network
# that was trained to imitate VGG-19. The weights are never changed here. They
# were trained with max pooling; like the paper, and unlike the page, we put
# average pooling in.

# %% tags=["ground"]
taps = (*stylize.STYLE, *stylize.CONTENT)
network = features.load(taps, TRUNK, pooling="average")
network, p, a = (each.to(DEVICE) for each in (network, p, a))
print("features:", network.about)

# %%
P, A = network(p), network(a)
for layer, feature in P.items():
    _, N, height, width = feature.shape
    print(f"{layer}: {N} maps of {height}×{width} positions")

# %% [markdown]
# (With VGG-19 the last three have 512 maps.) Look at some maps of relu2_1:
# bright where the filter is active.

# %%
maps = P["relu2_1"][0]
strongest = maps.flatten(1).std(dim=1).topk(5).indices.sort().values
figures.strip(
    {f"map {i}": (maps[i] / maps[i].max())[None, None] for i in strongest},
    alt="the astronaut's outlines, light on dark, as one filter sees them",
    factor=3,
)

# %% [markdown]
# ## Content: which feature is where
#
# The content loss of a layer compares its features place by place:
#
# $$
# \mathcal L_{content}(\vec p,\vec x,l)=\frac12\sum_{i,j}(F^l_{ij}-P^l_{ij})^2
# \qquad (2)
# $$

# %%
F, wanted = (y["relu4_2"] for y in (network(p.flip(-1)), P))
by_hand = 0.5 * (F - wanted).square().sum()
assert torch.isclose(losses.content_loss(F, wanted), by_hand)
print("✓ equation (2) is losses.content_loss")

# %% [markdown]
# Its gradient with respect to the features is the difference itself (7):

# %%
F = F.detach().requires_grad_()
(gradient,) = torch.autograd.grad(losses.content_loss(F, wanted), F)
assert torch.allclose(gradient, F - wanted)
print("✓ equation (7)")

# %% [markdown]
# What does a layer hold? Start from noise and let the content loss of one
# layer alone move the pixels. Stored frames after 70 steps, made with features
# of the hybrid; what is missing may be lost, or not found yet:

# %%
from imtrans import widgets

rows = experiments.rows("gatys-content")
widgets.frames(
    [experiments.picture(f"gatys-content-{row['layer']}.jpg") for row in rows],
    labels=[f"from {row['layer']}: PSNR {row['psnr']} dB" for row in rows],
    alt="the astronaut; the higher the layer, the looser lines and colours",
    factor=2,
    limit=9_000,
)

# %% [markdown]
# The same measured here, from a low layer and a high one:

# %%
rebuilt = {}
for layer in ("relu1_1", "relu4_2"):
    rebuilt[layer] = stylize.gatys(
        p,
        a,
        network=features.load((layer,), TRUNK, pooling="average"),
        content_layers=(layer,),
        style_layers=(),
        alpha=1.0,
        start="noise",
        steps=(40,),
        device=DEVICE,
        progress=False,
    )

# %%
from imtrans import metrics

psnr = [metrics.psnr(x, p.cpu()).item() for x in rebuilt.values()]
claim("relu1_1 holds the pixels, by over 5 dB", psnr[0] - psnr[1], above=5)

# %% [markdown]
# ## Style: which features occur together
#
# The Gram matrix of a layer multiplies its maps in pairs and sums over places:
#
# $$
# G^l_{ij}=\sum_kF^l_{ik}F^l_{jk} \qquad (3)
# $$
#
# The two filters and four positions of the page:

# %%
blue_and_diagonal = torch.tensor([[1.0, 0, 2, 1], [0, 1, 2, 0]])
print(blue_and_diagonal @ blue_and_diagonal.T)

# %% [markdown]
# It does not know where. Permute the positions of a whole layer, and nothing
# changes:

# %%
F = P["relu3_1"]
order = torch.randperm(F[0, 0].numel())
shuffled = F.flatten(2)[..., order].view_as(F)
relative = losses.relative_error(losses.gram(shuffled), losses.gram(F))
print("changed by less than a millionth:", bool(relative < 1e-6))

# %% [markdown]
# The style loss of a layer divides by $N$ and $M$ (4), and its gradient is (8):
#
# $$
# \begin{aligned}
# E_l&=\frac1{4N_l^2M_l^2}\sum_{i,j}(G^l_{ij}-A^l_{ij})^2\\
# \frac{\partial E_l}{\partial F^l}&=\frac1{N_l^2M_l^2}(G^l-A^l)\,F^l
# \end{aligned}
# $$

# %%
same_size = network(a[..., :SIDE, :SIDE])["relu3_1"]
N, M = F.shape[1], F[0, 0].numel()
G, A_l = losses.gram(F)[0], losses.gram(same_size)[0]
E = (G - A_l).square().sum() / (4 * N**2 * M**2)
assert torch.isclose(losses.style_loss(F, same_size), E, rtol=1e-4)
print("✓ equation (4) is losses.style_loss")

# %%
F = F.detach().requires_grad_()
(gradient,) = torch.autograd.grad(losses.style_loss(F, same_size), F)
by_paper = (G - A_l) @ F[0].flatten(1) / (N**2 * M**2)
error = losses.relative_error(gradient[0].flatten(1), by_paper)
print("✓ equation (8)" if error < 1e-6 else "equation (8) fails")

# %% [markdown]
# ### The tiles game
#
# Cut the artwork into tiles and shuffle them. How far do the Gram matrices
# move?


# %%
def shuffled_tiles(picture, tile):
    n = picture.shape[-1] // tile
    cut = picture.unfold(2, tile, tile).unfold(3, tile, tile)
    mixed = cut.flatten(2, 3)[:, :, torch.randperm(n * n)]
    rows = mixed.unflatten(2, (n, n)).permute(0, 1, 2, 4, 3, 5)
    return rows.reshape(1, 3, n * tile, n * tile)


# %%
tiles = {f"tiles of {t}": shuffled_tiles(a, t) for t in (48, 16, 4)}
figures.strip(
    tiles,
    alt="brush strokes, cut into pieces and put together in another order",
    limit=12_000 * SIDE**2 // 96**2,
)


# %%
def style_errors(picture):
    """Relative error of the Gram matrices against the artwork's, per layer."""
    found = network(picture.to(DEVICE))
    grams = losses.gram_per_position
    return torch.stack(
        [
            losses.relative_error(grams(found[layer]), grams(A[layer]))
            for layer in stylize.STYLE
        ]
    )


# %%
moved = [style_errors(picture) for picture in tiles.values()]
claim(
    "large tiles change no layer by over 20 % of its energy",
    moved[0].max(),
    below=0.2,
)
ratio = (moved[2][:3] / moved[0][:3]).min()
claim("tiles of 4 change relu1_1 to relu3_1 5 times as much", ratio, above=5)

# %% [markdown]
# So it is not true that a style has no arrangement: what lies within a window
# counts, and windows are 3 to 156 pixels wide (the largest more
# than this artwork).
#
# ## The method in a dozen lines
#
# The total loss weighs content and style,
#
# $$
# \mathcal L_{total}=\alpha\,\mathcal L_{content}+\beta\,\mathcal L_{style}
# \qquad (5)
# $$
#
# and the pixels move along its negative gradient,
#
# $$
# -\frac{\partial\mathcal L_{total}}{\partial\vec x} . \qquad (6)
# $$
#
# Both losses are divided by the energy of their target (10), so that scale and
# number of the features drop out. L-BFGS wants a function that computes loss
# and gradient. The loss is scaled so that a plain gradient step moves the
# pixels by 0.01: PyTorch's L-BFGS takes such steps until it meets a curvature
# above $10^{-10}$ (and shortens the very first of them).


# %%
def paint(photograph, artwork, alpha, steps):
    gram = losses.gram_per_position
    P, A = network(photograph), network(artwork)
    x = photograph.clone().requires_grad_()
    descent = torch.optim.LBFGS([x], max_iter=1)

    def loss():
        F = network(x)
        errors = [losses.relative_error(gram(F[k]), A[k]) for k in A]
        content = losses.relative_error(F["relu4_2"], P["relu4_2"])
        return alpha * content + sum(errors) / len(errors)

    A = {k: gram(A[k]) for k in stylize.STYLE}
    scale = 0.01 / torch.autograd.grad(loss(), x)[0].square().mean().sqrt()

    def closure():
        descent.zero_grad()
        value = scale * loss()
        value.backward()
        return value

    for _ in range(steps):
        descent.step(closure)
    return x.detach()


# %% [markdown]
# `imtrans.stylize.gatys` does the same with a bar, several sizes, other starts,
# and two small terms more (total variation; a penalty outside of $[0,1]$). Two
# steps of both, without the first of these; the second hardly acts so early. We
# compare how far each moved the photograph, as the photograph itself is near:

# %%
ours = paint(p, a, alpha=0.1, steps=2)
options = {"network": network, "progress": False, "device": DEVICE}
options["smoothness"] = 0
theirs = stylize.gatys(p, a, alpha=0.1, steps=(2,), **options)
assert losses.relative_error(theirs.to(DEVICE) - p, ours.clamp(0, 1) - p) < 0.1
print("✓ the same picture")

# %% [markdown]
# Now paint, and watch the style loss fall:

# %%
falls = "Style error over 70 steps, logarithmic: it falls steeply, then less."
curve = figures.LiveCurve(70, alt=falls, ylabel="style error")
history = []


def watch(step):
    history.append((step.content, step.style))
    curve(step.step, step.style)


options["smoothness"] = 0.1
painted = stylize.gatys(p, a, alpha=0.1, steps=(70,), on_step=watch, **options)

# %%
widgets.before_after(
    p,
    painted,
    labels=("photograph", "painted"),
    alt="an astronaut before a shuttle, in brush strokes on the right",
    factor=4,
)

# %%
first, last = history[0], history[-1]
claim("style error falls to less than a fifth", last[1] / first[1], below=0.2)
claim("the content error ends below 0.6", last[0], below=0.6)

# %% [markdown]
# Small pictures and a small network leave a grain of coloured pixels. With the
# hybrid and more pixels it looks like this (stored frames, of a photograph by
# danielbuechele, CC BY 2.0):

# %%
names = ("glass", "shipwreck")
widgets.frames(
    [experiments.picture(f"gatys-china-{name}.jpg") for name in names],
    labels=[
        "leaded glass, drawn by code",
        "after Turner's The Wreck of a Transport Ship",
    ],
    alt="a pagoda above trees, painted",
    limit=28_000,
)

# %% [markdown]
# ## The dials
#
# **The ratio α/β**, from much content to much style (features of the hybrid):

# %%
rows = experiments.rows("gatys-ratio")[::-1]
widgets.frames(
    [experiments.picture(f"gatys-ratio-{row['alpha']:g}.jpg") for row in rows],
    labels=[
        f"α/β = {row['alpha']:g}: content error {row['content']:.2f}, "
        f"style error {row['style']:.3f}"
        for row in rows
    ],
    alt="the astronaut, less and less photograph, more and more brush strokes",
    factor=2,
    limit=10_000,
)

# %% [markdown]
# **The start.** From noise every seed gives another picture, and after 70 steps
# it is not finished (features of the hybrid):

# %%
rows = experiments.rows("gatys-start")
widgets.frames(
    [experiments.picture(f"gatys-start-{row['start']}.jpg") for row in rows],
    labels=[f"from {row['start'].replace('-', ', ')}" for row in rows],
    alt="the astronaut in brush strokes",
    factor=2,
    limit=10_000,
)

# %% [markdown]
# **The style layers**, the ablation of the paper's first figure. Two textures
# without content, from relu1_1 alone and from all five, and what error each
# leaves:

# %%
textures = {}
for name, layers in {
    "relu1_1": stylize.STYLE[:1],
    "all": stylize.STYLE,
}.items():
    textures[name] = stylize.gatys(
        p,
        a,
        style_layers=layers,
        content_layers=(),
        alpha=0.0,
        start="noise",
        steps=(50,),
        **options,
    )

# %%
left = {name: style_errors(x)[2].item() for name, x in textures.items()}
claim(
    "relu1_1 alone leaves over 3 times the error at relu3_1",
    left["relu1_1"] / left["all"],
    above=3,
)

# %% [markdown]
# Growing sets of layers, in stored frames made with features of the hybrid. In
# the table below them, *1 to 3* is a texture from the first three, *noise* is
# the start, and *random* a texture from all five of a network with random
# weights:

# %%
rows = experiments.rows("gatys-texture")
sets = [row for row in rows if row["layers"].startswith("1 to ")]
names = [row["layers"].replace(" ", "-") for row in sets]
mean = [sum(row[layer] for layer in stylize.STYLE) / 5 for row in sets]
widgets.frames(
    [experiments.picture(f"gatys-texture-{name}.jpg") for name in names],
    labels=[
        f"up to {layer}: mean Gram error {error:.3f}"
        for layer, error in zip(stylize.STYLE, mean, strict=True)
    ],
    alt="colours, then dabs, then strokes, then strokes around an eddy",
    factor=2,
    limit=9_000,
)

# %%
figures.table(
    [
        {"made from layers": row["layers"]}
        | {layer.removeprefix("relu"): row[layer] for layer in stylize.STYLE}
        for row in rows
    ],
    caption="Relative Gram error that is left at relu1_1 to relu5_1.",
    digits=3,
)

# %% [markdown]
# **The optimiser.** L-BFGS has no rate to choose once the loss is scaled. Adam
# was run at two rates alone (features of the hybrid):

# %%
rows = experiments.rows("gatys-optimizer")
kinds = list(dict.fromkeys(row["optimizer"] for row in rows))
figures.curves(
    [row["step"] for row in rows if row["optimizer"] == kinds[0]],
    {
        kind.replace("lbfgs", "L-BFGS").replace("adam", "Adam"): [
            torch.tensor(row["loss"]).log10().item()
            for row in rows
            if row["optimizer"] == kind
        ]
        for kind in kinds
    },
    xlabel="step",
    ylabel="log10 of the loss",
    alt="Loss over 60 steps: L-BFGS ends lowest, Adam depends on its rate.",
)

# %% [markdown]
# ## Where it fails: the printed ratio
#
# Figures of the paper have $\alpha/\beta=10^{-3}$. What does such a number mean
# in (2) to (5) as they are printed? Let another network have the same features,
# ten times as large:

# %%
F, Q = P["relu4_2"], network(a[..., :SIDE, :SIDE])["relu4_2"]
for name, loss in {
    "content loss (2)": losses.content_loss,
    "style loss (4)": losses.style_loss,
    "relative (10)": losses.relative_error,
}.items():
    print(f"{name}: × {loss(10 * F, 10 * Q) / loss(F, Q):.0f}")

# %% [markdown]
# So the ratio would have to be a hundred times as large for the same picture:
# the printed number belongs to one network, whose features were normalised, and
# even there it takes means, not sums; exercise 2 converts it. And it is another
# ratio for another size of the same two pictures:

# %%
growth = experiments.rows("gatys-raw")[-1]
print(f"128 to 256 pixels: content loss × {growth['content']},", end=" ")
print(f"E at relu3_1 × {growth['relu3_1']}")

# %% [markdown]
# ## Errata, run
#
# [The page](../lectures/03-gatys.md) ends with errata of the paper and the
# slides. *Sums or means* ran above; two more can be run.
#
# **One $M$ for two sizes.** (4) has a single $M$. Let $\vec x$ be the artwork
# repeated as 2×2 tiles: the same style at four times the positions.
# `losses.style_loss` divides each Gram matrix by its own $M$.

# %%
F, Q = network(a.repeat(1, 1, 2, 2))["relu3_1"], A["relu3_1"]
N, M = F.shape[1], F[0, 0].numel()
difference = losses.gram(F) - losses.gram(Q)
printed = difference.square().sum() / (4 * N**2 * M**2)
claim(
    "as printed, the same style has over 50 times the loss",
    printed / losses.style_loss(F, Q),
    above=50,
)

# %% [markdown]
# **White noise.** The authors' programs, jcjohnson's and ours can start from
# noise around grey. Its standard deviation, in levels from 0 to 255:

# %%
noise = torch.randn(p.shape, generator=torch.Generator().manual_seed(0))
starts = {"authors": 1 / 255, "jcjohnson": 0.001 / 256, "ours": 0.1}
for program, deviation in starts.items():
    levels = (128 + 255 * deviation * noise).round()
    print(f"{program}: {levels.std():.0f}")

# %% [markdown]
# jcjohnson's is a single grey, and the authors' can hardly be told from it.

# %% [markdown]
# ## Style as a distribution
#
# The squared distance of two Gram matrices is the squared maximum mean
# discrepancy of two clouds of features, with the kernel $(x\cdot y)^2$:

# %%
f, g = (x["relu4_1"][0].flatten(1).double() for x in (P, A))
grams = f @ f.T / f.shape[1], g @ g.T / g.shape[1]
by_gram = (grams[0] - grams[1]).square().sum()
f_f, g_g, f_g = ((u.T @ v).square().mean() for u, v in ((f, f), (g, g), (f, g)))
assert torch.isclose(by_gram, f_f + g_g - 2 * f_g)
print("✓ both are equal")

# %% [markdown]
# And much of the energy of $G/M=\mathrm{Cov}+\mu\mu^\top$ lies in the means:

# %%
mu = g.mean(dim=1)
share = torch.outer(mu, mu).square().sum() / grams[1].square().sum()
claim("at relu4_1, over half of the energy", share, above=0.5)

# %% [markdown]
# ## Try your own photograph and style
#
# Put paths between the quotes; the names `strokes` and `glass` stand for the
# pictures that are drawn by code. On Colab, `from google.colab import files;
# PHOTO = next(iter(files.upload()))` asks for a file. On the command line,
# `imtrans stylize photo.jpg glass painted.png` does the same.

# %%
PHOTO, STYLE = "", "glass"
mine = images.read(PHOTO) if PHOTO else photos.photo("chelsea").picture
artwork = (
    styles.STYLES[STYLE]() if STYLE in styles.STYLES else images.read(STYLE)
)

# %%
from imtrans.resize import to_side

mine, artwork = to_side(mine, SIDE + 32), to_side(artwork, SIDE + 32)
own = stylize.gatys(mine, artwork, steps=(50,), **options)
figures.strip(
    {"yours": mine, "painted": own},
    alt="by default a cat, in panes of coloured glass after the arrow",
    factor=2,
    limit=20_000 * SIDE**2 // 96**2,
)

# %% [markdown]
# ## Exercises
#
# Fill in what stands for `...` and run the check below it. The solutions are
# in [a notebook of their own](solutions/03-gatys.ipynb).

# %% [markdown] tags=["exercise"]
# **Exercise 1. Windows and numbers.** A layer is named by its block $b$ and the
# number $n$ of the convolution in it. Write a function that returns the side of
# its window in pixels. VGG-19 has 2, 2, 4, 4, 4 convolutions of 3×3 per block,
# and a 2×2 pooling with stride 2 between blocks.
#
# *Hint.* Keep two numbers: the window, and the distance in pixels between two
# neighbouring positions. A convolution adds two distances to the window, a
# pooling one; a pooling doubles the distance.


# %% tags=["stub"]
def window(block, number):
    return ...


# %% tags=["solution"]
def window(block, number):
    side, distance = 1, 1
    for convolutions in (2, 2, 4, 4)[: block - 1]:
        side += (2 * convolutions + 1) * distance
        distance *= 2
    return side + 2 * number * distance


# %% tags=["wrong"]
def window(block, number):
    side, distance = 1, 1
    for convolutions in (2, 2, 4, 4)[: block - 1]:
        side += 2 * convolutions * distance
        distance *= 2
    return side + 2 * number * distance


# %% tags=["check"]
layers = [(1, 1), (2, 1), (3, 1), (4, 1), (4, 2), (5, 1)]
check(
    tuple(window(*layer) for layer in layers),
    (3, 10, 24, 68, 84, 156),
    because="five layers, five sizes of windows",
    mistakes=[((3, 9, 21, 61, 77, 141), "a pooling looks at 2×2 positions")],
)

# %% [markdown] tags=["exercise"]
# **Exercise 2. The ratio that the code means.** The authors' later programs
# minimise $c\cdot\frac1{NM}\sum(F-P)^2$ for the content, and
# $s\cdot\frac1{N^2}\sum(G/M-A/M)^2$ for each of five layers. Which β/α is
# that in the slides' formulas (2) and (4), if $w_l=1/5$? The picture has `side`
# pixels per side; relu4_2 has $N=512$ maps. (β/α and not α/β: it is a large
# number.)
#
# *Hint.* Find α from $c$ first. How many positions has relu4_2? Then compare
# $\beta\,w_l/(4N^2M^2)$ with $s/(N^2M^2)$.


# %% tags=["stub"]
def beta_over_alpha(c, s, side):
    return ...


# %% tags=["solution"]
def beta_over_alpha(c, s, side):
    M = (side // 8) ** 2
    alpha = 2 * c / (512 * M)
    beta = 5 * 4 * s
    return beta / alpha


# %% tags=["wrong"]
def beta_over_alpha(c, s, side):
    return 5 * s / c


# %% tags=["check"]
check(
    (beta_over_alpha(1e6, 1e9 / 5, 512), beta_over_alpha(1e6, 1e9 / 5, 256)),
    (4e9 * 512 * 4096 / 2e6, 4e9 * 512 * 1024 / 2e6),
    because="α/β = 2.4e-10 at 512 pixels, and another ratio at 256",
    mistakes=[
        ((1e3, 1e3), "that is the ratio of the code's own weights"),
        (
            (4e9 * 512 * 512**2 / 2e6, 4e9 * 512 * 256**2 / 2e6),
            "three poolings come before relu4_2",
        ),
    ],
)

# %% [markdown] tags=["exercise"]
# **Exercise 3. Keep the colours.** A painting in the photograph's own colours:
# take the luma of the painted picture, and Cb and Cr of the photograph.
#
# *Hint.* `color.rgb_to_ycbcr` and `color.ycbcr_to_rgb`; channel 0 is the luma.


# %% tags=["stub"]
def keep_colors(painted, photograph):
    return ...


# %% tags=["solution"]
def keep_colors(painted, photograph):
    luma = color.rgb_to_ycbcr(painted)[:, :1]
    chroma = color.rgb_to_ycbcr(photograph)[:, 1:]
    return color.ycbcr_to_rgb(torch.cat([luma, chroma], dim=1)).clamp(0, 1)


# %% tags=["wrong"]
def keep_colors(painted, photograph):
    luma = color.rgb_to_ycbcr(photograph)[:, :1]
    chroma = color.rgb_to_ycbcr(painted)[:, 1:]
    return color.ycbcr_to_rgb(torch.cat([luma, chroma], dim=1)).clamp(0, 1)


# %% tags=["check"]
one, two = torch.rand(2, 1, 3, 4, 4, generator=torch.Generator().manual_seed(0))
one, two = 0.4 + 0.2 * one, 0.4 + 0.2 * two
mixed = torch.cat(
    [color.rgb_to_ycbcr(one)[:, :1], color.rgb_to_ycbcr(two)[:, 1:]], dim=1
)
swapped = torch.cat(
    [color.rgb_to_ycbcr(two)[:, :1], color.rgb_to_ycbcr(one)[:, 1:]], dim=1
)
check(
    keep_colors(one, two),
    color.ycbcr_to_rgb(mixed),
    because="strokes in the colours of the photograph",
    mistakes=[(color.ycbcr_to_rgb(swapped), "luma and chroma are swapped")],
)

# %% [markdown] tags=["exercise"]
# **Exercise 4. A style in fewer numbers.** Write the statistic that lecture 4
# uses: mean and standard deviation of each channel, (1, 2 C). Then say how many
# numbers it has for the five layers of VGG-19 (64, 128, 256, 512 and 512
# maps), and how many distinct entries their Gram matrices have.
#
# *Hint.* A Gram matrix is symmetric.


# %% tags=["stub"]
def means_and_deviations(features):
    return ...


numbers, entries = ..., ...


# %% tags=["solution"]
def means_and_deviations(features):
    flat = features.flatten(2)
    return torch.cat([flat.mean(dim=2), flat.std(dim=2, correction=0)], dim=1)


numbers = 2 * (64 + 128 + 256 + 512 + 512)
entries = sum(n * (n + 1) // 2 for n in (64, 128, 256, 512, 512))


# %% tags=["wrong"]
def means_and_deviations(features):
    return torch.cat([features.mean(dim=1), features.std(dim=1)], dim=1)


numbers, entries = 64 + 128 + 256 + 512 + 512, 64**2 + 128**2 + 256**2


# %% tags=["check"]
sample = torch.arange(24.0).view(1, 2, 3, 4)
deviation = torch.arange(12.0).std(correction=0)
moments = torch.tensor([[5.5, 17.5, deviation, deviation]])
check(
    (means_and_deviations(sample), numbers, entries),
    (moments, 2944, 305888),
    because="a hundred times fewer numbers; a picture of 256×256 has 196,608",
    mistakes=[
        ((moments, 2944, 610304), "entries (i, j) and (j, i) are the same"),
        ((moments, 1472, 305888), "there are two numbers per channel"),
    ],
    tolerance=0.05,
)

# %% [markdown]
# Try it: `stylize.gatys(p, a, statistic=means_and_deviations, alpha=0.1,
# steps=(70,), **options)`.

# %% [markdown] tags=["exercise"]
# **Exercise 5. What a coarse step sees and costs.** `steps=(s, t)` takes `s`
# steps at half the side, of photograph and artwork alike, and `t` at the whole.
# Give two numbers: the cost in steps at the whole side, and the window of
# relu4_1 at the coarse size in pixels of the *large* picture.
#
# *Hint.* A step costs as much as the picture has pixels. Exercise 1 has the
# window in pixels of the picture that the network sees.


# %% tags=["stub"]
def cost_and_window(s, t):
    return ..., ...


# %% tags=["solution"]
def cost_and_window(s, t):
    return s / 4 + t, 2 * 68


# %% tags=["wrong"]
def cost_and_window(s, t):
    return s / 2 + t, 68


# %% tags=["check"]
check(
    cost_and_window(80, 20),
    (40.0, 136),
    because="for the price of 40 steps, windows of twice the side",
    mistakes=[
        ((60.0, 136), "half the side is a quarter of the pixels"),
        ((60.0, 68), "half the side is a quarter of the pixels"),
        ((40.0, 68), "each coarse pixel covers two large ones per direction"),
    ],
)

# %% [markdown] tags=["exercise"]
# **Exercise 6. Small first, as printed.** You take the formulas as they are
# printed, and paint at 256 pixels per side, then at 512. Equation (9) of the
# page has the ratio α/β for relu4_2 at 512 pixels: $2.4\cdot10^{-10}$. Write a
# function that returns the ratio for another `side` and the second layer of
# another `block`, such that the mean squared difference per feature counts as
# much as before. Its unit is $10^{-10}$.
#
# *Hint.* Only α changes. A content loss has as many terms as there are
# features: $N_l$ and $M_l$ are in the table of layers, for 256 pixels.


# %% tags=["stub"]
def printed_ratio(side, block):
    return ...


# %% tags=["solution"]
def printed_ratio(side, block):
    maps = (64, 128, 256, 512, 512)[block - 1]
    positions = (side / 2 ** (block - 1)) ** 2
    return 2.4 * (512 * 64**2) / (maps * positions)


# %% tags=["wrong"]
def printed_ratio(side, block):
    return 2.4 * 512 / side


# %% tags=["check"]
check(
    tuple(printed_ratio(*what) for what in ((512, 4), (256, 4), (256, 2))),
    (2.4, 9.6, 2.4),
    because="a coarse step that keeps α/β gives the content a quarter of its "
    "weight, unless the content moves down to relu2_2",
    mistakes=[
        ((2.4, 4.8, 4.8), "half the side is a quarter of the positions"),
        ((2.4, 9.6, 9.6), "relu2_2 has other maps and positions"),
        ((2.4, 9.6, 0.6), "relu2_2 has 128 maps, not 512"),
        ((2.4, 0.6, 2.4), "fewer terms want a larger α"),
    ],
)

# %% [markdown]
# ## Summary
#
# 1. The network is frozen; the pixels are optimised, by L-BFGS in a dozen
#    lines.
# 2. Content: which feature is where. Low layers hold pixels, high ones things.
# 3. Style: which features occur together. The Gram matrix forgets where.
# 4. In relative losses scale and number of features drop out of the ratio; in
#    the printed ones they do not.
# 5. The style loss compares two clouds of features; much of
#    the energy lies in their means.
#
# The [page of the lecture](../lectures/03-gatys.md) has what we left out
# (random weights, photographs as styles, errata) and the references.
