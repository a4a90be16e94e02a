"""Lecture 3: how far the small feature network can stand in for the hybrid, its teacher.

Writes results/features-ranks.csv: at each tap, the rank correlation of distances by the two networks, over 200 pairs of
pictures that no training sees. Writes results/features-transfer.csv and book/static/figures/features-transfer.jpg: four
transfers by each network, judged in the features of a third, SqueezeNet's. Writes both in short on the card. Needs
ImageNet1000_256, the hybrid and SqueezeNet. Four minutes on two cores.
"""

import json
import sys
import time
from statistics import fmean, median

import numpy as np
import torch
from style_sheet import CONTENTS, FIGURES, STEPS, STYLES, content, sheet, style
from torch import Tensor, nn

from imtrans import assets, experiments, images, losses, stylize, zoo
from imtrans.data import benchmarks, distortions
from imtrans.models import features, lpips

PAIRS, SIDE = 200, 128
TRUNKS = ("hybrid", "small")


def rank_correlation(x: list[float], y: list[float]) -> float:
    """Spearman's: the correlation of the ranks."""
    ranks = [np.argsort(np.argsort(values)) for values in (x, y)]
    return float(np.corrcoef(ranks)[0, 1])


def pairs() -> dict[str, list[tuple[Tensor, Tensor]]]:
    """Two different pictures, and a picture and a damaged copy; 200 of each, (1, 3, SIDE, SIDE)."""
    held_out = [images.middle(p, SIDE) for _, p in benchmarks.load("ImageNet1000_256", held_out=True)]
    held_out = [p.expand(1, 3, -1, -1) for p in held_out[:PAIRS]]
    random = np.random.default_rng(0)
    damages = [damage for family in distortions.FAMILIES.values() for damage in family]
    damaged = [damages[i % len(damages)](p, random).clamp(0, 1) for i, p in enumerate(held_out)]
    others = held_out[1:] + held_out[:1]
    return {
        "two pictures": list(zip(held_out, others, strict=True)),
        "damaged": list(zip(held_out, damaged, strict=True)),
    }


@torch.no_grad()
def distances(network: nn.Module, pair: tuple[Tensor, Tensor]) -> dict[tuple[str, str], float]:
    """The relative errors of features and of Gram matrices of the second picture, by tap and kind."""
    first, second = (network(picture) for picture in pair)
    found = {}
    for tap in first:
        found[tap, "content"] = float(losses.relative_error(second[tap], first[tap]))
        found[tap, "style"] = float(losses.relative_error(losses.gram(second[tap]), losses.gram(first[tap])))
    return found


def write_ranks() -> None:
    """Rank correlation by tap, for both kinds of pairs and of distances."""
    table, networks = [], [features.load(tuple(features.HEADS), trunk) for trunk in TRUNKS]
    for kind, chosen in pairs().items():
        theirs, ours = ([distances(network, pair) for pair in chosen] for network in networks)
        for tap in features.HEADS:
            ranks = {
                what: f"{rank_correlation([d[tap, what] for d in ours], [d[tap, what] for d in theirs]):.3f}"
                for what in ("content", "style")
            }
            table.append({"pairs": kind, "tap": tap} | ranks | {"count": len(chosen), "features": " and ".join(TRUNKS)})
            print(kind, tap, ranks, flush=True)
    experiments.write("features-ranks", table)


@torch.no_grad()
def gram_error(picture: Tensor, artwork: Tensor) -> float:
    """The relative error of Gram matrices in SqueezeNet's features, averaged over its taps."""
    judge = lpips.squeezenet_caffe()
    found, target = judge(picture), judge(artwork)
    grams = [(losses.gram_per_position(found[tap]), losses.gram_per_position(target[tap])) for tap in found]
    return fmean(float(losses.relative_error(x, y)) for x, y in grams)


def write_transfers() -> None:
    """Four photographs, each in one style, by both networks."""
    table, painted = [], {trunk: [] for trunk in TRUNKS}
    for photograph, artwork in zip(CONTENTS, STYLES, strict=True):
        row = {"photograph": photograph, "style": artwork}
        start, target = content(photograph), style(artwork)
        row["untouched"] = f"{gram_error(start, target):.3f}"
        for trunk in TRUNKS:
            began = time.process_time()
            network = features.load((*stylize.STYLE, *stylize.CONTENT), trunk)
            picture = stylize.gatys(start, target, network=network, steps=STEPS, progress=False)
            row[trunk] = f"{gram_error(picture, target):.3f}"
            row[f"{trunk}_cpu_seconds"] = round(time.process_time() - began)
            painted[trunk].append(picture)
        table.append(row)
        print(row, flush=True)
    experiments.write("features-transfer", table)
    both = sheet([painted[trunk] for trunk in TRUNKS], gap=6)[..., :-6, :-6]
    images.to_pil(both).save(FIGURES / "features-transfer.jpg", quality=86)


def write_card() -> None:
    """The two tables in short, as ``measured`` on the card of the weights."""
    path = zoo.FOLDER / "features-small.json"
    card, ranks = json.loads(path.read_text()), experiments.rows("features-ranks")
    transfers = experiments.rows("features-transfer")
    values = [row[kind] for row in ranks for kind in ("content", "style")]
    of_pairs = f"{min(values):.2f} to {max(values):.2f}, median {median(values):.2f}"
    errors = {way: fmean(row[way] for row in transfers) for way in ("untouched", *TRUNKS)}
    measured = {
        f"rank correlation with the hybrid, {ranks[0]['count']} pairs per tap": of_pairs,
        f"Gram error in SqueezeNet's features, {len(transfers)} transfers": ", ".join(
            f"{way} {error:.2f}" for way, error in errors.items()
        ),
    }
    card |= {"measured": measured, "sha256": card.pop("sha256")}
    assets.write_whole(path, (json.dumps(card, indent=1) + "\n").encode())


if __name__ == "__main__":
    for part in sys.argv[1:] or ("ranks", "transfers", "card"):
        {"ranks": write_ranks, "transfers": write_transfers, "card": write_card}[part]()
