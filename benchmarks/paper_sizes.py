"""Three steps of the papers' trainings at full size: the large networks, the papers' patches and batches.

    python benchmarks/paper_sizes.py            # some minutes on two cores

Trains on the bundled photographs and prints seconds per step and the days that the paper's length would take here. A
test takes one step of each paper's recipe at batch 1. Nothing here is a test.
"""

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from torch import nn

from imtrans import images
from imtrans.data import photos
from imtrans.models.edsr import EDSR
from imtrans.recipes import edsr, rcan, rdn
from imtrans.training import Recipe, fit

STEPS = 3
TRAININGS: dict[str, tuple[Callable[..., Recipe], Callable[[], nn.Module] | None]] = {
    "EDSR, 32 blocks of 256": (edsr.paper, partial(EDSR, 2)),
    "RDN, 16 blocks of 8 layers": (partial(rdn.paper, size="paper"), None),
    "RCAN, 10 groups of 20 blocks": (partial(rcan.paper, size="paper"), None),
}


def main() -> None:
    """Print a line per network."""
    with tempfile.TemporaryDirectory() as folder:
        for photo in photos.photos("train"):
            images.write(Path(folder) / f"{photo.name}.png", photo.picture)
        for name, (paper, model) in TRAININGS.items():
            recipe = paper(2, data=[folder])
            length, recipe = recipe.steps, replace(recipe, steps=STEPS, model=model or recipe.model)
            ends: list[float] = []
            run = fit(recipe, on_step=lambda step, loss, ends=ends: ends.append(time.perf_counter()), progress=False)
            seconds = (ends[-1] - ends[0]) / (STEPS - 1)
            parameters = sum(p.numel() for p in run.model.parameters())
            days = seconds * length / 86_400
            print(f"{name}: {parameters:,} parameters, {seconds:.1f} s per step, {days:,.0f} days for {length:,} steps")


if __name__ == "__main__":
    main()
