"""Lecture 10: contiguous memory, local residual learning and global fusion, each on and off, in a small RDN.

Needs T91, BSD200, BSD500_test and Set5. Twelve blocks of three convolutions, growth rate 16, 16 features: deep enough
for its first weights to be 49 convolutions away from the last. Nine trainings of one length and one seed; the ninth is
what is left of the network without its blocks and fusion, first and last convolutions, and so linear. Writes
results/rdn-ablation.csv (Set5 ×2, protocol rgb-y) and results/rdn-none.png and rdn-all.png, a part of a photograph.
"""

from dataclasses import replace
from itertools import product

import torch
from torch import Tensor, nn

from imtrans import experiments, figures, images
from imtrans.data import benchmarks, photos
from imtrans.degrade import Downscale
from imtrans.evaluation import evaluate
from imtrans.models.baselines import Bicubic
from imtrans.models.rdn import RDN
from imtrans.recipes import rdn
from imtrans.recipes.pictures import low_resolution_patches, training_pictures
from imtrans.restore import super_resolve
from imtrans.training import Adam, fit

SCALE, STEPS = 2, 500
PARTS = ("contiguous_memory", "local_residual", "global_fusion")
BOX = (262, 326, 80, 68)  # left, top, width, height: the badge of the astronaut


class WithoutBody(RDN):
    """First and last convolutions: a linear network."""

    def forward(self, low_res: Tensor) -> Tensor:
        """As `RDN.forward`, F_GF = 0."""
        return self.tail(self.head(low_res - self.mean)) + self.mean


def small(kind: type[RDN], switches: dict[str, bool]) -> RDN:
    """The network of this experiment."""
    return kind(SCALE, blocks=12, layers=3, growth=16, features=16, **switches)


def part(network: nn.Module) -> tuple[Tensor, float]:
    """The badge by this network, (1, 3, H, W), and the PSNR of the photograph."""
    photograph = photos.photo("astronaut").picture
    low_res = Downscale(SCALE)(photograph)
    score = evaluate(network, [("astronaut", photograph)], Downscale(SCALE), protocol="rgb-y").psnr
    return figures.crop(super_resolve(network, low_res, SCALE).clamp(0, 1), BOX), score


def main() -> None:
    """Train the nine, write what they reach."""
    pictures = training_pictures(("T91", "BSD200", "BSD500_test")).rgb()
    set5, rows = benchmarks.load("Set5"), []
    bicubic = f"{part(Bicubic())[1]:.2f}"
    networks = [(RDN, dict(zip(PARTS, on, strict=True))) for on in product((False, True), repeat=3)]
    networks = [networks[0], networks[-1], (WithoutBody, {}), *networks[1:-1]]  # what matters most comes first
    for kind, switches in networks:
        recipe = replace(
            rdn.full(SCALE),
            model=lambda kind=kind, switches=switches: small(kind, switches),
            data=low_resolution_patches(pictures, SCALE, size=12),
            optimizer=Adam(1e-3),
            steps=STEPS,
            batch=8,
            autocast=False,
            validate_every=None,
        )
        run = fit(recipe, device="cpu", progress=False)
        score = evaluate(run.model, set5, Downscale(SCALE), protocol="rgb-y").psnr
        crop, astronaut = part(run.model)
        on = switches or dict.fromkeys(PARTS, "no body")
        row = {name: {True: "yes", False: "no"}.get(value, value) for name, value in on.items()}
        row |= {"steps": STEPS, "psnr": f"{score:.2f}", "astronaut": f"{astronaut:.2f}", "bicubic": bicubic}
        rows.append(row | {"seconds": round(run.seconds), "protocol": "rgb-y"})
        experiments.write("rdn-ablation", rows)
        if switches and not any(switches.values()):
            images.write(experiments.FOLDERS[-1] / "rdn-none.png", crop)
        if switches and all(switches.values()):
            images.write(experiments.FOLDERS[-1] / "rdn-all.png", crop)


if __name__ == "__main__":
    torch.manual_seed(0)
    main()
