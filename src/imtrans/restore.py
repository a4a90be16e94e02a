"""Whole pictures in, whole pictures out: super-resolution, denoising, deblocking with any network of the course.

Networks differ in what they eat; each says it in ``channels``, ``upsamples`` and ``scales``, and in ``sigma`` and
``quality`` if it takes off noise or the traces of JPEG. Here is the rest: luma for the networks of luma, bicubic for
the colours, tiles for large pictures, the mean over eight views of a picture.

Nothing is clipped or rounded here. `imtrans.evaluation` does that where a protocol says so, and who writes a
file does.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn

from imtrans.color import rgb_to_y, rgb_to_ycbcr, ycbcr_to_rgb
from imtrans.resize import imresize


class Bicubic(nn.Module):
    """The baseline as if it were a network: a bicubic enlargement goes in and comes out."""

    channels = 1
    upsamples = False
    scales = tuple(range(2, 9))

    def forward(self, interpolated: Tensor) -> Tensor:
        """``interpolated`` itself."""
        return interpolated


class Untouched(nn.Module):
    """The other baseline: what was observed, noisy or a JPEG, comes out as it is."""

    channels = 1
    upsamples = False
    scales = ()
    sigma = (0, float("inf"))
    quality = (1, 100)

    def forward(self, observed: Tensor) -> Tensor:
        """``observed`` itself."""
        return observed


def tasks(model: nn.Module) -> tuple[str, ...]:
    """What a network does: ``scale`` (super-resolution), ``sigma`` (denoising), ``quality`` (JPEG), or several."""
    does = {
        "scale": bool(model.scales),
        "sigma": getattr(model, "sigma", None) is not None or not model.scales,
        "quality": getattr(model, "quality", None) is not None,
    }
    return tuple(task for task, able in does.items() if able)


def super_resolve(
    model: nn.Module,
    low_res: Tensor,
    scale: int,
    *,
    tile: int | None = None,
    overlap: int | None = None,
    self_ensemble: bool = False,
) -> Tensor:
    """Enlarge pictures by a network.

    A network of luma gets Y; Cb and Cr are enlarged by bicubic. A network of RGB gets a gray picture as three
    equal channels, and the luma-weighted mean of its answer is the gray result.

    Args:
        model: A network of super-resolution.
        low_res: (N, C, H, W) on the scale of [0, 1], C = 1 (gray) or 3 (RGB), of any size.
        scale: One of ``model.scales``.
        tile: Side of the pieces that a large picture is cut into, in pixels of what the network gets: low
            resolution if it enlarges, else the enlargement. None takes the picture whole.
        overlap: Pixels that a tile sees beyond its edges. None takes `reach`, so that the result is that of
            the whole picture. Less is faster and leaves faint seams.
        self_ensemble: The mean over the eight flips and rotations of the picture (EDSR, section 3.4; the + in
            EDSR+). It takes eight times as long.

    Returns:
        (N, C, scale·H, scale·W), not clipped.

    Raises:
        ValueError: On another shape or dtype, or a scale that the network does not have.
    """
    _check(low_res)
    scale = known_scale(model, scale)

    def network(x: Tensor) -> Tensor:  # (N, model.channels, H, W) -> (N, model.channels, scale·H, scale·W)
        zoom = scale if model.upsamples else 1
        x = x if model.upsamples else imresize(x, scale)
        return _run(model, x, zoom, tile=tile, overlap=overlap, self_ensemble=self_ensemble)

    if model.channels == low_res.shape[1]:
        return network(low_res)
    if model.channels == 3:
        return _gray(network(low_res.expand(-1, 3, -1, -1)))
    ycbcr = rgb_to_ycbcr(low_res)
    return ycbcr_to_rgb(torch.cat([network(ycbcr[:, :1]), imresize(ycbcr[:, 1:], scale)], dim=1))


def denoise(
    model: nn.Module,
    noisy: Tensor,
    *,
    tile: int | None = None,
    overlap: int | None = None,
    self_ensemble: bool = False,
) -> Tensor:
    """Take the noise off pictures.

    A network of gray pictures gets each channel of a colour picture on its own. A network of RGB gets a gray
    picture as three equal channels.

    Args:
        model: A network of denoising.
        noisy: (N, C, H, W) on the scale of [0, 1], C = 1 or 3; values may leave the range.
        tile: Side of the pieces that a large picture is cut into. None takes it whole.
        overlap: As for `super_resolve`.
        self_ensemble: As for `super_resolve`.

    Returns:
        The shape of ``noisy``, not clipped.

    Raises:
        ValueError: On another shape or dtype, or a network of super-resolution.
    """
    _check(noisy)
    if "sigma" not in tasks(model):
        raise ValueError("this network is for super-resolution, not for denoising")
    network = partial(_run, model, zoom=1, tile=tile, overlap=overlap, self_ensemble=self_ensemble)
    if model.channels == 3 and noisy.shape[1] == 1:
        return _gray(network(noisy.expand(-1, 3, -1, -1)))
    # (N, 3, H, W) -> (3N, 1, H, W) for a network of gray pictures
    x = noisy.reshape(-1, model.channels, *noisy.shape[-2:])
    return network(x).reshape(noisy.shape)


def deblock(
    model: nn.Module,
    decoded: Tensor,
    *,
    tile: int | None = None,
    overlap: int | None = None,
    self_ensemble: bool = False,
) -> Tensor:
    """Take the traces of JPEG off pictures: blocks, and ringing at edges.

    A network of luma gets Y; Cb and Cr stay as they were decoded (DnCNN-3 knows luma alone).

    Args:
        model: A network that was trained for it.
        decoded: (N, C, H, W) on the scale of [0, 1], C = 1 or 3, as it came out of the JPEG file. Its grid of blocks
            may lie anywhere.
        tile: Side of the pieces that a large picture is cut into. None takes it whole.
        overlap: As for `super_resolve`.
        self_ensemble: As for `super_resolve`. The grid of blocks may then lie otherwise than in any file.

    Returns:
        The shape of ``decoded``, not clipped.

    Raises:
        ValueError: On another shape or dtype, or a network that does not know JPEG.
    """
    _check(decoded)
    if "quality" not in tasks(model):
        raise ValueError("this network does not know JPEG; dncnn-3 does")
    network = partial(_run, model, zoom=1, tile=tile, overlap=overlap, self_ensemble=self_ensemble)
    if model.channels == decoded.shape[1]:
        return network(decoded)
    ycbcr = rgb_to_ycbcr(decoded)
    return ycbcr_to_rgb(torch.cat([network(ycbcr[:, :1]), ycbcr[:, 1:]], dim=1))


def known_scale(model: nn.Module, scale: int | None) -> int:
    """``scale``, checked; for None the scale of a network that has just one.

    Raises:
        ValueError: If the network does not have this scale, or None leaves it open.
    """
    known = ", ".join(f"×{s}" for s in model.scales)
    if not model.scales:
        raise ValueError("this network is not for super-resolution")
    if scale is None and len(model.scales) > 1:
        raise ValueError(f"which scale? this network has {known}")
    if scale is not None and scale not in model.scales:
        raise ValueError(f"this network does not enlarge ×{scale}; its scales: {known}")
    return model.scales[0] if scale is None else scale


def reach(model: nn.Module) -> int:
    """How many pixels around an output pixel the network looks at: the radius of its receptive field.

    The sum over all convolutions: exact for a chain of stride 1, too much where branches lie side by side or
    layers come after an enlargement. A network with a mean over the whole picture looks further than any
    number says.
    """
    layers = (layer for layer in model.modules() if isinstance(layer, nn.Conv2d))
    return sum((layer.kernel_size[0] // 2) * layer.dilation[0] for layer in layers)


def _check(x: Tensor) -> None:
    if x.ndim != 4 or x.shape[1] not in (1, 3) or not x.is_floating_point() or 0 in x.shape:
        raise ValueError(f"wanted floats (N, 1 or 3, H, W), got {x.dtype} of shape {tuple(x.shape)}")


def _gray(x: Tensor) -> Tensor:
    """The luma-weighted mean of RGB in full range: equal channels give back their value, not 16 … 235."""
    return (rgb_to_y(x) - 16 / 255) * (255 / 219)


@contextmanager
def _in_use(model: nn.Module) -> Iterator[None]:
    """Evaluation mode, no gradients; afterwards the mode is what it was."""
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():  # not inference_mode: what comes out may be written into
            yield
    finally:
        model.train(was_training)


def _run(
    model: nn.Module,
    x: Tensor,
    zoom: int,
    *,
    tile: int | None = None,
    overlap: int | None = None,
    self_ensemble: bool = False,
) -> Tensor:
    """The answer (N, C, zoom·H, zoom·W) to what a network eats, (N, C, H, W), on the device of ``x``."""
    if tile is not None and tile < 1:
        raise ValueError(f"a tile needs at least 1 pixel on a side, got {tile}")
    if overlap is not None and overlap < 0:
        raise ValueError(f"the overlap cannot be negative, got {overlap}")
    weight = next(model.parameters(), x)

    def whole(part: Tensor) -> Tensor:
        answer = model(part.to(weight.device))
        wanted = (*part.shape[:2], zoom * part.shape[2], zoom * part.shape[3])
        if answer.shape != wanted:
            raise ValueError(f"the network made {tuple(answer.shape)}, wanted {wanted}")
        return answer.to(x.device)

    def tiled(part: Tensor) -> Tensor:
        if tile is None:
            return whole(part)
        return _by_tiles(whole, part, zoom, tile, reach(model) if overlap is None else overlap)

    with _in_use(model):
        return _by_views(tiled, x) if self_ensemble else tiled(x)


def _by_tiles(function, x: Tensor, zoom: int, tile: int, overlap: int) -> Tensor:
    """``function`` on overlapping tiles of ``x``; of each answer the tile itself is kept."""
    height, width = x.shape[-2:]
    result = x.new_empty(*x.shape[:2], zoom * height, zoom * width)
    for top in range(0, height, tile):
        for left in range(0, width, tile):
            # Tiles at the border of the picture end there: the network pads them as it pads the picture.
            y, x0 = max(0, top - overlap), max(0, left - overlap)
            seen = x[..., y : top + tile + overlap, x0 : left + tile + overlap]
            answer = function(seen)[..., zoom * (top - y) :, zoom * (left - x0) :]
            target = result[..., zoom * top : zoom * (top + tile), zoom * left : zoom * (left + tile)]
            target.copy_(answer[..., : target.shape[-2], : target.shape[-1]])
    return result


def _by_views(function, x: Tensor) -> Tensor:
    """1/8 Σ Tᵢ⁻¹ f(Tᵢ x) over the eight flips and rotations Tᵢ."""
    answers = []
    for turns in range(4):
        answers.append(function(x.rot90(turns, (-2, -1))).rot90(-turns, (-2, -1)))
        answers.append(function(x.flip(-1).rot90(turns, (-2, -1))).rot90(-turns, (-2, -1)).flip(-1))
    return torch.stack(answers).mean(dim=0)
