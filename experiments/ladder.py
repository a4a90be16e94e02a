"""The ladder: one detail and the five pictures of Set5 at ×2, through every network of the course that has weights.

Needs Set5. Writes results/ladder.csv, one row per method by protocol rgb-y, and book/static/figures/ladder.png, one
panel per network whose weights are in the package (of RCAN, the medium one). A network whose weights are not in the
package yet has its row too, with dashes for what weights alone can tell.
"""

from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor, nn

from imtrans import experiments, figures, images, published, zoo
from imtrans.data import benchmarks, photos
from imtrans.degrade import Downscale, bicubic_down
from imtrans.evaluation import evaluate
from imtrans.models.baselines import Bicubic
from imtrans.models.edsr import EDSR
from imtrans.models.espcn import ESPCN
from imtrans.models.rcan import RCAN
from imtrans.models.rdn import RDN
from imtrans.models.srcnn import SRCNN
from imtrans.models.vdsr import VDSR
from imtrans.restore import super_resolve

SCALE = 2
RUNGS = (  # label, name in the zoo, architecture, lecture, the row that the paper prints for this network
    ("bicubic", "bicubic", Bicubic, 1, ("srcnn", "Bicubic", "y8")),
    ("SRCNN", "srcnn-x2", SRCNN, 1, ("srcnn", "SRCNN", "y8")),
    ("ESPCN", "espcn-x2", partial(ESPCN, SCALE), 6, None),
    ("VDSR", "vdsr", VDSR, 5, ("vdsr", "VDSR", "y8")),
    ("EDSR baseline", "edsr-baseline-x2", partial(EDSR.baseline, SCALE), 8, ("edsr", "EDSR baseline", "rgb-y")),
    ("RDN small", "rdn-small-x2", partial(RDN.small, SCALE), 10, None),
    ("RCAN small", "rcan-small-x2", partial(RCAN.small, SCALE), 11, None),
    ("RCAN medium", "rcan-medium-x2", partial(RCAN.medium, SCALE), 11, None),
)
PAPERS = (  # label, architecture, lecture, row: networks of the papers' sizes, which nobody has trained here
    ("EDSR", partial(EDSR.paper, SCALE), 8, ("edsr", "EDSR", "rgb-y8")),
    ("RDN", partial(RDN, SCALE), 10, ("rcan", "RDN", "rgb-y")),
    ("RCAN", partial(RCAN, SCALE), 11, ("rcan", "RCAN", "rgb-y")),
)
PHOTO, BOX = "astronaut", (272, 336, 60, 48)  # of the detail: left, top, width, height in the original
ZOOM, LINE, GAP = 4, 22, 8
HEADER = 4 * LINE + GAP
FIGURES = Path(__file__).parents[1] / "book" / "static" / "figures"


def multiplications(network: nn.Module) -> float:
    """Multiplications of the convolutions per output pixel, at any size: counted on 64×64 output pixels."""
    counted = []

    def count(layer: nn.Conv2d, _: tuple, output: Tensor) -> None:
        if output.shape[-1] > 1:  # those of the attention work on one pixel per picture
            counted.append(layer.weight.numel() * output.shape[-2] * output.shape[-1])

    handles = [m.register_forward_hook(count) for m in network.modules() if isinstance(m, nn.Conv2d)]
    side = 64 // SCALE if network.upsamples else 64
    with torch.inference_mode():
        network(torch.zeros(1, network.channels, side, side))
    for handle in handles:
        handle.remove()
    return sum(counted) / 64**2


def short(count: float) -> str:
    """A count with three digits and K or M."""
    for unit, size in (("M", 1e6), ("K", 1e3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count:.0f}"


def printed(paper: str, model: str, protocol: str) -> str:
    """What the paper prints for its own network."""
    [row] = published.rows(paper, model=model, set="Set5", scale=SCALE, protocol=protocol)
    return f"{row['psnr']:.2f}"


def loaded(name: str) -> nn.Module | None:
    """The network with its weights; None while the package has none. RCAN then has those of a short training."""
    if name == "bicubic":
        return Bicubic()
    if name in zoo.names():
        return zoo.load(name)
    if name == "rcan-small-x2":
        network = RCAN.small(SCALE)
        network.load_state_dict(experiments.weights("rcan-short"))
        return network.eval()
    return None


def sizes(network: nn.Module) -> dict[str, str]:
    """What the architecture alone tells."""
    count = sum(p.numel() for p in network.parameters())
    return {
        "parameters": short(count) if count else "–",
        "multiplications": short(multiplications(network)) if count else "–",
    }


def measure() -> list[dict]:
    """One row per rung, then the papers' own networks."""
    set5, rows, ready = list(benchmarks.load("Set5")), [], {}
    unknown = {"psnr": "–", "ssim": "–", "seconds": "–"}
    for label, name, architecture, lecture, source in RUNGS:
        network = loaded(name)
        row = {"method": label, "lecture": lecture} | sizes(architecture()) | unknown
        if network is not None:
            ready[label] = network
            result = evaluate(network, set5, Downscale(SCALE), protocol="rgb-y")
            row |= {"psnr": f"{result.psnr:.2f}", "ssim": f"{result.ssim:.4f}"}
        rows.append(row | {"printed": printed(*source) if source else "–", "protocol": "rgb-y"})
    for label, architecture, lecture, source in PAPERS:
        row = {"method": label, "lecture": lecture} | sizes(architecture()) | unknown
        rows.append(row | {"printed": printed(*source), "protocol": source[-1]})
    low_res = bicubic_down(images.modcrop(photos.photo(PHOTO).picture, SCALE), SCALE)  # (1, 3, 256, 256)
    times = experiments.best_times([lambda n=n: super_resolve(n, low_res, SCALE) for n in ready.values()], rounds=3)
    seconds = dict(zip(ready, times, strict=True))
    return [row | {"seconds": f"{seconds[row['method']]:.2g}"} if row["method"] in seconds else row for row in rows]


def details() -> dict[str, Tensor]:
    """The detail through each method, and the original, (1, 3, h, w)."""
    original = images.modcrop(photos.photo(PHOTO).picture, SCALE)
    low_res = images.to_float(images.to_uint8(bicubic_down(original, SCALE)))
    found = {}
    for label, name, *_ in RUNGS:
        if label != "RCAN small" and (network := loaded(name)) is not None:  # RCAN is there once
            found[label] = figures.crop(super_resolve(network, low_res, SCALE).clamp(0, 1), BOX)
    return found | {"original": figures.crop(original, BOX)}


def caption(row: dict) -> list[str]:
    """Our score and, if it has one, the paper's; what the network costs."""
    score = f"{row['psnr']} dB" + (f" · paper {row['printed']}" if row["printed"] != "–" else "")
    if row["parameters"] == "–":
        return [score, f"{row['seconds']} s"]
    return [score, f"{row['parameters']} parameters", f"{row['multiplications']} mult. · {row['seconds']} s"]


def draw(rows: list[dict], panels: dict[str, Tensor]) -> None:
    """All details in two rows, each below its label and its numbers."""
    numbers = {row["method"]: row for row in rows}
    width, height = BOX[2] * ZOOM, BOX[3] * ZOOM
    columns = -(-len(panels) // 2)
    size = (columns * (width + GAP) - GAP, 2 * (height + HEADER + GAP) - GAP)
    sheet = Image.new("RGB", size, figures.GROUND)
    canvas, large, small = ImageDraw.Draw(sheet), ImageFont.load_default(20), ImageFont.load_default(17)
    for index, (label, picture) in enumerate(panels.items()):
        left, top = (index % columns) * (width + GAP), (index // columns) * (height + HEADER + GAP)
        squares = picture.repeat_interleave(ZOOM, -1).repeat_interleave(ZOOM, -2)
        levels = images.to_uint8(squares)[0].permute(1, 2, 0).numpy()
        sheet.paste(Image.fromarray(np.ascontiguousarray(levels)), (left, top + HEADER))
        canvas.text((left + 2, top), label, fill=figures.INK, font=large)
        for line, words in enumerate(caption(numbers[label]) if label in numbers else [], start=1):
            canvas.text((left + 2, top + 2 + line * LINE), words, fill=figures.INK, font=small)
    sheet.save(FIGURES / "ladder.png", optimize=True)


def main() -> None:
    """Measure, write, draw."""
    rows = measure()
    experiments.write("ladder", rows)
    draw(rows, details())


if __name__ == "__main__":
    main()
