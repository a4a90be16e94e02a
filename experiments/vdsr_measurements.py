"""Lecture 5: what the shipped VDSR weights do at other factors, and what its target, field and first step look like.

Needs Set5. Writes results/vdsr-residual.csv, vdsr-scales.csv, vdsr-factors.csv, vdsr-field.csv, vdsr-clipped.csv and
vdsr-photograph.csv.
"""

import math
from fractions import Fraction

import torch
from torch import Tensor

from imtrans import experiments, images, metrics, zoo
from imtrans.data import benchmarks, photos
from imtrans.degrade import Downscale, bicubic_down_up
from imtrans.evaluation import evaluate
from imtrans.losses import half_sum_of_squares
from imtrans.models.vdsr import VDSR
from imtrans.recipes import vdsr
from imtrans.recipes.pictures import training_pictures
from imtrans.resize import imresize

SCALES = (2, 3, 4)
FACTORS = ("1", "5/4", "3/2", "7/4", "2", "5/2", "3", "7/2", "4", "9/2", "5")
SINGLE = ("srcnn-x2", "srcnn-x3", "srcnn-x4")
SMALL = ("bird", "butterfly", "woman")  # of Set5: the curve over factors needs no more
WINDOWS = (5, 9, 13, 21, 31, 41)
THETAS = (1e-4, 1e-3, 1e-2, 1e-1)


def rounded(picture: Tensor) -> Tensor:
    """As an 8-bit file holds it."""
    return images.to_float(images.to_uint8(picture))


def residual(set5: list[tuple[str, Tensor]]) -> list[dict]:
    """How large r = y − x is: root mean square and luma's standard deviation in levels, share of the variance in %.

    `small` is the share of the pixels where |r| is at most two levels, in %.
    """
    rows = []
    for scale in SCALES:
        missing, spread, small = [], [], []
        for _, picture in set5:
            y = metrics.luma(images.modcrop(picture, scale), rounded=True)
            r = y - bicubic_down_up(y, scale)
            missing.append(r.square().mean().item())
            small.append((r.abs() <= 2 / 255).float().mean().item())
            spread.append(y.var(correction=0).item())
        squares, variance = sum(missing) / len(missing), sum(spread) / len(spread)
        size = {"rms": f"{255 * math.sqrt(squares):.1f}", "spread": f"{255 * math.sqrt(variance):.0f}"}
        shares = {"share": f"{100 * squares / variance:.1f}", "small": f"{100 * sum(small) / len(small):.0f}"}
        rows.append({"scale": scale} | size | shares)
    return rows


def scales(set5: list[tuple[str, Tensor]]) -> list[dict]:
    """Our three SRCNNs, each trained for one scale, on all three."""
    rows = []
    for name in SINGLE:
        network = zoo.load(name)
        network.scales = SCALES  # evaluation asks what a network is for
        for scale in SCALES:
            psnr = evaluate(network, set5, Downscale(scale), metrics=("psnr",)).psnr
            rows.append({"network": name, "scale": scale, "psnr": f"{psnr:.2f}", "protocol": "y8"})
    return rows


def factors(set5: dict[str, Tensor]) -> list[dict]:
    """PSNR at other factors than the trained ones, mean of three pictures, and the gain over bicubic."""
    networks = {name: zoo.load(name) for name in ("vdsr", *SINGLE)}
    rows = []
    for factor in map(Fraction, FACTORS):
        scores: dict[str, list[float]] = {name: [] for name in ("bicubic", *networks)}
        for name in SMALL:
            y = metrics.luma(images.modcrop(set5[name], factor.numerator), rounded=True)
            x = imresize(imresize(y, 1 / factor), factor)
            outputs = {"bicubic": x} | {key: network(x) for key, network in networks.items()}
            for key, output in outputs.items():
                scores[key].append(metrics.psnr(rounded(output), y, border=math.ceil(factor)).item())
        mean = {name: sum(values) / len(values) for name, values in scores.items()}
        for name, psnr in mean.items():
            numbers = {"psnr": f"{psnr:.2f}", "gain": "" if factor == 1 else f"{psnr - mean['bicubic']:.2f}"}
            rows.append({"network": name, "factor": f"{float(factor):g}"} | numbers | {"protocol": "y8"})
    return rows


def field(butterfly: Tensor) -> list[dict]:
    """Share of the squared gradient of an output pixel that lies in a window around it, mean of twelve pixels, in %."""
    network = zoo.load("vdsr").requires_grad_(False)
    y = metrics.luma(images.modcrop(butterfly, 3), rounded=True)
    x = bicubic_down_up(y, 3)
    total = torch.zeros(41, 41)
    for row in (60, 120, 180):
        for column in (50, 100, 150, 200):
            window = x[..., row - 20 : row + 21, column - 20 : column + 21].clone().requires_grad_()
            network(window)[0, 0, 20, 20].backward()
            total += window.grad[0, 0].square() / window.grad.square().sum()
    shares = {side: total[20 - side // 2 : 21 + side // 2, 20 - side // 2 : 21 + side // 2] for side in WINDOWS}
    return [{"window": side, "share": f"{100 * part.sum().item() / 12:.1f}"} for side, part in shares.items()]


def clipped() -> list[dict]:
    """Share of the elements of the first gradient that a bound θ/0.1 clips, in %; 20 layers, loss as in the paper."""
    pairs = vdsr.patches(training_pictures().luma(), SCALES)(0)
    x, y = (torch.stack(side) for side in zip(*(pairs[i] for i in range(16)), strict=True))
    torch.manual_seed(0)
    network = VDSR()
    half_sum_of_squares(network(x), y).backward()
    sizes = torch.cat([p.grad.flatten() for p in network.parameters()]).abs()
    median, largest = f"{sizes.median().item():.2g}", f"{sizes.max().item():.0f}"
    shares = {theta: (sizes > theta / 0.1).float().mean().item() for theta in THETAS}
    return [{"theta": f"{theta:g}", "share": f"{100 * share:.0f}", "median": median, "largest": largest}
            for theta, share in shares.items()]  # fmt: skip


def photograph() -> list[dict]:
    """The page's photograph at ×3."""
    y = metrics.luma(images.modcrop(photos.photo("camera").picture, 3), rounded=True)
    x = bicubic_down_up(y, 3)
    outputs = {"bicubic": x} | {name: zoo.load(name)(x) for name in ("srcnn-x3", "vdsr")}
    scores = {name: metrics.psnr(rounded(output), y, border=3).item() for name, output in outputs.items()}
    return [{"photograph": "camera", "method": name, "psnr": f"{psnr:.2f}", "protocol": "y8"}
            for name, psnr in scores.items()]  # fmt: skip


def main() -> None:
    """Measure, write."""
    set5 = list(benchmarks.load("Set5"))
    experiments.write("vdsr-clipped", clipped())
    experiments.write("vdsr-field", field(dict(set5)["butterfly"]))
    with torch.inference_mode():
        experiments.write("vdsr-residual", residual(set5))
        experiments.write("vdsr-photograph", photograph())
        experiments.write("vdsr-scales", scales(set5))
        experiments.write("vdsr-factors", factors(dict(set5)))


if __name__ == "__main__":
    main()
