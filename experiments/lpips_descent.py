"""Lecture 12: what a distance wants to see. Pixels descend it, from noise to a photograph.

Writes results/lpips-descent.csv and book/static/figures/lpips-descent.png. Needs no data but the trunks. A minute.
"""

from pathlib import Path

import torch
from lpips_measurements import distances
from torch import Tensor

from imtrans import experiments, images, metrics
from imtrans.data.photos import photo

FIGURES = Path(__file__).parents[1] / "book" / "static" / "figures"
PLACE = ("astronaut", (170, 62, 96, 96))
STEPS, RATE = 150, 0.03
SHOWN = ("SSIM", "random AlexNet", "squeezenet-caffe", "hybrid")


def descend(distance, target: Tensor, start: Tensor) -> Tensor:
    """Adam on the pixels, which are clipped to [0, 1] after each step."""
    x = start.clone().requires_grad_(True)
    optimizer = torch.optim.Adam([x], lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    for _ in range(STEPS):
        optimizer.zero_grad()
        distance(x, target).sum().backward()
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            x.clamp_(0, 1)
    return x.detach()


def main() -> None:
    target = images.crop(photo(PLACE[0]).picture, PLACE[1])
    start = (0.5 + 0.2 * torch.randn(target.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 1)
    all_distances, row, rows = distances(), [start], []
    for name in SHOWN:
        distance = all_distances[name]
        found = descend(distance, target, start)
        with torch.inference_mode():
            before, after = (distance(x, target).item() for x in (start, found))
        rows.append(
            {"distance": name, "steps": STEPS, "before": f"{before:.3f}", "after": f"{after:.4f}"}
            | {"psnr": f"{metrics.psnr(found, target).item():.1f}", "ssim": f"{metrics.ssim(found, target).item():.3f}"}
        )
        print(rows[-1], flush=True)
        row.append(found)
    experiments.write("lpips-descent", rows)
    shown, gap = (*row, target), torch.ones(1, 3, target.shape[-2], 4)
    upper, lower = (torch.cat([shown[i], gap, shown[i + 1], gap, shown[i + 2]], dim=-1) for i in (0, 3))
    sheet = torch.cat([upper, torch.ones(1, 3, 4, upper.shape[-1]), lower], dim=-2)
    images.write(FIGURES / "lpips-descent.png", sheet.repeat_interleave(2, -1).repeat_interleave(2, -2))


if __name__ == "__main__":
    main()
