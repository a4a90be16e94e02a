"""Lecture 2: instance against batch normalisation, two small style networks each, on pictures as they are and darkened.

The networks have a quarter of the paper's channels and three blocks; they learn from the bundled photographs with the
loss network that ships. Writes results/perceptual-norm.csv and perceptual-norm-*.png. A minute and a half on two cores.
"""

from dataclasses import replace
from functools import partial
from statistics import fmean

import torch

from imtrans import experiments, images
from imtrans.data import photos
from imtrans.models.transform_network import StyleNetwork
from imtrans.recipes import johnson
from imtrans.recipes.pictures import validation_pictures
from imtrans.training import fit

STYLE, STEPS, SEEDS = "strokes", 200, (0, 1)
EXPOSURES = (1.0, 0.4)  # factors on the levels
BOX = (110, 40, 192, 192)  # of Chelsea's photograph


def main() -> None:
    """Train, measure, write."""
    loss = johnson.PerceptualLoss(partial(johnson.style_picture, STYLE), trunk="small")
    held_out = [picture for _, picture in validation_pictures(160)]
    chelsea, rows = images.crop(photos.photo("chelsea").picture, BOX), []
    for norm in ("instance", "batch"):
        for seed in SEEDS:
            recipe = replace(
                johnson.quick(style=STYLE),
                model=partial(StyleNetwork, 1 / 4, 3, norm=norm, layout="resize"),
                loss=loss,
                steps=STEPS,
                batch=4,
                seed=seed,
                validate_every=0,
                autocast=True,
            )
            network = fit(recipe, progress=False, device="cpu").model
            with torch.inference_mode():
                bright = [network(picture) for picture in held_out]
                for exposure in EXPOSURES:
                    outputs = [network(exposure * picture) for picture in held_out]
                    style = fmean(loss.parts(o, p)[1].item() for o, p in zip(outputs, held_out, strict=True))
                    moved = fmean(
                        ((o - b).square().mean() / b.var()).sqrt().item() for o, b in zip(outputs, bright, strict=True)
                    )
                    row = {"norm": norm, "seed": seed, "exposure": exposure, "style": f"{style:.3f}"}
                    rows.append(row | {"moved": f"{100 * moved:.1f}"})
                    print(rows[-1], flush=True)
                    if seed == 0:
                        name = f"perceptual-norm-{norm}-{'bright' if exposure == 1 else 'dark'}.png"
                        images.write(experiments.FOLDERS[-1] / name, network(exposure * chelsea).clamp(0, 1))
    experiments.write("perceptual-norm", rows)


if __name__ == "__main__":
    main()
