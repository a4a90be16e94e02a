"""Lecture 4: what AdaIN does to features, what arrives in the picture, and what the target contains.

Every picture is judged by the hybrid's Gram matrices: no part of the network that makes it, but of its decoder's loss.
Contents are bundled photographs, styles the two drawings and, where ``IMTRANS_DATA`` has them, two paintings. Needs the
shipped decoder, the hybrid and the released pair. Writes results/adain-statistics.csv and adain-target.csv. Twenty
seconds on two cores.
"""

from collections.abc import Callable
from statistics import median

import torch
from adain_pictures import contents, styles
from torch import Tensor

from imtrans import experiments, zoo
from imtrans.losses import gram_per_position, relative_error, statistics_error
from imtrans.models import features
from imtrans.models.adain import AdaIN, adain, mean_and_deviation, pair

TAPS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
SIDE = 192


def mean_only(x: Tensor, y: Tensor) -> Tensor:
    """The style's means, the content's deviations."""
    return x - mean_and_deviation(x)[0] + mean_and_deviation(y)[0]


def deviation_only(x: Tensor, y: Tensor) -> Tensor:
    """The style's deviations, the content's means."""
    (mean, ours), (_, theirs) = mean_and_deviation(x), mean_and_deviation(y)
    return (x - mean) / ours * theirs + mean


def whitened_and_colored(x: Tensor, y: Tensor) -> Tensor:
    """WCT (Li et al. 2017): the whole covariance of the style's features, not its diagonal alone."""
    flat, wanted = x[0].flatten(1).double(), y[0].flatten(1).double()
    ours, theirs = torch.cov(flat), torch.cov(wanted)
    whitened = power(ours, -0.5) @ (flat - flat.mean(dim=1, keepdim=True))
    colored = power(theirs, 0.5) @ whitened + wanted.mean(dim=1, keepdim=True)
    return colored.float().view_as(x)


def power(matrix: Tensor, exponent: float) -> Tensor:
    """A power of a positive semidefinite matrix; directions with hardly any variance are left out."""
    values, vectors = torch.linalg.eigh(matrix)
    kept = values > 1e-5 * values.max()
    return vectors[:, kept] @ torch.diag(values[kept] ** exponent) @ vectors[:, kept].T


def by(network: AdaIN, change: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """The picture that a change of features gives, and the Gram error of the changed features themselves."""

    def apply(content: Tensor, style: Tensor) -> tuple[Tensor, Tensor]:
        y = network.encode(style)
        target = change(network.encode(content), y)
        return network.decoder(target).clamp(0, 1), relative_error(gram_per_position(target), gram_per_position(y))

    return apply


def colors_matched(content: Tensor, style: Tensor) -> tuple[Tensor, None]:
    """No network: mean and deviation of red, green and blue."""
    return adain(content, style, epsilon=0).clamp(0, 1), None


def mixed(alpha: float) -> Callable[[Tensor, Tensor], Tensor]:
    """Features between those of the content and their target."""
    return lambda x, y: torch.lerp(x, adain(x, y), alpha)


@torch.no_grad()
def main() -> None:
    """Measure, write."""
    network, released = zoo.load("adain"), pair()
    ways = {
        "photograph": lambda content, style: (content, None),
        "colours": colors_matched,
        **{f"alpha {alpha:g}": by(network, mixed(alpha)) for alpha in (0, 0.25, 0.5, 0.75, 1)},
        "mean only": by(network, mean_only),
        "deviation only": by(network, deviation_only),
        "WCT": by(network, whitened_and_colored),
        "released pair": by(released, adain),
        "released pair, WCT": by(released, whitened_and_colored),
    }
    judge = features.load(TAPS, "hybrid")
    pairs = [(content, style) for content in contents(SIDE).values() for style in styles(SIDE).values()]
    rows = []
    for name, way in ways.items():
        found = []
        for content, style in pairs:
            picture, inside = way(content, style)
            ours, wanted, source = judge(picture), judge(style), judge(content)
            row = {tap: relative_error(gram_per_position(ours[tap]), gram_per_position(wanted[tap])) for tap in TAPS}
            row["statistics"] = sum(statistics_error(ours[tap], wanted[tap]) for tap in TAPS)
            row["content"] = relative_error(ours["relu4_1"], source["relu4_1"])
            found.append(row | ({} if inside is None else {"inside": inside}))
        columns = ("inside", *TAPS, "statistics", "content")
        middle = {key: median(float(row[key]) for row in found) if key in found[0] else None for key in columns}
        rows.append({"way": name} | {key: "" if value is None else f"{value:.3f}" for key, value in middle.items()})
        print(rows[-1], flush=True)
    experiments.write("adain-statistics", [row | {"features": "hybrid"} for row in rows])

    targets = [(network.encode(content), network.encode(style)) for content, style in pairs]
    negative, energy, floor = [], [], []
    for x, y in targets:
        t = adain(x, y)
        again = network.encode(network.decoder(t))
        negative.append((t < 0).float().mean().item())
        energy.append((t.clamp(max=0).square().sum() / t.square().sum()).item())
        floor.append(relative_error(again, t).item())
    row = {"pairs": len(pairs), "negative": f"{100 * median(negative):.0f}", "energy": f"{100 * median(energy):.1f}"}
    experiments.write("adain-target", [row | {"reached": f"{median(floor):.3f}", "features": "hybrid"}])


if __name__ == "__main__":
    main()
