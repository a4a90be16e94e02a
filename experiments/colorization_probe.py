"""Lecture 13: what a network has learned about things by colouring them, asked by a linear probe.

200 pictures of ImageNet1000_256, which no training of ours sees, in four groups of classes. The features of a network,
averaged over each picture, are classified by a logistic regression: five folds, five times. All networks see lightness
alone. Writes results/colorization-probe.csv: balanced accuracy in percent, chance is 25.

200 pictures tell networks apart that differ by ten points; they do not tell which of two good ones is better.
"""

import numpy as np
import torch
from torch import Tensor, nn

from imtrans import colorize, experiments, images, zoo
from imtrans.data import benchmarks
from imtrans.models import features
from imtrans.models.colorization import Colorizer
from imtrans.resize import shrink

# Groups of classes by their number in ImageNet, which is their place in the list of pictures.
GROUPS = {
    "mammals": (*range(151, 300), *range(330, 389)),
    "other animals": (*range(151), *range(300, 330), *range(389, 398)),
    "things": tuple(range(398, 924)),
    "food, plants, landscape": tuple(range(924, 1000)),
}
SIDE, SEEDS = 128, (0, 1)


def pictures() -> tuple[Tensor, np.ndarray]:
    """Lightness (n, 1, SIDE, SIDE) of the middle of each held-out picture, and its group."""
    every = benchmarks.SETS["ImageNet1000_256"].pictures
    group = {number: index for index, numbers in enumerate(GROUPS.values()) for number in numbers}
    files = {path.stem: path for path in images.list_pictures(benchmarks.find("ImageNet1000_256"))}
    light, labels = [], []
    for stem in benchmarks.HELD_OUT["ImageNet1000_256"]:
        picture = images.middle(shrink(images.read(files[stem]), SIDE), SIDE)
        light.append(colorize.lightness(picture.clamp(0, 1)))
        labels.append(group[every.index(stem)])
    return torch.cat(light), np.array(labels)


@torch.no_grad()
def of_colorizer(network: Colorizer, light: Tensor) -> np.ndarray:
    """Means over the picture of what blocks 3 to 7 return, (n, channels)."""
    found: list[Tensor] = []
    handles = [
        block.register_forward_hook(lambda layer, inputs, output: found.append(output.mean(dim=(2, 3))))
        for block in network.middle
    ]
    rows = []
    for part in light.split(50):
        found.clear()
        network(part)
        rows.append(torch.cat(found, dim=1))
    for handle in handles:
        handle.remove()
    return torch.cat(rows).numpy()


@torch.no_grad()
def untrained(seed: int, light: Tensor) -> Colorizer:
    """The same architecture with random weights; its normalisations have seen the pictures."""
    torch.manual_seed(seed)
    network = Colorizer.small().initialize()
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = None  # the mean over all batches
    for part in light.split(50):
        network.train()(part)
    return network.eval()


@torch.no_grad()
def of_trunk(light: Tensor) -> np.ndarray:
    """The same of the small feature network, which learned from a network that was trained with labels."""
    network = features.load([f"relu{b}_1" for b in (3, 4, 5)], "small")
    gray = colorize.join(light, torch.zeros(len(light), 2, SIDE, SIDE))
    parts = [[tap.mean(dim=(2, 3)) for tap in network(part).values()] for part in gray.split(50)]
    return torch.cat([torch.cat(part, dim=1) for part in parts]).numpy()


def probe(x: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Balanced accuracy of each of five repetitions, in percent."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import RepeatedStratifiedKFold, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    classify = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, class_weight="balanced", max_iter=2_000))
    folds = RepeatedStratifiedKFold(n_splits=5, n_repeats=5, random_state=0)
    scores = cross_val_score(classify, x, labels, cv=folds, scoring="balanced_accuracy")
    return 100 * scores.reshape(5, 5).mean(axis=1)


def main() -> None:
    """Probe and write."""
    if not {"colorizer", "colorizer-l2"} <= set(zoo.names()):
        print("colorizer and colorizer-l2 have no trained weights here yet: imtrans train makes them")
        return
    light, labels = pictures()
    found = {"lightness, 8×8": [probe(torch.nn.functional.adaptive_avg_pool2d(light, 8).flatten(1).numpy(), labels)]}
    found["random"] = [probe(of_colorizer(untrained(seed, light), light), labels) for seed in SEEDS]
    for name in ("colorizer-l2", "colorizer"):
        found[name] = [probe(of_colorizer(zoo.load(name), light), labels)]
    if features.SHIPPED.is_file():
        found["features-small"] = [probe(of_trunk(light), labels)]
    experiments.write(
        "colorization-probe",
        [
            {"features": name, "accuracy": f"{np.mean(scores):.0f}", "spread": f"{np.ptp(scores):.0f}"}
            for name, scores in found.items()
        ]
        + [
            {"features": f"pictures of {name}", "accuracy": int((labels == i).sum()), "spread": 0}
            for i, name in enumerate(GROUPS)
        ],
    )


if __name__ == "__main__":
    main()
