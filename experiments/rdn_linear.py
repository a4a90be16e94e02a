"""Lecture 10: the network without a body of the ablation, trained longer (needs T91, BSD200 and Set5).

How far can a linear network come on Set5 ×2? Writes results/rdn-linear.csv, protocol rgb-y.
"""

from dataclasses import replace

from rdn_ablation import SCALE, WithoutBody, small

from imtrans import experiments
from imtrans.data import benchmarks
from imtrans.degrade import Downscale
from imtrans.evaluation import evaluate
from imtrans.recipes import rdn
from imtrans.recipes.pictures import low_resolution_patches, training_pictures
from imtrans.training import Adam, fit

STEPS = 5_000


def main() -> None:
    """Train, measure, write."""
    pictures = training_pictures(("T91", "BSD200")).rgb()
    recipe = replace(
        rdn.full(SCALE),
        model=lambda: small(WithoutBody, {}),
        data=low_resolution_patches(pictures, SCALE, size=16),
        optimizer=Adam(2e-3),
        steps=STEPS,
        batch=8,
        autocast=False,
        validate_every=None,
    )
    run = fit(recipe, device="cpu", progress=False)
    score = evaluate(run.model, benchmarks.load("Set5"), Downscale(SCALE), protocol="rgb-y").psnr
    row = {"steps": STEPS, "psnr": f"{score:.2f}", "seconds": round(run.seconds), "protocol": "rgb-y"}
    experiments.write("rdn-linear", [row])


if __name__ == "__main__":
    main()
