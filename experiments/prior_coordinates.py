"""Lecture 9: half of the pixels of one photograph, fitted by two networks of coordinates and by the hourglass.

Writes results/prior-coordinates.csv, PSNR of all pixels, and results/prior-coordinates-NAME.png. Networks of
coordinates: a plain one with ReLUs, and the same with sines and cosines of random frequencies before it (Tancik and
others, "Fourier Features Let Networks Learn High Frequency Functions in Low Dimensional Domains", NeurIPS 2020).
"""

import math
import time

import torch
from prior_stopping import part
from prior_tasks import whole
from torch import Tensor, nn

from imtrans import degrade, experiments, images, prior

SIDE, WIDTH = 128, 64
STEPS = 600  # of Adam, for each of the three
FREQUENCIES, SPREAD = 128, 8.0  # of the features: how many, and their standard deviation in periods per picture


def coordinates() -> Tensor:
    """(SIDE², 2): y and x of each pixel in [0, 1]."""
    line = (torch.arange(SIDE) + 0.5) / SIDE
    return torch.cartesian_prod(line, line)


def features(places: Tensor, frequencies: Tensor) -> Tensor:
    """Sines and cosines of places (P, 2), one pair per frequency (F, 2): (P, 2 F)."""
    angles = 2 * math.pi * places @ frequencies.T
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def by_coordinates(inputs: Tensor, observed: Tensor, mask: Tensor) -> Tensor:
    """Fit four layers of 128 to the known pixels; the picture (1, 3, SIDE, SIDE)."""
    layers = [nn.Linear(inputs.shape[1], 128), nn.ReLU()]
    for _ in range(2):
        layers += [nn.Linear(128, 128), nn.ReLU()]
    network = nn.Sequential(*layers, nn.Linear(128, 3), nn.Sigmoid())
    adam = torch.optim.Adam(network.parameters(), lr=0.002)
    for _ in range(STEPS):
        picture = network(inputs).T.reshape(1, 3, SIDE, SIDE)
        loss = ((picture - observed) * mask).square().mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
    return picture.detach()


def by_hourglass(observed: Tensor, mask: Tensor) -> Tensor:
    """The deep image prior at half the paper's width."""
    chosen = prior.settings.super_resolution(4).narrow(*(WIDTH,) * 5)
    fitted = prior.restore(observed, chosen, mask=mask, iterations=STEPS, progress=False, autocast=True)
    return fitted.picture


def main() -> None:
    """Fit, keep, measure."""
    truth = part("chelsea", (30, 12), SIDE)
    mask = degrade.pixel_mask(SIDE, SIDE, keep=0.5, seed=0)
    observed, places = truth * mask, coordinates()
    torch.manual_seed(0)
    frequencies = SPREAD * torch.randn(FREQUENCIES, 2)
    fits = {
        "plain": lambda: by_coordinates(places, observed, mask),
        "fourier": lambda: by_coordinates(features(places, frequencies), observed, mask),
        "hourglass": lambda: by_hourglass(observed, mask),
    }
    rows = []
    for name, fit in fits.items():
        start = time.process_time()
        picture = fit()
        images.write(experiments.FOLDERS[-1] / f"prior-coordinates-{name}.png", picture)
        row = {"network": name, "picture": "chelsea", "side": SIDE, "steps": STEPS, "seed": 0}
        row |= {"psnr": f"{whole(picture, truth):.2f}", "cpu_seconds": round(time.process_time() - start)}
        rows.append(row)
        experiments.write("prior-coordinates", rows)
        print(rows[-1], flush=True)


if __name__ == "__main__":
    main()
