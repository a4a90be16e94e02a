"""Lecture 11: what the gates of a small RCAN do, and what tiles change (needs BSD500_test and Set5).

Reads results/rcan-short.safetensors. Writes results/rcan-gates.csv (the gates of some pictures, one row per picture and
block), rcan-starts.csv (gates before and after the training, on two scales of values), rcan-fixed.csv (Set5 ×2, rgb-y,
with gates that no longer look at the picture) and rcan-tiles.csv (tiles beside the whole picture). Names of parts on
the command line restrict it to these: gates, starts, tiles.
"""

import copy
import sys
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from imtrans import experiments, metrics
from imtrans.color import rgb_to_y
from imtrans.data import benchmarks, photos
from imtrans.degrade import Downscale, bicubic_down
from imtrans.evaluation import evaluate
from imtrans.images import crop, modcrop
from imtrans.models.rcan import RCAN, ChannelAttention
from imtrans.restore import super_resolve

SCALE, SIDE = 2, 96  # of the pieces whose gates are shown, in pixels of the low resolution
PATCH, PHOTOGRAPHS = 48, ("face", "suit", "fur")  # the paper's patches
TILE = 64
OVERLAPS = (0, 5, 10, 20, 40)


def short() -> RCAN:
    """The small network of results/rcan-short.safetensors."""
    network = RCAN.small(SCALE)
    network.load_state_dict(experiments.weights("rcan-short"))
    return network.eval()


def attentions(network: nn.Module) -> list[ChannelAttention]:
    """The attention of each block, from the first to the last."""
    return [layer for layer in network.modules() if isinstance(layer, ChannelAttention)]


def gates(network: RCAN, low_res: Tensor) -> Tensor:
    """The numbers s that the blocks multiply their channels with, (blocks, C), for a low resolution (1, 3, H, W)."""
    seen = []
    handles = [a.weights.register_forward_hook(lambda _, __, s: seen.append(s.flatten())) for a in attentions(network)]
    with torch.inference_mode():
        network(low_res)
    for handle in handles:
        handle.remove()
    return torch.stack(seen)


class Constant(nn.Module):
    """Gates that are the same for every picture.

    Args:
        values: One number per channel, (C,).
    """

    def __init__(self, values: Tensor) -> None:
        super().__init__()
        self.register_buffer("values", values.view(1, -1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(1, C, 1, 1), whatever x is."""
        return self.values


def fixed(network: RCAN, values: Tensor) -> RCAN:
    """A copy of the network whose gates are ``values`` (blocks, C)."""
    network = copy.deepcopy(network)
    for layer, value in zip(attentions(network), values, strict=True):
        layer.weights = Constant(value)
    return network


def inputs() -> dict[str, Tensor]:
    """Low resolutions of several kinds, (1, 3, SIDE, SIDE)."""
    low = {photo.name: bicubic_down(photo.picture, SCALE) for photo in photos.photos("test")}
    wave = 0.5 + 0.4 * torch.sin(torch.arange(SIDE) * 1.2).expand(1, 3, SIDE, -1)
    return {
        "flat grey": torch.full((1, 3, SIDE, SIDE), 0.5),
        "stripes": wave.contiguous(),
        "noise": torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0)),
        "face": crop(low["astronaut"], (70, 10, SIDE, SIDE)),
        "suit": crop(low["astronaut"], (100, 140, SIDE, SIDE)),
        "fur": crop(low["chelsea"], (10, 50, SIDE, SIDE)),
    }


def measure_gates(network: RCAN, pictures: Iterable[Tensor]) -> None:
    """Gates of the examples; Set5 with the mean gates of the training pictures in their place."""
    rows = []
    for name, low_res in inputs().items():
        for block, values in enumerate(gates(network, low_res), start=1):
            channels = {f"c{index}": f"{value:.3f}" for index, value in enumerate(values.tolist())}
            rows.append({"picture": name, "block": block} | channels)
    experiments.write("rcan-gates", rows)

    all_gates = torch.stack([gates(network, bicubic_down(p, SCALE)) for p in pictures])  # (pictures, blocks, C)
    mean = all_gates.mean(dim=0)
    half = torch.full_like(mean, 0.5)
    flat = mean.mean(dim=1, keepdim=True).expand_as(mean)
    networks = {
        "from the picture": network,
        "mean per channel": fixed(network, mean),
        "mean per block": fixed(network, flat),
        "1/2": fixed(network, half),
    }
    set5 = list(benchmarks.load("Set5"))
    rows = []
    for name, changed in networks.items():
        psnr = evaluate(changed, set5, Downscale(SCALE), protocol="rgb-y").psnr
        rows.append({"gates": name, "psnr": f"{psnr:.2f}", "pictures": len(all_gates), "protocol": "rgb-y"})
        rows[-1] |= spreads(all_gates)
    experiments.write("rcan-fixed", rows)


def spreads(all_gates: Tensor) -> dict[str, str]:
    """Of gates (pictures, blocks, C): their mean, its spread over channels, one channel's spread over pictures."""
    mean = all_gates.mean(dim=0)
    values = {
        "mean": mean.mean(),
        "over_channels": mean.std(dim=1).mean(),
        "over_pictures": all_gates.std(dim=0).mean(),
    }
    return {key: f"{value:.3f}" for key, value in values.items()}


def measure_starts(network: RCAN) -> None:
    """Gates of fresh networks for three photographs, with values to 1 and to 255; what the trained one made of them."""
    pieces = [crop(picture, (0, 0, PATCH, PATCH)) for name, picture in inputs().items() if name in PHOTOGRAPHS]
    rows = []
    for name, build in {"small": RCAN.small, "paper": RCAN}.items():
        torch.manual_seed(0)  # the start of the trained one, too
        fresh = build(SCALE).eval()
        for levels in (1, 255):
            all_gates = torch.stack([gates(fresh, levels * (x - fresh.mean) + fresh.mean) for x in pieces])
            rows.append({"network": name, "state": "fresh", "levels": levels} | spreads(all_gates))
            rows[-1] |= {"moved": "", "map_mean": "", "map_spread": "", "off": ""}
            if name == "small" and levels == 1:
                start = all_gates
    all_gates = torch.stack([gates(network, x) for x in pieces])
    rows.append({"network": "small", "state": "trained", "levels": 1} | spreads(all_gates))
    rows[-1]["moved"] = f"{(all_gates - start).abs().mean():.3f}"

    maps, rectified = [], []
    network = copy.deepcopy(network)
    for layer in attentions(network):
        layer.register_forward_pre_hook(lambda _, x: maps.append(x[0].flatten(2)))
        layer.weights[2].register_forward_hook(lambda _, __, hidden: rectified.append(hidden.clone()))
    with torch.inference_mode():
        for x in pieces:
            network(x)
    rows[-1]["map_mean"] = f"{torch.stack([x.mean(-1).abs().mean() for x in maps]).mean():.2f}"
    rows[-1]["map_spread"] = f"{torch.stack([x.std(-1).mean() for x in maps]).mean():.2f}"
    rows[-1]["off"] = f"{100 * (torch.stack(rectified) == 0).float().mean():.0f}"
    experiments.write("rcan-starts", rows)


def measure_tiles(network: RCAN) -> None:
    """How far tiles are from the whole picture, as the network is and with the gates of the whole picture kept."""
    rows = []
    for overlap in OVERLAPS:
        squares, largest, psnr = {"own": [], "whole": []}, {"own": 0.0, "whole": 0.0}, []
        for photo in photos.photos("test"):
            truth = modcrop(photo.picture, SCALE)
            low_res = bicubic_down(truth, SCALE)
            whole = super_resolve(network, low_res, SCALE)
            for name, model in {"own": network, "whole": fixed(network, gates(network, low_res))}.items():
                tiled = super_resolve(model, low_res, SCALE, tile=TILE, overlap=overlap)
                difference = 255 * (tiled - whole)
                squares[name].append(difference.square().mean())
                largest[name] = max(largest[name], difference.abs().max().item())
                if name == "own":
                    y, y_tiled, y_whole = (rgb_to_y(x.clamp(0, 1)) for x in (truth, tiled, whole))
                    gain = metrics.psnr(y_tiled, y, border=SCALE) - metrics.psnr(y_whole, y, border=SCALE)
                    psnr.append(gain.item())
        for name, values in squares.items():
            rms = torch.stack(values).mean().sqrt().item()
            row = {"overlap": overlap, "gates": name, "tile": TILE, "rms": f"{rms:.3f}", "max": f"{largest[name]:.1f}"}
            rows.append(row | {"psnr_change": f"{round(sum(psnr) / len(psnr), 3) + 0:.3f}" if name == "own" else ""})
    experiments.write("rcan-tiles", rows)


def main() -> None:
    """Measure what the command line names, or all of it."""
    network = short()
    parts = {
        "gates": lambda: measure_gates(network, (picture for _, picture in list(benchmarks.load("BSD500_test"))[:30])),
        "starts": lambda: measure_starts(network),
        "tiles": lambda: measure_tiles(network),
    }
    for name in sys.argv[1:] or parts:
        parts[name]()


if __name__ == "__main__":
    main()
