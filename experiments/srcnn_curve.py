"""Lecture 1: PSNR on Set5 ×3 while 9-1-5 trains on the 91 images, from three seeds (needs T91 and Set5).

Writes results/srcnn-curve.csv: one row per seed and validation, protocol y8.
"""

from dataclasses import replace

from imtrans import experiments
from imtrans.data import benchmarks
from imtrans.degrade import Downscale
from imtrans.evaluation import evaluate
from imtrans.recipes import srcnn
from imtrans.training import fit

STEPS, EVERY = 1_000, 50
SEEDS = (0, 1, 2)


def main() -> None:
    """Train, measure, write."""
    set5 = benchmarks.load("Set5")
    rows = []
    for seed in SEEDS:
        recipe = replace(srcnn.full(scale=3), steps=STEPS, validate_every=EVERY, seed=seed)
        run = fit(recipe, validate=lambda network: {"psnr": evaluate(network, set5, Downscale(3)).psnr}, progress=False)
        for entry in run.log:
            if "psnr" in entry:
                seen = {"seed": seed, "step": entry["step"], "patches": entry["step"] * recipe.batch}
                rows.append(seen | {"psnr": f"{entry['psnr']:.2f}", "seconds": round(run.seconds), "protocol": "y8"})
        experiments.write("srcnn-curve", rows)


if __name__ == "__main__":
    main()
