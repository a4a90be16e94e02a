"""Lecture 8: why a wide network needs residual scaling.

All on the paper's scale, levels 0 … 255 less the mean. Writes three tables. results/edsr-steps.csv: how far one step of
Adam at the paper's rate moves the output of a fresh network of 16 blocks, by width and ρ, in levels; mean of three
starts. results/edsr-shares.csv: the same at 256 features, if only the branches of the blocks learn, only the rest, or
all; with ρ = 0.1, and with the second convolution of each block at a tenth of its usual start. results/edsr-wide.csv:
the loss of the paper's 32 blocks of 256 features, with ρ = 1 and ρ = 0.1, in its first steps on small patches of the
bundled photographs.
"""

import torch
import torch.nn.functional as F

from imtrans import experiments
from imtrans.data.pairs import SuperResolutionPairs
from imtrans.models.edsr import EDSR
from imtrans.recipes.pictures import training_pictures

RATE = 1e-4  # Adam's, in the paper
SEEDS = (0, 1, 2)
WIDTHS = ((64, 1.0), (128, 1.0), (256, 1.0), (256, 0.1))  # features, ρ
BRAKES = {"none": (1.0, 1.0), "rho": (0.1, 1.0), "start": (1.0, 0.1)}  # ρ, factor on the start of the branches' ends
STEPS, PATCH, BATCH = 20, 8, 2


def batches(size: int, batch: int):
    """Batches of training pairs at ×2, one per step."""
    pairs = SuperResolutionPairs(training_pictures().rgb().pictures, (2,), size, upsamples=True)
    return lambda step: [
        torch.stack(side) for side in zip(*(pairs[batch * step + i] for i in range(batch)), strict=True)
    ]


def levels(model: EDSR, low_res: torch.Tensor) -> torch.Tensor:
    """The output in levels less the mean, for an input of the same kind: the network as the paper has it."""
    features = model.head(255 * (low_res - model.mean))
    return model.tail(features + model.body(features))


def movement(
    features: int,
    residual_scale: float,
    low_res: torch.Tensor,
    high_res: torch.Tensor,
    *,
    start: float = 1.0,
    learns: str = "all",
) -> float:
    """Root mean square change of the output by the first step, in levels, mean over the starts.

    Args:
        features: Number of channels.
        residual_scale: ρ.
        low_res: Batch of inputs in [0, 1].
        high_res: Targets in [0, 1].
        start: Factor on the initial second convolution of each block.
        learns: What takes the step: "branches" of the blocks, the "rest", or "all".
    """
    moved = 0.0
    for seed in SEEDS:
        torch.manual_seed(seed)
        model = EDSR(2, blocks=16, features=features, residual_scale=residual_scale)
        blocks = model.body[:-1]
        for block in blocks:
            for parameter in block.layers[-1].parameters():
                parameter.data *= start
        inside = set(blocks.parameters())
        learners = {
            "all": model.parameters(),
            "branches": blocks.parameters(),
            "rest": [p for p in model.parameters() if p not in inside],
        }
        optimizer = torch.optim.Adam(learners[learns], lr=RATE)
        before = levels(model, low_res)
        F.l1_loss(before, 255 * (high_res - model.mean)).backward()
        optimizer.step()
        with torch.no_grad():
            moved += (levels(model, low_res) - before).square().mean().sqrt().item() / len(SEEDS)
    return moved


def losses(residual_scale: float, batch) -> list[float]:
    """The loss of 32 blocks of 256 features in each step, in levels."""
    torch.manual_seed(0)
    model = EDSR(2, residual_scale=residual_scale)
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    found = []
    for step in range(STEPS):
        low_res, high_res = batch(step)
        loss = F.l1_loss(levels(model, low_res), 255 * (high_res - model.mean))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(loss.item())
    return found


def main() -> None:
    """Measure, write."""
    low_res, high_res = batches(16, 2)(0)
    rows = [
        {"features": features, "rho": rho, "levels": f"{movement(features, rho, low_res, high_res):.1f}"}
        for features, rho in WIDTHS
    ]
    experiments.write("edsr-steps", rows)

    rows = [
        {
            "brake": brake,
            "learns": learns,
            "levels": f"{movement(256, rho, low_res, high_res, start=start, learns=learns):.1f}",
        }
        for brake, (rho, start) in BRAKES.items()
        for learns in ("all", "branches", "rest")
    ]
    experiments.write("edsr-shares", rows)

    batch = batches(PATCH, BATCH)
    curves = {rho: losses(rho, batch) for rho in (1.0, 0.1)}
    rows = [
        {"rho": rho, "step": step, "levels": f"{level:.2f}"}
        for rho, found in curves.items()
        for step, level in enumerate(found, 1)
    ]
    experiments.write("edsr-wide", rows)


if __name__ == "__main__":
    main()
