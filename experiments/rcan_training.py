"""Lecture 11: a small RCAN with and without channel attention, and with and without its skips.

Needs T91, BSD200, BSD500_test and Set5. Writes results/rcan-attention.csv (three seeds), results/rcan-skips.csv (one
seed) and results/rcan-short.safetensors, the network whose gates the lecture looks at. Scores are Set5 ×2 by rgb-y.
Names of parts on the command line restrict it to these.
"""

import sys
from collections.abc import Callable
from dataclasses import replace

from safetensors.torch import save_file
from torch import Tensor, nn

from imtrans import experiments
from imtrans.data import benchmarks
from imtrans.degrade import Downscale
from imtrans.evaluation import evaluate
from imtrans.models.rcan import RCAN, ChannelAttention
from imtrans.recipes import rcan
from imtrans.recipes.pictures import low_resolution_patches, training_pictures
from imtrans.training import Adam, Run, fit

SCALE = 2
SEEDS = (0, 1, 2)
ATTENTION_STEPS, SKIP_STEPS, KEPT_STEPS = 1_200, 600, 1_600
PICTURES = training_pictures(("T91", "BSD200", "BSD500_test")).rgb()
RECIPE = rcan.full(SCALE)


class TwiceSigmoid(nn.Sigmoid):
    """2 / (1 + exp(−x)): a gate that starts near 1 where the sigmoid starts near 1/2."""

    def forward(self, x: Tensor) -> Tensor:
        """Values between 0 and 2."""
        return 2 * super().forward(x)


def doubled() -> RCAN:
    """The small network with twice the sigmoid in every gate."""
    network = RCAN.small(SCALE)
    for layer in network.modules():
        if isinstance(layer, ChannelAttention):
            layer.weights[-1] = TwiceSigmoid()
    return network


class WithoutLongSkip(RCAN):
    """RCAN whose head reaches the tail through the body alone."""

    def forward(self, low_res: Tensor) -> Tensor:
        """As `RCAN.forward`."""
        return self.tail(self.body(self.head(low_res - self.mean))) + self.mean


def deep(long: bool, short: bool) -> RCAN:
    """Six groups of three blocks of 32 features, with or without the skips over the body and over the groups."""
    network = (RCAN if long else WithoutLongSkip)(SCALE, groups=6, blocks=3, features=32, reduction=8)
    if not short:
        for index, group in enumerate(network.body[:-1]):
            network.body[index] = group.layers
    return network


def train(model: Callable[[], nn.Module], steps: int, seed: int = 0, **changes) -> Run:
    """A short training on 24×24 low-resolution pixels, 8 patches per step."""
    short = {
        "data": low_resolution_patches(PICTURES, SCALE, size=24),
        "steps": steps,
        "batch": 8,
        "validate_every": None,
    }
    return fit(replace(RECIPE, model=model, seed=seed, **short, **changes), progress=False)


def set5(network: nn.Module) -> float:
    """PSNR on Set5."""
    return evaluate(network, benchmarks.load("Set5"), Downscale(SCALE), protocol="rgb-y").psnr


def attention() -> None:
    """With the gate, without it, and with twice the gate."""
    variants = {"without": lambda: RCAN.small(SCALE, None), "with": lambda: RCAN.small(SCALE), "twice": doubled}
    rows, scores = [], {name: [] for name in variants}
    for seed in SEEDS:
        for name, model in variants.items():
            run = train(model, ATTENTION_STEPS, seed, optimizer=Adam(1e-3))
            scores[name].append(set5(run.model))
            row = {"attention": name, "seed": seed, "steps": run.step, "psnr": f"{scores[name][-1]:.2f}"}
            rows.append(row | {"seconds": round(run.seconds), "protocol": "rgb-y"})
            experiments.write("rcan-attention", rows)
    for name, found in scores.items():
        mean = {"attention": name, "seed": "mean", "steps": ATTENTION_STEPS, "psnr": f"{sum(found) / len(found):.2f}"}
        rows.append(mean | {"seconds": "", "protocol": "rgb-y"})
    experiments.write("rcan-attention", rows)


def skips() -> None:
    """The four networks with and without long and short skips."""
    rows = []
    for long in (False, True):
        for short in (False, True):
            run = train(lambda long=long, short=short: deep(long, short), SKIP_STEPS, optimizer=Adam(5e-4))
            row = {"long": "yes" if long else "no", "short": "yes" if short else "no", "steps": run.step}
            row["psnr"] = f"{set5(run.model):.2f}"
            rows.append(row | {"seconds": round(run.seconds), "protocol": "rgb-y"})
            experiments.write("rcan-skips", rows)


def kept() -> None:
    """The small network by the recipe of the package, cut short: the weights that the lecture looks into."""
    run = train(RECIPE.model, KEPT_STEPS)
    weights = {name: value.half().contiguous() for name, value in run.model.state_dict().items()}
    path = experiments.FOLDERS[-1] / "rcan-short.safetensors"
    path.parent.mkdir(exist_ok=True)
    save_file(weights, path)
    row = {"steps": run.step, "psnr": f"{set5(run.model):.2f}", "protocol": "rgb-y"}
    experiments.write("rcan-short", [row])


def main() -> None:
    """Train what the command line names, or all of it."""
    parts = {"kept": kept, "attention": attention, "skips": skips}
    for name in sys.argv[1:] or parts:
        parts[name]()


if __name__ == "__main__":
    main()
