"""Lecture 5: small trainings by the paper's solver, with and without skip, at three depths, and by several clips.

Needs T91 and Set5. Writes results/vdsr-depth.csv and vdsr-clipping.csv (one row per training: Set5 ×2, protocol y8)
and vdsr-depth-curves.csv and vdsr-clipping-curves.csv (gain over bicubic on the training patches, step by step).
"""

from collections.abc import Callable, Iterable
from dataclasses import replace

import torch
from torch import Tensor, nn

from imtrans import experiments
from imtrans.data import benchmarks
from imtrans.degrade import Downscale
from imtrans.evaluation import evaluate
from imtrans.losses import half_sum_of_squares
from imtrans.models.vdsr import VDSR
from imtrans.recipes import vdsr
from imtrans.recipes.pictures import training_pictures
from imtrans.training import SGD, Recipe, clip_by_rate, fit, staircase

SCALE, FEATURES, BATCH = 2, 32, 8
EVERY = 10  # steps in one point of a curve
STEPS = 150
DEPTHS = (5, 10, 20)
RATE, THETA = 0.1, 1e-4


class Plain(VDSR):
    """VDSR without its skip: the layers return the picture itself."""

    def forward(self, interpolated: Tensor) -> Tensor:
        """f(x) of a bicubic enlargement x (N, c, H, W)."""
        return self.layers(interpolated)


def constant_clip(parameters: Iterable[Tensor], rate: float) -> None:
    """The bound of the first rate, kept when the rate falls: what the paper's clip is not."""
    nn.utils.clip_grad_value_(parameters, THETA / RATE)


CLIPPING = (  # what is written into the tables, first rate, clip
    ("none", 0.1, None),
    ("none", 1e-3, None),
    ("none", 1e-5, None),
    ("none", 1e-6, None),
    ("0.01", RATE, clip_by_rate(1e-2)),
    ("0.001", RATE, clip_by_rate(1e-3)),
    ("0.0001", RATE, clip_by_rate(1e-4)),
    ("0.00001", RATE, clip_by_rate(1e-5)),
    ("constant", RATE, constant_clip),
)


def small(pairs: Callable, model: type[VDSR], depth: int, rate: float, clip: Callable | None) -> Recipe:
    """The paper's recipe with fewer filters, smaller batches, one scale, and far fewer steps."""
    return replace(
        vdsr.paper(scales=(SCALE,)),
        model=lambda: model(depth=depth, features=FEATURES, scales=(SCALE,)),
        data=pairs,
        optimizer=SGD(rate, momentum=0.9, weight_decay=1e-4),
        clip=clip,
        schedule=staircase(0.1, at=(0.5, 0.75)),
        steps=STEPS,
        batch=BATCH,
    )


def train(recipe: Recipe, bicubic: list[float]) -> tuple[dict, list[dict]]:
    """The result of a training, and its curve: the gain over bicubic on the patches of each ``EVERY`` steps, in dB."""
    losses: list[float] = []
    try:
        run = fit(recipe, on_step=lambda step, loss: losses.append(loss), progress=False, device="cpu")
        psnr = f"{evaluate(run.model, benchmarks.load('Set5'), Downscale(SCALE), metrics=('psnr',)).psnr:.2f}"
    except FloatingPointError:  # the loss is no number any more
        psnr = "diverged"
    means, reference = (torch.tensor(x[: len(losses)]).unfold(0, EVERY, EVERY).mean(dim=1) if len(losses) >= EVERY
                        else torch.zeros(0) for x in (losses, bicubic))  # fmt: skip
    gains = (10 * torch.log10(reference / means)).tolist()
    curve = [{"step": EVERY * (index + 1), "gain": f"{gain:.2f}"} for index, gain in enumerate(gains)]
    return {"psnr": psnr, "steps": len(losses), "protocol": "y8"}, curve


def series(name: str, runs: list[tuple[dict, Recipe]], bicubic: list[float]) -> None:
    """Train one after the other and write both tables after each."""
    rows, curves = [], []
    for about, recipe in runs:
        result, curve = train(recipe, bicubic)
        rows.append(about | result)
        curves += [about | point for point in curve]
        print(rows[-1], flush=True)
        experiments.write(name, rows)
        if curves:
            experiments.write(f"{name}-curves", curves)


def bicubic_losses(pairs: Callable) -> list[float]:
    """The loss of the enlargement itself on the patches of each step."""
    samples = pairs(0)
    batches = [[samples[step * BATCH + i] for i in range(BATCH)] for step in range(STEPS)]
    return [half_sum_of_squares(*map(torch.stack, zip(*batch, strict=True))).item() for batch in batches]


def main(which: tuple[str, ...] = ("depth", "clipping")) -> None:
    """Train, measure, write."""
    pairs = vdsr.patches(training_pictures(("T91",)).luma(), (SCALE,))
    bicubic = bicubic_losses(pairs)
    if "depth" in which:
        models = {"residual": VDSR, "plain": Plain}
        grid = [(depth, name) for depth in DEPTHS for name in models]
        clip = clip_by_rate(THETA)
        runs = [({"network": n, "depth": d}, small(pairs, models[n], d, RATE, clip)) for d, n in grid]
        series("vdsr-depth", runs, bicubic)
    if "clipping" in which:
        runs = [
            ({"theta": theta, "rate": f"{rate:g}"}, small(pairs, VDSR, 10, rate, clip))
            for theta, rate, clip in CLIPPING
        ]
        series("vdsr-clipping", runs, bicubic)


if __name__ == "__main__":
    main()
