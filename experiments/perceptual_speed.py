"""Lecture 2: seconds of a pass through the network against seconds of an iteration of the optimisation it replaces.

A few iterations are timed and multiplied: each costs the same. Needs the hybrid. Writes results/perceptual-speed.csv.
Half a minute on two cores.
"""

import torch
from torch import Tensor

from imtrans import experiments, hardware
from imtrans.data.styles import STYLES
from imtrans.models.transform_network import StyleNetwork
from imtrans.recipes.johnson import PerceptualLoss

SIZES = (256, 512, 1024)
ITERATIONS = (100, 300, 500)  # the columns of the slides


def iteration(loss: PerceptualLoss, content: Tensor) -> None:
    """One step of Adam on the pixels: loss, gradient, update."""
    picture = content.clone().requires_grad_()
    optimizer = torch.optim.Adam([picture], lr=0.02)
    loss(picture, content).backward()
    optimizer.step()


@torch.inference_mode()
def forward(network: torch.nn.Module, content: Tensor) -> None:
    """One pass through the network, in the precision that the loss network computes in."""
    low = hardware.autocast_dtype("cpu")
    with torch.autocast("cpu", low, enabled=low is not None):
        network(content)


def main() -> None:
    """Measure, write."""
    torch.manual_seed(0)
    networks = {"half width": StyleNetwork.small().eval(), "paper": StyleNetwork().eval()}
    loss = PerceptualLoss(STYLES["strokes"])
    loss(*[torch.rand(1, 3, 64, 64)] * 2)  # loads the loss network
    rows = []
    for size in SIZES:
        content = torch.rand(1, 3, size, size)
        rounds = {256: 4, 512: 2, 1024: 1}[size]  # an iteration at 1024² takes some ten seconds
        passes = [lambda n=n, c=content: forward(n, c) for n in networks.values()]
        (optimise,) = experiments.best_times([lambda c=content: iteration(loss, c)], rounds)
        seconds = experiments.best_times(passes, 4)
        for name, spent in zip(networks, seconds, strict=True):
            speedups = {f"speedup_{n}": f"{n * optimise / spent:.0f}" for n in ITERATIONS}
            minutes = {f"minutes_{n}": f"{n * optimise / 60:.1f}" for n in ITERATIONS}
            row = {"size": size, "network": name, "seconds": f"{spent:.3f}", "iteration": f"{optimise:.2f}"}
            rows.append(row | speedups | minutes)
        print(rows[-2:], flush=True)
    experiments.write("perceptual-speed", [row | {"features": "hybrid"} for row in rows])


if __name__ == "__main__":
    main()
