"""Lecture 11: what the gates of two RCANs do, and what tiles change (needs BSD500_test and Set5).

The small one is results/rcan-short.safetensors, the medium one that of the package. Writes results/rcan-gates.csv (the
small one's gates of some pictures, one row per picture and block), rcan-starts.csv (gates before and after the
training, on two scales of values), rcan-fixed.csv (Set5 ×2, rgb-y, with gates that no longer look at the picture) and
rcan-tiles.csv (tiles beside the whole picture). Names of parts on the command line restrict it to these: gates, starts,
fixed, tiles.
"""

import copy
import sys

import torch
from torch import Tensor, nn

from imtrans import experiments, metrics, zoo
from imtrans.color import rgb_to_y
from imtrans.data import benchmarks, photos
from imtrans.degrade import Downscale, bicubic_down
from imtrans.evaluation import evaluate
from imtrans.images import crop, modcrop
from imtrans.models.rcan import RCAN, ChannelAttention
from imtrans.restore import super_resolve

SCALE, SIDE = 2, 96  # of the pieces whose gates are shown, in pixels of the low resolution
PATCH, PHOTOGRAPHS = 48, ("face", "suit", "fur")  # the paper's patches
CUTS = (  # network, tile, overlaps, photographs, whether these are shrunk first: unshrunk they are wider than 512
    ("small", 64, (0, 5, 10, 20, 40), ("astronaut", "chelsea"), True),
    ("medium", 64, (10, 40), ("astronaut", "chelsea"), True),
    ("medium", 512, (10,), ("china", "flower"), False),
)


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


def measure_gates(network: RCAN) -> None:
    """Gates of the examples."""
    rows = []
    for name, low_res in inputs().items():
        for block, values in enumerate(gates(network, low_res), start=1):
            channels = {f"c{index}": f"{value:.3f}" for index, value in enumerate(values.tolist())}
            rows.append({"picture": name, "block": block} | channels)
    experiments.write("rcan-gates", rows)


def measure_fixed(networks: dict[str, RCAN]) -> None:
    """Set5 with the mean gates of training pictures in place of the gates."""
    pictures = [bicubic_down(picture, SCALE) for _, picture in list(benchmarks.load("BSD500_test"))[:30]]
    set5, rows = list(benchmarks.load("Set5")), []
    for name, network in networks.items():
        all_gates = torch.stack([gates(network, picture) for picture in pictures])  # (pictures, blocks, C)
        mean = all_gates.mean(dim=0)
        variants = {
            "from the picture": network,
            "mean per channel": fixed(network, mean),
            "mean per block": fixed(network, mean.mean(dim=1, keepdim=True).expand_as(mean)),
            "1/2": fixed(network, torch.full_like(mean, 0.5)),
        }
        for kind, changed in variants.items():
            psnr = evaluate(changed, set5, Downscale(SCALE), protocol="rgb-y").psnr
            row = {"network": name, "gates": kind, "psnr": f"{psnr:.2f}", "pictures": len(pictures)}
            rows.append(row | {"protocol": "rgb-y"} | spreads(all_gates))
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


def measure_starts(trained: dict[str, RCAN]) -> None:
    """Gates of fresh networks for three photographs, with values to 1 and to 255; what training made of them."""
    pieces = [crop(picture, (0, 0, PATCH, PATCH)) for name, picture in inputs().items() if name in PHOTOGRAPHS]
    rows, starts = [], {}
    for name, build in {"small": RCAN.small, "medium": RCAN.medium, "paper": RCAN}.items():
        torch.manual_seed(0)  # the start of the trained ones, too
        fresh = build(SCALE).eval()
        for levels in (255, 1):
            starts[name] = torch.stack([gates(fresh, levels * (x - fresh.mean) + fresh.mean) for x in pieces])
            rows.append({"network": name, "state": "fresh", "levels": levels} | spreads(starts[name]))
            rows[-1] |= {"moved": "", "map_mean": "", "map_spread": "", "off": ""}
    for name, network in trained.items():
        all_gates = torch.stack([gates(network, x) for x in pieces])
        rows.append({"network": name, "state": "trained", "levels": 1} | spreads(all_gates))
        rows[-1] |= {"moved": f"{(all_gates - starts[name]).abs().mean():.3f}"} | inside(network, pieces)
    experiments.write("rcan-starts", rows)


def inside(network: RCAN, pieces: list[Tensor]) -> dict[str, str]:
    """What the attention works on: mean and spread of the maps, per cent of its rectifiers that are off."""
    maps, rectified = [], []
    network = copy.deepcopy(network)
    for layer in attentions(network):
        layer.register_forward_pre_hook(lambda _, x: maps.append(x[0].flatten(2)))
        layer.weights[2].register_forward_hook(lambda _, __, hidden: rectified.append(hidden.clone()))
    with torch.inference_mode():
        for x in pieces:
            network(x)
    return {
        "map_mean": f"{torch.stack([x.mean(-1).abs().mean() for x in maps]).mean():.2f}",
        "map_spread": f"{torch.stack([x.std(-1).mean() for x in maps]).mean():.2f}",
        "off": f"{100 * (torch.stack(rectified) == 0).float().mean():.0f}",
    }


def measure_tiles(networks: dict[str, RCAN]) -> None:
    """How far tiles are from the whole picture, as a network is and with the gates of the whole picture kept."""
    rows = []
    for name, tile, overlaps, names, shrunk in CUTS:
        pictures = [modcrop(photos.photo(photo).picture, SCALE) for photo in names]
        for overlap in overlaps:
            errors, changes = {"own": [], "whole": []}, []
            for truth in pictures:
                low_res = bicubic_down(truth, SCALE) if shrunk else truth
                whole = super_resolve(networks[name], low_res, SCALE)
                kept = fixed(networks[name], gates(networks[name], low_res))
                for kind, network in {"own": networks[name], "whole": kept}.items():
                    tiled = super_resolve(network, low_res, SCALE, tile=tile, overlap=overlap)
                    errors[kind].append(255 * (tiled - whole))
                    if kind == "own" and shrunk:
                        y, y_tiled, y_whole = (rgb_to_y(x.clamp(0, 1)) for x in (truth, tiled, whole))
                        gain = metrics.psnr(y_tiled, y, border=SCALE) - metrics.psnr(y_whole, y, border=SCALE)
                        changes.append(gain.item())
            for kind, found in errors.items():
                rms = torch.stack([error.square().mean() for error in found]).mean().sqrt().item()
                largest = max(error.abs().max().item() for error in found)
                row = {"network": name, "tile": tile, "overlap": overlap, "gates": kind, "rms": f"{rms:.3f}"}
                change = f"{round(sum(changes) / len(changes), 3) + 0:.3f}" if kind == "own" and changes else ""
                rows.append(row | {"max": f"{largest:.1f}", "psnr_change": change})
    experiments.write("rcan-tiles", rows)


def main() -> None:
    """Measure what the command line names, or all of it."""
    networks = {"small": short(), "medium": zoo.load("rcan-medium-x2")}
    parts = {
        "gates": lambda: measure_gates(networks["small"]),
        "starts": lambda: measure_starts(networks),
        "fixed": lambda: measure_fixed(networks),
        "tiles": lambda: measure_tiles(networks),
    }
    for name in sys.argv[1:] or parts:
        parts[name]()


if __name__ == "__main__":
    main()
