# %% [markdown]
# # 12 · LPIPS: a distance learned from eyes
#
# About 35 seconds of computing on two CPU cores; a GPU is not needed. To read
# and run: 35 minutes; the exercises: 25 more.
#
# The paper is R. Zhang and others, *The Unreasonable Effectiveness of Deep
# Features as a Perceptual Metric*, CVPR 2018. The
# [page of this lecture](../lectures/12-lpips.md) derives its equations; here
# we build the distance, compare it with the authors' package, learn weights
# from triplets, and break it. Equations have the numbers of the page.
# Afterwards you can
#
# - make five pictures that look unlike each other and have the same PSNR;
# - write LPIPS in ten lines and use the authors' package without its traps;
# - score a distance by 2AFC and by JND, and learn its weights in seconds;
# - say what the "human" row of such a table means;
# - fool the distance, and show that it is no metric.
#
# You need lecture 1, [SRCNN](../lectures/01-srcnn.md), for the PSNR. The
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

import numpy as np
import torch

from imtrans import degrade, figures, images, metrics, published
from imtrans import judgements, widgets, zoo
from imtrans.data import photos, triplets
from imtrans.exercises import check, claim
from imtrans.models import features, lpips

# %% [markdown]
# The next cell holds what you may want to change: the seed, and how many
# triplets the weights are learned from.

# %% tags=["ground"]
torch.manual_seed(0)
GPU = torch.cuda.is_available()
BUDGET = os.environ.get("IMTRANS_BUDGET", "class" if GPU else "quick")
COUNT = 160 if BUDGET == "quick" else 3000
print("budget:", BUDGET)

# %% [markdown]
# ## The problem
#
# One patch, and five others with the *same* mean squared error. The first is
# the patch itself, moved by one pixel; the other differences are scaled until
# their error is that of the shift.

# %% tags=["ground"]
chelsea = photos.photo("chelsea").picture
x = images.crop(chelsea, (190, 96, 96, 96))
shifted = images.crop(chelsea, (191, 96, 96, 96))
error = (x - shifted).square().mean()

# %%
others = {
    "contrast": x.mean() + 0.8 * (x - x.mean()),
    "noise": degrade.gaussian_noise(x, 20, seed=0),
    "blur": degrade.blur_down(x, 1, 1.5),
    "JPEG": degrade.jpeg(x, 8),
}
same_error = {"moved": shifted} | {
    name: triplets.at_error(x, y, error) for name, y in others.items()
}

# %%
for name, y in same_error.items():
    print(f"{name:9} PSNR {metrics.psnr(x, y).item():.1f} dB")

# %%
figures.strip(
    {"original": x} | same_error,
    alt="a cat's eye and the fur beside it",
)

# %% [markdown]
# PSNR says that they are all alike. What do the features of a network say?
# This one is small, ships with the package, and was distilled from the page's
# *hybrid*, which is in part VGG-19. As it is not a network of the paper, its
# number is called a *feature distance*, not LPIPS.

# %% tags=["ground"]
distance = lpips.feature_distance("small")
print(zoo.card("features-small")["parameters"], "parameters")
print(distance.trunk.about)

# %% tags=["nbval-ignore-output"]
with torch.no_grad():
    far = {name: distance(x, y).item() for name, y in same_error.items()}
figures.table(
    [
        {"version": name, "SSIM": metrics.ssim(x, y).item(), "features": d}
        for (name, y), d in zip(same_error.items(), far.values(), strict=True)
    ],
    caption="Same PSNR. SSIM: more is nearer. Features: less is nearer.",
)

# %%
claim(
    "JPEG is over 10 times as far as contrast",
    far["JPEG"] / far["contrast"],
    above=10,
)
claim("blur is farther than the shift", far["blur"] / far["moved"], above=1.2)

# %% [markdown]
# ## The distance in ten lines
#
# Unit length at each position (3), differences, squares, channel weights
# $w\ge0$, mean over positions, sum over layers: (6), the form of the authors'
# code, which `FeatureDistance` has, too.


# %%
def unit(feature):
    """ŷ: each position's vector, divided by its length (3)."""
    return feature / (feature.square().sum(dim=1, keepdim=True) + 1e-12).sqrt()


def ten_lines(trunk, weights, x, y):
    total = 0
    pairs = zip(trunk(x).values(), trunk(y).values(), weights, strict=True)
    for a, b, w in pairs:  # (N, C, H, W), (N, C, H, W), (C)
        squares = (unit(a) - unit(b)).square()
        total += (w.view(1, -1, 1, 1) * squares).sum(dim=1).mean(dim=(1, 2))
    return total  # (N,)


# %% [markdown]
# The authors' package, `pip install lpips`, is used like this. Usually it
# fetches AlexNet, 233 MB. With `pnet_rand=True` the trunk has random weights
# and nothing is fetched: no good as a metric, and just right for a test. Its
# weights of the channels, 1,152 numbers, come inside the package.

# %%
import warnings

import lpips as authors

warnings.simplefilter("ignore")
torch.manual_seed(0)
theirs = authors.LPIPS(net="alex", pnet_rand=True, verbose=False)

# %%
y = same_error["JPEG"]
with torch.no_grad():
    wanted = theirs(x, y, normalize=True).flatten()  # x, y in [0, 1]

# %% [markdown]
# We copy the random trunk into ours, and compare:

# %%
trunk = lpips.alexnet()
for name, value in theirs.net.state_dict().items():
    place = name.split(".", 1)[1]  # slice2.3.weight -> 3.weight
    trunk.features.get_parameter(place).data.copy_(value)

# %%
weights = lpips.linear_weights("alex")
ours = lpips.FeatureDistance(trunk, weights, name="random AlexNet")
with torch.no_grad():
    assert (ten_lines(trunk, weights, x, y) - wanted).abs().max() < 1e-6
    assert (ours(x, y) - wanted).abs().max() < 1e-6
assert min(w.min() for w in weights) >= 0
print(sum(map(len, weights)), "weights, none negative")
print("✓ ten lines, imtrans and the authors' package agree")

# %% [markdown]
# **Trap 1, the range.** The package expects $[-1,1]$ unless told
# `normalize=True`. It does not complain about $[0,1]$; it returns another
# number. Ours refuses anything outside $[0,1]$.

# %%
with torch.no_grad():
    off = (theirs(x, y) / wanted).item()
claim(
    "without normalize=True the number is off by over 10 %",
    abs(off - 1),
    above=0.1,
)
try:
    ours(2 * x - 1, 2 * y - 1)
except ValueError as refusal:
    print("ours:", refusal)

# %% [markdown]
# **Trap 2, inside or outside.** The slides have $w$ inside the norm (4), the
# code has it on the square (6): the slides' $w$ is the root of the code's.

# %%
with torch.no_grad():
    difference = ours.differences(x, y)[1]
w = weights[1]

# %%
code = lpips.weighted_squares(difference, w)
assert torch.allclose(lpips.norm_of_weighted(difference, w.sqrt()), code)
assert not torch.allclose(lpips.norm_of_weighted(difference, w), code)
print("✓ ‖√w ⊙ d‖² = Σ w d²")

# %% [markdown]
# And without weights a layer is twice the cosine distance (5):

# %%
with torch.no_grad():
    a, b = distance.trunk(x)["relu3_1"], distance.trunk(y)["relu3_1"]
cosine = torch.cosine_similarity(a, b, dim=1)
squares = (unit(a) - unit(b)).square().sum(dim=1)
assert torch.allclose(squares, 2 - 2 * cosine, atol=1e-4)
print("✓ ‖ŷ − ŷ₀‖² = 2 − 2 cos")

# %% [markdown]
# ## Triplets
#
# BAPPS, the set of half a million human votes, is large and not ours to give
# away. We make triplets whose answer is beyond dispute: *added* (a second
# distortion is farther) and *equal error* (a small move, or a little more
# light, is nearer than damage of the same squared error). The labels are
# postulates, not votes.

# %% tags=["ground"]
train, test = (
    triplets.make(
        [photo.picture for photo in photos.photos(split)], count, seed=1
    )
    for split, count in (("train", COUNT), ("test", 80))
)
print(len(train), "to learn from,", len(test), "to score; patches of 64×64")

# %%
one = test.take([1])
print(one.kind[0], "| the second is nearer:", bool(one.vote))
figures.strip(
    {"x₀": one.first, "x": one.reference, "x₁": one.second},
    alt="a patch of a test photograph, one of a triplet",
    factor=2,
)

# %% [markdown]
# ## 2AFC and JND
#
# 2AFC (2): the share of the judges who agree with a distance. JND: sort pairs
# by distance; those that count as the same should come first.

# %%
equal = test.where(lambda kind: kind.startswith("equal"))
same = triplets.pairs(equal).same


def row(name, measure):
    d0, d1 = judgements.both(measure, equal)
    return {
        "distance": name,
        "all": judgements.two_afc(measure, test),
        "equal error": 100
        * judgements.credit(d0, d1, equal.vote).mean().item(),
        "JND": judgements.average_precision(torch.cat([d0, d1]), same),
    }


# %%
torch.manual_seed(0)
untrained = lpips.FeatureDistance(features.SmallVGG(lpips.TAPS), name="random")
rows = [
    row("L2", metrics.mse),
    row("SSIM", lambda x, y: 1 - metrics.ssim(x, y)),
    row("untrained", untrained),
    row("trained", distance),
]

# %% tags=["nbval-ignore-output"]
figures.table(rows, caption="Agreement with the rules, percent.", digits=1)

# %%
score = {r["distance"]: r for r in rows}
claim(
    "L2 guesses at equal errors", abs(score["L2"]["equal error"] - 50), below=20
)
gain = score["trained"]["equal error"] - score["L2"]["equal error"]
claim("trained features are over 15 points better there", gain, above=15)

# %% [markdown]
# ## Weights from triplets
#
# By the page's proposition the distance is linear in the means of the
# channels. They are computed once per pair:

# %%
learn_from = judgements.channel_means(distance, train)
score_on = judgements.channel_means(distance, test)
print(tuple(learn_from[0].shape), "triplets × channels")

# %% [markdown]
# A judge $\mathcal G$ turns two distances into the probability that the
# second is nearer, cross-entropy (7) compares it with the vote, and after
# each step $w$ is clipped to $w\ge0$.

# %%
steps = 150 if BUDGET == "quick" else 3000
falls = "Loss over steps, on a logarithmic scale: it falls, unsteadily."
live = figures.LiveCurve(steps, alt=falls, ylabel="cross-entropy")
learned, judge = judgements.fit(
    learn_from, train.vote, steps=steps, on_step=live
)


# %%
def agreement(w):
    d0, d1 = (m @ w for m in score_on)
    return 100 * judgements.credit(d0, d1, test.vote).mean().item()


# %%
before, after = agreement(torch.ones_like(learned)), agreement(learned)
assert learned.min() >= 0
claim(
    "learned weights lose less than 5 points, or gain", after - before, above=-5
)

# %% tags=["nbval-ignore-output"]
print(f"2AFC without weights {before:.1f} %, with learned ones {after:.1f} %")

# %% [markdown]
# The judge is thrown away. One of 80 triplets is worth 1.25 points. With so few
# to learn from, of five photographs, the weights need not help on others.
# [The page](../lectures/12-lpips.md) has a table with 900 triplets from 200
# photographs, and more trunks.
#
# And here is what the paper measured with people. In its table SSIM is level
# with L2; in ours it is far ahead. So our triplets say what a distance should
# not mind, and not what people think. (*Gaussian* is a network with random
# weights, *Puzzle* one that learned from jigsaw puzzles without labels,
# *Alex-lin* is LPIPS.)

# %%
names = ("Human", "L2", "SSIM", "Gaussian", "Puzzle", "AlexNet", "Alex-lin")
kinds = ("distortions", "real algorithms", "all")
printed = {
    (r["model"], r["set"]): r["agreement"] for r in published.rows("lpips")
}
figures.table(
    [{"method": n} | {k: printed[n, k] for k in kinds} for n in names],
    caption="2AFC agreement with people, %, as printed (Table 5).",
    digits=1,
)

# %% [markdown]
# ### How good is "human"?
#
# The paper scores people by $\bar h^2+(1-\bar h)^2$, where $\bar h$ is the
# share of five votes (8). Let the votes be coins:

# %%
votes = np.random.RandomState(0).binomial(5, 0.5, 100_000) / 5
printed_score = (votes**2 + (1 - votes) ** 2).mean()
real = judgements.against_itself(printed_score, judges=5)
print(
    f"coins: printed {100 * printed_score:.0f} %, two coins {100 * real:.0f} %"
)

# %% [markdown]
# ## An ablation: one layer alone
#
# How well does each layer alone agree with the rules, without weights? The
# means of the channels are there already, so nothing has to be computed anew:

# %%
widths = [features.HEADS[tap] for tap in lpips.TAPS]
per_layer = zip(
    lpips.TAPS, *(m.split(widths, dim=1) for m in score_on), strict=True
)
table = []
for tap, m0, m1 in per_layer:
    credit_of = 100 * judgements.credit(m0.sum(1), m1.sum(1), test.vote)
    scores = {"layer": tap}
    for rule in ("added", "equal error"):
        chosen = [kind.startswith(rule) for kind in test.kind]
        scores[rule] = credit_of[torch.tensor(chosen)].mean().item()
    table.append(scores)

# %% tags=["nbval-ignore-output"]
figures.table(table, caption="2AFC agreement with the rules, %.", digits=1)

# %% [markdown]
# Of 40 triplets per rule, one is worth 2.5 points: small differences say
# nothing here. [The page](../lectures/12-lpips.md) has the same for SqueezeNet
# with more triplets: there deeper layers mind small moves less, and miss more
# of what was added.
#
# ## Something to play with
#
# How far can you move a patch before each metric prefers a *blurred* one? The
# numbers are distances, divided by that of the blurred patch: above 1, the
# metric calls the blur nearer.

# %%
wide = images.crop(chelsea, (182, 88, 80, 80))
small = wide[..., 8:-8, 8:-8]
blurred = degrade.blur_down(wide, 1, 1.0)[..., 8:-8, 8:-8].clamp(0, 1)


def moved(pixels):
    y = wide[..., 8:-8, 8 + pixels : 72 + pixels]
    words = []
    for name, measure in (("L2", metrics.mse), ("features", distance)):
        with torch.no_grad():
            ratio = measure(small, y) / measure(small, blurred)
        words.append(f"{name} {ratio.item():.1f}")
    moved_by = f"moved by {pixels}: {', '.join(words)}"
    pictures = {"original": small, moved_by: y, "blurred": blurred}
    return figures.strip(pictures, alt=f"a cat's eye, {moved_by}", factor=2)


# %% tags=["nbval-ignore-output"]
widgets.slider(
    moved,
    [0, 1, 2, 4],
    label="pixels",
    alt="a cat's eye beside its moved copy and a blurred one",
    start=1,
)

# %% [markdown]
# ## Where it fails
#
# **It is no metric.** Picture, blurred, more blurred: going through the middle
# is shorter than going straight. Squares do that; the root does not.

# %%
soft, softer = (degrade.blur_down(x, 1, s).clamp(0, 1) for s in (0.8, 1.6))

# %%
with torch.no_grad():
    xy, yz, xz = distance(x, soft), distance(soft, softer), distance(x, softer)
claim(
    "the straight way is over 1.05 times the detour",
    (xz / (xy + yz)).item(),
    above=1.05,
)

# %%
root = (xz.sqrt() / (xy.sqrt() + yz.sqrt())).item()
claim("for the root it is not longer", root, below=1)

# %% tags=["nbval-ignore-output"]
ratio = (xz / (xy + yz)).item()
print(f"straight over detour: {ratio:.2f}, of the roots {root:.2f}")

# %% [markdown]
# **It can be fooled.** At most 2 of 255 levels per pixel, signs by the
# gradient, ten steps:

# %%
noise = torch.from_numpy(
    np.random.RandomState(0).uniform(-1, 1, x.shape)
).float()
change = 2 / 255 * noise
for _ in range(10):
    change.requires_grad_(True)
    distance(x, (x + change).clamp(0, 1)).sum().backward()
    step = 0.5 / 255 * change.grad.sign()
    change = (change.detach() + step).clamp(-2 / 255, 2 / 255)

# %%
attacked = triplets.eight_bit(x + change)
unaimed = triplets.eight_bit(x + change.flip(-1))

# %%
with torch.no_grad():
    factor = (distance(x, attacked) / distance(x, unaimed)).item()
claim("aimed, the same change is over 2 times as far", factor, above=2)

# %% tags=["nbval-ignore-output"]
fooled = metrics.psnr(x, attacked).item()
print(f"{factor:.1f} times as far as mirrored, at {fooled:.1f} dB")

# %%
figures.strip(
    {"original": x, "attacked": attacked},
    alt="a cat's eye; the two cannot be told apart",
)

# %% [markdown]
# **It does not see everything.** Start from noise, and let the pixels descend
# the distance. What is missing at the end was not seen, or not reached. The
# distance tells which, beside that of the target moved by one pixel, a change
# that is hardly seen:

# %%
target = images.crop(photos.photo("astronaut").picture, (186, 78, 64, 64))
torch.manual_seed(0)
pixels = (0.5 + 0.2 * torch.randn(target.shape)).clamp(0.01, 0.99)
pixels.requires_grad_()
optimizer = torch.optim.Adam([pixels], lr=0.03)
began = distance(pixels, target).item()
for _ in range(80):
    loss = distance(pixels, target).sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    pixels.data.clamp_(0, 1)

# %%
claim("the distance falls below a third", loss.item() / began, below=1 / 3)

# %% tags=["nbval-ignore-output"]
astronaut = photos.photo("astronaut").picture
nudged = images.crop(astronaut, (187, 78, 64, 64))
with torch.no_grad():
    nudge = distance(nudged, target).item()
print(f"from {began:.2f} to {loss.item():.2f}; moved by one pixel: {nudge:.2f}")

# %%
psnr = metrics.psnr(pixels.detach(), target).item()
claim("and yet the PSNR stays below 22 dB", psnr, below=22)
figures.strip(
    {"after 80 steps": pixels.detach(), "target": target},
    alt="a woman's face; on the left with false colours and a fine pattern",
    factor=2,
)

# %% [markdown]
# ## Try your own photographs
#
# Two paths of pictures of the same size. On Colab, `from google.colab import
# files; files.upload()` asks for files. By default, a photograph and its JPEG.

# %%
ONE, OTHER = "", ""
first = images.read(ONE) if ONE else images.crop(chelsea, (100, 40, 192, 192))
second = images.read(OTHER) if OTHER else degrade.jpeg(first, 10)
with torch.no_grad():
    d = distance(first, second).item()

# %% tags=["nbval-ignore-output"]
print(f"PSNR {metrics.psnr(first, second).item():.2f} dB")
print(f"SSIM {metrics.ssim(first, second).item():.3f}")
print(f"feature distance {d:.3f} ({distance.name})")

# %% [markdown]
# ## Exercises
#
# Fill in what stands for `...` and run the check below it. The solutions are
# in [a notebook of their own](solutions/12-lpips.ipynb).

# %% [markdown] tags=["exercise"]
# **Exercise 1. Credit.** Write (2) for one triplet: the share of the judges
# who agree with two distances, half if these are equal. `vote` is the share
# who call the second patch nearer.
#
# *Hint.* If `d1` is smaller, the distance says "the second", and `vote` of
# the judges agree.


# %% tags=["stub"]
def credit(d0, d1, vote):
    return ...


# %% tags=["solution"]
def credit(d0, d1, vote):
    if d0 == d1:
        return 0.5
    return vote if d1 < d0 else 1 - vote


# %% tags=["wrong"]
def credit(d0, d1, vote):
    return vote if d1 < d0 else 1 - vote


# %% tags=["check"]
cases = [(1.0, 2.0, 0.2), (2.0, 1.0, 0.2), (1.0, 1.0, 0.2)]
check(
    [credit(*case) for case in cases],
    [0.8, 0.2, 0.5],
    because="a distance that returns 0 for everything scores 50 %",
    mistakes=[([0.8, 0.2, 0.8], "equal distances are a guess: one half")],
)

# %% [markdown] tags=["exercise"]
# **Exercise 2. Two judges.** On real algorithms the printed human score is
# 69.5 %, of five votes each, and LPIPS (Alex-lin) has 65.3 %. By how many
# points is LPIPS ahead of one judge who predicts another?
#
# *Hint.* One of the five is the judge himself, who always agrees:
# $S=\frac15+\frac45A$.

# %% tags=["stub"]
ahead = ...

# %% tags=["solution"]
ahead = 65.3 - (5 * 69.5 - 100) / 4

# %% tags=["wrong"]
ahead = 65.3 - 69.5

# %% tags=["check"]
check(
    ahead,
    65.3 - 61.875,
    because="LPIPS predicts the majority, and one judge is noisy",
    mistakes=[
        (
            65.3 - 69.5,
            "that is the printed score, in which judges agree with themselves",
        ),
    ],
)

# %% [markdown] tags=["exercise"]
# **Exercise 3. From the code to the slides.** `code` holds weights for
# $\sum_c w_c d_c^2$ (6). Return weights for $\lVert w\odot d\rVert^2$ (4) that
# give the same distance, and the largest distance that *five* layers of ReLU
# features can have if all weights are `code.max()`.
#
# *Hint.* (5): what is the smallest cosine of vectors without negative
# entries?

# %% tags=["ground"]
code = torch.tensor([0.0, 0.25, 1.0, 0.09])


# %% tags=["stub"]
def slides(code):
    return ..., ...


# %% tags=["solution"]
def slides(code):
    return code.sqrt(), 5 * 2 * code.max().item()


# %% tags=["wrong"]
def slides(code):
    return code.square(), 5 * 2 * code.max().item()


# %% tags=["check"]
check(
    slides(code),
    (torch.tensor([0.0, 0.5, 1.0, 0.3]), 10.0),
    because="the square of the root is the weight; a cosine of 0 gives 2",
    mistakes=[
        ((code.square(), 10.0), "the other way round: (4) squares its weights"),
        ((code.sqrt(), 20.0), "a cosine of −1 needs negative entries"),
    ],
)

# %% [markdown] tags=["exercise"]
# **Exercise 4. JND by hand.** Five pairs, sorted by distance; 1 means that
# people took them for the same: `1, 1, 0, 1, 0`. What is the average
# precision (in percent), as the mean of the precision at each hit?
#
# *Hint.* The precision at the third hit is 3 out of 4.

# %% tags=["stub"]
precision = ...

# %% tags=["solution"]
precision = 100 * (1 / 1 + 2 / 2 + 3 / 4) / 3

# %% tags=["wrong"]
precision = 100 * 3 / 5

# %% tags=["check"]
sorted_pairs = torch.tensor([1.0, 1, 0, 1, 0])
check(
    precision,
    judgements.average_precision(torch.arange(5.0), sorted_pairs),
    because="one pair out of place costs 8 points",
    mistakes=[(60.0, "that is the share of all: the order does not enter")],
)

# %% [markdown] tags=["exercise"]
# **Exercise 5. A safe direction.** Which of these changes leaves the distance
# of a *linear* feature without bias exactly at 0, thanks to (3)? Answer with
# one of the names: "noise", "half as bright", "shift".
#
# *Hint.* Unit length removes a factor.

# %% tags=["stub"]
safe = ...

# %% tags=["solution"]
safe = "half as bright"

# %% tags=["wrong"]
safe = "shift"

# %% tags=["check"]
check(
    safe,
    "half as bright",
    because="f(x/2) = f(x)/2 has the same direction; biases, or a mean that is "
    "subtracted first, spoil it",
    mistakes=[("shift", "a shift moves features to other positions")],
)

# %% [markdown]
# ## Summary
#
# 1. Pictures with equal squared error can look very different; PSNR cannot
#    say how.
# 2. LPIPS is ten lines on top of a trained network: unit length, squared
#    differences, weights, mean, sum.
# 3. The weights see channel means alone, so they are learned in seconds.
# 4. Rules make triplets without voters, and cannot replace voters.
# 5. The distance is no metric, can be fooled, and is blind in some directions.
#
# The [page of the lecture](../lectures/12-lpips.md) has the poll, the paper's
# tables, errata and references.
