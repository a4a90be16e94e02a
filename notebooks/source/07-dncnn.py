# %% [markdown]
# # 7 · DnCNN: learn the noise, not the picture
#
# About 45 seconds on two CPU cores. With a GPU the two trainings take the
# larger budget `class`: some minutes.
#
# The paper is K. Zhang, W. Zuo, Y. Chen, D. Meng, L. Zhang, *Beyond a Gaussian
# Denoiser: Residual Learning of Deep CNN for Image Denoising*, IEEE TIP 2017.
# The [page of this lecture](../lectures/07-dncnn.md) derives what the slides
# show; here we check it, build it, train it, measure it and break it.
# Afterwards you can
#
# - say what PSNR a noisy picture has before anything is done, and what
#   clipping does to it;
# - derive the receptive field of a stack of convolutions, and measure it;
# - write DnCNN in a few lines, count its parameters to the last one, and merge
#   its batch normalisation away;
# - train it, compare it with classical methods and with the paper, and show
#   the noise on which it fails.
#
# You need [lecture 1](01-srcnn.ipynb), for PSNR and for the way we train. The
# letters are those of [the notation page](../book/notation.md).

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
from dataclasses import replace
from functools import partial

import torch
import torch.nn.functional as F
from skimage import restoration
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from imtrans import degrade, figures, images, measured, metrics, published
from imtrans import recipes, widgets, zoo
from imtrans.data import benchmarks, photos
from imtrans.evaluation import evaluate, validator
from imtrans.exercises import check
from imtrans.losses import half_sum_of_squares
from imtrans.models.dncnn import DnCNN
from imtrans.models.vdsr import VDSR
from imtrans.restore import Untouched, denoise
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
# A picture $x$ was disturbed by noise $v$, and we have only
#
# $$
# y = x + v. \qquad (1)
# $$
#
# The noise is *additive, white and Gaussian*: each pixel of $v$ is a normal
# random number with mean 0 and standard deviation $\sigma$, on its own.
# $\sigma$ counts 8-bit levels: 25 means $25/255$ on pictures in $[0,1]$.
# `degrade.gaussian_noise` makes $y$. It does not clip: $y$ may leave the range.

# %% tags=["ground"]
SIGMA = 25
photo = photos.photo("camera").picture  # (1, 1, 512, 512)
window = (150, 60, 192, 192)  # left, top, width, height
X = figures.crop(photo, window)  # (1, 1, 192, 192)
Y = degrade.gaussian_noise(X, SIGMA, seed=0)

# %%
face = (60, 62, 72, 60)  # within X
figures.strip({"x": X, "y": Y}, alt="A man with a camera.", factor=2)

# %%
figures.zoom({"x": X, "y": Y}, face, alt="his face in profile")

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
print("neighbours are uncorrelated:", abs(correlation(v)) < 0.02)
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
# What has to be saved as a file is clipped to the range first. That can only
# help the score: $x$ lies within the range, so a pixel that is moved to its
# edge comes closer to $x$.


# %%
def psnr(y, x):  # metrics.psnr takes no values beyond [0, 1], and y has some
    return -10 * (y - x).square().mean().log10().item()


# %%
rows = []
for sigma in (5, 15, 25, 50, 75):
    y = degrade.gaussian_noise(X, sigma, seed=0)
    formula = 20 * math.log10(255 / sigma)
    row = {"σ": sigma, "equation (2)": formula, "measured": psnr(y, X)}
    rows.append(row | {"clipped": psnr(y.clamp(0, 1), X)})
figures.table(rows, caption="PSNR of the noisy picture, in dB.")

# %% [markdown]
# So clipping gains decibels, and yet it loses what a denoiser needs. Take a
# black pixel: half of its noise is cut off, and the mean of what remains is
# no longer the pixel's value but $\sigma/\sqrt{2\pi}$ too bright. No averaging
# will find out.

# %%
black = torch.zeros(1, 1, 256, 256)
seen = degrade.gaussian_noise(black, SIGMA, seed=1).clamp(0, 1)
print(f"black became {255 * seen.mean():.1f} levels")
print(f"σ/√(2π) is {SIGMA / math.sqrt(2 * math.pi):.1f}")

# %% [markdown]
# ## Picture or noise?
#
# A network could be trained to return the picture, or to return the noise:
#
# $$
# \begin{aligned}
# \text{direct:}\quad & \mathcal F(y)=x, \\
# \text{residual:}\quad & \mathcal R(y)\approx v,\qquad x=y-\mathcal R(y).
# \end{aligned} \qquad (3)
# $$
#
# DnCNN learns the residual. One reason is plain: $y$ is nearly $x$, and the
# direct network must carry the whole picture through all its layers. The
# residual one may start from nothing. With all weights zero it returns $y$,
# and the other one black:


# %%
def silent(**choice):
    network = DnCNN(depth=3, **choice).eval()
    for parameter in network.parameters():
        parameter.data.zero_()
    return network


# %%
with torch.no_grad():
    for residual in (True, False):
        answer = silent(residual=residual)(Y)
        print(f"residual {residual}: {psnr(answer, X):.1f} dB")

# %% [markdown]
# ## The network
#
# With $h_0=y$, kernels of $3\times3$ and $BN$ for batch normalisation, of
# which below,
#
# $$
# \begin{aligned}
# h_1&=\max(0,\;W_1*h_0+b_1) \\
# h_l&=\max(0,\;BN_l(W_l*h_{l-1})),\qquad l=2,\dots,D-1 \\
# \mathcal R(y)&=W_D*h_{D-1}+b_D.
# \end{aligned} \qquad (4)
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
# subtracts: its answer is $y-\mathcal R(y)$.

# %%
R = stack(1, 17).eval()
ours = DnCNN().eval()
ours.layers.load_state_dict(R.state_dict())
with torch.no_grad():
    print("same answer:", torch.equal(Y - R(Y), ours(Y)))

# %% [markdown]
# Counting, for $c$ channels and $D$ layers:
#
# $$
# \underbrace{2\cdot9\cdot64\,c+(D-2)\cdot9\cdot64^2}_{\text{weights}}
# +\underbrace{64+c}_{b_1,\,b_D}
# +\underbrace{2\cdot64\,(D-2)}_{BN}. \qquad (5)
# $$
#
# The paper has three sizes: S for one noise level, B and "3" for many, and
# colour.


# %%
def parameters(c, depth):
    weights = 2 * 9 * 64 * c + (depth - 2) * 9 * 64**2
    return weights + 64 + c + 2 * 64 * (depth - 2)


# %%
sizes = {"DnCNN-S": (1, 17), "DnCNN-B, DnCNN-3": (1, 20), "CDnCNN-B": (3, 20)}
counts = []
for name, (c, depth) in sizes.items():
    counted = sum(p.numel() for p in stack(c, depth).parameters())
    row = {"network": name, "channels": c, "layers": depth}
    row |= {"equation (5)": f"{parameters(c, depth):,}"}
    counts.append(row | {"counted": f"{counted:,}"})
figures.table(counts, caption="Parameters of the paper's networks.")

# %% [markdown]
# ## The receptive field
#
# How far does an output pixel look? Each layer of $3\times3$ adds one pixel
# at each side. By induction, after $d$ layers the window has
#
# $$
# (2d+1)\times(2d+1) \qquad (6)
# $$
#
# pixels. Ask the gradient: it is not zero at exactly those input pixels that
# matter. To be sure that nothing cancels, we make all weights positive.


# %%
def field(network, size=61):  # rows of the input that reach the middle pixel
    y = torch.rand(1, 1, size, size, requires_grad=True)
    network(y)[0, 0, size // 2, size // 2].backward()
    return y.grad[0, 0].abs().sum(dim=1).count_nonzero().item()


# %%
def positive(depth):
    network = DnCNN(depth=depth, features=4).eval()
    for parameter in network.parameters():
        parameter.data.abs_()
    return network


# %%
rows = []
for d in (2, 5, 10, 17, 20):
    row = {"layers": d, "2d + 1": 2 * d + 1}
    rows.append(row | {"measured": field(positive(d))})
figures.table(rows, caption="Side of the receptive field, in pixels.")

# %% [markdown]
# DnCNN-S sees $35\times35$ pixels, DnCNN-B $41\times41$. In training, by the
# way, (6) fails. Batch normalisation takes the mean over all pixels, so each
# pixel matters to each:

# %%
rows = field(positive(5).train())
print(f"5 layers in training mode: {rows} of 61 rows")

# %% [markdown]
# ## The loss
#
# $$
# \ell(\theta)=\frac1{2N}\sum_{i=1}^N
# \lVert\mathcal R(y_i;\theta)-(y_i-x_i)\rVert_F^2 \qquad (7)
# $$
#
# $N$ is the number of patches in a batch, and the Frobenius norm *sums* over
# the pixels of a patch. `losses.half_sum_of_squares` computes it. PyTorch's
# `mse_loss` averages: for patches of $40\times40$ it is $1600/2=800$ times
# smaller.

# %%
x = torch.rand(4, 1, 40, 40)
y = x + SIGMA / 255 * torch.randn_like(x)
small = DnCNN(depth=5, features=8)
residual = y - small(y)  # R(y)

# %%
norms = [torch.linalg.matrix_norm(r[0]) for r in residual - (y - x)]
by_hand = sum(norm**2 for norm in norms) / (2 * len(x))
loss = half_sum_of_squares(residual, y - x)
print("equation (7) holds:", torch.allclose(loss, by_hand))
print(f"{loss / F.mse_loss(residual, y - x):.0f} times the mean")

# %% [markdown]
# Some programs compare $\mathcal R(y)$ with the noise, others
# $y-\mathcal R(y)$ with the picture. The two differences are the same but for
# the sign, so loss and gradients are equal. What is another network is the
# direct one, without the subtraction.

# %%
with_picture = half_sum_of_squares(small(y), x)
weights = list(small.parameters())
one = torch.autograd.grad(loss, weights)
other = torch.autograd.grad(with_picture, weights)
same = map(partial(torch.allclose, atol=1e-4), one, other)
print("same loss:", torch.allclose(loss, with_picture))
print("same gradients:", all(same))

# %% [markdown]
# What does a loss that is 800 times larger do to training? Ask the
# optimisers: one step of each, with the mean and with 800 times the mean.


# %%
def moved(optimizer, factor):
    w = torch.tensor([1.0, -2.0, 3.0], requires_grad=True)
    (factor * (w - 1.5).square().mean()).backward()
    before = w.detach().clone()
    optimizer([w], lr=1e-3).step()
    return (w.detach() - before).norm()


# %%
for name in ("SGD", "Adam"):
    optimizer = getattr(torch.optim, name)
    ratio = moved(optimizer, 800) / moved(optimizer, 1)
    print(f"{name}: the step grows by {ratio:.0f}")

# %% [markdown]
# Adam divides by the size of the gradient and sees no difference. With SGD the
# paper's rate 0.1 belongs to the loss (7) and to nothing else: exercise 2.
#
# ## Batch normalisation
#
# Let $a$ be the output of a convolution for a batch. Channel by channel,
# batch normalisation subtracts the mean $\mu$ over patches and pixels and
# divides by the deviation $s$, then applies a learned factor and offset:
#
# $$
# BN(a)=\gamma\,\frac{a-\mu}{\sqrt{s^2+\varepsilon}}+\beta. \qquad (8)
# $$
#
# It also keeps running means of $\mu$ and $s^2$; in use these take the place
# of the batch's.

# %%
a = 5 + 2 * torch.randn(16, 3, 40, 40)
norm = nn.BatchNorm2d(3, eps=1e-4)
mu = a.mean(dim=(0, 2, 3), keepdim=True)
s2 = a.var(dim=(0, 2, 3), correction=0, keepdim=True)
by_hand = (a - mu) / (s2 + 1e-4).sqrt()  # γ = 1 and β = 0 at the start

# %%
b = norm(a)
print("equation (8) holds:", torch.allclose(b, by_hand, atol=1e-5))
print(f"before: mean {a.mean():.1f}, deviation {a.std():.1f}")
print("after: mean 0, deviation 1:", abs(b.std().item() - 1) < 1e-3)
print("the running mean went a tenth of the way:", end=" ")
print(torch.allclose(norm.running_mean, 0.1 * mu.flatten(), atol=1e-4))

# %% [markdown]
# The subtraction explains why the convolutions before it have no bias: what a
# bias adds, $\mu$ takes away again. Its gradient is zero.

# %%
conv = nn.Conv2d(1, 8, 3, padding=1)
out = nn.BatchNorm2d(8)(conv(x))
out.relu().square().sum().backward()
bias, weight = conv.bias.grad.abs().max(), conv.weight.grad.abs().max()
print("the bias has no gradient:", bool(bias < 1e-4 * weight))

# %% [markdown]
# In use, $\mu$ and $s$ are fixed numbers. Then convolution and normalisation
# are two affine maps in a row, which are one:
#
# $$
# W'=\frac{\gamma}{\sqrt{s^2+\varepsilon}}\,W,\qquad
# b'=\beta-\frac{\gamma\,\mu}{\sqrt{s^2+\varepsilon}}. \qquad (9)
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
    difference = (Y - plain(Y) - shipped(Y)).abs().max().item()
print("same answer:", difference < 1e-4)
print(f"{sum(p.numel() for p in plain.parameters()):,} parameters are left")

# %% [markdown]
# The authors' released files are merged like this. DnCNN-B, merged, has the
# layers of a network that you know, and as many parameters: VDSR of lecture 5.

# %%
B, saved = parameters(1, 20), 64 * (20 - 2)  # two numbers became one bias
vdsr = sum(p.numel() for p in VDSR().parameters())
print(f"DnCNN-B merged {B - saved:,}, VDSR {vdsr:,}")

# %% [markdown]
# ## Training
#
# The recipe says everything: data, loss, optimiser, length. The training data
# are photographs that come with scikit-image and scikit-learn, none of which
# is used for a score below, and dead leaves, pictures made of random disks.
# The noise is new in each step.

# %%
recipe = recipes.dncnn(SIGMA, budget=BUDGET)
print(*recipe.material, recipe.optimizer, sep="\n")

# %% [markdown]
# The paper's network takes hours on such a machine. For our seconds we take a
# smaller one, 7 layers of 32 channels. And we start it as the authors' code
# does: not with $\gamma=1$, PyTorch's default, but with small random $\gamma$
# of either sign, none below 0.025. Compare how large $\mathcal R(y)$ is
# before the first step.


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
starts = {"γ = 1": DnCNN(depth=7, features=32), "as the authors": begin(7, 32)}
with torch.no_grad():
    first = {name: (Y - net(Y)).std() for name, net in starts.items()}
larger = first["γ = 1"] > 10 * first["as the authors"]
print("with γ = 1 it is over ten times larger:", bool(larger))

# %% [markdown]
# With small $\gamma$ the network starts near $\hat x=y$, from where there is
# little to unlearn.

# %%
make = begin
if BUDGET == "quick":
    make = partial(begin, 7, 32)
    recipe = replace(recipe, steps=150, batch=16, validate_every=25)
recipe = replace(recipe, model=make)
print(f"{recipe.steps} steps of {recipe.batch} patches")

# %%
options = {"progress": False, "device": DEVICE}
if CHECKPOINTS:
    options |= {"folder": f"{CHECKPOINTS}/dncnn", "resume": True}
held_out = validator(sigmas=(SIGMA,))

# %%
falls = "Loss over steps, on a logarithmic scale: it falls steeply, then less."
untouched = SIGMA**2 / 255**2 * 40**2 / 2  # the loss of R(y) = 0
live = figures.LiveCurve(
    recipe.steps, alt=falls, levels={"R(y) = 0": untouched}
)
run = fit(recipe, on_step=live, validate=held_out, **options)

# %%
validated = [entry for entry in run.log if "psnr" in entry]
figures.curves(
    [entry["step"] for entry in validated],
    {"DnCNN": [entry["psnr"] for entry in validated]},
    levels={"the noisy picture": held_out(Untouched())["psnr"]},
    xlabel="step",
    ylabel="PSNR in dB",
    alt="PSNR on validation photographs: it rises far above the noisy input.",
)

# %% [markdown]
# ## The shipped weights
#
# This run was short and small. The package brings weights of the paper's 17
# layers, trained on the paper's 400 pictures but ten, which watch the
# training. Their card says how.

# %%
card = zoo.card("dncnn-25")
for key in ("data", "optimizer", "steps", "batch", "parameters"):
    print(f"{key}: {card[key]}")

# %% [markdown]
# `evaluation.evaluate` adds noise from a seed, lets the network restore,
# clips and rounds the answer and compares ([protocol](../book/protocol.md)
# `gray`). Here on parts of the bundle's test photographs, which neither
# network has seen.

# %%
box = (150, 60, 160, 160)
test = []
for p in photos.photos("test", gray=True):
    luma = metrics.luma(p.picture, rounded=True)
    test.append((p.name, figures.crop(luma, box)))
nets = {"input": "input", "this run": run.model, "shipped weights": shipped}
scores = {n: evaluate(net, test, sigma=SIGMA) for n, net in nets.items()}

# %% tags=["nbval-ignore-output"]
rows = []
for name, score in scores.items():
    each = {row.name: row.psnr for row in score.rows}
    rows.append({"network": name, **each, "mean": score.psnr})
figures.table(rows, caption="PSNR in dB on the test photographs, σ = 25.")

# %%
means = {name: score.psnr for name, score in scores.items()}
print("this run gains over 5 dB:", means["this run"] > means["input"] + 5)
better = means["shipped weights"] > means["this run"]
print("the shipped weights beat this run:", better)

# %% [markdown]
# ### Our numbers beside the paper's
#
# Papers report the mean over the 68 photographs of BSD68. S has weights for
# each level; B is one network for all three and does not know the level. BM3D,
# for ten years the method to beat, is from the paper's table.

# %%
paper = {
    (row["model"], row["sigma"]): row["psnr"]
    for row in published.rows("dncnn", set="BSD68", task="denoising")
}
WEIGHTS = {
    "DnCNN-S": {15: "dncnn-15", 25: "dncnn-25", 50: "dncnn-50"},
    "DnCNN-B": dict.fromkeys((15, 25, 50), "dncnn-blind"),
}


# %%
def on_card(name, sigma):
    found = {(s["set"], s["sigma"]): s for s in zoo.card(name)["scores"]}
    return found["BSD68", sigma]["psnr"]


# %%
rows = []
for network, files in WEIGHTS.items():
    for sigma, file in files.items():
        row = {"network": network, "σ": sigma, "BM3D": paper["BM3D", sigma]}
        row |= {"paper": paper[network, sigma], "here": on_card(file, sigma)}
        rows.append(row | {"weights": file})
figures.table(rows, caption="BSD68, PSNR in dB, protocol gray.")

# %% [markdown]
# The architecture is the paper's, the training is a fraction of it: what is
# missing is the price. If you have Set12, the next cell measures anew.

# %% tags=["nbval-ignore-output"]
try:
    print(evaluate(shipped, benchmarks.load("Set12"), sigma=SIGMA).table())
except FileNotFoundError:
    print("Set12 is not at hand here; the numbers above are from the cards.")

# %% [markdown]
# ## Classical denoisers
#
# What did one use before, and does it lose? Three methods of scikit-image,
# all told $\sigma$. The *bilateral filter* averages pixels that are near and
# of similar value. *Non-local means* averages pixels whose surrounding patches
# are similar. The *wavelet* method shrinks small coefficients to zero.

# %%
noisy, s = Y[0, 0].numpy(), SIGMA / 255
bilateral = (  # it takes no negative values: up by 2, and down again
    restoration.denoise_bilateral(
        noisy + 2, sigma_color=1.75 * s, sigma_spatial=2
    )
    - 2
)
nonlocal_means = restoration.denoise_nl_means(
    noisy, patch_size=5, patch_distance=6, h=0.6 * s, sigma=s
)
wavelet = restoration.denoise_wavelet(
    noisy, sigma=s, wavelet="sym8", wavelet_levels=3
)

# %%
answers = {"noisy": Y}
for name, array in (
    ("bilateral", bilateral),
    ("wavelet", wavelet),
    ("non-local means", nonlocal_means),
):
    answers[name] = torch.from_numpy(array).float()[None, None]
answers["this run"] = denoise(run.model, Y)
answers["shipped weights"] = denoise(shipped, Y)
answers = {name: answer.clamp(0, 1) for name, answer in answers.items()}

# %% tags=["nbval-ignore-output"]
rows = [{"method": n, "PSNR": psnr(a, X)} for n, a in answers.items()]
figures.table(rows, caption="PSNR in dB on one picture, σ = 25.")

# %%
figures.zoom(
    answers | {"x": X},
    face,
    alt="the face; classical methods leave blotches or wash it out",
    factor=3,
)

# %% [markdown]
# Seconds of training on a handful of pictures pass the bilateral filter and the
# wavelets. Non-local means is better than that; it knows nothing of other
# pictures, but it searches this one.

# %%
classics = ("bilateral", "wavelet", "non-local means")
best = max(psnr(answers[name], X) for name in classics)
gain = psnr(answers["shipped weights"], X) - best
print("the network is over half a decibel ahead of all three:", gain > 0.5)

# %% [markdown]
# On Set12, with the time a picture takes on one core as a ratio to DnCNN-S.
# BM3D stands as the paper prints it. We do not run it, as its program is not
# free for all uses.

# %%
table = {}
for row in measured.rows("dncnn-baselines"):
    line = {"method": row["method"], 15: None, 25: None, 50: None}
    line["time"] = f"{row['time_ratio']:.3f}"
    line = table.setdefault(row["method"], line)
    line[row["sigma"]] = row["psnr"]
found = published.rows("dncnn", model="BM3D", set="Set12")
bm3d = {"method": "BM3D, paper"} | {int(r["sigma"]): r["psnr"] for r in found}
table["BM3D"] = bm3d | {"time": None}

# %%
rows = [
    {(f"σ = {k}" if isinstance(k, int) else k): v for k, v in line.items()}
    for line in sorted(table.values(), key=lambda line: line[25])
]
figures.table(rows, caption="Set12, PSNR in dB, protocol gray.")

# %% [markdown]
# ## What is taken away, and what is left
#
# Squared error asks for the mean of all pictures that fit $y$, the
# *conditional mean* $\mathbb E[x\mid y]$. Its error is orthogonal to the
# answer, so per pixel
#
# $$
# \sigma^2=\underbrace{\mathbb E\,\mathcal R(y)^2}_{\text{taken away}}
# +\underbrace{\mathbb E\,(\hat x-x)^2}_{\text{left}}. \qquad (10)
# $$
#
# A good denoiser takes away *less* than the noise. Ours is not the ideal one,
# and one picture is no expectation, but look:

# %%
with torch.no_grad():
    taken = Y - shipped(Y)  # R(y)
left = v - taken  # x̂ - x
sizes = [255**2 * part.square().mean().item() for part in (v, taken, left)]
print("taken and left make up σ² to 5 %:", end=" ")
print(abs(sizes[1] + sizes[2] - sizes[0]) < 0.05 * sizes[0])
print("less than the noise is taken:", sizes[1] < sizes[0])

# %%
parts = {"v": v, "taken away, R(y)": taken, "left": left}
figures.zoom(
    {name: 0.5 + 2 * part for name, part in parts.items()},
    face,
    alt="zero is grey; what is left shows the lines of the face",
)

# %% [markdown]
# And how much of the window of $35\times35$ does it use? The gradient again,
# now of trained weights and averaged over 25 pixels. Brightness is its size, or
# rather the fourth root of it, so that small values show.

# %%
use = torch.zeros(41, 41)
for k in range(25):
    corner = (30 * (k % 5), 30 * (k // 5), 41, 41)
    y = figures.crop(Y, corner).clone().requires_grad_()
    shipped(y)[0, 0, 20, 20].backward()
    use += y.grad[0, 0].abs()
share = (use[15:26, 15:26].sum() / use.sum()).item()

# %% tags=["nbval-ignore-output"]
figures.strip(
    {"influence": (use / use.max()).pow(0.25)[None, None]},
    alt="A square; bright in the middle, dark towards its edges.",
    factor=6,
)

# %%
print("rows that reach the pixel:", use.sum(dim=1).count_nonzero().item())
print("over half comes from the inner 11×11:", share > 0.5)

# %% [markdown]
# ## The wrong noise level
#
# `dncnn-25` knows one level. What if the noise is another? The other curve is
# the blind network, which saw levels from 0 to 55 in training, a new one for
# each patch.

# %%
by_model = {}
for row in measured.rows("dncnn-mismatch"):
    by_model.setdefault(row["model"], {})[row["sigma"]] = row["psnr"]
levels = list(by_model["dncnn-25"])
series = {name: [row[k] for k in levels] for name, row in by_model.items()}
series["input"] = [20 * math.log10(255 / k) for k in levels]

# %%
figures.curves(
    levels,
    series,
    xlabel="noise level σ of the picture",
    ylabel="PSNR in dB, Set12",
    alt="Three falling curves; past 25 the network for 25 breaks down.",
)

# %%
gap = {k: by_model["dncnn-blind"][k] - by_model["dncnn-25"][k] for k in levels}
print("at 25 they differ by less than 0.5 dB:", abs(gap[25]) < 0.5)
print("blind is over 3 dB better at 5 and 45:", min(gap[5], gap[45]) > 3)

# %% [markdown]
# Above its level the network takes away too little: noise stronger than any it
# has met passes for picture. Below it, detail is taken for noise. The blind
# network reads the level from the picture, up to the 55 that it has seen.
#
# ## Does clipping the input matter?
#
# The protocol does not clip $y$. A file does. The same networks, with the
# noisy picture as it is and clipped:

# %%
pairs = {}
for row in measured.rows("dncnn-clipping"):
    line = {"network": row["model"], "σ": row["sigma"]}
    line = pairs.setdefault((row["model"], row["sigma"]), line)
    line["clipped" if row["clipped"] else "as it is"] = row["psnr"]
rows = [r | {"change": r["clipped"] - r["as it is"]} for r in pairs.values()]
figures.table(rows, caption="Set12, PSNR in dB: the noisy input clipped.")

# %% [markdown]
# Read the last column. A network that was trained on noise with mean zero
# meets noise that has lost its dark half: shadows come out too bright. One row
# gains: `dncnn-25` at 50, which leaves half of that noise's energy anyway, and
# there clipping takes some of it away beforehand. Clip the answer, always. Clip
# the input only for a network that was trained so. A noisy *file* is clipped
# already, your own photograph below for instance.
#
# ## Residual or not, normalised or not
#
# The slides show eight learning curves: with and without residual learning,
# with and without batch normalisation, under SGD and under Adam. We trained
# the eight anew, smaller: 10 layers of 32 channels, 400 steps. SGD needs the
# optional clip of the authors' code (each element of a gradient to ±0.005 over
# the rate): without it the paper's 0.1 makes all four explode in three steps.
# With it one can bear 0.1, and the others take 1e-4, the smallest of the four
# rates that we tried: a lower one may suit them better still.

# %%
NAMES = {
    (1, 1): "residual, BN",
    (1, 0): "residual",
    (0, 1): "direct, BN",
    (0, 0): "direct",
}
grid, rates = {}, {}
for row in measured.rows("dncnn-ablation"):
    key = row["optimizer"], NAMES[row["residual"], row["batch_norm"]]
    grid.setdefault(key, {})[row["step"]] = row["psnr"]
    rates[key] = row["rate"]

# %%
chart, axes = figures.canvas(height=3.2, columns=2)
for ax, optimizer in zip(axes, ("SGD", "Adam"), strict=True):
    for name in NAMES.values():
        curve = grid[optimizer, name]
        label = f"{name}, {rates[optimizer, name]:g}"
        ax.plot(list(curve), list(curve.values()), label=label)
    ax.set(title=optimizer, xlabel="step", ylim=(15.5, 28.5))
    ax.legend(frameon=False, fontsize=8, loc="lower right")
axes[0].set(ylabel="PSNR in dB, validation")
seen = "Four learning curves each; under SGD one is far above the rest."
figures.show(chart, alt=seen)

# %%
for optimizer in ("SGD", "Adam"):
    last = {name: grid[optimizer, name][400] for name in NAMES.values()}
    print(optimizer, last)

# %% [markdown]
# Noise of 25, our validation pictures, each network trained once; the legend
# has the first learning rates, Adam's the usual one for all. The paper's four
# statements, one by one:
#
# 1. *With both, the curve is highest and smoothest.* Under SGD by almost 3 dB:
#    only these two together bear a rate of 0.1, and with the clip. Under Adam
#    the residual alone is equal, and one seed cannot tell 0.01 dB.
# 2. *The residual alone ends below.* Under SGD it even ends last; its rate has
#    to be low. Under Adam, after our 400 steps, it does not.
# 3. *Normalisation alone does not do it.* True under both; under Adam it ends
#    last and is the least steady.
# 4. *Without normalisation Adam is far better than SGD.* True, by 2 to 4 dB.
#
# So what normalisation does under SGD, Adam does in part by itself. The longer
# training or the deeper network may tell the two apart again.
#
# One of the comparisons we make live: the network of above without the
# subtraction, by the same recipe for the same number of steps.

# %%
direct_recipe = replace(
    recipe, name="dncnn-direct", model=partial(make, residual=False)
)
if CHECKPOINTS:
    options["folder"] = f"{CHECKPOINTS}/direct"

# %%
falls = "The loss of the direct network: it starts a hundred times higher."
live = figures.LiveCurve(
    recipe.steps, alt=falls, levels={"R(y) = 0": untouched}
)
direct = fit(direct_recipe, on_step=live, validate=held_out, **options)

# %%
validated_direct = [e["psnr"] for e in direct.log if "psnr" in e]
series = {"residual": [e["psnr"] for e in validated]}
figures.curves(
    [entry["step"] for entry in validated],
    series | {"direct": validated_direct},
    xlabel="step",
    ylabel="PSNR in dB",
    alt="Two rising curves on validation photographs; the residual leads.",
)

# %%
lead = torch.tensor(series["residual"]) - torch.tensor(validated_direct)
print("the residual leads by 1 dB on average:", lead.mean().item() > 1)

# %% [markdown]
# ## One network, three tasks
#
# Nothing in (7) says that $y-x$ is noise. DnCNN-3 was trained on three kinds
# of patches: noisy ones, enlargements of a low resolution, and JPEGs. We cut
# a photograph into six regions and damage each in its own way, as the slide
# does. The network is told nothing. (Ours is the merged form, and started with
# the weights of VDSR: one architecture, as we saw, and one task of the three.)

# %%
clean = figures.crop(photo, (200, 100, 288, 192))  # (1, 1, 192, 288)
damaged = {
    "noise 15": degrade.gaussian_noise(clean, 15, seed=0),
    "×2": degrade.bicubic_down_up(clean, 2),
    "JPEG 30": degrade.jpeg(clean, 30),
    "noise 25": degrade.gaussian_noise(clean, 25, seed=1),
    "×3": degrade.bicubic_down_up(clean, 3),
    "JPEG 10": degrade.jpeg(clean, 10),
}

# %%
mixed = clean.clone()
regions = {}
for i, (name, picture) in enumerate(damaged.items()):
    top, start = 96 * (i // 3), 96 * (i % 3)
    regions[name] = (..., slice(top, top + 96), slice(start, start + 96))
    mixed[regions[name]] = picture[regions[name]]

# %%
three = zoo.load("dncnn-3")
with torch.no_grad():
    restored = three(mixed).clamp(0, 1)

# %%
widgets.before_after(
    mixed,
    restored,
    labels=("damaged", "restored"),
    alt="six regions: noise 15, ×2, JPEG 30; below noise 25, ×3, JPEG 10",
    factor=2,
)

# %% tags=["nbval-ignore-output"]
rows = []
for name, part in regions.items():
    before, after = (psnr(p[part], clean[part]) for p in (mixed, restored))
    rows.append({"region": name, "before": before, "after": after})
figures.table(rows, caption="PSNR in dB by region, before and after DnCNN-3.")

# %%
gains = {row["region"]: row["after"] - row["before"] for row in rows}
print("largest gain:", max(gains, key=gains.get))
print("every region gains:", min(gains.values()) > 0)

# %% [markdown]
# ## Where it fails: a camera
#
# The noise of a camera is none of what (1) says. Photons arrive at random, so
# it grows with the light. A filter lets each pixel see one colour alone, and
# filling in the other two mixes the noise of neighbours. Then come a tone
# curve and JPEG.
#
# First we *simulate* a camera, as only then is there a truth to compare with.
# A clean photograph is made linear and becomes raw data with noise of variance
# $a\,x+b$; these are developed as simply as can be.

# %%
bayer = torch.zeros(3, 2, 2)
bayer[0, 0, 0] = bayer[1, 0, 1] = bayer[1, 1, 0] = bayer[2, 1, 1] = 1
cross = torch.tensor([[0.0, 1, 0], [1, 4, 1], [0, 1, 0]]) / 4
square = torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]]) / 4
bilinear = torch.stack([square, cross, square])[:, None]  # (3, 1, 3, 3)


# %%
def camera(x, a, b, seed=0):
    height, width = x.shape[-2:]
    seen = bayer.repeat(1, height // 2, width // 2)  # which pixel, which colour
    raw = (seen * x**2.2).sum(dim=1, keepdim=True)  # linear, one colour each
    shot = degrade.gaussian_noise(torch.zeros_like(raw), 255, seed)
    raw = raw + (a * raw + b).sqrt() * shot
    rgb = F.conv2d(seen * raw, bilinear, padding=1, groups=3)
    return rgb.clamp(0, 1) ** (1 / 2.2)


# %%
portrait = figures.crop(photos.photo("astronaut").picture, (130, 20, 192, 192))
still = metrics.luma(camera(portrait, a=0, b=0), rounded=True)  # without noise
snap = degrade.jpeg(camera(portrait, a=0.05, b=0.001), quality=90)
snap = metrics.luma(snap, rounded=True)
strength = 255 * (snap - still).std().item()

# %% [markdown]
# Beside it the same photograph with white noise of the same strength. The
# blind network has to find the strength in both.

# %%
white = degrade.gaussian_noise(still, strength, seed=0)
blind = zoo.load("dncnn-blind")
cleaned = {"white noise": (white, denoise(blind, white))}
cleaned["camera"] = (snap, denoise(blind, snap))

# %% tags=["nbval-ignore-output"]
rows = []
for name, (before, after) in cleaned.items():
    r = correlation(before - still)
    row = {"noise": name, "correlation of neighbours": r}
    row |= {"before": psnr(before, still), "after": psnr(after, still)}
    rows.append(row | {"gain": row["after"] - row["before"]})
figures.table(rows, caption=f"PSNR in dB; both have σ = {strength:.0f}.")

# %%
more = rows[0]["gain"] - rows[1]["gain"]
print("white noise: over 5 dB gained:", rows[0]["gain"] > 5)
print("the camera's: at least 2 dB less:", more > 2)

# %%
figures.zoom(
    {
        "camera": cleaned["camera"][0],
        "camera, denoised": cleaned["camera"][1].clamp(0, 1),
        "white, denoised": cleaned["white noise"][1].clamp(0, 1),
        "without noise": still,
    },
    (64, 70, 60, 60),
    alt="a face; blotches are left of the camera's noise, not of white noise",
)

# %% [markdown]
# The network has learned that noise is what is independent from pixel to
# pixel. Blotches of several pixels look like texture to it, and texture has to
# be kept. The training pairs would have to show what the camera does.
#
# And a real camera? In the bundle is a photograph by the Hubble telescope. The
# sky between its galaxies ought to be even; what varies there is noise. Nobody
# has this picture without noise, so there is no PSNR. We take the emptiest
# square, and measure the spread from the *median* deviation, which the few
# faint galaxies in it hardly change. Beside it an even square with white noise
# of the same spread.

# %%
stars = metrics.luma(photos.photo("stars").picture, rounded=True)
sky = figures.crop(stars, (112, 608, 64, 64))


def spread(picture):  # of a Gaussian: its standard deviation
    return 1.4826 * (picture - picture.median()).abs().median().item()


# %%
even = torch.full_like(sky, sky.median().item())
flat = degrade.gaussian_noise(even, 255 * spread(sky), seed=0)
skies = {"telescope": (sky, denoise(blind, sky))}
skies["white noise"] = (flat, denoise(blind, flat))

# %% tags=["nbval-ignore-output"]
rows = []
for name, (before, after) in skies.items():
    limit = 3 * spread(before)  # cuts the galaxies off
    r = correlation((before - before.median()).clamp(-limit, limit))
    row = {"noise": name, "correlation of neighbours": r}
    row |= {"spread": 255 * spread(before), "left": 255 * spread(after)}
    rows.append(row)
figures.table(rows, caption="An empty square of sky, in 8-bit levels.")

# %%
telescope, noise = rows
r = telescope["correlation of neighbours"]
print("its noise is correlated:", r > 0.1)
ratio = telescope["left"] / noise["left"]
print("at least half as much again is left of it:", ratio > 1.5)

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
# Such a picture is combined from many exposures, shifted against each other
# by parts of a pixel, and saved as a JPEG. So each pixel shares light, and
# noise, with its neighbours. Which step did how much, the file does not tell.
#
# ## Try your own photograph
#
# Put a path between the quotes. On Colab, `from google.colab import files;
# PATH = next(iter(files.upload()))` asks for a file. Your picture is taken as
# it is; the cat that stands in for it gets noise. The blind network takes each
# of the three colours on its own.

# %%
PATH = ""
cat = figures.crop(photos.photo("chelsea").picture, (136, 76, 88, 72))
mine = images.read(PATH) if PATH else degrade.gaussian_noise(cat, SIGMA, seed=3)
by_network = denoise(zoo.load("dncnn-blind"), mine, tile=256)

# %%
widgets.before_after(
    mine,
    by_network,
    labels=("noisy", "denoised"),
    alt="your photograph; as it stands, a cat's eye",
    factor=3,
)

# %% [markdown]
# ## Errata that can be run
#
# **The sizes of the training pictures.** Patches were to come from the
# pictures at 1, 0.9, 0.8 and 0.7 of their size. The released script resizes in
# its loop what it has resized before. The factors multiply, and fewer patches
# come out than the Python ports have.


# %%
def patches(scales):  # of 40×40 at stride 10, from 400 pictures of 180×180
    sides = [round(180 * scale) for scale in scales]
    return 400 * sum(((side - 40) // 10 + 1) ** 2 for side in sides)


# %%
meant = (1, 0.9, 0.8, 0.7)
ran = (1, 0.9, 0.9 * 0.8, 0.9 * 0.8 * 0.7)
for scales in (meant, ran):
    print([round(scale, 3) for scale in scales], f"{patches(scales):,}")

# %% [markdown]
# **The clip of $\gamma$.** The authors push small factors of batch
# normalisation *out*, to at least 0.025. A popular port holds them all *in*,
# at most 0.025. Both rules on the authors' random start, then the port's on
# trained weights.

# %%
gamma = math.sqrt(2 / (9 * 64)) * torch.randn(1000)
out = gamma.sign() * gamma.abs().clamp(min=0.025)
kept_in = gamma.clamp(-0.025, 0.025)
print(f"authors: the smallest size is {out.abs().min():.3f}")
print(f"port: the largest size is {kept_in.abs().max():.3f}")

# %%
port = zoo.load("dncnn-25")
for layer in port.layers:
    if isinstance(layer, nn.BatchNorm2d):
        layer.weight.data.clamp_(-0.025, 0.025)
lost = psnr(answers["shipped weights"], X) - psnr(denoise(port, Y), X)
print("the port's clip costs trained weights over 5 dB:", lost > 5)

# %% [markdown]
# Only *trained* weights suffer. A network that is trained under the port's clip
# makes up for small factors in the next convolution, and the port comes within
# 0.03 dB of the paper.
#
# ## Exercises
#
# Fill in what stands for `...` and run the check below it.

# %% [markdown] tags=["exercise"]
# **Exercise 1. How deep?** A stack of $3\times3$ convolutions is to see at
# least `window` × `window` pixels. How many layers does it need? BM3D sees 49,
# EPLL 36, WNNM 361.
#
# *Hint.* Solve (6) for $d$. What if the window is an even number?


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
# **Exercise 2. The rate of the paper.** The paper trains with the loss (7) by
# SGD with the rate 0.1 and the weight decay $10^{-4}$, which PyTorch adds to
# the gradient as decay times weight. You have `nn.MSELoss()`. Give the pair
# (rate, decay) that makes the same steps on patches of `side` × `side` pixels
# with `channels` channels.
#
# *Hint.* The mean loss is (7) divided by some $k$. What happens to a step, the
# rate times gradient plus decay times weight?


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
    because="a rate without its loss means nothing",
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
# **Exercise 4. How strong is what is taken away?** An ideal denoiser reaches
# `psnr` dB on noise of deviation `sigma`. What is the standard deviation of
# its $\mathcal R(y)$, in levels?
#
# *Hint.* Equation (10). PSNR gives what is left.


# %% tags=["stub"]
def taken_away(sigma, psnr):
    return ...


# %% tags=["solution"]
def taken_away(sigma, psnr):
    left = 255**2 * 10 ** (-psnr / 10)  # the mean squared error
    return math.sqrt(sigma**2 - left)


# %% tags=["wrong"]
def taken_away(sigma, psnr):
    return sigma - 255 * 10 ** (-psnr / 20)


# %% tags=["check"]
# A case that can be computed: x normal with deviation 50, y = x + v. Then the
# conditional mean is x̂ = 0.8 y, and R(y) = 0.2 y.
signal = 50 * torch.randn(2_000_000).double()
seen = signal + 25 * torch.randn_like(signal)
left = (0.8 * seen - signal).square().mean().item()
reached = 10 * math.log10(255**2 / left)
check(
    taken_away(25, reached),
    (0.2 * seen).std().item(),
    because="at the paper's 29.23 dB it is 23.4 of 25",
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
# too. Equation (9) has none. Write the bias of the merged convolution for
# `conv` with a bias and `norm` in use.
#
# *Hint.* Write out $BN(W*h+b)$ with (8). Where does $b$ stand?


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
        (beta - factor * mean, "that is equation (9), which has no bias"),
        (factor * (b - mean), "β is added at the end"),
        (beta + without_gamma, "γ scales the bias too"),
    ],
    tolerance=1e-4,
)

# %% [markdown]
# The solutions are in [a notebook of their own](solutions/07-dncnn.ipynb).
#
# ## What we left out, and errata
#
# - The paper's own training, 50 epochs of SGD, is the budget `paper` of the
#   recipes. The text trains by SGD, the released program by Adam.
# - Why one gradient step of an older method, TNRD, is a residual network, and
#   the proof of Tweedie's formula: on the
#   [page of the lecture](../lectures/07-dncnn.md), with all of the paper's
#   tables and eleven errata.
# - Networks that are told the noise level as an input (FFDNet), and training
#   on real pairs (CBDNet and its successors).
# - The released colour networks for one level have 20 layers, not 17. The
#   slide's loss does not say that $N$ counts patches, nor the slide that PSNR
#   is taken after clipping and rounding.
#
# ## References
#
# - K. Zhang, W. Zuo, Y. Chen, D. Meng, L. Zhang: Beyond a Gaussian Denoiser:
#   Residual Learning of Deep CNN for Image Denoising. IEEE TIP 26(7), 2017.
# - S. Ioffe, C. Szegedy: Batch Normalization. ICML 2015.
# - K. Dabov, A. Foi, V. Katkovnik, K. Egiazarian: Image Denoising by Sparse
#   3-D Transform-Domain Collaborative Filtering. IEEE TIP 16(8), 2007.
# - A. Buades, B. Coll, J.-M. Morel: A Non-Local Algorithm for Image Denoising.
#   CVPR 2005.
# - C. Tomasi, R. Manduchi: Bilateral Filtering for Gray and Color Images. ICCV
#   1998.
# - S. G. Chang, B. Yu, M. Vetterli: Adaptive Wavelet Thresholding for Image
#   Denoising and Compression. IEEE TIP 9(9), 2000.
# - P. Vincent: A Connection Between Score Matching and Denoising Autoencoders.
#   Neural Computation 23(7), 2011.
