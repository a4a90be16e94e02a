"""Whole pictures in, whole pictures out: super-resolution, denoising, deblocking with any network of the course.

Networks expect different inputs; each declares them in ``channels``, ``upsamples`` and ``scales``, and in ``sigma`` and
``quality`` if it removes noise or the traces of JPEG. This module does the rest: luma for the networks of luma, bicubic
for the colours, tiles for large pictures, the mean over eight views of a picture.

`super_resolve`, `denoise` and `deblock` have three options in common:

- ``tile``: side of the pieces that a large picture is cut into, in pixels of what the network expects: low resolution
  if it enlarges, else the full size. Each piece goes all the way, bicubic and colours included, so that the memory
  beyond picture and result depends on the tile alone. None takes the picture whole.
- ``overlap``: pixels that a tile sees beyond its edges. None takes `reach`, and the result is that of the whole
  picture. A smaller number is faster and leaves faint seams. RCAN's attention takes means over all it is given, so no
  overlap makes its tiles exact: at its default of 10, tiles of 64 pixels differ from the whole picture by 0.2 levels
  rms, 4 at most, and by 0.015 dB in PSNR; tiles of 512 by 0.1 rms, 3 at most (rcan-medium-x2, results/rcan-tiles.csv).
- ``self_ensemble``: the mean over the eight flips and rotations of the picture (EDSR, section 3.4; the + in EDSR+). It
  takes eight times as long.

Networks run in the form that is fastest for inference (`for_inference`), on pictures with the channels of a pixel side
by side in memory. The results agree within 1e-5; DnCNN and VDSR gain most, with AVX-512 as with AVX2, and a DnCNN on
pictures of some 32 pixels loses by the folding (`benchmarks/speed.py` prints the ratios). Nothing is clipped or rounded
here: `imtrans.evaluation` does that where a protocol says so, and so does whoever writes a file.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from imtrans.color import rgb_to_ycbcr, ycbcr_to_rgb
from imtrans.degrade import Degradation, Downscale, GaussianNoise, Jpeg, grayscale
from imtrans.models.blocks import evaluation_mode
from imtrans.resize import imresize

KEYS = 2  # pixels around a pixel that bicubic enlargement looks at


def tasks(model: nn.Module) -> tuple[str, ...]:
    """The tasks of a network, by what it declares: the kinds of `imtrans.degrade.Degradation` that it undoes.

    Returns:
        ``super-resolution`` (it has scales), ``denoising`` (a noise level, or nothing of the three), ``deblocking``
        (a quality of JPEG), or several.
    """
    declared = {
        "super-resolution": bool(model.scales),
        "denoising": getattr(model, "sigma", None) is not None,
        "deblocking": getattr(model, "quality", None) is not None,
    }
    return tuple(task for task, able in declared.items() if able) or ("denoising",)


def check_task(model: nn.Module, task: str) -> None:
    """Raise a ValueError unless a task is one of the network's."""
    if task not in tasks(model):
        raise ValueError(f"this network is for {' and '.join(tasks(model))}, not for {task}")


def restore(model: nn.Module, observed: Tensor, degradation: Degradation, **options: Any) -> Tensor:
    """Undo a degradation: `super_resolve`, `denoise` or `deblock`, whichever it takes.

    Args:
        model: A network that undoes it.
        observed: What was observed, (N, C, H, W) on the scale of [0, 1].
        degradation: What the pictures went through.
        **options: tile, overlap and self_ensemble, see the top of this page.

    Raises:
        ValueError: As the three do.
    """
    check_task(model, degradation.task)
    if degradation.task == "super-resolution":
        return super_resolve(model, observed, degradation.scale, **options)
    undo = {"denoising": denoise, "deblocking": deblock}[degradation.task]
    return undo(model, observed, **options)


def super_resolve(model: nn.Module, low_res: Tensor, scale: int, **options: Any) -> Tensor:
    """Enlarge pictures by a network.

    A network of luma gets Y; Cb and Cr are enlarged by bicubic. A network of RGB gets a gray picture as three
    equal channels, and the luma-weighted mean of its result is the gray result.

    Args:
        model: A network of super-resolution.
        low_res: (N, C, H, W) on the scale of [0, 1], C = 1 (gray) or 3 (RGB), of any size.
        scale: One of ``model.scales``.
        **options: tile, overlap and self_ensemble, see the top of this page.

    Returns:
        (N, C, scale·H, scale·W), not clipped.

    Raises:
        ValueError: On another shape or dtype, or a scale that the network does not have.
    """
    _check(low_res)
    scale = resolve_scale(model, scale)
    run = _runner(model, scale if model.upsamples else 1)

    def network(x: Tensor) -> Tensor:  # (N, model.channels, H, W) -> (N, model.channels, scale·H, scale·W)
        return run(x if model.upsamples else imresize(x, scale))

    def enlarged(x: Tensor) -> Tensor:
        if model.channels == x.shape[1]:
            return network(x)
        if model.channels == 3:
            return grayscale(network(x.expand(-1, 3, -1, -1)))
        ycbcr = rgb_to_ycbcr(x)
        return ycbcr_to_rgb(torch.cat([network(ycbcr[:, :1]), imresize(ycbcr[:, 1:], scale)], dim=1))

    pixel, around = (1 if model.upsamples else scale), (0 if model.upsamples and model.channels == 3 else KEYS)
    return _by_tiles(model, enlarged, low_res, scale, pixel=pixel, around=around, **options)


def denoise(model: nn.Module, noisy: Tensor, **options: Any) -> Tensor:
    """Remove noise from pictures.

    A network of gray pictures gets the channels of a colour picture one by one. A network of RGB gets a gray picture
    as three equal channels.

    Args:
        model: A network of denoising.
        noisy: (N, C, H, W) on the scale of [0, 1], C = 1 or 3; values may leave the range.
        **options: tile, overlap and self_ensemble, see the top of this page.

    Returns:
        The shape of ``noisy``, not clipped.

    Raises:
        ValueError: On another shape or dtype, or a network of super-resolution.
    """
    _check(noisy)
    check_task(model, "denoising")
    run = _runner(model)

    def denoised(x: Tensor) -> Tensor:
        if model.channels == 3 and x.shape[1] == 1:
            return grayscale(run(x.expand(-1, 3, -1, -1)))
        # (N, 3, H, W) -> (3N, 1, H, W) for a network of gray pictures
        return run(x.reshape(-1, model.channels, *x.shape[-2:])).reshape(x.shape)

    return _by_tiles(model, denoised, noisy, **options)


def deblock(model: nn.Module, decoded: Tensor, **options: Any) -> Tensor:
    """Remove the traces of JPEG from pictures: blocks, and ringing at edges.

    A network of luma gets Y; Cb and Cr stay as they were decoded (DnCNN-3 was trained for luma alone). A network of RGB
    gets a gray picture as three equal channels.

    Args:
        model: A network that was trained for it.
        decoded: (N, C, H, W) on the scale of [0, 1], C = 1 or 3, as it came out of the JPEG file. Its grid of blocks
            may lie anywhere.
        **options: tile, overlap and self_ensemble, see the top of this page. A flipped picture has the grid of blocks
            where no file has it.

    Returns:
        The shape of ``decoded``, not clipped.

    Raises:
        ValueError: On another shape or dtype, or a network that was not trained for JPEG.
    """
    _check(decoded)
    check_task(model, "deblocking")
    run = _runner(model)

    def deblocked(x: Tensor) -> Tensor:
        if model.channels == x.shape[1]:
            return run(x)
        if model.channels == 3:
            return grayscale(run(x.expand(-1, 3, -1, -1)))
        ycbcr = rgb_to_ycbcr(x)
        return ycbcr_to_rgb(torch.cat([run(ycbcr[:, :1]), ycbcr[:, 1:]], dim=1))

    return _by_tiles(model, deblocked, decoded, **options)


def resolve_scale(model: nn.Module, scale: int | None) -> int:
    """``scale``, checked; for None the scale of a network that has just one.

    Raises:
        ValueError: If the network does not have this scale, or None leaves it open.
    """
    check_task(model, "super-resolution")
    valid = ", ".join(f"×{s}" for s in model.scales)
    if scale is None and len(model.scales) > 1:
        raise ValueError(f"which scale? this network has {valid}")
    if scale is not None and scale not in model.scales:
        raise ValueError(f"this network does not enlarge ×{scale}; its scales: {valid}")
    return model.scales[0] if scale is None else scale


def resolve_degradation(
    model: nn.Module, *, scale: int | None = None, sigma: float | None = None, quality: int | None = None
) -> Degradation:
    """The degradation that one of three numbers stands for, or none of them for a network of one scale or noise level.

    Args:
        model: A network.
        scale: Scale of the low resolution.
        sigma: Noise level in 8-bit levels.
        quality: Quality of JPEG.

    Raises:
        ValueError: If several are given, the network does not undo it, or None leaves it open.
    """
    given = {"super-resolution": scale, "denoising": sigma, "deblocking": quality}
    wanted = [task for task, value in given.items() if value is not None]
    if len(wanted) > 1:
        raise ValueError("a scale is for super-resolution, a noise level for denoising, a quality for JPEG: give one")
    if not wanted and len(tasks(model)) > 1:
        raise ValueError(f"which task? this network is for {', '.join(tasks(model))}: give a scale, sigma or quality")
    [task] = wanted or tasks(model)
    check_task(model, task)
    if task == "super-resolution":
        return Downscale(resolve_scale(model, scale))
    if task == "deblocking":
        if quality is None:
            raise ValueError("which quality of JPEG? 1 to 100")
        return Jpeg(quality)
    sigma = getattr(model, "sigma", None) if sigma is None else sigma
    if sigma is None or isinstance(sigma, tuple):
        raise ValueError("which noise level? sigma in 8-bit levels, 25 for instance")
    return GaussianNoise(sigma)


def reach(model: nn.Module) -> int:
    """How many pixels around an output pixel the network looks at: the radius of its receptive field.

    A network's own attribute ``reach`` where it declares one (as one with a mean over the whole picture has to: no
    overlap makes its tiles exact). Otherwise the sum over all convolutions: exact for a chain of stride 1, too much
    where branches lie side by side or layers come after an enlargement.
    """
    if (declared := getattr(model, "reach", None)) is not None:
        return declared
    layers = (layer for layer in model.modules() if isinstance(layer, nn.Conv2d))
    return sum((layer.kernel_size[0] // 2) * layer.dilation[0] for layer in layers)


def for_inference(model: nn.Module) -> nn.Module:
    """The network in the form that computes the same with less work, where it has one; else the network itself.

    DnCNN folds its batch normalisation into its convolutions.
    """
    return model.for_inference() if hasattr(model, "for_inference") else model


def _check(x: Tensor) -> None:
    if x.ndim != 4 or x.shape[1] not in (1, 3) or not x.is_floating_point() or 0 in x.shape:
        raise ValueError(f"wanted floats (N, 1 or 3, H, W), got {x.dtype} of shape {tuple(x.shape)}")


def _channels_last(x: Tensor) -> Tensor:
    """A copy with the channels of a pixel side by side in memory; `Tensor.to` leaves a single channel as it is."""
    _, c, h, w = x.shape
    return torch.empty_strided(x.shape, (c * h * w, 1, c * w, c), dtype=x.dtype, device=x.device).copy_(x)


def _runner(model: nn.Module, zoom: int = 1) -> Callable[[Tensor], Tensor]:
    """A function (N, C, H, W) → (N, C, zoom·H, zoom·W): the network in its form for inference, on its own device."""
    network, weight = for_inference(model), next(model.parameters(), None)

    def run(x: Tensor) -> Tensor:
        given = _channels_last(x if weight is None else x.to(weight))  # its device and precision
        with evaluation_mode(network):
            result = network(given, zoom) if getattr(network, "takes_scale", False) else network(given)
        wanted = (*x.shape[:2], zoom * x.shape[2], zoom * x.shape[3])
        if result.shape != wanted:
            raise ValueError(f"the network made {tuple(result.shape)}, wanted {wanted}")
        return result.to(x)

    return run


def _by_tiles(
    model: nn.Module,
    function: Callable[[Tensor], Tensor],
    x: Tensor,
    zoom: int = 1,
    *,
    pixel: int = 1,
    around: int = 0,
    tile: int | None = None,
    overlap: int | None = None,
    self_ensemble: bool = False,
) -> Tensor:
    """``function`` on overlapping tiles of ``x``, or on the whole; of each result the tile itself is kept.

    Args:
        model: The network in the function, whose `reach` is the overlap if none is given.
        function: Function (N, C, H, W) → (N, C, zoom·H, zoom·W).
        x: A picture.
        zoom: Enlargement by the function.
        pixel: Pixels of what the network expects per pixel of ``x``, in which tile and overlap are counted.
        around: Pixels of ``x`` that the function looks at in other ways than by the network.
        tile: As at the top of this page.
        overlap: As at the top of this page.
        self_ensemble: As at the top of this page.
    """
    if tile is not None and tile < 1:
        raise ValueError(f"a tile needs at least 1 pixel on a side, got {tile}")
    if overlap is not None and overlap < 0:
        raise ValueError(f"the overlap cannot be negative, got {overlap}")
    once = partial(_self_ensemble, function) if self_ensemble else function
    with torch.no_grad():  # not inference_mode: callers may write into the result
        if tile is None:
            return once(x).contiguous()
        tile = max(1, tile // pixel)
        seen_by_network = math.ceil((reach(model) if overlap is None else overlap) / pixel)
        overlap = seen_by_network + around if pixel > 1 else max(seen_by_network, around)
        height, width = x.shape[-2:]
        result = x.new_empty(*x.shape[:2], zoom * height, zoom * width)
        for top in range(0, height, tile):
            for left in range(0, width, tile):
                # Tiles at the border of the picture end there: the network pads them as it pads the picture.
                y, x0 = max(0, top - overlap), max(0, left - overlap)
                seen = x[..., y : top + tile + overlap, x0 : left + tile + overlap]
                part = once(seen)[..., zoom * (top - y) :, zoom * (left - x0) :]
                target = result[..., zoom * top : zoom * (top + tile), zoom * left : zoom * (left + tile)]
                target.copy_(part[..., : target.shape[-2], : target.shape[-1]])
    return result


def _self_ensemble(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """1/8 Σ Tᵢ⁻¹ f(Tᵢ x) over the eight flips and rotations Tᵢ."""
    results = []
    for turns in range(4):
        results.append(function(x.rot90(turns, (-2, -1))).rot90(-turns, (-2, -1)))
        results.append(function(x.flip(-1).rot90(turns, (-2, -1))).rot90(-turns, (-2, -1)).flip(-1))
    return torch.stack(results).mean(dim=0)
