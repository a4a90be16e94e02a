"""Lecture 2: the best answer to a question with many right answers, for an error in pixels and for one in features.

The right answers are one photograph at 25 places, up to two pixels apart. The mean squared error in pixels is least
for their mean; in features it is least where the features are nearest to the mean of theirs, and that is looked for by
Adam. Needs the hybrid. Writes results/perceptual-mean.csv and perceptual-mean-*.png. A quarter of a minute.
"""

import torch
from torch import Tensor

from imtrans import experiments, images
from imtrans.data import photos
from imtrans.losses import relative_error
from imtrans.models import features

TAPS = ("relu2_1", "relu3_1")
BOX = (150, 30, 132, 132)  # left, top, width, height: Chelsea's eyes, with two pixels more at each side
STEPS = 80


def sharpness(picture: Tensor) -> float:
    """Mean squared difference of neighbours."""
    return sum(picture.diff(dim=dim).square().mean().item() for dim in (-2, -1))


def main() -> None:
    """Optimise, write."""
    network = features.load(TAPS, "hybrid")
    wide = images.crop(photos.photo("chelsea").picture, BOX)
    places = torch.cat([wide[..., i : i + 128, j : j + 128] for i in range(5) for j in range(5)])
    mean = places.mean(dim=0, keepdim=True)
    with torch.no_grad():
        found = [network(place[None]) for place in places]
        targets = {tap: torch.cat([f[tap] for f in found]).mean(dim=0, keepdim=True) for tap in TAPS}
    pixels = mean.clone().requires_grad_()
    optimizer = torch.optim.Adam([pixels], lr=0.02)
    for step in range(STEPS):
        optimizer.param_groups[0]["lr"] = 0.02 * (1 - step / STEPS)
        now = network(pixels)
        loss = sum(relative_error(now[tap], target) for tap, target in targets.items())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    answer = pixels.detach().clamp(0, 1)
    middle = places[12:13]
    shown = {"one": middle, "pixels": mean, "features": answer}
    rows = []
    for name, picture in shown.items():
        images.write(experiments.FOLDERS[-1] / f"perceptual-mean-{name}.png", picture)
        error = (picture - places).square().mean().item()
        with torch.no_grad():
            now = network(picture)
            away = sum(relative_error(now[tap], target).item() for tap, target in targets.items())
        share = sharpness(picture) / sharpness(middle)
        rows.append({"answer": name, "mse": f"{1e4 * error:.1f}", "features": f"{away:.3f}",
                     "sharpness": f"{100 * share:.0f}"})  # fmt: skip
    experiments.write("perceptual-mean", [row | {"trunk": "hybrid"} for row in rows])


if __name__ == "__main__":
    main()
