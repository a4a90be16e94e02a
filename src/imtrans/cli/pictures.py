"""Commands on one picture, by a trained network: super-resolve, which takes a video too, denoise, deblock."""

import sys
import time
from pathlib import Path
from typing import Any, Literal

from torch import nn

from imtrans import images, restore, video, zoo
from imtrans.cli.files import In, Out, check_place, note, open_network, read_for, write
from imtrans.resize import imresize

TILE = 512  # pixels per side


def super_resolve(
    source: In,
    target: Out,
    /,
    *,
    model: str,
    scale: int | None = None,
    tile: int = TILE,
    self_ensemble: bool = False,
    force: bool = False,
) -> None:
    """Enlarge a picture, or a video frame by frame.

    Gray stays gray, transparency is enlarged by bicubic, EXIF rotation is applied. The result has 8 bits. A video
    (.mp4, .mov, .mkv, .avi, .m4v, .webm) loses its sound; it needs PyAV: pip install av.

    Args:
        source: Picture or video to enlarge.
        target: File to write; its suffix gives the format: .mp4, .mov or .mkv for a video.
        model: A name from `imtrans models`, bicubic, or a .safetensors file with its card beside it.
        scale: Upscaling factor; may be left out where the network has just one.
        tile: Side of the pieces that a large picture is cut into, in pixels of the network's input. Smaller pieces take
            less memory. The result is that of the whole picture, except with RCAN, whose pieces overlap by 10 pixels:
            rcan-medium-x2 in pieces of 512 differs from the whole by 0.1 levels rms, 3 at most.
        self_ensemble: Average over the eight flips and rotations; eight times as long.
        force: Overwrite an existing file, IN for instance.
    """
    network = open_network(model)
    options = {"tile": tile, "self_ensemble": self_ensemble}
    if video.is_video(source):
        video.check_target(target)
        check_place(target, force)
        _super_resolve_video(network, source, target, restore.resolve_scale(network, scale), options)
        return
    picture, alpha = read_for(source, target, force)
    scale = restore.resolve_scale(network, scale)
    large = restore.super_resolve(network, picture, scale, **options)
    write(target, large, None if alpha is None else imresize(alpha, scale), source)


def _super_resolve_video(network: nn.Module, source: Path, target: Path, scale: int, options: dict[str, Any]) -> None:
    """Enlarge a video frame by frame and print its size, and the frames per second that this machine made."""
    from tqdm import tqdm

    rate, start = video.rate(source), time.perf_counter()
    small = tqdm(video.frames(source), unit="frame", leave=False, disable=not sys.stderr.isatty())
    large = (restore.super_resolve(network, frame, scale, **options) for frame in small)
    count = video.write(target, large, rate)
    speed = count / (time.perf_counter() - start)
    print(f"{target}: {count} frames, {float(rate):g} per second in the video, {speed:.1f} made per second")


def denoise(
    source: In,
    target: Out,
    /,
    *,
    sigma: float | Literal["blind"] = "blind",
    model: str | None = None,
    tile: int = TILE,
    force: bool = False,
) -> None:
    """Denoise a picture.

    Uses dncnn-15, -25 or -50 when --sigma is one of these, otherwise dncnn-blind. Colour pictures use cdncnn-blind if
    it is installed; otherwise each channel is denoised separately.

    Args:
        source: Noisy picture.
        target: File to write; its suffix gives the format.
        sigma: Noise level in 8-bit levels, if it is known.
        model: Another network, in place of the choice by --sigma: a name from `imtrans models`, or a .safetensors
            file with its card beside it.
        tile: Side of the pieces that a large picture is cut into, in pixels.
        force: Overwrite an existing file, IN for instance.
    """
    if model is not None and sigma != "blind":
        raise ValueError(f"--sigma chooses the network, --model {model} does so too: give one of them")
    picture, alpha = read_for(source, target, force)
    shape = picture.shape
    if images.is_gray(picture):
        # Gray stored as colour: a network for colour would take noise that all channels share for structure.
        picture = picture[:, :1]
    name = model or zoo.denoiser_for(None if sigma == "blind" else sigma, picture.shape[1])
    network = open_network(name)
    if sigma != "blind" and isinstance(network.sigma, tuple):
        highest = network.sigma[1]
        known = f"warning: {name} was trained for noise up to {highest}, not {sigma:g}"
        note(known if sigma > highest else f"{name} estimates the noise level itself")
    write(target, restore.denoise(network, picture, tile=tile).expand(shape), alpha, source)


def deblock(source: In, target: Out, /, *, model: str = "dncnn-3", tile: int = TILE, force: bool = False) -> None:
    """Remove JPEG artifacts from a picture: blocks, and ringing at edges.

    The network restores luma; the colours stay as they were decoded.

    Args:
        source: A JPEG file, or a picture that was one.
        target: File to write; its suffix gives the format.
        model: A name from `imtrans models`, or a .safetensors file with its card beside it.
        tile: Side of the pieces that a large picture is cut into, in pixels.
        force: Overwrite an existing file, IN for instance.
    """
    network = open_network(model)
    picture, alpha = read_for(source, target, force)
    write(target, restore.deblock(network, picture, tile=tile), alpha, source)
