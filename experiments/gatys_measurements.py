"""Lecture 3: what a Gram matrix sees, and what the slides' formulas weigh. Features of the hybrid; nothing is trained.

- results/gatys-tiles.csv: relative Gram error of the brush strokes cut into shuffled tiles, and of another picture.
- results/gatys-raw.csv: the slides' losses of a photograph against a style picture at two sizes.
- results/gatys-means.csv: the share of a Gram matrix's energy that its channel means make.
"""

import numpy as np
import torch
from gatys_studies import TRUNK, write
from torch import Tensor

from imtrans import stylize
from imtrans.data import photos, styles
from imtrans.losses import content_loss, gram_per_position, relative_error, style_loss
from imtrans.models import features
from imtrans.resize import to_side

TILES = (96, 32, 8)


def shuffled(picture: Tensor, tile: int, seed: int = 0) -> Tensor:
    """A picture cut into square tiles, which are put together in another order."""
    n = picture.shape[-1] // tile
    tiles = picture.unfold(2, tile, tile).unfold(3, tile, tile).flatten(2, 3)  # (1, 3, n², tile, tile)
    order = torch.from_numpy(np.random.RandomState(seed).permutation(n * n))
    rows = tiles[:, :, order].unflatten(2, (n, n))  # (1, 3, n, n, tile, tile)
    return rows.permute(0, 1, 2, 4, 3, 5).reshape(1, 3, n * tile, n * tile)


def tiles(network: torch.nn.Module) -> None:
    """Gram errors of shuffled tiles."""
    strokes = styles.strokes()
    wanted = {layer: gram_per_position(x) for layer, x in network(strokes).items()}
    pictures = {str(tile): shuffled(strokes, tile) for tile in TILES} | {"glass": styles.glass()}
    pictures |= {"mirrored": strokes.flip(-1), "upside down": strokes.flip(-2)}
    rows = []
    for name, picture in pictures.items():
        found = network(picture)
        errors = {k: f"{relative_error(gram_per_position(found[k]), wanted[k]).item():.3f}" for k in stylize.STYLE}
        rows.append({"tiles": name} | errors)
    write("tiles", rows)


def raw(network: torch.nn.Module) -> None:
    """The slides' sums at two sizes: the same two pictures, in half as many and as many pixels per side."""
    rows = []
    for side in (128, 256):
        square = photos.photo("astronaut").picture[..., :384, 48:432]
        photograph, artwork = (network(to_side(picture, side)) for picture in (square, styles.strokes()))
        values = {"content": content_loss(artwork["relu4_2"], photograph["relu4_2"]).item()}
        values |= {layer: style_loss(photograph[layer], artwork[layer]).item() for layer in stylize.STYLE}
        whole = sum(values[layer] for layer in stylize.STYLE)
        largest = max(stylize.STYLE, key=values.get)
        rows.append(
            {"side": side}
            | {name: f"{value:.4g}" for name, value in values.items()}
            | {"largest": largest, "share_of_largest": f"{100 * values[largest] / whole:.1f}"}
        )
    keys = ("content", *stylize.STYLE)
    growth = {key: f"{float(rows[1][key]) / float(rows[0][key]):.2f}" for key in keys}
    rows.append({"side": "growth"} | growth | {"largest": "", "share_of_largest": ""})
    write("raw", rows)


def means(network: torch.nn.Module) -> None:
    """G / M is a covariance matrix plus the outer product of the channel means: how much of ‖G / M‖² is the latter?"""
    rows = []
    for name, picture in {"strokes": styles.strokes(), "glass": styles.glass()}.items():
        shares = {}
        for layer in stylize.STYLE:
            flat = network(picture)[layer][0].flatten(1)
            mean, gram = flat.mean(dim=1), flat @ flat.T / flat.shape[1]
            shares[layer] = f"{100 * torch.outer(mean, mean).square().sum() / gram.square().sum():.0f}"
        rows.append({"picture": name} | shares)
    write("means", rows)


@torch.inference_mode()
def main() -> None:
    """Measure and write."""
    network = features.load((*stylize.STYLE, *stylize.CONTENT), TRUNK)
    tiles(network)
    raw(network)
    means(network)


if __name__ == "__main__":
    main()
