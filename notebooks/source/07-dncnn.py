# %% [markdown]
# # 7 · DnCNN: learn the noise, not the picture
#
# About 40 seconds of computing on two CPU cores. With a GPU the two trainings
# take the larger budget `class`: some minutes. To read and run: 40 minutes;
# the exercises: 40 more.
#
# The paper is K. Zhang, W. Zuo, Y. Chen, D. Meng, L. Zhang, *Beyond a Gaussian
# Denoiser: Residual Learning of Deep CNN for Image Denoising*, IEEE TIP 2017.
# The [page of this lecture](../lectures/07-dncnn.md) derives its equations;
# here we check them, build the network, train it, measure it and break it.
# Equations have the numbers of the page. Afterwards you can
#
# - say what PSNR a noisy picture has, and what clipping does to it;
# - write DnCNN in a few lines, count its parameters to the last one, and merge
#   its batch normalisation away;
# - train it, compare it with classical methods and with the paper, and show
#   a noise of which it leaves much;
# - learn a denoiser without a clean picture, and deblur with a denoiser.
#
# You need [lecture 1](01-srcnn.ipynb), for PSNR and for the way we train. The
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
import math
import os

import torch
import torch.nn.functional as F
from torch import nn

from imtrans import degrade, figures, metrics, zoo
from imtrans.data import photos
from imtrans.exercises import check, claim
from imtrans.losses import half_sum_of_squares

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
# A picture $x$ was disturbed by noise $v$, and we have only
#
# $$
# y = x + v. \qquad (1)
# $$
#
# The noise is *additive, white and Gaussian*. Its standard deviation $\sigma$
# counts 8-bit levels: 25 means $25/255$ on pictures in $[0,1]$.
# `degrade.GaussianNoise` makes $y$. It does not clip: $y$ may leave the range.

# %% tags=["ground"]
SIGMA = 25
noise = degrade.GaussianNoise(SIGMA)
photo = photos.photo("camera").picture  # (1, 1, 512, 512)
X = figures.crop(photo, (150, 60, 192, 192))  # left, top, width, height
Y = noise(X, seed=0)  # (1, 1, 192, 192)

# %%
face = (60, 62, 72, 60)  # within X
pair = {"x": X[..., :188], "y": Y[..., :188]}  # side by side on a page
figures.strip(pair, alt="A man with a camera.", factor=2)

# %% [markdown]
# Is $v$ what its three names say? Its moments are quickly taken. White means
# that a pixel's noise tells nothing about its neighbour's: their correlation
# is zero.


# %%
def correlation(v):  # of each pixel with the next one in its row
    v = v - v.mean()
    return ((v[..., :-1] * v[..., 1:]).mean() / v.square().mean()).item()


# %%
v = Y - X
print(f"mean {255 * v.mean():.1f}, deviation {255 * v.std():.1f} levels")
print(f"correlation of neighbours {abs(correlation(v)):.2f}")
inside = v.abs() < SIGMA / 255  # a normal number: 68.3 % within one deviation
print(f"{inside.float().mean():.0%} of the pixels within one deviation")

# %% [markdown]
# ## Doing nothing
#
# The error of $y$ is $v$, and its mean square is $\sigma^2$. So the noisy
# picture itself has
#
# $$
# PSNR(y)\approx 20\log_{10}\frac{255}{\sigma}. \qquad (2)
# $$
#
# A *file* is clipped to the range first, and that can only help the score.


# %%
def psnr(y, x):  # metrics.psnr takes no values beyond [0, 1], and y has some
    return -10 * (y - x).square().mean().log10().item()


# %%
table = []
for sigma in (5, 15, 25, 50, 75):
    y = degrade.GaussianNoise(sigma)(X, seed=0)
    formula = 20 * math.log10(255 / sigma)
    row = {"σ": sigma, "equation (2)": formula, "measured": psnr(y, X)}
    table.append(row | {"clipped": psnr(y.clamp(0, 1), X)})
figures.table(table, caption="PSNR of the noisy picture, in dB.")

# %% [markdown]
# So clipping gains decibels, and yet it loses what a denoiser needs. At a
# black pixel half of the noise is cut off, and the mean of the rest is no
# longer the pixel's value:

# %%
black = torch.zeros(1, 1, 256, 256)
seen = noise(black, seed=1).clamp(0, 1)
print(f"black became {255 * seen.mean():.1f} levels")
print(f"σ/√(2π) is {SIGMA / math.sqrt(2 * math.pi):.1f}")

# %% [markdown]
# ## Picture or noise?
#
# A network can return either of the two:
#
# $$
# \begin{aligned}
# \text{direct:}\quad & \mathcal F(y)=x, \\
# \text{residual:}\quad & \mathcal R(y)\approx v, \\
# & x=y-\mathcal R(y).
# \end{aligned} \qquad (3)
# $$
#
# DnCNN learns the residual; the page gives four reasons. The first in numbers:
# with all weights zero the residual network returns $y$, the direct one a
# black picture.

# %%
from imtrans.models.dncnn import DnCNN

with torch.no_grad():
    for residual in (True, False):
        silent = DnCNN(depth=3, residual=residual).eval()
        for parameter in silent.parameters():
            parameter.zero_()
        print(f"residual {residual}: {psnr(silent(Y), X):.1f} dB")

# %% [markdown]
# ## The network
#
# With $h_0=y$, kernels of $3\times3$, $l=2,\dots,D-1$ and $BN$ for batch
# normalisation, of which below,
#
# $$
# \begin{aligned}
# h_1&=\max(0,\;W_1*h_0+b_1) \\
# h_l&=\max(0,\;BN_l(W_l*h_{l-1})) \\
# \mathcal R(y)&=W_D*h_{D-1}+b_D.
# \end{aligned} \qquad (6)
# $$
#
# There are 64 channels inside, and no layer changes the size of the picture.
# In PyTorch:


# %%
def stack(channels, depth, n=64):
    layers = [nn.Conv2d(channels, n, 3, padding=1), nn.ReLU()]
    for _ in range(depth - 2):
        layers.append(nn.Conv2d(n, n, 3, padding=1, bias=False))
        layers += [nn.BatchNorm2d(n, eps=1e-4), nn.ReLU()]
    return nn.Sequential(*layers, nn.Conv2d(n, channels, 3, padding=1))


# %% [markdown]
# `imtrans.models.dncnn.DnCNN` is the same with the same parameters, and it
# subtracts: it returns $y-\mathcal R(y)$.

# %%
R = stack(1, 17).eval()
ours = DnCNN().eval()
ours.layers.load_state_dict(R.state_dict())
with torch.no_grad():
    assert torch.equal(Y - R(Y), ours(Y))
print("✓ the same network")

# %% [markdown]
# Counting, for $c$ channels and $D$ layers:
#
# $$
# \begin{aligned}
# &\underbrace{2\cdot9\cdot64\,c+(D-2)\cdot9\cdot64^2}_{\text{weights}}\\
# &\quad+\underbrace{64+c}_{b_1,\,b_D}
# +\underbrace{2\cdot64\,(D-2)}_{BN}.
# \end{aligned} \qquad (7)
# $$


# %%
def parameters(c, depth):
    weights = 2 * 9 * 64 * c + (depth - 2) * 9 * 64**2
    return weights + 64 + c + 2 * 64 * (depth - 2)


# %%
sizes = {"DnCNN-S": (1, 17), "DnCNN-B, DnCNN-3": (1, 20), "CDnCNN-B": (3, 20)}
for name, (c, depth) in sizes.items():
    counted = sum(p.numel() for p in stack(c, depth).parameters())
    print(f"{name}: {counted:,}, by equation (7) {parameters(c, depth):,}")

# %% [markdown]
# ## The receptive field
#
# After $d$ layers of $3\times3$ an output pixel sees
#
# $$
# (2d+1)\times(2d+1) \qquad (8)
# $$
#
# pixels. We test it with the gradient of one output pixel with respect to the
# input: it is nonzero exactly at the pixels that matter. To be sure that
# nothing cancels, we make all weights positive.


# %%
def field(network, size=61):  # rows of the input that reach the middle pixel
    y = torch.rand(1, 1, size, size, requires_grad=True)
    network(y)[0, 0, size // 2, size // 2].backward()
    return y.grad[0, 0].abs().sum(dim=1).count_nonzero().item()


def positive(depth):
    network = DnCNN(depth=depth, features=4).eval()
    for parameter in network.parameters():
        parameter.data.abs_()
    return network


# %%
for d in (2, 5, 10, 17, 20):
    print(f"{d} layers: 2d + 1 = {2 * d + 1}, seen {field(positive(d))}")
everything = field(positive(5).train())
print(f"5 layers in training mode: {everything} of 61 rows")

# %% [markdown]
# The last line is no mistake: in training, batch normalisation takes means
# over all pixels, so each pixel matters to each.
#
# ## The loss
#
# What the weights $\theta$ are to make small is
#
# $$
# \ell(\theta)=\frac1{2N}\sum_{i=1}^N
# \lVert\mathcal R(y_i;\theta)-(y_i-x_i)\rVert_F^2 \qquad (12)
# $$
#
# $N$ is the number of patches in a batch, and the Frobenius norm *sums* over
# the pixels of a patch. `losses.half_sum_of_squares` computes it.

# %%
x = torch.rand(4, 1, 40, 40)
y = x + SIGMA / 255 * torch.randn_like(x)
small = DnCNN(depth=5, features=8)
residual = y - small(y)  # R(y)

# %%
norms = [torch.linalg.matrix_norm(r[0]) for r in residual - (y - x)]
loss = half_sum_of_squares(residual, y - x)
assert torch.allclose(loss, sum(norm**2 for norm in norms) / (2 * len(x)))
print("✓ equation (12)")
print(f"{loss / F.mse_loss(residual, y - x):.0f} times the mean")

# %% [markdown]
# Comparing $\mathcal R(y)$ with the noise or $y-\mathcal R(y)$ with the picture
# is the same, gradients included:

# %%
weights = list(small.parameters())
with_noise = torch.autograd.grad(loss, weights)
with_picture = torch.autograd.grad(half_sum_of_squares(small(y), x), weights)
for one, other in zip(with_noise, with_picture, strict=True):
    assert torch.allclose(one, other, atol=1e-4)
print("✓ the same gradients")

# %% [markdown]
# What does a loss that is 800 times larger do to training? We take one step of
# each optimiser, with the mean and with 800 times the mean.


# %%
def moved(optimizer, factor):
    w = torch.tensor([1.0, -2.0, 3.0], requires_grad=True)
    descent = optimizer([w], lr=1e-3)
    before = w.detach().clone()
    (factor * (w - 1.5).square().mean()).backward()
    descent.step()
    return (w.detach() - before).norm()


# %%
for name in ("SGD", "Adam"):
    optimizer = getattr(torch.optim, name)
    ratio = moved(optimizer, 800) / moved(optimizer, 1)
    print(f"{name}: the step is multiplied by {ratio:.0f}")

# %% [markdown]
# So with SGD the rate must match the loss: the paper's 0.1 is meant for the
# sum (12). Exercise 2 translates it.
#
# ## Batch normalisation
#
# Per channel, batch normalisation subtracts the mean $\mu$ over patches and
# pixels, divides by the deviation $s$, then applies a learned factor and
# offset:
#
# $$
# BN(a)=\gamma\,\frac{a-\mu}{\sqrt{s^2+\varepsilon}}+\beta. \qquad (9)
# $$

# %%
a = 5 + 2 * torch.randn(16, 3, 40, 40)
norm = nn.BatchNorm2d(3, eps=1e-4)  # γ = 1 and β = 0 at first
mu = a.mean(dim=(0, 2, 3), keepdim=True)
s2 = a.var(dim=(0, 2, 3), correction=0, keepdim=True)
by_hand = (a - mu) / (s2 + 1e-4).sqrt()

# %%
assert torch.allclose(norm(a), by_hand, atol=1e-5)
print("✓ equation (9)")
assert torch.allclose(norm.running_mean, 0.1 * mu.flatten(), atol=1e-4)
print("✓ equation (10): the running mean went a tenth of the way")

# %% [markdown]
# The convolutions before it have no bias, because $\mu$ removes what a bias
# adds: its gradient is zero.

# %%
conv = nn.Conv2d(1, 8, 3, padding=1)
nn.BatchNorm2d(8)(conv(x)).relu().square().sum().backward()
bias, weight = conv.bias.grad.abs().max(), conv.weight.grad.abs().max()
print("the bias has no gradient:", bool(bias < 1e-4 * weight))

# %% [markdown]
# At inference $\mu$ and $s$ are fixed numbers, and two affine maps in a row are
# one:
#
# $$
# \begin{aligned}
# W'&=\frac{\gamma}{\sqrt{s^2+\varepsilon}}\,W,\\
# b'&=\beta-\frac{\gamma\,\mu}{\sqrt{s^2+\varepsilon}}.
# \end{aligned} \qquad (11)
# $$
#
# We merge them in trained weights, those for $\sigma=25$ that come with the
# package.


# %%
def merged(conv, norm):
    factor = norm.weight.data / (norm.running_var + norm.eps).sqrt()
    single = nn.Conv2d(64, 64, 3, padding=1)
    single.weight.data = conv.weight.data * factor.view(-1, 1, 1, 1)
    single.bias.data = norm.bias.data - factor * norm.running_mean
    return single


# %%
shipped = zoo.load("dncnn-25")
layers = list(shipped.layers)
for i, layer in enumerate(layers):
    if isinstance(layer, nn.BatchNorm2d):
        layers[i - 1 : i + 1] = [merged(layers[i - 1], layer), nn.Identity()]
plain = nn.Sequential(*layers)

# %%
with torch.no_grad():
    assert torch.allclose(Y - plain(Y), shipped(Y), atol=1e-4)
print("✓ the same output")
print(f"{sum(p.numel() for p in plain.parameters()):,} parameters are left")

# %% [markdown]
# The authors' released files are merged like this, and so is every network
# that `restore.denoise` runs: 15 layers fewer to compute.
#
# ## Training
#
# The recipe says everything: data, loss, optimiser, length. The training data
# are photographs that come with scikit-image and scikit-learn, none of which
# is used for a score below, and dead leaves, pictures made of random disks.

# %%
recipe = zoo.entry("dncnn-25").recipe(BUDGET)
print(*recipe.sources, recipe.optimization, sep="\n")

# %%
pairs = recipe.data(recipe.seed)  # pairs[i] is (y_i, x_i)
patches = {}
for i in (0, 1, 4):
    y, x = pairs[i]
    patches |= {f"y {i}": y[None], f"x {i}": x[None]}
figures.strip(patches, alt="a training patch of 40×40", factor=2)

# %% [markdown]
# The paper's network takes hours on such a machine. For our seconds we take a
# smaller one, 7 layers of 32 channels. And we initialise it as the authors'
# code does: not with $\gamma=1$, PyTorch's default, but with small random
# $\gamma$ of either sign, none below 0.025.


# %%
def begin(depth=17, features=64, **choice):
    network = DnCNN(depth=depth, features=features, **choice)
    std = math.sqrt(2 / (9 * features))
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.normal_(layer.weight, std=std)
        elif isinstance(layer, nn.BatchNorm2d):
            gamma = std * torch.randn(features)
            layer.weight.data = gamma.sign() * gamma.abs().clamp(min=0.025)
    return network


# %%
with torch.no_grad():
    usual, authors = DnCNN(depth=7, features=32), begin(7, 32)
    ratio = ((Y - usual(Y)).std() / (Y - authors(Y)).std()).item()
claim("with γ = 1, R(y) begins over ten times as large", ratio, above=10)

# %% [markdown]
# With small $\gamma$ the network begins nearer to $\hat x=y$, and there is less
# to unlearn.

# %%
from dataclasses import replace
from functools import partial

from imtrans.suite import validator
from imtrans.training import fit

make = begin
if BUDGET == "quick":
    make = partial(begin, 7, 32)
    recipe = replace(recipe, steps=100, batch=16, validate_every=20)
recipe = replace(recipe, model=make)
print(f"{recipe.steps} steps of {recipe.batch} patches")

# %%
options = {"progress": False, "device": DEVICE}
if CHECKPOINTS:
    options |= {"folder": f"{CHECKPOINTS}/dncnn", "resume": True}
held_out = validator([noise])

# %%
falls = "Loss over steps, on a logarithmic scale: it falls steeply, then less."
pixels = pairs[0][0].numel()  # of a patch
untouched = {"R(y) = 0": SIGMA**2 / 255**2 * pixels / 2}  # loss of no change
live = figures.LiveCurve(recipe.steps, alt=falls, levels=untouched)
run = fit(recipe, on_step=live, validate=held_out, **options)

# %% [markdown]
# ## The shipped weights
#
# This run was short and small. The package brings weights of the paper's 17
# layers, trained on 390 of the paper's 400 pictures; the other ten are for
# validation. `evaluate` adds noise from a seed, lets the network restore, clips
# and rounds the output and compares ([protocol](../book/protocol.md) `gray`).
# Here on parts of the bundle's test photographs, which neither network has
# seen.

# %%
from imtrans.evaluation import evaluate

box = (150, 60, 160, 160)
test = []
for p in photos.photos("test", gray=True):
    luma = metrics.luma(p.picture, rounded=True)
    test.append((p.name, figures.crop(luma, box)))
networks = {"input": "input", "this run": run.model, "shipped": shipped}
scores = {name: evaluate(n, test, noise) for name, n in networks.items()}

# %% tags=["nbval-ignore-output"]
table = []
for name, score in scores.items():
    each = {row.name: row.psnr for row in score.rows}
    table.append({"network": name, **each, "mean": score.psnr})
figures.table(table, caption="PSNR in dB on the test photographs, σ = 25.")

# %%
means = {name: score.psnr for name, score in scores.items()}
gain = means["this run"] - means["input"]
claim("seconds of training gain over 5 dB", gain, above=5)
ahead = means["shipped"] - means["this run"]
claim("the shipped weights are over 0.5 dB better", ahead, above=0.5)

# %% [markdown]
# The page has [our numbers beside the
# paper's](../lectures/07-dncnn.md), on BSD68 and Set12. If you have
# Set12, the next cell measures anew.

# %% tags=["nbval-ignore-output"]
from imtrans.data import benchmarks

try:
    print(evaluate(shipped, benchmarks.load("Set12"), noise).table())
except FileNotFoundError:
    print("Set12 is not here; the page has its scores.")

# %% [markdown]
# ## Move the noise
#
# One network for one level, beside one for all: `dncnn-25` knows one level,
# `dncnn-blind` saw levels from 0 to 55 in training. In a running notebook the
# slider computes every noise level; on the static page it shows stored ones.

# %%
from imtrans import widgets
from imtrans.restore import denoise

blind = zoo.load("dncnn-blind")
part = figures.crop(X, (60, 58, 72, 64))


def at_level(sigma):
    y = degrade.GaussianNoise(sigma)(part, seed=0)
    pictures = {"noisy": y}
    for name, network in {"dncnn-25": shipped, "dncnn-blind": blind}.items():
        result = denoise(network, y)
        pictures[f"{name}, {psnr(result, part):.1f} dB"] = result
    alt = f"his face with noise of σ = {sigma}"
    return figures.strip(pictures, alt=alt, factor=2)


# %% tags=["nbval-ignore-output"]
widgets.slider(
    at_level,
    [5, 15, 25, 35, 50, 75],
    label="σ",
    start=25,
    alt="noisy, and by two networks; past 25 one of them leaves grain",
)

# %% [markdown]
# Above its level the network for 25 removes too little, and the grain that it
# leaves is hard to miss. Below its level it removes too much: at 5 the picture
# looks clean but has lost fine detail, and the score tells. On all of Set12,
# from `results/`:

# %%
from imtrans import experiments

by_model = {"dncnn-25": {}, "dncnn-blind": {}}
for row in experiments.rows("dncnn-mismatch"):
    by_model[row["model"]][row["sigma"]] = row["psnr"]
at_5 = by_model["dncnn-25"][5] - 20 * math.log10(255 / 5)
print(f"dncnn-25 at σ = 5, against doing nothing: {at_5:+.1f} dB")

# %% [markdown]
# **Halfway.** The network is built, trained and measured. What follows compares
# it with older methods, asks what it really learns, and takes it to places for
# which it was not made. A good place for a break.
#
# ## Classical denoisers
#
# Three methods of scikit-image, all told $\sigma$. The *bilateral filter*
# averages pixels that are near and of similar value. *Non-local means*
# averages pixels whose surrounding patches are similar. The *wavelet* method
# shrinks small coefficients to zero.

# %%
from skimage import restoration

noisy, s = Y[0, 0].numpy(), SIGMA / 255
classics = {  # the first takes no negative values: up by 2, and down again
    "bilateral": restoration.denoise_bilateral(
        noisy + 2, sigma_color=1.75 * s, sigma_spatial=2
    )
    - 2,
    "wavelet": restoration.denoise_wavelet(
        noisy, sigma=s, wavelet="sym8", wavelet_levels=3
    ),
    "non-local means": restoration.denoise_nl_means(
        noisy, patch_size=5, patch_distance=6, h=0.6 * s, sigma=s
    ),
}

# %%
results = {"noisy": Y}
for name, array in classics.items():
    results[name] = torch.from_numpy(array).float()[None, None]
results |= {"this run": denoise(run.model, Y), "shipped": denoise(shipped, Y)}
results = {name: result.clamp(0, 1) for name, result in results.items()}

# %% tags=["nbval-ignore-output"]
table = [{"method": n, "PSNR": psnr(r, X)} for n, r in results.items()]
figures.table(table, caption="PSNR in dB, σ = 25, all clipped to [0, 1].")

# %%
figures.zoom(
    results | {"x": X},
    face,
    alt="the face; classical methods leave blotches or wash it out",
    factor=3,
)

# %%
best = max(psnr(results[name], X) for name in classics)
gain = psnr(results["shipped"], X) - best
claim("the network is over half a decibel ahead of all three", gain, above=0.5)

# %% [markdown]
# Seconds of training on a handful of pictures pass the bilateral filter and the
# wavelets. Non-local means is better than that: it knows nothing of other
# pictures, but it searches this one. On Set12, with the time per picture on one
# core as a ratio to DnCNN-S:

# %%
table, times = {}, {}
for row in experiments.rows("dncnn-baselines"):
    line = table.setdefault(row["method"], {"method": row["method"]})
    line[f"σ = {row['sigma']}"] = row["psnr"]
    times[row["method"]] = f"{row['time_ratio']:.3f}"
rows = [line | {"time": times[name]} for name, line in table.items()]
figures.table(rows, caption="Set12, PSNR in dB; time as a ratio to DnCNN-S.")

# %% [markdown]
# ## What is removed, and what is left
#
# Squared error asks for the conditional mean $\mathbb E[x\mid y]$, whose error
# is orthogonal to it. So per pixel
#
# $$
# \sigma^2=\underbrace{\mathbb E\,\mathcal R^*(y)^2}_{\text{removed}}
# +\underbrace{\mathbb E\,(\hat x-x)^2}_{\text{left}}. \qquad (14)
# $$
#
# Here $\mathcal R^*$ is the ideal residual. It is *less* than the noise. Our
# network is not ideal, and one picture is no expectation, but look:

# %%
removed = Y - denoise(shipped, Y)  # R(y)
left = v - removed  # x̂ - x
sizes = [255**2 * part.square().mean().item() for part in (v, removed, left)]
off = abs(sizes[1] + sizes[2] - sizes[0]) / sizes[0]
claim("removed and left make up σ² to 5 %", off, below=0.05)
claim("less than the noise is removed", sizes[1] / sizes[0], below=1)

# %%
parts = {"v": v, "removed, R(y)": removed, "left": left}
figures.zoom(
    {name: 0.5 + 2 * part for name, part in parts.items()},
    face,
    alt="zero is grey; what is left shows the lines of the face",
    factor=3,
)

# %% [markdown]
# And how much of the window of $35\times35$ does it use? We take the gradient,
# now of trained weights and averaged over 25 pixels. Brightness is the fourth
# root of its size, so that small values show.

# %%
use = torch.zeros(41, 41)
for k in range(25):
    corner = (30 * (k % 5), 30 * (k // 5), 41, 41)
    y = figures.crop(Y, corner).clone().requires_grad_()
    shipped(y)[0, 0, 20, 20].backward()
    use += y.grad[0, 0].abs()

# %% tags=["nbval-ignore-output"]
figures.strip(
    {"influence": (use / use.max()).pow(0.25)[None, None]},
    alt="A square; bright in the middle, dark towards its edges.",
    factor=6,
)

# %%
print("rows that reach the pixel:", use.sum(dim=1).count_nonzero().item())
share = (use[15:26, 15:26].sum() / use.sum()).item()
claim("over half comes from the inner 11×11", share, above=0.5)

# %% [markdown]
# ## No clean picture is needed
#
# Take a second noisy picture of the same scene as the target. As
# $\mathbb E[y'\mid y]=\mathbb E[x\mid y]$, equation (16), the same denoiser is
# learned: Noise2Noise. We show it with a denoiser that needs no training loop:
# one linear filter of $9\times9$, fitted by least squares.


# %%
def windows(y):  # (1, 1, H, W) -> all windows inside, (pixels, 81)
    return F.unfold(y, 9)[0].T


def fitted(noisy, target):  # the filter whose output is nearest to the target
    a, b = windows(noisy), target[0, 0, 4:-4, 4:-4].flatten()
    return torch.linalg.solve(a.T @ a, a.T @ b)


# %%
coffee = metrics.luma(photos.photo("coffee").picture, rounded=True)
x = figures.crop(coffee, (0, 0, 256, 256)).double()
first, second = (noise(x, seed=seed) for seed in (1, 2))
truth = X[0, 0, 4:-4, 4:-4].flatten().double()
reached = {}
for name, target in {"x": x, "y'": second, "y": first}.items():
    output = windows(Y.double()) @ fitted(first, target)
    reached[name] = psnr(output, truth)
    print(f"target {name}: {reached[name]:.1f} dB")

# %% [markdown]
# The filter of the clean and that of the noisy target are as good as each
# other. (The page's scores at 256 pixels are higher: its test picture is the
# whole photograph, with much even sky; ours is the man alone.) With $y$ itself
# as the target the best filter is the identity: the noise of the target has to
# be independent of the input.

# %%
cost = abs(reached["x"] - reached["y'"])
claim("a noisy target costs less than 0.1 dB", cost, below=0.1)

# %% [markdown]
# ## Residual or not
#
# The page has the slide's two diagrams, measured anew: eight trainings, with
# and without residual learning and batch normalisation, under SGD and Adam.
# One comparison we make live: the network of above without the subtraction, by
# the same recipe for the same number of steps.

# %%
without = partial(make, residual=False)
direct_recipe = replace(recipe, name="dncnn-direct", model=without)
if CHECKPOINTS:
    options["folder"] = f"{CHECKPOINTS}/direct"

# %%
falls = "The loss of the direct network: it starts over ten times higher."
live = figures.LiveCurve(recipe.steps, alt=falls, levels=untouched)
direct = fit(direct_recipe, on_step=live, validate=held_out, **options)

# %%
curves = {
    name: {e["step"]: e["psnr"] for e in one.log if "psnr" in e}
    for name, one in {"residual": run, "direct": direct}.items()
}
figures.curves(
    list(curves["residual"]),
    {name: list(curve.values()) for name, curve in curves.items()},
    xlabel="step",
    ylabel="PSNR in dB",
    alt="The residual is far ahead at first; the direct network catches up.",
)

# %%
leads = [r - curves["direct"][k] for k, r in curves["residual"].items()]
claim("the residual leads by over 2 dB", sum(leads) / len(leads), above=2)

# %% [markdown]
# This is the mean lead over the whole of a short training, by Muon and with
# normalisation. It is made at the start, where the direct network has yet to
# learn the picture itself; by the last step little is left of it.
# (The page's table has the last step of other trainings: with normalisation
# two to three decibels are left there.)
#
# ## One network, three tasks
#
# Nothing in (12) says that $y-x$ is noise. DnCNN-3 was trained on three kinds
# of patches: noisy ones, enlargements of a low resolution, and JPEGs (ours on
# the absolute error in place of (12)). We cut a photograph into six regions and
# damage each in its own way, as the slide does. The network is told nothing.

# %%
clean = figures.crop(photo, (200, 100, 288, 192))  # (1, 1, 192, 288)
damaged = {
    "noise 15": degrade.GaussianNoise(15)(clean, seed=0),
    "×2": degrade.bicubic_down_up(clean, 2),
    "JPEG 30": degrade.Jpeg(30)(clean),
    "noise 25": degrade.GaussianNoise(25)(clean, seed=1),
    "×3": degrade.bicubic_down_up(clean, 3),
    "JPEG 10": degrade.Jpeg(10)(clean),
}

# %%
mixed = clean.clone()
regions = {}
for i, (name, picture) in enumerate(damaged.items()):
    top, start = 96 * (i // 3), 96 * (i % 3)
    regions[name] = (..., slice(top, top + 96), slice(start, start + 96))
    mixed[regions[name]] = picture[regions[name]]
restored = denoise(zoo.load("dncnn-3"), mixed).clamp(0, 1)

# %%
widgets.before_after(
    mixed,
    restored,
    labels=("damaged", "restored"),
    alt="six regions: noise 15, ×2, JPEG 30; below noise 25, ×3, JPEG 10",
    factor=2,
)

# %% tags=["nbval-ignore-output"]
table = []
for name, part in regions.items():
    before, after = (psnr(p[part], clean[part]) for p in (mixed, restored))
    table.append({"region": name, "before": before, "after": after})
figures.table(table, caption="PSNR in dB by region, before and after DnCNN-3.")

# %%
gains = [row["after"] - row["before"] for row in table]
claim("every region gains", min(gains), above=0)

# %% [markdown]
# ## A denoiser that deblurs
#
# `dncnn-25` has never seen a blurred picture. Equation (17) makes it the prior
# of a deblurring: the picture is denoised, then pulled back to the data, again
# and again,
#
# $$
# x\leftarrow(H^\top H+\lambda)^{-1}
# \big(H^\top y+\lambda\,(x-\mathcal R(x))\big). \quad (17)
# $$
#
# $H$ is a Gaussian blur, which the Fourier transform turns into a product.
# $\lambda$ and the constant of Wiener's filter, with which we compare, were
# chosen on other photographs.

# %%
from torch.fft import fft2, ifft2

sharp = figures.crop(photo, (200, 90, 128, 128))
place = torch.arange(128)
bell = torch.exp(-0.5 * (torch.minimum(place, 128 - place) / 1.6) ** 2)
h = torch.fft.fft(bell / bell.sum()).real
H = h[:, None] * h  # of each frequency, (128, 128)
blurred = degrade.GaussianNoise(2)(ifft2(H * fft2(sharp)).real, seed=0)

# %%
x, steps = blurred, [blurred]
for _ in range(8):
    right = H * fft2(blurred) + 0.02 * fft2(denoise(shipped, x))
    x = ifft2(right / (H**2 + 0.02)).real
    steps.append(x)
wiener = ifft2(H * fft2(blurred) / (H**2 + 0.008)).real

# %%
widgets.frames(
    [steps[k] for k in (0, 1, 2, 4, 8)],
    labels=[f"step {k}" for k in (0, 1, 2, 4, 8)],
    alt="a man's face and a camera, sharper with each step",
    factor=3,
)

# %%
gain = psnr(x, sharp) - psnr(wiener, sharp)
claim("it passes Wiener's linear filter by over 1 dB", gain, above=1)

# %% [markdown]
# ## Where it falls short: a telescope
#
# The noise of a camera is neither white nor Gaussian. In the bundle is a
# photograph by the Hubble telescope. The sky between its galaxies ought to be
# even; what varies there is noise. Nobody has this picture without noise, so
# there is no PSNR. We take the emptiest square, and measure the spread from
# the *median* deviation, which the few faint galaxies in it hardly change.
# Beside it an even square with white noise of the same spread.

# %%
stars = metrics.luma(photos.photo("stars").picture, rounded=True)
sky = figures.crop(stars, (112, 608, 64, 64))


def spread(picture):  # of a Gaussian: its standard deviation
    return 1.4826 * (picture - picture.median()).abs().median().item()


# %%
even = torch.full_like(sky, sky.median().item())
flat = degrade.GaussianNoise(255 * spread(sky))(even, seed=0)
skies = {"telescope": (sky, denoise(blind, sky))}
skies["white noise"] = (flat, denoise(blind, flat))

# %% tags=["nbval-ignore-output"]
table = []
for name, (before, after) in skies.items():
    limit = 3 * spread(before)  # cuts the galaxies off
    r = correlation((before - before.median()).clamp(-limit, limit))
    row = {"noise": name, "correlation of neighbours": r}
    row |= {"spread": 255 * spread(before), "left": 255 * spread(after)}
    table.append(row)
figures.table(table, caption="An empty square of sky, in 8-bit levels.")

# %%
telescope, white = table
r = telescope["correlation of neighbours"]
claim("its noise is correlated", r, above=0.1)
ratio = telescope["left"] / white["left"]
claim("over 1.5 times as much is left as of white noise", ratio, above=1.5)

# %%
brighter = {
    f"{name}, {state}": ((picture - 0.05) * 5).clamp(0, 1)
    for name, pair in skies.items()
    for state, picture in zip(("before", "after"), pair, strict=True)
}
figures.zoom(
    brighter,
    (6, 0, 52, 52),
    alt="dark sky, five times brighter; the telescope's stays mottled",
    factor=3,
)

# %% [markdown]
# The network has learned that noise is what is independent from pixel to
# pixel. Blotches of several pixels look like texture to it, and texture has to
# be kept. The training pairs would have to show what the camera does.
#
# And a noisy *file* is clipped. The cost on Set12, from `results/`:

# %%
pairs = {}
for row in experiments.rows("dncnn-clipping"):
    line = {"network": row["model"], "σ": row["sigma"]}
    line = pairs.setdefault((row["model"], row["sigma"]), line)
    line["clipped" if row["clipped"] else "as it is"] = row["psnr"]
rows = [r | {"change": r["clipped"] - r["as it is"]} for r in pairs.values()]
figures.table(rows, caption="Set12, PSNR in dB: the noisy input clipped.")

# %% [markdown]
# One row gains: `dncnn-25` at 50. It leaves half of the energy of that noise, a
# deviation of 35 of 50 levels, and clipping removes some of it beforehand.
#
# ## Try your own photograph
#
# Put a path between the quotes. On Colab, `from google.colab import files;
# PATH = next(iter(files.upload()))` asks for a file. Your picture is used as
# it is; the cat that stands in for it gets noise. The blind network restores
# each of the three colours on its own.

# %%
from imtrans import images

PATH = ""
cat = figures.crop(photos.photo("chelsea").picture, (136, 76, 88, 72))
mine = images.read(PATH) if PATH else noise(cat, seed=3)
by_network = denoise(blind, mine, tile=256)

# %%
widgets.before_after(
    mine,
    by_network,
    labels=("noisy", "denoised"),
    alt="your photograph; without one, a cat's eye",
    factor=3,
)

# %% [markdown]
# ## Exercises
#
# Replace `...` and run the check below it.

# %% [markdown] tags=["exercise"]
# **Exercise 1. How deep?** A stack of $3\times3$ convolutions is to see at
# least `window` × `window` pixels. How many layers does it need? BM3D sees 49,
# EPLL 36, WNNM 361.
#
# *Hint.* Solve (8) for $d$. What if the window is an even number?


# %% tags=["stub"]
def depth_for(window):
    return ...


# %% tags=["solution"]
def depth_for(window):
    return math.ceil((window - 1) / 2)


# %% tags=["wrong"]
def depth_for(window):
    return (window - 1) // 2


# %% tags=["check"]
layers = tuple(depth_for(window) for window in (49, 36, 361))
check(
    layers,
    (24, 18, 180),
    because="depth is an expensive way to look far",
    mistakes=[
        ((24, 17, 180), "17 layers see 35×35, one less than 36"),
        ((49, 36, 361), "a layer adds a pixel at each side: two in all"),
    ],
)

# %% [markdown] tags=["exercise"]
# **Exercise 2. The rate of the paper.** The paper trains with the loss (12)
# by SGD with the rate 0.1 and the weight decay $10^{-4}$, which PyTorch adds
# to the gradient as decay times weight. You have `nn.MSELoss()`. Give the pair
# (rate, decay) that makes the same steps on patches of `side` × `side` pixels
# with `channels` channels.
#
# *Hint.* The mean loss is (12) divided by some $k$. What happens to a step,
# the rate times gradient plus decay times weight?


# %% tags=["stub"]
def translated(side, channels):
    return ...


# %% tags=["solution"]
def translated(side, channels):
    k = channels * side**2 / 2
    return 0.1 * k, 1e-4 / k  # rate times decay is as before


# %% tags=["wrong"]
def translated(side, channels):
    k = channels * side**2 / 2
    return 0.1 * k, 1e-4


# %% tags=["check"]
p, q = torch.rand(2, 16, 3, 50, 50)
k = (half_sum_of_squares(p, q) / F.mse_loss(p, q)).item()
check(
    translated(50, 3),
    (0.1 * k, 1e-4 / k),
    because="with SGD the rate must match the loss",
    mistakes=[
        ((0.1 * k, 1e-4), "with the larger rate, the decay is larger too"),
        ((0.1 / k, 1e-4 * k), "a smaller loss needs a larger rate"),
        ((0.2 * k, 5e-5 / k), "the paper's loss has a half in front"),
    ],
)

# %% [markdown] tags=["exercise"]
# **Exercise 3. Shoot more often.** Average $k$ shots of a still scene, each
# with its own noise of deviation $\sigma$. What PSNR has the mean? And how many
# shots at $\sigma=25$ reach the paper's 29.23 dB with no network at all? Give
# a function and a number.
#
# *Hint.* Variances of independent numbers add up; the mean divides the sum by
# $k$, its variance by $k^2$.

# %% tags=["stub"]
psnr_of_mean = ...  # a function of sigma and k
shots = ...


# %% tags=["solution"]
def psnr_of_mean(sigma, k):
    return 20 * math.log10(255 / sigma) + 10 * math.log10(k)


shots = math.ceil(10 ** ((29.23 - 20 * math.log10(255 / 25)) / 10))


# %% tags=["wrong"]
def psnr_of_mean(sigma, k):
    return 20 * math.log10(255 / sigma) + 20 * math.log10(k)


shots = 3

# %% tags=["check"]
mean = [degrade.gaussian_noise(X, 25, seed=i) for i in range(4)]
error = (torch.cat(mean).mean(dim=0) - X).square().mean()
gained = ... if psnr_of_mean is ... else psnr_of_mean(25, 4)
check(
    (gained, shots),
    (-10 * error.log10().item(), 9),
    because="one picture and a network are worth nine shots",
    mistakes=[
        (
            (20 * math.log10(255 / 25 * 4), 3),
            "the deviation falls with √k, not with k",
        )
    ],
    tolerance=1e-2,
)

# %% [markdown] tags=["exercise"]
# **Exercise 4. How strong is what is removed?** An ideal denoiser reaches
# `psnr` dB on noise of deviation `sigma`. What is the standard deviation of
# its $\mathcal R(y)$, in levels?
#
# *Hint.* Equation (14). PSNR gives what is left.


# %% tags=["stub"]
def removed(sigma, psnr):
    return ...


# %% tags=["solution"]
def removed(sigma, psnr):
    left = 255**2 * 10 ** (-psnr / 10)  # the mean squared error
    return math.sqrt(sigma**2 - left)


# %% tags=["wrong"]
def removed(sigma, psnr):
    return sigma - 255 * 10 ** (-psnr / 20)


# %% tags=["check"]
# A case that can be computed: x normal with deviation 50, y = x + v. Then the
# conditional mean is x̂ = 0.8 y, and R(y) = 0.2 y.
signal = 50 * torch.randn(2_000_000).double()
seen = signal + 25 * torch.randn_like(signal)
left = (0.8 * seen - signal).square().mean().item()
reached = 10 * math.log10(255**2 / left)
check(
    removed(25, reached),
    (0.2 * seen).std().item(),
    because="what is left lowers the square of what is removed",
    mistakes=[
        (
            25 - 255 * 10 ** (-reached / 20),
            "squares add up, deviations do not",
        )
    ],
    tolerance=1e-2,
)

# %% [markdown] tags=["exercise"]
# **Exercise 5. The ideal denoiser of a barcode.** A pixel is black, 0, or
# white, 1, each with probability ½. To it comes Gaussian noise of deviation
# `s` (on this scale). Write the denoiser with the least squared error,
# $\mathbb E[x\mid y]$, for a tensor `y`.
#
# *Hint.* Bayes: how probable is white, given $y$? The check computes the same
# by Tweedie's formula, $\mathbb E[x\mid y]=y+s^2\,\frac{d}{dy}\log p(y)$, with
# $p$ the density of noisy pixels. So $\mathcal R(y)=-s^2\,\frac{d}{dy}\log
# p(y)$: a denoiser knows the slope of the density.


# %% tags=["stub"]
def ideal(y, s):
    return ...


# %% tags=["solution"]
def ideal(y, s):
    # Both likelihoods, exp(-(y - x)² / 2s²); y² cancels in their ratio.
    return torch.sigmoid((2 * y - 1) / (2 * s**2))


# %% tags=["wrong"]
def ideal(y, s):
    return (y > 0.5).float()


# %% tags=["check"]
values = torch.linspace(-0.5, 1.5, 9)
noisy = values.clone().requires_grad_()
p = sum((-((noisy - x) ** 2) / (2 * 0.3**2)).exp() for x in (0, 1))
slope = torch.autograd.grad(p.log().sum(), noisy)[0]
check(
    ideal(values, 0.3),
    values + 0.3**2 * slope,
    because="in doubt it says grey: squared error asks for the mean",
    mistakes=[
        ((values > 0.5).float(), "that is the more probable one, not the mean"),
        (values.clamp(0, 1), "clipping uses the range, not the two values"),
    ],
    tolerance=1e-4,
)

# %% [markdown] tags=["exercise"]
# **Exercise 6. Merge with a bias.** Some ports give each convolution a bias
# too. Equation (11) has none. Write the bias of the merged convolution for
# `conv` with a bias and `norm` at inference.
#
# *Hint.* Write out $BN(W*h+b)$ with (9). Where does $b$ appear?


# %% tags=["stub"]
def merged_bias(conv, norm):
    return ...


# %% tags=["solution"]
def merged_bias(conv, norm):
    factor = norm.weight / (norm.running_var + norm.eps).sqrt()
    return norm.bias + factor * (conv.bias - norm.running_mean)


# %% tags=["wrong"]
def merged_bias(conv, norm):
    factor = norm.weight / (norm.running_var + norm.eps).sqrt()
    return norm.bias - factor * norm.running_mean + conv.bias


# %% tags=["check"]
from torch.nn.utils.fusion import fuse_conv_bn_eval

conv, norm = nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8, eps=1e-4)
nn.init.uniform_(norm.weight, 0.5, 2)  # as after a training
nn.init.normal_(norm.bias)
for _ in range(20):
    norm(conv(X[..., :64, :64]))  # so that there are statistics
conv, norm = conv.eval(), norm.eval()
factor = norm.weight / (norm.running_var + norm.eps).sqrt()
mean, beta, b = norm.running_mean, norm.bias, conv.bias
without_gamma = factor / norm.weight * (b - mean)
check(
    merged_bias(conv, norm),
    fuse_conv_bn_eval(conv, norm).bias,
    because="the bias goes with the mean, and is scaled with it",
    mistakes=[
        (beta - factor * mean + b, "the factor scales b too"),
        (beta - factor * mean, "that is equation (11), which has no bias"),
        (factor * (b - mean), "β is added at the end"),
        (beta + without_gamma, "γ scales the bias too"),
    ],
    tolerance=1e-4,
)

# %% [markdown]
# The solutions are in [a notebook of their own](solutions/07-dncnn.ipynb).
#
# ## Summary
#
# 1. A noisy picture has $20\log_{10}(255/\sigma)$ dB before anything is done.
# 2. DnCNN is convolutions, batch normalisation and one subtraction. At
#    inference the normalisation is merged away.
# 3. Seconds of training gain decibels over the noisy picture. The residual
#    network starts near $y$; the direct one must first learn to reproduce $y$.
# 4. The ideal output is a mean: it removes less than the noise, and it can be
#    learned from noisy targets.
# 5. A denoiser is a prior, and deblurs without having seen blur. Of noise that
#    is not independent from pixel to pixel, it leaves more.
#
# Errata and references are on the [page](../lectures/07-dncnn.md).
