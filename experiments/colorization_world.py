"""Lecture 13: why the mean is a colour that nothing has, in a world where shape fixes a set of colours.

One small network, twice: with two outputs and the L2 loss, and with 313 and the cross-entropy; from two seeds. Neither
needs data. Writes results/colorization-world.csv (per shape, what each network says), colorization-world-shares.csv
(how often each colour occurs, and is predicted), and colorization-world-*.png, one scene: lightness, truth, answers.
"""

from functools import partial
from statistics import fmean

import torch
from torch import Tensor, nn

from imtrans import experiments, images
from imtrans.color import ab_bins
from imtrans.colorize import join
from imtrans.data.shapes import KINDS, ShapeWorld
from imtrans.experiments import FOLDERS
from imtrans.models.colorization import annealed_mean, mean_code
from imtrans.recipes.colorization import color_cross_entropy, half_squared_error
from imtrans.training import MuonAndAdam, Recipe, cosine, fit

SEEDS, BATCH = (0, 1), 8
STEPS = {2: 1_200, 313: 400}  # by the outputs: the regression learns more slowly
NEAR = 15.0  # Lab units: a colour this near to one of the set passes for it
TEMPERATURES = (1.0, 0.38, 0.1, 0.0)
WIDTH, SPREAD = 24, 50.0


class Small(nn.Module):
    """Nine convolutions to a quarter of the resolution; ``outputs`` = 2 regresses a and b."""

    def __init__(self, outputs: int, prior: Tensor | None = None) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        plan = ((1, 12, 2, 1), (12, WIDTH, 2, 1), *[(WIDTH, WIDTH, 1, d) for d in (1, 2, 2, 1)])
        for number, (before, after, stride, dilation) in enumerate(plan):
            layers += [nn.Conv2d(before, after, 3, stride, padding=dilation, dilation=dilation), nn.ReLU()]
            layers += [nn.BatchNorm2d(after)] if number % 2 else []
        self.layers = nn.Sequential(*layers, nn.Conv2d(WIDTH, outputs, 1))
        self.scale = SPREAD if outputs == 2 else 1.0
        if prior is not None:
            self.layers[-1].bias.data = prior.clamp(min=1e-6).log()

    def forward(self, lightness: Tensor) -> Tensor:
        """Logits, or a and b, of L (N, 1, H, W)."""
        return self.scale * self.layers((lightness - 50) / 25)


def recipe(outputs: int, seed: int) -> Recipe:
    """How both networks are trained; the classifier begins with how often the colours occur."""
    first = torch.stack([ShapeWorld(seed=seed)[i][1] for i in range(100)])
    return Recipe(
        name="world",
        model=partial(Small, outputs, mean_code(first) if outputs > 2 else None),
        data=lambda seed: ShapeWorld(seed=seed),
        loss=color_cross_entropy if outputs > 2 else half_squared_error,
        optimizer=MuonAndAdam(0.02, adam_lr=5e-3),
        schedule=cosine(warmup=10),
        steps=STEPS[outputs],
        batch=BATCH,
        seed=seed,
    )


def distance(ab: Tensor, colors: Tensor) -> Tensor:
    """Of each colour (n, 2), how far the nearest of the set is."""
    return torch.cdist(ab, colors).amin(dim=1)


def main() -> None:
    """Train, measure, write."""
    scenes = [ShapeWorld(seed=1_000).scene(i) for i in range(100)]
    light = torch.stack([scene.lightness for scene in scenes])
    kinds = torch.stack([scene.kind for scene in scenes])[:, 2::4, 2::4]
    measured: dict[tuple, list[float]] = {}
    for seed in SEEDS:
        networks = {
            name: fit(recipe(outputs, seed), progress=False, device="cpu").model
            for name, outputs in (("L2", 2), ("classes", 313))
        }
        with torch.no_grad():
            outputs = {name: network(light) for name, network in networks.items()}
        answers = {("L2", ""): outputs["L2"]}
        answers |= {("classes", t): annealed_mean(outputs["classes"], t) for t in TEMPERATURES}
        for kind, (name, weights) in enumerate(KINDS.items()):
            inside, colors = kinds == kind, torch.tensor(list(weights), dtype=torch.float32)
            for (network, temperature), ab in answers.items():
                found = ab.movedim(1, -1)[inside]
                key = (name, network, temperature)
                measured.setdefault((*key, "a"), []).append(float(found[:, 0].mean()))
                measured.setdefault((*key, "b"), []).append(float(found[:, 1].mean()))
                near = (distance(found, colors) < NEAR).float().mean()
                measured.setdefault((*key, "of_the_set"), []).append(100 * float(near))
            share = outputs["classes"].softmax(dim=1).movedim(1, -1)[inside].mean(dim=0)
            for number, color in enumerate(colors):
                mass = share[(ab_bins() - color).norm(dim=1) < NEAR].sum()
                measured.setdefault((name, "share", number), []).append(100 * float(mass))
        if seed == SEEDS[0]:
            pictures(scenes, {" ".join(map(str, key)).strip(): ab for key, ab in answers.items()})

    rows = []
    for name, weights in KINDS.items():
        mean = [sum(share * color[i] for color, share in weights.items()) for i in (0, 1)]
        for network, temperature in (("L2", ""), *(("classes", t) for t in TEMPERATURES)):
            found = {k: fmean(measured[name, network, temperature, k]) for k in ("a", "b", "of_the_set")}
            rows.append(
                {
                    "shape": name,
                    "network": network,
                    "temperature": temperature,
                    "a": f"{found['a']:.0f}",
                    "b": f"{found['b']:.0f}",
                    "mean_a": f"{mean[0]:.0f}",
                    "mean_b": f"{mean[1]:.0f}",
                    "of_the_set": f"{found['of_the_set']:.0f}",
                }
            )
    experiments.write("colorization-world", rows)
    shares = [
        {
            "shape": name,
            "color": number,
            "a": color[0],
            "b": color[1],
            "share": f"{100 * share:.0f}",
            "predicted": f"{fmean(measured[name, 'share', number]):.0f}",
        }
        for name, weights in KINDS.items()
        for number, (color, share) in enumerate(weights.items())
    ]
    experiments.write("colorization-world-shares", shares)


def pictures(scenes: list, answers: dict[str, Tensor]) -> None:
    """Keep the first scene that shows all three shapes."""
    number = next(i for i, scene in enumerate(scenes) if len(scene.kind.unique()) == 4)
    scene = scenes[number]
    light = scene.lightness[None]

    def keep(name: str, ab: Tensor) -> None:
        images.write(FOLDERS[-1] / f"colorization-world-{name}.png", join(light, ab))

    keep("gray", torch.zeros(1, 2, 64, 64))
    keep("truth", scene.ab[None])
    for name, ab in answers.items():
        enlarged = torch.nn.functional.interpolate(ab[[number]], scale_factor=4, mode="bilinear")
        keep(name.lower().replace(" ", "-"), enlarged)


if __name__ == "__main__":
    main()
