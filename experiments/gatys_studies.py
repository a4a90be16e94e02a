"""Lecture 3: what the layers hold, and what the dials of style transfer do. 128 pixels, features of the hybrid.

Each study writes results/gatys-STUDY.csv, with the name of the features, and its pictures
results/gatys-STUDY-NAME.jpg:

- content: a photograph rebuilt from a single layer, from noise, with its PSNR to the photograph.
- texture: a style picture rebuilt from layers 1 to k, from noise, with the relative Gram error at all five; and once by
  a network with random weights, judged by the hybrid.
- ratio: the transfer at several ratios α/β.
- start: the transfer from the photograph, from the style picture and from noise of two seeds, with the distance
  between the two latter.
- optimizer: errors over the steps, L-BFGS and Adam at two rates.
- sizes: one size against two at equal time.
- layer: the content loss at relu2_2 in place of relu4_2.
- photo: a photograph at dusk as the style of one by day.
- statistic: means and standard deviations of the channels in place of Gram matrices.

Run it with the names of studies to write these alone.
"""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from imtrans import experiments, images, metrics, stylize
from imtrans.data import photos, styles
from imtrans.losses import gram_per_position, relative_error
from imtrans.models import features
from imtrans.resize import imresize

TRUNK = "hybrid"
SIDE, STEPS = 128, 70
ALPHA = 0.1
BOX = (48, 0, 384, 384)  # of the astronaut: her head, the shuttle behind her


def photograph(side: int = SIDE) -> Tensor:
    """The astronaut, (1, 3, side, side)."""
    return imresize(images.crop(photos.photo("astronaut").picture, BOX), side / BOX[2]).clamp(0, 1)


def artwork(side: int = SIDE) -> Tensor:
    """The brush strokes at half their size, so that a part of the picture has room for several of them."""
    return imresize(styles.strokes(), side * 3 / 2 / styles.SIDE).clamp(0, 1)


def trunk(*layers: str) -> nn.Module:
    """The hybrid up to some layers."""
    return features.load(layers, TRUNK)


def write(study: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a table into results/; each row names the features."""
    experiments.write(f"gatys-{study}", [row | {"features": TRUNK} for row in rows])


def keep(study: str, name: str, picture: Tensor) -> None:
    """Write a picture into results/."""
    images.write(experiments.FOLDERS[-1] / f"gatys-{study}-{name}.jpg", picture)


def paint(**options) -> tuple[Tensor, list[stylize.Step], dict[str, str]]:
    """A transfer of the studies: the picture, its steps, and the columns that all tables have."""
    settings = {"alpha": ALPHA, "steps": (STEPS,), "progress": False} | options
    pictures = settings.pop("content", photograph()), settings.pop("style", artwork())
    steps: list[stylize.Step] = []
    start = time.process_time()
    painted = stylize.gatys(*pictures, on_step=steps.append, **settings)
    last = {"content": f"{steps[-1].content:.4f}", "style": f"{steps[-1].style:.4f}", "steps": len(steps)}
    return painted, steps, last | {"cpu_seconds": f"{time.process_time() - start:.1f}"}


def content() -> None:
    """A photograph from single layers."""
    rows = []
    for layer in ("relu1_1", "relu2_1", "relu3_1", "relu4_2", "relu5_1"):
        picture, _, last = paint(
            network=trunk(layer), content_layers=(layer,), style_layers=(), alpha=1.0, beta=0.0, start="noise"
        )
        keep("content", layer, picture)
        psnr = metrics.psnr(picture, photograph())
        rows.append({"layer": layer, "psnr": f"{float(psnr):.1f}", "error": last["content"], "steps": last["steps"]})
        write("content", rows)


def gram_errors(picture: Tensor) -> dict[str, str]:
    """Relative Gram error against the style picture at each style layer of the hybrid."""
    network = trunk(*stylize.STYLE)
    with torch.no_grad():
        ours, wanted = network(picture), network(artwork())
    grams = {layer: (gram_per_position(ours[layer]), gram_per_position(wanted[layer])) for layer in stylize.STYLE}
    return {layer: f"{relative_error(*pair).item():.3f}" for layer, pair in grams.items()}


def random_network(seed: int = 0) -> nn.Module:
    """VGG-19 as the hybrid has it, a quarter of the channels above relu3_1 included, with He's random weights."""
    torch.manual_seed(seed)
    network = features.Hybrid(stylize.STYLE, pooling="average")
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            nn.init.zeros_(module.bias)
    for part in (network.real, network.student):
        part.mean.fill_(0.5)  # He's scaling is for inputs around 0
    return network.requires_grad_(False)


def texture() -> None:
    """A style from growing sets of layers, and from random weights."""
    rows = []
    networks = {f"1 to {k}": trunk(*stylize.STYLE[:k]) for k in range(1, 6)} | {"random": random_network()}
    noise = 0.5 + 0.1 * torch.randn(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    rows.append({"layers": "noise"} | gram_errors(noise))
    for name, network in networks.items():
        options = {"network": network, "style_layers": network.taps, "content_layers": (), "alpha": 0.0}
        picture, _, _ = paint(**options, start="noise")
        keep("texture", name.replace(" ", "-"), picture)
        rows.append({"layers": name} | gram_errors(picture))
        write("texture", rows)


def ratio() -> None:
    """The transfer at several ratios."""
    rows = []
    for alpha in (0.01, 0.03, 0.1, 0.3, 1.0):
        picture, _, last = paint(network=trunk(*stylize.STYLE, *stylize.CONTENT), alpha=alpha)
        keep("ratio", f"{alpha:g}", picture)
        rows.append({"alpha": f"{alpha:g}"} | last)
        write("ratio", rows)


def start() -> None:
    """The transfer from several starts."""
    rows, pictures = [], {}
    for name, options in {
        "content": {"start": "content"},
        "style": {"start": "style"},
        "noise": {"start": "noise", "seed": 0},
        "noise-again": {"start": "noise", "seed": 1},
    }.items():
        picture, _, last = paint(network=trunk(*stylize.STYLE, *stylize.CONTENT), **options)
        pictures[name] = picture
        keep("start", name, picture)
        rows.append({"start": name} | last)
    between = metrics.psnr(pictures["noise"], pictures["noise-again"])
    rows = [row | {"psnr_of_the_two": f"{float(between):.1f}"} for row in rows]
    write("start", rows)


def optimizer() -> None:
    """Errors over the steps."""
    kinds = {"lbfgs": stylize.OPTIMIZERS["lbfgs"]}
    kinds |= {f"adam {rate:g}": lambda pixels, rate=rate: torch.optim.Adam(pixels, lr=rate) for rate in (0.01, 0.05)}
    rows = []
    for name, build in kinds.items():
        stylize.OPTIMIZERS[name] = build
        _, steps, last = paint(network=trunk(*stylize.STYLE, *stylize.CONTENT), optimizer=name, steps=(60,))
        for step in steps:
            if step.step in (1, 2, 3, 5, 7, 10, 14, 20, 30, 40, 50, 60):
                total = ALPHA * step.content + step.style
                errors = {"content": f"{step.content:.4f}", "style": f"{step.style:.4f}", "loss": f"{total:.4f}"}
                rows.append(
                    {"optimizer": name, "step": step.step} | errors | {"cpu_seconds_in_all": last["cpu_seconds"]}
                )
        write("optimizer", rows)


def sizes() -> None:
    """One size against two at equal cost: a step at half the side costs a quarter."""
    rows = []
    for name, steps in {"one": (32,), "two": (64, 16)}.items():
        network = trunk(*stylize.STYLE, *stylize.CONTENT)
        picture, _, last = paint(content=photograph(160), style=artwork(160), network=network, steps=steps)
        keep("sizes", name, picture)
        rows.append({"sizes": name} | last)
        write("sizes", rows)


def layer() -> None:
    """The content loss at a low layer; `ratio` has the usual one."""
    picture, _, last = paint(network=trunk(*stylize.STYLE, "relu2_2"), content_layers=("relu2_2",))
    keep("layer", "relu2_2", picture)
    write("layer", [{"layer": "relu2_2"} | last])


def photo() -> None:
    """The light of one photograph on another."""
    day = imresize(images.crop(photos.photo("china").picture, (20, 0, 600, 400)), 32 / 100)  # (1, 3, 128, 192)
    dusk = imresize(images.crop(photos.photo("rocket").picture, (0, 0, 640, 400)), 3 / 10)  # (1, 3, 120, 192)
    options = {"content": day.clamp(0, 1), "style": dusk.clamp(0, 1), "alpha": 0.3, "steps": (50,)}
    picture, _, last = paint(network=trunk(*stylize.STYLE, *stylize.CONTENT), **options)
    keep("photo", "day", day.clamp(0, 1))
    keep("photo", "dusk", dusk.clamp(0, 1))
    keep("photo", "both", picture)
    write("photo", [last])


def means_and_deviations(features: Tensor) -> Tensor:
    """Mean and standard deviation of each channel, (1, 2 C): what AdaIN compares."""
    return torch.cat([features.mean(dim=(2, 3)), features.flatten(2).std(dim=2)], dim=1)


def statistic() -> None:
    """Another measure of the style; `ratio` has Gram matrices."""
    picture, _, last = paint(network=trunk(*stylize.STYLE, *stylize.CONTENT), statistic=means_and_deviations)
    keep("statistic", "means", picture)
    errors = [float(value) for value in gram_errors(picture).values()]
    write("statistic", [last | {"gram_error": f"{sum(errors) / len(errors):.3f}"}])


STUDIES: dict[str, Callable[[], None]] = {
    study.__name__: study for study in (content, texture, ratio, start, optimizer, sizes, layer, photo, statistic)
}


def main(names: Sequence[str]) -> None:
    """Run studies, all or those named."""
    for name in names or STUDIES:
        began = time.perf_counter()
        STUDIES[name]()
        print(f"{name}: {time.perf_counter() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
