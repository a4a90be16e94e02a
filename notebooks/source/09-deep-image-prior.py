# %% [markdown]
# # 9 · Deep Image Prior: a network that has seen nothing
#
# About 45 seconds of computing on two CPU cores. With a GPU the live parts run
# at the paper's width and on larger pictures: some minutes. To read and run: 40
# minutes; the exercises: 30 more.
#
# The paper is D. Ulyanov, A. Vedaldi, V. Lempitsky, *Deep Image Prior*,
# CVPR 2018. The [page of this lecture](../lectures/09-deep-image-prior.md)
# derives its equations; here we check them, build the network, fit it to one
# damaged picture and stop in time. Equations have the numbers of the page.
# Afterwards you can
#
# - write restoration as a data term plus a prior, and minimise it;
# - build the hourglass, and write the loop that makes it a prior;
# - show that a network finds noise harder to fit than a picture;
# - choose when to stop without looking at the truth.
#
# You need to have seen gradient descent on a network before, [lecture
# 1](01-srcnn.ipynb) for PSNR in decibels and bicubic enlarging, and [lecture
# 7](07-dncnn.ipynb) for noise. The letters are those of [the notation
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

import torch
import torch.nn.functional as F
from torch import nn

from imtrans import degrade, figures, images, metrics, prior, resize
from imtrans.data import photos
from imtrans.exercises import check, claim
from imtrans.models.deep_image_prior import Hourglass

# %% [markdown]
# The next cell holds what you may want to change: the seed, the width of the
# network and the size of the picture. Nothing is trained for later use, so
# there are no checkpoints.

# %% tags=["ground"]
torch.manual_seed(0)
GPU = torch.cuda.is_available()
BUDGET = os.environ.get("IMTRANS_BUDGET", "class" if GPU else "quick")
QUICK = BUDGET == "quick"
DEVICE = "cpu" if QUICK or not GPU else "cuda"
WIDTHS = (32, 32, 32, 32) if QUICK else (128,) * 5  # the paper: five of 128
print("budget:", BUDGET)

# %% [markdown]
# ## The problem
#
# A picture $x$ was observed as $x_0$: with noise, at low resolution, with
# holes. We look for a picture that explains the observation and is plausible,
#
# $$
# x^*=\arg\min_x\;E(x;x_0)+R(x), \qquad (3)
# $$
#
# with the data term $E(x;x_0)=\lVert d(x)-x_0\rVert^2$. Here is the picture of
# this notebook, with noise that is not clipped, of $\sigma=25$ on the scale
# 0…255:

# %% tags=["ground"]
SIDE = 64 if QUICK else 128
small = resize.imresize(photos.photo("astronaut").picture, SIDE / 256)
corner = (22 * SIDE // 64, 2 * SIDE // 64)  # left, top
truth = images.crop(small.clamp(0, 1), (*corner, SIDE, SIDE))
noisy = degrade.gaussian_noise(truth, sigma=25, seed=0)
print(tuple(truth.shape))


# %% tags=["ground"]
def decibels(picture, reference=truth):
    return metrics.psnr(picture.clamp(0, 1), reference).item()


# %%
FACTOR = 256 // SIDE
figures.strip(
    {"x, the truth": truth, f"x0, {decibels(noisy):.1f} dB": noisy},
    alt="an astronaut's face and collar",
    factor=FACTOR,
)

# %% [markdown]
# ## A prior by hand: total variation
#
# $$
# TV(x)=\sum_{i,j}|x_{i,j+1}-x_{i,j}|+|x_{i+1,j}-x_{i,j}| \quad (6)
# $$


# %% tags=["ground"]
def total_variation(x):
    across = x.diff(dim=-1).abs().sum()
    return across + x.diff(dim=-2).abs().sum()


# %% [markdown]
# A step and a ramp of the same height cost the same; by squares the ramp would
# be cheaper.

# %%
edge = torch.tensor([0.0, 0, 0, 1, 1, 1]).view(1, 1, 1, 6)
ramp = torch.linspace(0, 1, 6).view(1, 1, 1, 6)
for name, row in {"edge": edge, "ramp": ramp}.items():
    squares = row.diff(dim=-1).square().sum()
    print(f"{name}: TV {total_variation(row):.1f}, squares {squares:.1f}")

# %% [markdown]
# Where two neighbours are equal it has no derivative, but a subgradient made of
# signs: a pixel is pulled by $\pm1$ towards each of its neighbours.

# %%
row = torch.rand(1, 1, 1, 7).requires_grad_()
by_autograd = torch.autograd.grad(total_variation(row), row)[0]
signs = row.detach().diff(dim=-1).sign()
by_hand = F.pad(signs, (1, 0)) - F.pad(signs, (0, 1))
print("the subgradient holds:", torch.equal(by_autograd, by_hand))

# %% [markdown]
# Now (3) with $R=\tau\,TV$. The unknowns are the pixels themselves, and this is
# the whole method:


# %%
def by_total_variation(x0, tau, steps=100):
    x = x0.clone().requires_grad_()
    adam = torch.optim.Adam([x], lr=0.01)
    for _ in range(steps):
        adam.zero_grad()
        energy = (x - x0).square().sum() + tau * total_variation(x)
        energy.backward()
        adam.step()
    return x.detach()


# %% [markdown]
# Move the slider. If the notebook is running, each $\tau$ is computed afresh;
# on the static page only six stored values are shown. A small $\tau$ leaves
# noise, a large one makes flat patches: that is what this prior thinks a
# picture is.

# %%
from imtrans import widgets


# %%
def smoothed(tau):
    picture = by_total_variation(noisy, tau)
    alt = f"the astronaut by total variation, τ = {tau:g}"
    return figures.strip({"x*": picture}, alt=alt, factor=FACTOR)


# %%
widgets.slider(
    smoothed,
    [0.0, 0.05, 0.1, 0.2, 0.4, 0.8],
    label="τ",
    alt="the astronaut, noisy at first, then cleaner, at last in flat patches",
    start=0.1,
)

# %%
tv = by_total_variation(noisy, 0.1)
gained = decibels(tv) - decibels(noisy)
claim("total variation gains more than 4 dB", gained, above=4)

# %% [markdown]
# This $\tau$ was chosen with the truth at hand, so it is a generous baseline.
#
# ## A prior from an architecture
#
# Let a network be the prior, and do not train it: allow the pictures that
# $f_\theta$ can make of a fixed $z$, and no others,
#
# $$
# R(x)=\begin{cases}0 & x=f_\theta(z)\text{ for some }\theta\\
# +\infty & \text{else.}\end{cases} \qquad (7)
# $$
#
# An infinite penalty is never paid, so (3) becomes a search for weights:
#
# $$
# \begin{aligned}
# \theta^*&=\arg\min_\theta\;\lVert d(f_\theta(z))-x_0\rVert^2\\
# x^*&=f_{\theta^*}(z).
# \end{aligned} \qquad (9)
# $$
#
# ## The network
#
# An hourglass. At each level a thin *skip* of $1\times1$ leads past all that
# lies deeper. Every convolution is followed by batch normalisation over the one
# picture there is, and by a leaky ReLU.


# %%
def unit(before, after, kernel, stride=1):
    conv = nn.Conv2d(
        *(before, after, kernel, stride, kernel // 2), padding_mode="reflect"
    )
    norm = nn.BatchNorm2d(after, track_running_stats=False)
    return nn.Sequential(conv, norm, nn.LeakyReLU(0.2))


# %%
class Scale(nn.Module):
    def __init__(self, before, width, skip, inner=None):
        super().__init__()
        self.skip = unit(before, skip, 1)
        down = unit(before, width, 3, stride=2), unit(width, width, 3)
        self.down = nn.Sequential(*down)
        self.inner = inner or nn.Identity()
        self.norm = nn.BatchNorm2d(skip + width, track_running_stats=False)
        up = unit(skip + width, width, 3), unit(width, width, 1)
        self.up = nn.Sequential(*up)

    def forward(self, x):  # (N, before, H, W) -> (N, width, H, W)
        deep = self.inner(self.down(x))  # (N, width, H/2, W/2)
        deep = F.interpolate(deep, scale_factor=2, mode="bilinear")
        return self.up(self.norm(torch.cat([self.skip(x), deep], dim=1)))


# %% [markdown]
# Three levels inside one another, a last $1\times1$ convolution to RGB, and a
# sigmoid. `Hourglass` is the same network with the same parameters.

# %%
body = Scale(8, 16, 4, Scale(16, 16, 4, Scale(16, 16, 4)))
network = nn.Sequential(body, nn.Conv2d(16, 3, 1), nn.Sigmoid())
ours = Hourglass(8, 3, down=(16,) * 3, up=(16,) * 3, skip=4)
weights = network.state_dict().values()
ours.load_state_dict(dict(zip(ours.state_dict(), weights, strict=True)))

# %%
some = torch.rand(1, 8, 32, 48)
with torch.no_grad():
    print("same output:", torch.equal(network(some), ours(some)))
print(sum(p.numel() for p in ours.parameters()), "parameters each")

# %% [markdown]
# The paper's has five levels of 128, and other settings for each task.
# `prior.settings` has one function per task:

# %%
TASKS = {
    "denoising": prior.settings.denoising(),
    "super-resolution": prior.settings.super_resolution(4),
    "text": prior.settings.inpainting(),
    "hole": prior.settings.hole_filling(),
    "large hole": prior.settings.large_hole(),
    "JPEG": prior.settings.jpeg_cleanup(),
    "flash": prior.settings.flash(),
}

# %%
for task, s in TASKS.items():
    count = sum(p.numel() for p in s.network().parameters())
    print(f"{task}: {count:,} parameters, {s.iterations:,} iterations")

# %%
count = sum(p.numel() for p in Hourglass().parameters())
print(f"{count / (512 * 512 * 3):.1f} parameters per number of 512×512")

# %% [markdown]
# Counting proves nothing for a network that is not linear. The fit to a noisy
# picture below shows more: its loss falls below $\sigma^2=(25/255)^2$, so noise
# has been drawn, and (7) alone does not forbid noisy pictures.
#
# ## The loop
#
# What saves (9) is the way there, and that we do not walk it to its end. The
# way is a plain training loop with one picture, the observation. The input $z$
# is a stack of 32 maps of $\mathcal U(0,0.1)$:

# %% tags=["ground"]
bare = replace(prior.settings.denoising().narrow(*WIDTHS), input_noise=0)
quietly = {"progress": False, "device": DEVICE}

# %%
torch.manual_seed(0)
network = bare.network()
z = 0.1 * torch.rand(1, 32, SIDE, SIDE)
adam = torch.optim.Adam(network.parameters(), lr=0.01)

# %%
by_hand = []
for _ in range(4):
    loss = F.mse_loss(network(z), noisy)
    by_hand.append(loss.item())
    adam.zero_grad()
    loss.backward()
    adam.step()

# %% [markdown]
# `prior.iterate` is this loop with a data term, a mean of the outputs, and a
# way back when the loss jumps; `prior.restore` runs it.

# %%
run = prior.restore(noisy, bare, iterations=4, progress=False)
pairs = zip(by_hand, run.losses, strict=True)
close = [math.isclose(*pair, rel_tol=1e-3) for pair in pairs]
print("the first four losses agree:", all(close))

# %% [markdown]
# In most settings each iteration also adds fresh noise to $z$, (20), a little
# more than $z$ has by itself:

# %%
added = prior.settings.denoising().input_noise
print(f"z: {z.std():.4f}, expected {0.1 / math.sqrt(12):.4f}")
print(f"added each time: {added:.4f}")

# %% [markdown]
# ## Three data terms
#
# One line of the loop changes from task to task. Noise: (10). Low resolution:
# (9), with a $d$ that gradients can pass, `degrade.lanczos_down`. Missing
# pixels:
#
# $$
# E(x;x_0)=\lVert(x-x_0)\odot m\rVert^2. \qquad (11)
# $$
#
# The gradient of one low-resolution pixel is the kernel that made it, (12):

# %%
canvas = torch.zeros(1, 1, 32, 32, requires_grad=True)
pixel = degrade.lanczos_down(canvas, 4)[0, 0, 3, 3]
kernel = torch.autograd.grad(pixel, canvas)[0][0, 0]  # (32, 32)
middle = kernel.sum(dim=0)[6:22]  # 16 taps
print(f"sum {kernel.sum():.4f}, taps {(middle != 0).sum()}")

# %% [markdown]
# Gradient descent needs the adjoint $d^\top$, with $\langle
# d(x),y\rangle=\langle x,d^\top y\rangle$. Autograd computes it.

# %%
x, y = torch.rand(1, 1, 32, 32), torch.rand(1, 1, 8, 8)
probe = torch.rand(1, 1, 32, 32, requires_grad=True)
pulled = (degrade.lanczos_down(probe, 4) * y).sum()
back = torch.autograd.grad(pulled, probe)[0]  # the adjoint of d at y
left, right = (degrade.lanczos_down(x, 4) * y).sum(), (x * back).sum()
print("adjoint:", torch.allclose(left, right, rtol=1e-5))

# %% [markdown]
# What does $E$ not see? Fifteen of sixteen dimensions of $x$. A chessboard, for
# one, disappears. Only in the corners, where the edge is repeated, something is
# left of it; so two pixels on each side are left out here.

# %%
i = torch.arange(32)
chess = (1 - 2 * ((i[:, None] + i) % 2)).float()[None, None]  # ±1
seen = degrade.lanczos_down(chess, 4)[..., 2:-2, 2:-2]
print("chessboard seen by d:", seen.abs().max().item() > 1e-5)

# %% [markdown]
# With a mask it is plainer still: no gradient comes from a hidden pixel. But
# after one step on the weights hidden pixels have moved too.

# %%
half = degrade.pixel_mask(32, 48, keep=0.5, seed=0)
step = torch.optim.SGD(ours.parameters(), lr=0.01)
output = ours(some)
energy = ((output - 0.5) * half).square().sum()
pull = torch.autograd.grad(energy, output, retain_graph=True)[0]
print("pull on hidden pixels:", (pull * (1 - half)).abs().max().item())

# %%
energy.backward()
step.step()
moved = ((ours(some) - output) * (1 - half)).abs().max().item()
claim("hidden pixels moved all the same", moved, above=1e-3)

# %% [markdown]
# **Halfway.** The problem is written down, the network is built. What follows
# fits it: to noise, to a photograph, and past the right moment.
#
# ## Noise is harder to fit
#
# "The network has a harder time overfitting noise than overfitting to natural
# images." Four targets: a picture, the same with noise, the same pixels in
# disorder, and noise alone, uniform on $[0,1]$. Nothing is added to $z$: what
# resists is the network.

# %%
order = torch.randperm(SIDE * SIDE)
targets = {
    "picture": truth,
    "picture + noise": noisy,
    "shuffled": truth.flatten(2)[..., order].reshape(truth.shape),
    "noise": torch.rand(truth.shape),
}

# %%
figures.strip(
    {"shuffled": targets["shuffled"]},
    alt="the astronaut's pixels in disorder, which looks like coloured noise",
    factor=FACTOR // 2,
)

# %%
EARLY = 40
losses = {
    name: prior.restore(target, bare, iterations=EARLY, **quietly).losses
    for name, target in targets.items()
}

# %%
figures.curves(
    range(1, EARLY + 1),
    losses,
    xlabel="iteration",
    ylabel="mean squared error",
    alt="Four losses: the two of pictures fall at once, the others slowly.",
)


# %%
def share(name):
    """How much of a target is not fitted yet, of its variance."""
    late = losses[name][-10:]
    return sum(late) / len(late) / targets[name].var().item()


# %%
claim("less than a third of the picture is left", share("picture"), below=1 / 3)
claim("over half of the shuffled one is left", share("shuffled"), above=0.5)

# %% [markdown]
# What the network likes about a picture is which pixels are neighbours. Shared
# weights alone would not see that: to $1\times1$ kernels on a random $z$ the
# shuffled picture is as easy as the other. It takes kernels that overlap, and
# an enlargement that smooths. [The
# page](../lectures/09-deep-image-prior.md) has the four curves at the paper's
# width.
#
# Not every clean photograph is easy to fit. Grass is a photograph too, but what
# makes it grass is as irregular as noise; the prior takes it for that.

# %%
grass = images.crop(photos.photo("grass").picture, (0, 0, SIDE, SIDE))
targets["grass"] = grass
fit = prior.restore(grass, bare, iterations=EARLY, **quietly)
losses["grass"] = fit.losses
more = share("grass") / share("picture")
claim("twice as much is left of the grass as of the face", more, above=2)

# %% [markdown]
# ## A photograph restored
#
# The second curve above, continued. The picture to keep will be a mean of
# outputs, (21), and a rule, explained below, chooses the iteration. It could
# end the run as well; here the run is continued, to see what comes after. Only
# `track` looks at the truth, and nothing is decided by it. The run is shorter
# than those of the page's recipe, and so are the memories of the mean (0.98 in
# place of 0.99) and of the rule (1/0.05 iterations in place of 1/0.02).

# %%
LENGTH = 300 if QUICK else 1500
KEPT = (5, 20, 50, 150, LENGTH)
frames, track = {}, {}
rule = prior.LeastVariance(alpha=0.05, warmup=40, patience=LENGTH)


# %%
def watch(state):
    live(state.iteration, state.loss)
    both = decibels(state.output), decibels(state.average)
    track[state.iteration] = both
    if state.iteration in KEPT:
        frames[f"iteration {state.iteration}"] = state.output


# %%
falls = "The loss of the noisy picture: steep, then slower, with some jumps."
live = figures.LiveCurve(LENGTH, alt=falls, updates=3)
how = {"iterations": LENGTH, "decay": 0.98, **quietly}
run = prior.restore(noisy, bare, stop=rule, on_step=watch, **how)

# %% [markdown]
# But for some jumps the loss falls and falls. It says that $f_\theta(z)$ comes
# closer to the *noisy* picture. Closer to the truth it comes only for a while:

# %%
outputs, averages = zip(*track.values(), strict=True)
figures.curves(
    list(track)[::5],
    {
        "output": outputs[::5],
        "mean of outputs": averages[::5],
        "total variation": [decibels(tv)] * len(outputs[::5]),
    },
    xlabel="iteration",
    ylabel="PSNR in dB",
    alt="PSNR of the output rises, peaks and falls; that of the mean follows.",
)

# %% [markdown]
# Each run is chaotic: another processor, another seed or a change in the last
# digit gives another picture, and a PSNR that differs by some tenths of a
# decibel. What holds everywhere is coarse:

# %%
gained = decibels(run.picture) - decibels(noisy)
claim("the picture chosen gains more than 4 dB", gained, above=4)
lost = max(outputs) - sum(outputs[-20:]) / 20
claim("the output's best is better than its end", lost, above=0)

# %% [markdown]
# Move through the iterations: colours, then shapes and edges, and last of all
# the noise.

# %%
widgets.frames(
    list(frames.values()),
    labels=list(frames),
    alt="the astronaut as the network draws her at this iteration",
    factor=FACTOR,
)

# %% tags=["nbval-ignore-output"]
compared = {"total variation": tv, "deep prior": run.picture}
figures.strip(
    {f"{name}, {decibels(x):.1f} dB": x for name, x in compared.items()},
    alt="the astronaut restored",
    factor=FACTOR,
)

# %% [markdown]
# ## When to stop
#
# **The least variance.** The idea: outputs change while structure is fitted,
# and again when noise is; in between they are calm. `prior.LeastVariance`
# follows the moving variance of the outputs,
#
# $$
# \begin{aligned}
# \mu_t&=(1-\alpha)\,\mu_{t-1}+\alpha\,x_t\\
# V_t&=(1-\alpha)\,(V_{t-1}+\alpha\lVert x_t-\mu_{t-1}\rVert^2),
# \end{aligned} \qquad (24)
# $$
#
# and takes the iteration where it is smallest. In our run:

# %%
chart, ax = figures.canvas(height=2.6)
ax.plot(range(2, len(rule.variances) + 1), rule.variances[1:])
ax.axvline(rule.best, color=figures.INK, linewidth=1.2, linestyle="--")
ax.set(xlabel="iteration", ylabel="moving variance", yscale="log")
figures.show(
    chart,
    alt="The moving variance of our run; a dashed line marks its minimum.",
)

# %% [markdown]
# The variance falls while structure is fitted. Its sudden rises are not noise
# being drawn, they are the jumps of the loss above (`prior.iterate` goes back
# only where the loss has tripled). In the stored run the minimum lies just
# before one of them, with minima nearly as low before others. So the run shows
# how the rule works, and is no evidence for it; nine longer ones follow.
#
# A recursion without a sum over the past: is it a variance? Yes, that of all
# outputs so far, weighted as in the mean; checked on fifty random ones.

# %%
made = torch.rand(50, 1, 1, 1, 6)  # fifty outputs of six pixels
counter = prior.LeastVariance(alpha=0.1)
for n, x in enumerate(made, start=1):
    counter.update(n, x, loss=0.0)

# %%
w = 0.1 * 0.9 ** torch.arange(49.0, -1, -1)
w[0] = 0.9**49  # the first output is where the mean starts
w = w.view(50, 1, 1, 1, 1)
variance = (w * (made - (w * made).sum(dim=0)).square()).sum(dim=0).mean()
print(f"weights sum to {w.sum():.4f}; variance:", end=" ")
print(math.isclose(variance, counter.variances[-1], rel_tol=1e-4))

# %% [markdown]
# **The discrepancy.** Where the noise level is known: stop as soon as the loss
# has come down to $\sigma^2$, (23). It holds for noise that was not clipped.
# Clipped to $[0,1]$ like a file, it is weaker, and the rule would stop too
# early:

# %%
clipped = noisy.clamp(0, 1)
for name, x in {"as it is": noisy, "clipped": clipped}.items():
    level = 255 * (x - truth).square().mean().sqrt()
    print(f"{name}: the noise has σ = {level:.1f}")

# %% [markdown]
# ### Three photographs, three seeds
#
# How far are the rules from the best? One short run cannot say. Nine longer
# runs were stored, of the paper's five levels at width 64, with noise on $z$:
# by how many decibels is the picture that a rule chose below the best one?

# %%
from imtrans import experiments

runs = experiments.rows("prior-stopping")
for name in ("variance", "variance_100", "variance_300", "discrepancy", "last"):
    below = [r["best"] - r[name] for r in runs]
    close = sum(b <= 0.5 for b in below)
    print(f"{name}: within 0.5 dB in {close} of {len(runs)},", end=" ")
    mean = sum(below) / len(below)
    print(f"{mean:.2f} dB below the best on average, {max(below):.2f} at most")

# %%
gained = min(r["best"] - r["best_output"] for r in runs)
print(f"the mean beats the best single output by {gained:.2f} dB or more")

# %% [markdown]
# The rows `variance_100` and `variance_300` have another patience than 150,
# three times $1/0.02$, which was set with these runs in view; 100 would have
# been better here. [The page](../lectures/09-deep-image-prior.md) says how much
# hangs on it, and shows the nine curves.
#
# Equal seeds, on one CPU, give equal pictures to the last bit. On a GPU sums
# may come in another order each time.

# %%
short = {"iterations": 8, **quietly}
first, again, other = (
    prior.restore(noisy, bare, seed=seed, **short).picture for seed in (0, 0, 1)
)
print("equal seeds, equal pictures:", torch.equal(first, again))
print("another seed, the same picture:", torch.equal(first, other))

# %% [markdown]
# ## What the noise on z does to the speed
#
# One setting of the paper, tried live: nothing was added to $z$ above. Now with
# the paper's noise on it, half as long.

# %%
again = []


def follow(state):
    del again[state.iteration - 1 :]  # after a collapse some come again
    again.append(decibels(state.average))


noisier = replace(bare, input_noise=prior.settings.denoising().input_noise)
how |= {"iterations": LENGTH // 2}
_ = prior.restore(noisy, noisier, on_step=follow, **how)

# %%
figures.curves(
    range(1, LENGTH // 2 + 1, 5),
    {"without": averages[: LENGTH // 2 : 5], "with noise on z": again[::5]},
    xlabel="iteration",
    ylabel="PSNR of the mean, in dB",
    alt="With noise on z the PSNR of the mean rises more slowly than without.",
)

# %%
behind = averages[99] - again[99]
claim("after 100 iterations the noisy input is behind", behind, above=0)

# %% [markdown]
# The noise on $z$ slowed this fit, one short run to one noisy target. Its
# jitter goes away in the mean. Whether the peak is also higher, it cannot say.
#
# ## Text, a hole, ×4
#
# Longer runs, at the paper's widths on small pictures, stored; their numbers
# are on the page. **Text.** The slides' first row; the third picture is a
# classical method, the smoothest surface (biharmonic) through what is known.


# %%
def part(name, corner, side=128):
    halved = resize.imresize(photos.photo(name).picture, 0.5)
    return images.crop(halved.clamp(0, 1), (*corner, side, side))


# %%
from skimage.restoration import inpaint_biharmonic

original = images.crop(part("astronaut", (50, 4)), (24, 20, 64, 64))
letters = experiments.picture("prior-text-mask.png")[..., 20:84, 24:88]
pixels = (original * letters)[0].permute(1, 2, 0).numpy()
smooth = inpaint_biharmonic(pixels, letters[0, 0].numpy() == 0, channel_axis=-1)

# %%
filled = experiments.picture("prior-text.png")[..., 20:84, 24:88]
figures.strip(
    {
        "original": original,
        "corrupted": original * letters,
        "biharmonic": torch.from_numpy(smooth).float().permute(2, 0, 1)[None],
        "deep prior": filled,
    },
    alt="the astronaut's face; in the second, black letters lie over it",
    factor=3,
)

# %% [markdown]
# **×4.** The slides' second row: truth, a trained network, bicubic, deep prior.
# The trained one is VDSR of our zoo.

# %%
from imtrans import zoo
from imtrans.restore import super_resolve

cat = part("chelsea", (30, 12))
low_res = images.to_float(images.to_uint8(degrade.bicubic_down(cat, 4)))
trained = super_resolve(zoo.load("vdsr"), low_res, 4)

# %%
figures.zoom(
    {
        "truth": cat,
        "VDSR, trained": trained,
        "bicubic, not trained": resize.imresize(low_res, 4),
        "deep prior, not trained": experiments.picture("prior-x4-chelsea.png"),
    },
    (22, 22, 60, 56),
    alt="a cat's eye, four times enlarged",
    factor=4,
)

# %% [markdown]
# **A large hole.** Here the paper has no skips: what comes over a skip has not
# been through the deep levels, and these alone see both sides of the hole. One
# run each way:

# %%
cup = images.crop(part("coffee", (50, 20), 160), (32, 27, 96, 96))
holed = cup.clone()
holed[..., 28:68, 28:68] = 0
figures.zoom(
    {
        "original": cup,
        "a hole": holed,
        "without skips": experiments.picture("prior-hole.png"),
        "with skips": experiments.picture("prior-hole-skips.png"),
    },
    (16, 16, 64, 64),
    alt="the near rim of a cup of coffee",
    factor=3,
)

# %% [markdown]
# It knows no cups. Without skips the hole is filled with more of its
# surroundings, by smoothness and repetition; with skips, with dark clutter.
#
# ## Try your own photograph
#
# Put a path between the quotes. Half of its pixels are thrown away and filled
# in. As it stands it takes a small part of the cat; for yours, more
# `iterations` are worth the time. The command line does the same for whole
# photographs: `imtrans prior`.

# %%
PATH = ""
LARGEST = 64  # pixels per side; the time grows with its square
mine = images.read(PATH) if PATH else part("chelsea", (30, 12), 128)
shrink = min(1.0, LARGEST / min(mine.shape[-2:]))
mine = resize.imresize(mine[:, :3], shrink).clamp(0, 1)
mine = mine[..., :LARGEST, :LARGEST]

# %%
known = degrade.pixel_mask(*mine.shape[-2:], keep=0.5, seed=0)
filled = prior.restore(
    mine * known, bare, mask=known, decay=0.9, iterations=60, **quietly
).picture

# %% tags=["nbval-ignore-output"]
figures.strip(
    {"half the pixels": mine * known, "filled": filled},
    alt="your photograph; as it stands, a cat's face",
    factor=3,
)

# %% [markdown]
# ## A backup that is none
#
# When the loss jumps up, the authors' denoising notebook goes back to weights
# that it kept as `x.detach().cpu()`. On a GPU that is a copy. On a CPU `.cpu()`
# has nothing to do, and what is kept are the weights themselves.

# %%
layer = nn.Linear(3, 1)
kept = [p.detach().cpu() for p in layer.parameters()]
cloned = [p.detach().clone() for p in layer.parameters()]
with torch.no_grad():
    for p in layer.parameters():
        p += 1  # a step of training


# %%
def moved_with(backup):
    both = zip(backup, layer.parameters(), strict=True)
    return all(torch.equal(old, new) for old, new in both)


# %%
print("detach().cpu() moved with the weights:", moved_with(kept))
print("clone() moved with the weights:", moved_with(cloned))

# %% [markdown]
# ## Exercises
#
# Fill in what stands for `...` and run the check below it.

# %% [markdown] tags=["exercise"]
# **Exercise 1. A square.** A picture is 0 but for one square of $n\times n$
# pixels, inside of it, with the value $h>0$. What is its total variation (6)?
# And why does this prior take away small things first?
#
# *Hint.* Count the pairs of neighbours that differ.


# %% tags=["stub"]
def variation_of_square(n, h):
    return ...


# %% tags=["solution"]
def variation_of_square(n, h):
    # n pairs on each of four sides, each a step of h: edge length times height.
    # A small square has much edge for its area: smoothing it costs little E.
    return 4 * n * h


# %% tags=["wrong"]
def variation_of_square(n, h):
    return n * n * h


# %% tags=["check"]
board = torch.zeros(1, 1, 12, 12)
board[..., 3:8, 4:9] = 0.3
check(
    variation_of_square(5, 0.3),
    total_variation(board).item(),
    because="total variation is the length of edges times their height",
    mistakes=[
        (7.5, "inside of the square neighbours are equal: edges count"),
        (1.5, "a square has four sides"),
        (3.0, "a square has four sides, not two"),
        (20.0, "a step of h costs h"),
    ],
)

# %% [markdown] tags=["exercise"]
# **Exercise 2. The weights of a level.** Count the parameters of our class
# `Scale` with `before` channels coming in, `width` channels down, up and from
# inside, and a skip of `skip` channels.
#
# *Hint.* Each convolution has a bias. Each normalisation has two numbers
# per channel. There are five convolutions and six normalisations.


# %% tags=["stub"]
def level_parameters(before, width, skip):
    return ...


# %% tags=["solution"]
def level_parameters(before, width, skip):
    convolutions = before * skip + skip  # 1×1
    convolutions += 9 * before * width + width  # down, stride 2
    convolutions += 9 * width * width + width
    convolutions += 9 * (skip + width) * width + width  # up
    convolutions += width * width + width  # 1×1
    norms = 2 * (skip + 2 * width + (skip + width) + 2 * width)
    return convolutions + norms


# %% tags=["wrong"]
def level_parameters(before, width, skip):
    total = before * skip + skip + 9 * before * width + width
    total += 9 * width * width + width
    total += 9 * (skip + width) * width + width
    return total + width * width + width


# %% tags=["check"]
level = Hourglass(32, 3, down=(128,), up=(128,), skip=4).body
parameters = list(level.parameters())
check(
    level_parameters(32, 128, 4),
    sum(p.numel() for p in parameters),
    because="with four levels from 128 and the head it is 2,217,831",
    mistakes=[(354_708 - 1296, "the normalisations have parameters too")],
)

# %% [markdown] tags=["exercise"]
# **Exercise 3. How long a mean remembers.** In (21) the output of $k$
# iterations ago has the weight $(1-\beta)\beta^k$. After how many iterations
# do all later outputs together outweigh what was there before, that is, when
# has the old mean's weight come down to one half?
#
# *Hint.* What was there before has the weight $\beta^n$ after $n$ iterations.


# %% tags=["stub"]
def half_life(beta):
    return ...


# %% tags=["solution"]
def half_life(beta):
    return math.log(0.5) / math.log(beta)


# %% tags=["wrong"]
def half_life(beta):
    return 1 / (1 - beta)


# %% tags=["check"]
check(
    half_life(0.99),
    -math.log(2) / math.log1p(-0.01),
    because="the mean of β = 0.99 lags behind: too slow for a short run",
    mistakes=[
        (1 / (1 - 0.99), "that is about how old an output is on average"),
        (0.99**0.5, "solve for the exponent"),
    ],
)

# %% [markdown] tags=["exercise"]
# **Exercise 4. Letters in the data term.** Write $E$ of (11), the sum of
# squares. In `x0` the missing pixels hold something, the
# letters for instance; it must not matter what.
#
# *Hint.* What has to be multiplied by the mask?


# %% tags=["stub"]
def data_term(output, x0, known):
    return ...


# %% tags=["solution"]
def data_term(output, x0, known):
    return ((output - x0) * known).square().sum()


# %% tags=["wrong"]
def data_term(output, x0, known):
    return (output * known - x0).square().sum()


# %% tags=["check"]
a, b = torch.full((1, 3, 4, 4), 0.25), torch.full((1, 3, 4, 4), 0.75)
m = torch.ones(1, 1, 4, 4)
m[..., 0, :] = 0  # a line of letters
check(
    data_term(a, b, m),
    0.25 * 3 * 12,
    because="no gradient comes from what is hidden",
    mistakes=[
        (0.25 * 3 * 16, "what lies under the mask still counts"),
        (9.75, "x₀ is hidden there, and the output still counts"),
        (15.75, "the output is hidden there, and x₀ still counts"),
        (0.25 * 12, "there are three channels"),
    ],
)

# %% [markdown] tags=["exercise"]
# **Exercise 5. The discrepancy with holes.** A share `keep` of the pixels is
# known, and these carry noise of `sigma` 8-bit levels. `prior.iterate`
# computes the mean of $((f_\theta(z)-x_0)\odot m)^2$ over *all* pixels, the
# missing ones count as zero. Which loss would the truth have? (Pictures lie in
# $[0,1]$.)
#
# *Hint.* First for `keep = 1`: equation (23).


# %% tags=["stub"]
def loss_of_truth(sigma, keep):
    return ...


# %% tags=["solution"]
def loss_of_truth(sigma, keep):
    return keep * (sigma / 255) ** 2


# %% tags=["wrong"]
def loss_of_truth(sigma, keep):
    return (sigma / 255) ** 2


# %% tags=["check"]
check(
    loss_of_truth(25, 0.8),
    0.8 * (25 / 255) ** 2,
    because="so `Discrepancy` wants σ·√keep where pixels are missing",
    mistakes=[
        ((25 / 255) ** 2, "a missing pixel adds nothing to the sum"),
        (0.2 * (25 / 255) ** 2, "0.2 is the share that is missing"),
        (0.8 * 25**2, "σ is in 8-bit levels, the picture in [0, 1]"),
        (0.64 * (25 / 255) ** 2, "the mask is squared too, but 1² = 1"),
    ],
    tolerance=1e-6,
)

# %% [markdown] tags=["exercise"]
# **Exercise 6. With and without flash.** By candlelight a photograph has the
# right colours, and noise. With flash it has no noise, and the wrong light.
# The paper restores the first with the help of the second, by another $z$.
# Call `prior.restore` with `SETTINGS`, `iterations=100`, `decay=0.95` and
# `progress=False`, and choose what is fitted and what is `z`.
#
# *Hint.* A network finds it easy to make edges where its input has edges.

# %% tags=["ground"]
table = resize.imresize(photos.photo("coffee").picture, 0.25).clamp(0, 1)
table = images.crop(table, (25, 18, 64, 64))
candle = torch.tensor([1.0, 0.7, 0.4]).view(1, 3, 1, 1)
lit = 0.6 * candle * table  # what we want
dark = degrade.gaussian_noise(lit, sigma=25, seed=1)  # what we have
line = torch.linspace(-1, 1, 64)
falloff = torch.exp(-(line[:, None] ** 2 + line**2) / 2)  # dark corners
flash = table.sqrt() * falloff  # what we have too
SETTINGS = prior.settings.flash().narrow(*(16,) * 5)


# %% tags=["stub"]
def from_flash(dark, flash):
    return ...  # a picture


# %% tags=["solution"]
def from_flash(dark, flash):
    how = {"iterations": 100, "decay": 0.95, "progress": False}
    return prior.restore(dark, SETTINGS, z=flash, **how).picture


# %% tags=["wrong"]
def from_flash(dark, flash):
    how = {"iterations": 100, "decay": 0.95, "progress": False}
    return prior.restore(dark, SETTINGS, z=dark, **how).picture


# %% tags=["check"]
candlelight = from_flash(dark, flash)
asked = candlelight is ...
gain = ... if asked else decibels(candlelight, lit) - decibels(dark, lit)
check(
    ... if asked else gain > 8,
    True,
    because="edges come from z, colours from the data term",
    mistakes=[(False, "whose edges should the network see, free of noise?")],
)

# %% [markdown]
# The solutions are in [a notebook of their
# own](solutions/09-deep-image-prior.ipynb).
#
# ## Summary
#
# 1. Restoration is a data term plus a prior. Total variation is a prior of
#    three lines, an untrained network is one of two million parameters.
# 2. The network can draw noise as well. It draws pictures first: neighbours
#    that belong together are easy, disorder is slow.
# 3. So the moment of stopping is part of the method, and the truth must not
#    choose it: the least variance, or the discrepancy if the noise is known.
# 4. Hidden pixels and hidden frequencies get no gradient. What stands there is
#    the prior's decision alone.
# 5. One run is one sample. Average the outputs, and say how many runs there
#    were.
#
# The [page of the lecture](../lectures/09-deep-image-prior.md) has a recipe for
# practice, what happens without noise, errata and references.
