"""Lecture 2: what each layer contributes to a sum of style losses, as the slides write it and relative to the target.

Needs the hybrid. Writes results/perceptual-layers.csv. Some seconds.
"""

from statistics import fmean

import torch

from imtrans import experiments
from imtrans.data.styles import STYLES
from imtrans.losses import normalized_gram, relative_error, style_reconstruction
from imtrans.models import features
from imtrans.recipes.johnson import STYLE_TAPS
from imtrans.recipes.pictures import validation_pictures


@torch.inference_mode()
def main() -> None:
    """Measure, write."""
    network = features.load(STYLE_TAPS, "hybrid")
    style = network(STYLES["strokes"]())
    raw, relative = ({tap: [] for tap in STYLE_TAPS} for _ in range(2))
    for _, picture in validation_pictures(192):
        found = network(picture)
        for tap in STYLE_TAPS:
            raw[tap].append(style_reconstruction(found[tap], style[tap]).item())
            grams = normalized_gram(found[tap]), normalized_gram(style[tap])
            relative[tap].append(relative_error(*grams).item())
    rows = []
    for tap in STYLE_TAPS:
        shares = {}
        for name, values in (("raw", raw), ("relative", relative)):
            means = {key: fmean(of_tap) for key, of_tap in values.items()}
            shares[name] = f"{100 * means[tap] / sum(means.values()):.1f}"
        rows.append({"tap": tap} | shares | {"error": f"{fmean(relative[tap]):.2f}"})
    experiments.write("perceptual-layers", [row | {"features": "hybrid"} for row in rows])


if __name__ == "__main__":
    main()
