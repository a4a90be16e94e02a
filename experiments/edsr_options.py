"""Lecture 8: the options table of the slides, counted on the models.

Writes results/edsr-options.csv: per network and scale the parameters, and the multiplications for an output of
1280×720.
"""

from functools import partial

import torch
from torch import nn

from imtrans import experiments
from imtrans.models.edsr import EDSR, MDSR

WIDTH, HEIGHT = 1280, 720
NETWORKS = {  # network → function of the scale
    "SRResNet": partial(EDSR, blocks=16, features=64, residual_scale=1.0, batch_norm=True),  # our frame with its blocks
    "baseline": EDSR.baseline,
    "multi baseline": lambda scale: MDSR.baseline(),
    "EDSR": EDSR.paper,
    "MDSR": lambda scale: MDSR.paper(),
}


def multiplications(model: nn.Module, scale: int) -> int:
    """Multiplications of all convolutions for one output of 1280×720, without computing any."""
    total = 0

    def count(layer: nn.Conv2d, inputs: tuple, output: torch.Tensor) -> None:
        nonlocal total
        total += layer.weight[0].numel() * output.numel()

    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(count)
    # Counted at a low resolution of 1280×720 and divided: 3 does not divide 1280.
    low_res = torch.empty(1, 3, 720, 1280, device="meta")
    model(low_res, scale) if isinstance(model, MDSR) else model(low_res)
    return total // scale**2


def main() -> None:
    """Count, write."""
    rows = []
    for name, build in NETWORKS.items():
        for scale in (2, 3, 4):
            with torch.device("meta"):
                model = build(scale).eval()
                parameters = sum(p.numel() for p in model.parameters())
                macs = multiplications(model, scale)
            rows.append(
                {
                    "network": name,
                    "scale": scale,
                    "parameters": f"{parameters:,}",
                    "million": f"{parameters / 1e6:.2f}" if parameters < 2e7 else f"{parameters / 1e6:.1f}",
                    "gmacs": f"{macs / 1e9:.1f}",
                }
            )
    experiments.write("edsr-options", rows)


if __name__ == "__main__":
    main()
