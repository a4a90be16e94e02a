"""Lecture 13: how often colours occur in our training pictures, and what can be said without a network.

Needs ImageNet1000_256, BSD200 and BSD500_test; a minute. Writes results/colorization-prior.csv (per colour: p, p̃, w,
and p̃ among dark, medium and light pixels), and results/colorization-floors.csv: the cross-entropy, on the held-out
pictures, of the prior alone, of a table by lightness, and of the soft targets themselves, below which nothing gets.
"""

import torch
from torch import Tensor

from imtrans import experiments
from imtrans.color import ab_bins
from imtrans.data.pairs import lightness_and_colors
from imtrans.models.colorization import annealed_mean, bin_frequencies, encode, mean_code, rebalancing_weights
from imtrans.recipes.colorization import colorful, prior_of, validation
from imtrans.recipes.pictures import IMAGENET_AND_BSD, training_pictures

SLICES = 20  # of the lightness, in the table
SHOWN = {"dark": (15, 35), "medium": (40, 60), "light": (65, 85)}  # ranges of L on the page


def pixels(pictures: list[Tensor], every: int) -> tuple[Tensor, Tensor]:
    """Lightness (n,) and ab (n, 2) of some pixels of all pictures."""
    pairs = [lightness_and_colors(picture[..., ::every, ::every], every=1) for picture in pictures]
    return torch.cat([light.flatten() for light, _ in pairs]), torch.cat([ab[0].flatten(1).T for _, ab in pairs])


def as_picture(ab: Tensor) -> Tensor:
    return ab.T[None, :, :, None]


def main() -> None:
    """Count and write."""
    training = colorful(training_pictures(IMAGENET_AND_BSD))
    prior = prior_of(training)
    light, ab = pixels(training.pictures, 12)
    hard, weights = bin_frequencies(as_picture(ab)), rebalancing_weights(prior)
    parts = {name: mean_code(as_picture(ab[(light >= a) & (light < b)])) for name, (a, b) in SHOWN.items()}
    experiments.write(
        "colorization-prior",
        [
            {"a": int(a), "b": int(b), "p": f"{hard[i]:.3g}", "smooth": f"{prior[i]:.4g}", "w": f"{weights[i]:.4g}"}
            | {name: f"{part[i]:.3g}" for name, part in parts.items()}
            for i, (a, b) in enumerate(ab_bins().tolist())
        ],
    )

    table = torch.stack(
        [
            mean_code(as_picture(ab[(light * SLICES / 100).long().clamp(max=SLICES - 1) == i])) if i else prior
            for i in range(SLICES)
        ]
    )
    table = 0.999 * table + 0.001 * prior  # a slice that has never seen a colour is not sure that there is none
    found_light, found_ab = pixels(validation(), 4)
    code = encode(as_picture(found_ab))[0, :, :, 0].T  # (n, 313)
    slices = (found_light * SLICES / 100).long().clamp(max=SLICES - 1)
    safe = prior.clamp(min=1e-8).log()
    decoded = {
        f"prior, T = {t:g}" + (", weighted" if mix else ""): annealed_mean(
            (safe + (weights.log() if mix else 0)).view(1, -1, 1, 1), t
        ).flatten()
        for mix in (False, True)
        for t in (1.0, 0.38)
    }
    rows = [
        {"what": "floor", "value": f"{-(code * code.clamp(min=1e-30).log()).sum(dim=1).mean():.2f}"},
        {"what": "prior", "value": f"{-(code @ safe).mean():.2f}"},
        {"what": "lightness", "value": f"{-(code * table.clamp(min=1e-8).log()[slices]).sum(dim=1).mean():.2f}"},
        {"what": "uniform", "value": f"{torch.tensor(313.0).log():.2f}"},
        {"what": "pictures", "value": len(training.pictures)},
        {"what": "held out", "value": len(validation())},
        {"what": "largest p", "value": f"{100 * hard.max():.0f}"},
        {"what": "largest smooth p", "value": f"{100 * prior.max():.0f}"},
        {"what": "never seen", "value": int((hard == 0).sum())},
        {"what": "smallest w", "value": f"{weights.min():.2f}"},
        {"what": "largest w", "value": f"{weights.max():.2f}"},
        {"what": "ratio of w", "value": f"{weights.max() / weights.min():.0f}"},
        {"what": "mean chroma", "value": f"{ab.norm(dim=1).mean():.1f}"},
        {"what": "median chroma", "value": f"{ab.norm(dim=1).median():.1f}"},
        *(
            {"what": f"{what}, {part}", "value": f"{value:.1f}"}
            for what, point in decoded.items()
            for part, value in (("a", point[0]), ("b", point[1]), ("chroma", point.norm()))
        ),
    ]
    experiments.write("colorization-floors", rows)


if __name__ == "__main__":
    main()
