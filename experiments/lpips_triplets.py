"""Lecture 12: distances against triplets that a rule has judged (needs B100 and BSD200).

Writes results/lpips-triplets.csv and lpips-taps.csv. Weights of the channels are learned on triplets from BSD200, and
everything is scored on others from B100. Four minutes on two idle cores; with names after it only those are measured,
and the other rows stay: `python experiments/lpips_triplets.py small`.
"""

import sys
import time
from collections.abc import Callable
from functools import cache, partial

import numpy as np
import torch
from torch import Tensor, nn

from imtrans import assets, degrade, experiments, judgements, metrics, restore, zoo
from imtrans.data import benchmarks
from imtrans.data.distortions import FAMILIES, Distortion
from imtrans.data.triplets import Triplets, make, pairs
from imtrans.models import features, lpips
from imtrans.models.lpips import FeatureDistance

LEARN, SCORE = 900, 400  # triplets


# -- what our networks leave, as distortions --

trained = cache(zoo.load)


def enlarged(x: Tensor, random: np.random.Generator) -> Tensor:
    """Shrunk, and enlarged by SRCNN or VDSR."""
    scale = int(random.integers(2, 5))
    network = trained("vdsr" if random.random() < 0.3 else f"srcnn-x{scale}")
    small = degrade.bicubic_down(x, scale).clamp(0, 1)
    return restore.super_resolve(network, small, scale)[..., : x.shape[-2], : x.shape[-1]].clamp(0, 1)


def denoised(x: Tensor, random: np.random.Generator) -> Tensor:
    """Noise of 20 to 50 levels, removed by CDnCNN-B."""
    noisy = degrade.gaussian_noise(x, random.uniform(20, 50), int(random.integers(2**31)))
    return restore.denoise(trained("cdncnn-blind"), noisy).clamp(0, 1)


def families() -> dict[str, tuple[Distortion, ...]]:
    return FAMILIES | {"networks": (enlarged, denoised)}


# -- the distances --


class Denoiser(nn.Module):
    """The first layers of CDnCNN-B, which has learned from noise and has seen no label."""

    name = "denoiser"

    def __init__(self, layers: tuple[int, ...] = (2, 4, 6)) -> None:
        super().__init__()
        self.network, self.taps = zoo.load("cdncnn-blind").for_inference().layers, layers

    def forward(self, picture: Tensor) -> dict[str, Tensor]:
        """The activations after some of the ReLUs."""
        x, found, count = picture, {}, 0
        for layer in self.network:
            x = layer(x)
            if isinstance(layer, nn.ReLU):
                count += 1
                if count in self.taps:
                    found[f"layer {count}"] = x.clone()  # the next one may write in place
            if count == max(self.taps):
                break
        return found


def random_small() -> nn.Module:
    """The architecture of the small network with He's random weights."""
    torch.manual_seed(0)
    network = features.SmallVGG(lpips.TAPS).requires_grad_(False)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
    network.name = "random small"
    return network


def random_alexnet() -> nn.Module:
    torch.manual_seed(0)
    network = lpips.alexnet()
    network.name = "random AlexNet"
    return network


TRUNKS: dict[str, Callable[[], nn.Module]] = {
    "random small": random_small,
    "random AlexNet": random_alexnet,
    "denoiser": Denoiser,
    "squeezenet-caffe": lpips.squeezenet_caffe,
    "hybrid": partial(features.load, lpips.TAPS, "hybrid"),
    "small": partial(features.load, lpips.TAPS, "small"),
}
FORMULAS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "L2": metrics.mse,
    "SSIM": lambda x, y: 1 - metrics.ssim(x, y),
}


# -- scores --


def scores(metric: str, weights: str, d0: Tensor, d1: Tensor, judged: Triplets) -> dict[str, object]:
    """2AFC agreement by rule, and JND on the rule of equal errors; percent."""
    row: dict[str, object] = {"metric": metric, "weights": weights}
    credit = 100 * judgements.credit(d0, d1, judged.vote)
    for rule in ("added", "equal error"):
        chosen = torch.tensor([kind.startswith(rule) for kind in judged.kind])
        row[rule.replace(" ", "_")] = f"{credit[chosen].mean():.1f}"
    row |= {"all": f"{credit.mean():.1f}", "triplets": len(judged)}
    same = pairs(judged).same[chosen.repeat(2)]
    row["jnd"] = f"{judgements.average_precision(torch.cat([d0[chosen], d1[chosen]]), same):.1f}"
    return row


def replace(name: str, rows: list[dict[str, object]], metric: str) -> None:
    """Put the rows of a metric into a table in the place of its earlier ones."""
    try:
        kept = [row for row in experiments.rows(name) if row["metric"] != metric]
    except FileNotFoundError:
        kept = []
    experiments.write(name, [*kept, *rows])


def measure(name: str, learn: Triplets, score: Triplets) -> None:
    began = time.perf_counter()
    distance = FeatureDistance(TRUNKS[name]())
    learned_from, means = (judgements.channel_means(distance, triplets) for triplets in (learn, score))
    weights, _ = judgements.fit(learned_from, learn.vote)
    rows = [
        scores(name, words, *(m @ w for m in means), score)
        for words, w in (("none", torch.ones_like(weights)), ("learned", weights))
    ]
    replace("lpips-triplets", rows, name)

    with torch.no_grad():
        widths = {tap: f.shape[1] for tap, f in distance.trunk(score.reference[:1]).items()}
    taps, parts = [], zip(*(m.split(list(widths.values()), dim=1) for m in means), strict=True)
    for (tap, width), (m0, m1), w in zip(widths.items(), parts, weights.split(list(widths.values())), strict=True):
        row = scores(name, "none", m0.sum(dim=1), m1.sum(dim=1), score)
        share = (m0 @ w).sum() / (means[0] @ weights).sum()
        plain = m0.sum() / means[0].sum()
        taps.append(
            row
            | {"tap": tap, "channels": width, "zero": f"{100 * (w < 1e-3).float().mean():.0f}"}
            | {"share": f"{100 * plain:.0f}", "learned_share": f"{100 * share:.0f}"}
        )
    replace("lpips-taps", taps, name)
    print(f"{name}: {rows[0]['all']} → {rows[1]['all']}, {time.perf_counter() - began:.0f} s", flush=True)


def triplets(name: str, count: int, seed: int) -> Triplets:
    """Triplets from a set, kept in the cache: half of the time would go into making them again."""
    path = assets.cache_dir() / "triplets" / f"{name}-{count}-{seed}.pt"
    if not path.is_file():
        made = make([picture for _, picture in benchmarks.load(name)], count, seed=seed, families=families())
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(vars(made), path)
    return Triplets(**torch.load(path, weights_only=True))


def main() -> None:
    began = time.perf_counter()
    learn, score = triplets("BSD200", LEARN, 1), triplets("B100", SCORE, 2)
    print(f"triplets: {time.perf_counter() - began:.0f} s", flush=True)
    names = sys.argv[1:] or [*FORMULAS, *TRUNKS]
    for name in names:
        if name in FORMULAS:
            d0, d1 = judgements.both(FORMULAS[name], score)
            replace("lpips-triplets", [scores(name, "none", d0, d1, score)], name)
        else:
            measure(name, learn, score)


if __name__ == "__main__":
    main()
