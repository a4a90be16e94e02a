"""Lecture 6: what ESPCN's weights do to the page's photograph, and what enlarging first would cost.

Writes results/espcn-photograph.csv, espcn-phases.csv, espcn-tails.csv, espcn-frames.csv and espcn-blur.csv. Needs
neither data nor network.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imtrans import experiments, images, metrics, restore, zoo
from imtrans.data import photos
from imtrans.degrade import Downscale, bicubic_down, blur_down
from imtrans.evaluation import evaluate
from imtrans.models.baselines import Bicubic
from imtrans.models.edsr import EDSR
from imtrans.models.espcn import ESPCN
from imtrans.models.rcan import RCAN
from imtrans.models.srcnn import SRCNN
from imtrans.models.vdsr import VDSR
from imtrans.recipes.starts import icnr
from imtrans.resize import imresize

SCALE = 3
SEEDS = 10


def photograph() -> list[dict]:
    """PSNR of the two bundled test photographs, ×3."""
    networks = {"bicubic": Bicubic(), "srcnn-x3": zoo.load("srcnn-x3"), "espcn-x3": zoo.load("espcn-x3")}
    pictures = [(photo.name, photo.picture) for photo in photos.photos("test")]
    rows = []
    for name, network in networks.items():
        for row in evaluate(network, pictures, Downscale(SCALE)).rows:
            rows.append({"photograph": row.name, "method": name, "psnr": f"{row.psnr:.2f}", "protocol": "y8"})
    return rows


def shares(picture: Tensor, r: int) -> tuple[float, float]:
    """Of a picture's variance: the share within its r×r blocks, and the share of one pattern that all blocks have."""
    blocks = F.pixel_unshuffle(picture, r)  # (1, r², H, W)
    inside = blocks - blocks.mean(dim=1, keepdim=True)
    pattern = inside.mean(dim=(-2, -1))
    total = picture.var(correction=0)
    return (inside.square().mean() / total).item(), (pattern.square().mean() / total).item()


def phases() -> list[dict]:
    """Shares of variance: of a photograph, and of what untrained networks make of its low resolution."""
    luma = metrics.luma(images.modcrop(photos.photo("chelsea").picture, SCALE), rounded=True)
    low_res = bicubic_down(luma, SCALE)
    inside, pattern = shares(luma, SCALE)
    rows = [{"picture": "photograph", "within_blocks": f"{100 * inside:.1f}", "fixed_pattern": f"{100 * pattern:.1f}"}]
    for start, build in (("untrained", lambda: ESPCN(SCALE)), ("icnr", lambda: icnr(ESPCN(SCALE)))):
        found = []
        for seed in range(SEEDS):
            torch.manual_seed(seed)
            with torch.inference_mode():
                found.append(shares(build()(low_res), SCALE))
        inside, pattern = torch.tensor(found).mean(dim=0).tolist()
        rows.append({"picture": start, "within_blocks": f"{100 * inside:.1f}", "fixed_pattern": f"{100 * pattern:.1f}"})
    return rows


def multiplications(model: nn.Module, scale: int) -> float:
    """Multiplications of all convolutions per pixel of the output."""
    side, count = 12, 0
    shape = (1, model.channels, side, side) if model.upsamples else (1, model.channels, scale * side, scale * side)

    def add(layer: nn.Conv2d, _: tuple, output: Tensor) -> None:
        nonlocal count
        count += output.numel() * layer.in_channels * layer.kernel_size[0] ** 2

    hooks = [x.register_forward_hook(add) for x in model.modules() if isinstance(x, nn.Conv2d)]
    with torch.inference_mode():
        model(torch.rand(shape))
    for hook in hooks:
        hook.remove()
    return count / (scale * side) ** 2


def tails() -> list[dict]:
    """Weights, and multiplications per output pixel at ×2, ×3 and ×4: equal where all layers work at the large size."""
    networks = {
        "SRCNN 9-1-5": lambda scale: SRCNN(),
        "SRCNN 9-5-5": lambda scale: SRCNN(f2=5),
        "VDSR": lambda scale: VDSR(),
        "ESPCN": ESPCN,
        "EDSR baseline": lambda scale: EDSR.baseline(scale),
        "RCAN": RCAN,
    }
    rows = []
    for name, build in networks.items():
        for scale in (2, 3, 4):
            torch.manual_seed(0)
            model = build(scale)
            weights = sum(x.weight.numel() for x in model.modules() if isinstance(x, nn.Conv2d))
            count = f"{multiplications(model, scale):.0f}"
            rows.append({"network": name, "scale": scale, "weights": weights, "per_pixel": count})
    return rows


def frames() -> list[dict]:
    """A pan by one pixel of the original per frame: each frame of ESPCN's, and the mean of the aligned frames.

    For comparison, what averaging alone gains: the mean over the eight flips and turns of one frame.
    """
    network, rows = zoo.load("espcn-x3"), []
    for name in ("astronaut", "chelsea"):
        luma = metrics.luma(photos.photo(name).picture, rounded=True)
        steps = [(top, left) for top in range(3) for left in range(3)]  # all nine places of the grid
        height, width = (side // SCALE * SCALE - SCALE for side in luma.shape[-2:])
        truth = luma[..., 2:height, 2:width]
        aligned, single, turned = [], [], []
        for top, left in steps:
            frame = luma[..., top : top + height, left : left + width]
            low_res = images.to_float(images.to_uint8(bicubic_down(frame, SCALE)))
            inside = (..., slice(2 - top, height - top), slice(2 - left, width - left))
            aligned.append(restore.super_resolve(network, low_res, SCALE).clamp(0, 1)[inside])
            single.append(metrics.psnr(aligned[-1], truth, border=8).item())
            eight = restore.super_resolve(network, low_res, SCALE, self_ensemble=True).clamp(0, 1)[inside]
            turned.append(metrics.psnr(eight, truth, border=8).item())
        mean = metrics.psnr(torch.stack(aligned).mean(dim=0), truth, border=8).item()
        found = {"one_frame": sum(single) / 9, "eight_turns": sum(turned) / 9, "nine_frames": mean}
        rows.append({"photograph": name} | {key: f"{value:.2f}" for key, value in found.items()})
    return rows


@torch.inference_mode()
def blur() -> list[dict]:
    """The slides' Gaussian filter in place of bicubic shrinking, for several widths: PSNR of bicubic and of ESPCN."""
    network, rows = zoo.load("espcn-x3"), []
    for name in ("astronaut", "chelsea"):
        luma = metrics.luma(images.modcrop(photos.photo(name).picture, SCALE), rounded=True)
        for sigma in (0.4, 0.6, 0.8, 1.0, 1.3, 1.6, 2.0):
            low_res = blur_down(luma, SCALE, sigma)
            pictures = {"bicubic": imresize(low_res, SCALE), "espcn": network(low_res)}
            psnr = {k: f"{metrics.psnr(x.clamp(0, 1), luma, border=SCALE).item():.2f}" for k, x in pictures.items()}
            rows.append({"photograph": name, "sigma": f"{sigma:g}"} | psnr)
    return rows


def main() -> None:
    """Measure, write."""
    experiments.write("espcn-blur", blur())
    experiments.write("espcn-photograph", photograph())
    experiments.write("espcn-phases", phases())
    experiments.write("espcn-tails", tails())
    experiments.write("espcn-frames", frames())


if __name__ == "__main__":
    main()
