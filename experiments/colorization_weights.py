"""Lecture 13: log w on the logits of a plain network beside a training by the weighted loss, in the world of shapes.

Half a minute, without data. Writes results/colorization-weights.csv: what each says about the three colours of a disc,
in percent, and what the formula p w says.
"""

from dataclasses import replace

import torch
from colorization_world import recipe

from imtrans import experiments
from imtrans.color import ab_bins
from imtrans.data.shapes import KINDS, ShapeWorld
from imtrans.models.colorization import mean_code, rebalancing_weights
from imtrans.recipes.colorization import Rebalanced
from imtrans.training import fit


def main() -> None:
    """Train both, compare, write."""
    world = ShapeWorld()
    prior = mean_code(torch.stack([world[i][1] for i in range(400)]))
    weights = rebalancing_weights(prior.clamp(min=1e-6))
    scenes = [ShapeWorld(seed=1_000).scene(i) for i in range(100)]
    light = torch.stack([scene.lightness for scene in scenes])
    discs = torch.stack([scene.kind for scene in scenes])[:, 2::4, 2::4] == 0

    plain = fit(recipe(313, 0), progress=False, device="cpu").model
    rebalanced = Rebalanced(lambda: prior.clamp(min=1e-6))
    weighted = fit(replace(recipe(313, 0), loss=rebalanced), progress=False, device="cpu").model
    with torch.no_grad():
        logits = plain(light)
        ways = {
            "plain": logits,
            "plain, log w added": logits + weights.log().view(1, -1, 1, 1),
            "trained with w": weighted(light),
        }
    colors = [int((ab_bins() == torch.tensor(color)).all(dim=1).nonzero()) for color in KINDS["disc"]]
    near = [(ab_bins() - ab_bins()[color]).norm(dim=1) < 15 for color in colors]
    rows = []
    for way, found in ways.items():
        mean = found.softmax(dim=1).movedim(1, -1)[discs].mean(dim=0)
        shares = torch.stack([mean[which].sum() for which in near])
        rows.append({"way": way} | named(shares / shares.sum()))
    formula = torch.tensor(list(KINDS["disc"].values())) * weights[colors]
    rows.append({"way": "formula"} | named(formula / formula.sum()))
    experiments.write("colorization-weights", rows)


def named(shares: torch.Tensor) -> dict[str, str]:
    """Shares by colour, in percent."""
    return {name: f"{100 * share:.0f}" for name, share in zip(("red", "green", "yellow"), shares, strict=True)}


if __name__ == "__main__":
    main()
