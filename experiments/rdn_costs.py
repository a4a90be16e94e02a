"""Lecture 10: sizes of RDN beside EDSR's, counted.

Writes results/rdn-costs.csv: per network and scale the parameters, and the multiplications for an output of 1280×720.
Computes no picture.
"""

import torch
from torch import nn

from imtrans import experiments
from imtrans.models.edsr import EDSR
from imtrans.models.rdn import RDN

NETWORKS = {  # network → function of the scale
    "RDN": RDN,
    "RDN of the ablation": RDN.ablation,
    "RDN small": RDN.small,
    "EDSR baseline": EDSR.baseline,
    "EDSR": EDSR.paper,
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
    model(torch.empty(1, 3, 720, 1280, device="meta"))
    return total // scale**2


def main() -> None:
    """Count, write."""
    rows = []
    for name, build in NETWORKS.items():
        for scale in (2, 3, 4):
            with torch.device("meta"):
                model = build(scale)
            parameters = sum(p.numel() for p in model.parameters())
            macs = multiplications(model, scale) / 1e9
            row = {"network": name, "scale": scale, "parameters": f"{parameters:,}"}
            rows.append(row | {"million": f"{parameters / 1e6:.1f}", "gmacs": f"{macs:,.0f}"})
    experiments.write("rdn-costs", rows)


if __name__ == "__main__":
    main()
