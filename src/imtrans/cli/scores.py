"""Commands that score: evaluate, compare."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import torch
from torch import Tensor
from tyro.conf import arg

from imtrans import evaluation, images, metrics, restore
from imtrans.cli.files import Folder, open_network
from imtrans.data import benchmarks
from imtrans.models import lpips

AsJson = Annotated[bool, arg(name="json")]


def evaluate(
    model: Annotated[str, arg(metavar="MODEL")],
    /,
    *,
    data: Folder,
    scale: int | None = None,
    sigma: float | None = None,
    quality: int | None = None,
    protocol: str | None = None,
    self_ensemble: bool = False,
    as_json: AsJson = False,
    save: Path | None = None,
) -> None:
    """Score a network on a folder of clean pictures, by a paper's protocol.

    Args:
        model: A name from `imtrans models`, a .safetensors file with its card beside it, bicubic, or input: the
            noisy picture or the JPEG as it is.
        data: Folder of clean pictures.
        scale: Upscaling factor; may be left out where the network has just one.
        sigma: Noise level in 8-bit levels; may be left out where the network was trained for one.
        quality: Quality of JPEG, 1 to 100.
        protocol: y8, rgb-y, rgb-y8 or y-double; gray or rgb for denoising.
        self_ensemble: Average over the eight flips and rotations.
        as_json: Print JSON, one row per picture.
        save: Folder to keep the restored pictures in.
    """
    network = open_network(model)
    pictures = benchmarks.load_folder(data)
    if save is not None and save.resolve() == data.resolve():
        raise ValueError(f"{save} holds the clean pictures: keep the restored ones in another folder")
    name = Path(model).name.removesuffix(".safetensors")

    def keep(row: evaluation.Row, result: Tensor) -> None:
        if save is not None:
            save.mkdir(parents=True, exist_ok=True)
            images.write(save / f"{row.name}_{name}.png", result)

    result = evaluation.evaluate(
        network,
        pictures,
        restore.resolve_degradation(network, scale=scale, sigma=sigma, quality=quality),
        protocol=protocol,
        name=name,
        self_ensemble=self_ensemble,
        on_picture=keep,
        progress=sys.stderr.isatty(),
    )
    print(_text(result.to_dict()) if as_json else result.table())


def compare(
    a: Annotated[Path, arg(metavar="A")],
    b: Annotated[Path, arg(metavar="B")],
    /,
    *,
    protocol: str = "y8",
    border: int = 0,
    as_json: AsJson = False,
) -> None:
    """PSNR and SSIM of two pictures of the same size, and how far apart they look.

    LPIPS needs torchvision's AlexNet (imtrans data fetch alex); without it there is none. The feature distance is the
    same formula, unweighted, on the best VGG trunk at hand, which is named with it. Both are of all of the pictures, in
    RGB, whatever the protocol is.

    Args:
        a: A picture.
        b: Another picture.
        protocol: y8 and rgb-y8 compare luma in 8 bits, rgb-y and y-double unrounded luma, rgb and gray all channels.
        border: Pixels left out at each side.
        as_json: Print JSON.
    """
    pair = metrics.match_channels(images.read(a), images.read(b))
    row = evaluation.score_picture(a.name, *pair, protocol=protocol, border=border)
    scores = {**evaluation.none_if_infinite(row.scores), "protocol": protocol, "border": border}
    looks = _looks(*(x.expand(-1, 3, -1, -1) for x in pair))
    if as_json:
        print(_text(scores | looks))
        return
    print(f"{metrics.in_words(row.scores)} (protocol {protocol}, border {border})")
    for key, name, trunk in (
        ("lpips", "LPIPS", "AlexNet"),
        ("feature_distance", "feature distance", looks["backbone"]),
    ):
        value = looks[key]
        print(f"{name}: none, {looks[f'{key}_missing']}" if value is None else f"{name} {value:.4f} ({trunk})")


SMALLEST, LARGEST = 32, 4_000_000  # pixels: a side that four poolings leave two of, a picture that fits into memory


def _looks(x: Tensor, y: Tensor) -> dict[str, Any]:
    """LPIPS and feature distance of two RGB pictures; None with a reason where one cannot be had."""
    height, width = x.shape[-2:]
    found: dict[str, Any] = {"lpips": None, "feature_distance": None, "backbone": None}
    if min(height, width) < SMALLEST or height * width > LARGEST:
        why = f"wanted sides from {SMALLEST} pixels and at most {LARGEST:,} pixels in all"
        return found | {"lpips_missing": why, "feature_distance_missing": why}
    try:
        found["lpips"] = metrics.lpips(x, y).item()
    except FileNotFoundError as error:
        found["lpips_missing"] = str(error)
    try:
        distance = lpips.feature_distance()
        with torch.inference_mode():
            found |= {"feature_distance": distance(x, y).item(), "backbone": distance.name}
    except FileNotFoundError as error:
        found["feature_distance_missing"] = str(error)
    return found


def _text(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False)
