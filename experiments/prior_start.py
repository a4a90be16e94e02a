"""Lecture 9: the start that the authors had. In PyTorch 0.4 batch normalisation's γ began at U(0, 1), today at 1.

Writes results/prior-start.csv: the runs of `prior_stopping` on the astronaut, three seeds, from the old start.
"""

from dataclasses import dataclass

from prior_stopping import CORNERS, ITERATIONS, SEEDS, SIDE, SIGMA, WIDTH, part, run
from torch import nn

from imtrans import experiments
from imtrans.models.deep_image_prior import Hourglass
from imtrans.prior import Settings, settings


@dataclass(frozen=True)
class OldStart(Settings):
    """Settings whose network starts as in PyTorch 0.4."""

    def network(self, channels: int = 3) -> Hourglass:
        """The hourglass with γ from U(0, 1)."""
        network = super().network(channels)
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.weight)
        return network


def main() -> None:
    """Seed by seed; written after each run."""
    old = OldStart(**vars(settings.denoising(SIGMA).narrow(*(WIDTH,) * 5)))
    picture, rows = part("astronaut", CORNERS["astronaut"], SIDE, 0.25), []
    for seed in SEEDS:
        row, _ = run(picture, seed, old)
        setting = {"picture": "astronaut", "seed": seed, "side": SIDE, "width": WIDTH, "iterations": ITERATIONS}
        rows.append(setting | row)
        experiments.write("prior-start", rows)
        print(rows[-1], flush=True)


if __name__ == "__main__":
    main()
