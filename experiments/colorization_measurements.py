"""Lecture 13: the trained colorizers on photographs that they have not seen.

Needs their weights, B100 and the held-out pictures of ImageNet1000_256; a minute. Writes
results/colorization-temperature.csv (held-out pictures: AuC, rebalanced AuC and chroma over T, with and without log w),
results/colorization-auc.csv (B100, by settings that were fixed before), results/colorization-training.csv (what the
cards say) and results/colorization-sheet-*.png: the eight pictures of `imtrans.recipes.colorization.SHOWN`.
"""

import torch
from torch import Tensor

from imtrans import colorize, experiments, images, zoo
from imtrans.color import rgb_to_lab
from imtrans.data import benchmarks
from imtrans.experiments import FOLDERS
from imtrans.models.colorization import annealed_mean
from imtrans.recipes.colorization import SHORTER, SHOWN
from imtrans.resize import shrink

TEMPERATURES = (1.0, 0.75, 0.5, 0.38, 0.25, 0.1, 0.0)
EVERY = 4  # pixels between those that are compared, in both directions
HELD_OUT = 60  # pictures


def pictures(name: str, stems: tuple[str, ...]) -> list[Tensor]:
    """Some pictures of a set, read without the others."""
    files = {path.stem: path for path in images.list_pictures(benchmarks.find(name))}
    return [images.read(files[stem]) for stem in stems]


def subsampled(ab: Tensor) -> Tensor:
    return ab[..., ::EVERY, ::EVERY]


def scores(predictions: list[Tensor], truths: list[Tensor], prior: Tensor) -> dict[str, str]:
    """AuC, rebalanced AuC and mean chroma."""
    pairs = list(zip(predictions, truths, strict=True))
    flat = torch.cat([ab.flatten(2) for ab in predictions], dim=2)[..., None]
    return {
        "auc": f"{colorize.auc(pairs):.1f}",
        "rebalanced": f"{colorize.auc(pairs, prior):.1f}",
        "chroma": f"{colorize.chroma(flat):.1f}",
    }


def predict(network, lights: list[Tensor], temperatures, mix) -> dict[float, list[Tensor]]:
    """Per temperature, a and b of each picture at the pixels that are compared; the network runs once per picture."""
    found: dict[float, list[Tensor]] = {t: [] for t in temperatures}
    for light in lights:
        logits = colorize.logits(network, light, mix=mix)
        for t in temperatures:
            ab = torch.nn.functional.interpolate(annealed_mean(logits, t), size=light.shape[-2:], mode="bilinear")
            found[t].append(subsampled(ab))
    return found


@torch.no_grad()
def main() -> None:
    """Measure and write."""
    if not {"colorizer", "colorizer-l2"} <= set(zoo.names()):
        print("colorizer and colorizer-l2 have no trained weights here yet: imtrans train makes them")
        return
    network, regression = zoo.load("colorizer"), zoo.load("colorizer-l2")
    prior = network.log_prior.exp()

    # The temperature is looked at on pictures that are held out, and fixed, before any of B100 is.
    colored = [p for p in pictures("ImageNet1000_256", benchmarks.HELD_OUT["ImageNet1000_256"]) if p.shape[1] == 3]
    colored = [p for p in colored if rgb_to_lab(p)[:, 1:].abs().max() > 5][:HELD_OUT]
    lights, truths = [colorize.lightness(p) for p in colored], [subsampled(rgb_to_lab(p)[:, 1:]) for p in colored]
    rows = []
    for words, mix in (("no", None), ("half", 0.5)):
        for t, found in predict(network, lights, TEMPERATURES, mix).items():
            rows.append({"weighted": words, "temperature": t} | scores(found, truths, prior))
    regressed = [subsampled(colorize.predict_ab(regression, light)) for light in lights]
    rows.append({"weighted": "L2", "temperature": ""} | scores(regressed, truths, prior))
    rows.append({"weighted": "gray", "temperature": ""} | scores([0 * t for t in truths], truths, prior))
    rows.append({"weighted": "truth", "temperature": ""} | scores(truths, truths, prior))
    experiments.write("colorization-temperature", rows)

    b100 = pictures("B100", benchmarks.SETS["B100"].pictures)
    lights, truths = [colorize.lightness(p) for p in b100], [subsampled(rgb_to_lab(p)[:, 1:]) for p in b100]
    plain = predict(network, lights, (1.0, 0.38), None)
    weighted = predict(network, lights, (1.0, 0.38, 0.0), 0.5)
    everywhere = annealed_mean(network.log_prior.view(1, -1, 1, 1), 1.0)
    methods = {
        "truth": truths,
        "gray": [0 * t for t in truths],
        "one colour": [everywhere.expand_as(t) for t in truths],
        "L2": [subsampled(colorize.predict_ab(regression, light)) for light in lights],
        "classes, mean": plain[1.0],
        "classes": plain[0.38],
        "full, mean": weighted[1.0],
        "full": weighted[0.38],
        "full, mode": weighted[0.0],
    }
    experiments.write("colorization-auc", [{"method": n} | scores(p, truths, prior) for n, p in methods.items()])

    about = []
    for name in ("colorizer", "colorizer-l2"):
        card = zoo.card(name)
        keys = ("parameters", "steps", "batch", "seconds", "optimizer")
        about.append({"network": name} | {key: card[key] for key in keys})
        about[-1]["parameters"] = f"{card['parameters']:,}"
        about[-1]["error"] = f"{card['validation']['error']:.2f}"
        about[-1]["minutes"] = round(card["seconds"] / 60)
    experiments.write("colorization-training", about)

    for stem, picture in zip(SHOWN, pictures("B100", SHOWN), strict=True):
        small = shrink(picture, SHORTER).clamp(0, 1)
        light = colorize.lightness(small)
        sheet = {"gray": colorize.join(light, torch.zeros(1, 2, *light.shape[-2:]))}
        sheet |= {"ours": colorize.colorize(network, small), "original": small}
        for what, panel in sheet.items():
            images.write(FOLDERS[-1] / f"colorization-sheet-{stem}-{what}.png", panel)


if __name__ == "__main__":
    main()
