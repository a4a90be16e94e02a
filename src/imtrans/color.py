"""Colour spaces: BT.601 Y'CbCr in studio range, and CIE Lab (D65), with the 313 colours of Zhang et al. 2016.

The papers on super-resolution measure on the luma that MATLAB's ``rgb2ycbcr`` gives: 16 to 235 on a scale of 255, not 0
to 255. The smaller range alone raises a PSNR by 20·log10(255/219) = 1.32 dB against full-range luma.
"""

from functools import cache

import torch
from torch import Tensor

# Rows Y, Cb, Cr on 8-bit levels, for R, G, B in [0, 1] (ITU-R BT.601, as in MATLAB's rgb2ycbcr).
_YCBCR = torch.tensor(
    [[65.481, 128.553, 24.966], [-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]], dtype=torch.float64
)
_YCBCR_OFFSET = torch.tensor([16.0, 128.0, 128.0], dtype=torch.float64)

# Linear sRGB → XYZ under D65 (IEC 61966-2-1), and the white point (2° observer).
_XYZ = torch.tensor(
    [[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]],
    dtype=torch.float64,
)
_WHITE = torch.tensor([0.95047, 1.0, 1.08883], dtype=torch.float64)

# How far linear R, G or B may lie outside of [0, 1] in a colour that sRGB has: rounding errors of white and black.
_MISS = 4e-7


def _check_rgb(x: Tensor) -> None:
    if x.ndim != 4 or x.shape[1] != 3 or not x.is_floating_point():
        raise ValueError(f"wanted floats (N, 3, H, W), got {x.dtype} of shape {tuple(x.shape)}")


def _mix(matrix: Tensor, x: Tensor) -> Tensor:
    """Apply a (D, 3) colour matrix to (N, 3, H, W)."""
    with torch.autocast(x.device.type, enabled=False):  # bf16 would cost whole levels
        return torch.einsum("dc,nchw->ndhw", matrix.to(x), x)


def rgb_to_ycbcr(x: Tensor) -> Tensor:
    """Y'CbCr of RGB; both (N, 3, H, W) on the scale [0, 1]: Y in [16, 235]/255, Cb and Cr in [16, 240]/255.

    Raises:
        ValueError: On another shape or dtype.
    """
    _check_rgb(x)
    return _mix(_YCBCR / 255, x) + (_YCBCR_OFFSET / 255).to(x).view(3, 1, 1)


def ycbcr_to_rgb(x: Tensor) -> Tensor:
    """The inverse of `rgb_to_ycbcr`. Values may leave [0, 1]: not every Y'CbCr triple is a colour of RGB."""
    _check_rgb(x)
    return _mix(torch.linalg.inv(_YCBCR / 255), x - (_YCBCR_OFFSET / 255).to(x).view(3, 1, 1))


def rgb_to_y(x: Tensor) -> Tensor:
    """Luma (N, 1, H, W) of RGB (N, 3, H, W): Y = (16 + 65.481 R + 128.553 G + 24.966 B) / 255."""
    _check_rgb(x)
    return _mix(_YCBCR[:1] / 255, x) + 16 / 255


def rgb_to_lab(x: Tensor) -> Tensor:
    """CIE Lab of sRGB in [0, 1]; (N, 3, H, W) with L in [0, 100], a and b within about ±110.

    Raises:
        ValueError: On another shape or dtype.
    """
    _check_rgb(x)
    linear = torch.where(x > 0.04045, ((x.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4, x / 12.92)
    t = _mix(_XYZ, linear) / _WHITE.to(x).view(3, 1, 1)
    # The cube root has no finite slope at 0: a line takes over below (6/29)³.
    f = torch.where(t > 0.008856, t.clamp(min=0.008856) ** (1 / 3), 7.787 * t + 16 / 116)
    fx, fy, fz = f.unbind(1)
    return torch.stack([116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)], dim=1)


def lab_to_rgb(x: Tensor) -> Tensor:
    """sRGB of CIE Lab (N, 3, H, W), clipped to [0, 1] where a colour lies outside the gamut.

    Raises:
        ValueError: On another shape or dtype.
    """
    _check_rgb(x)
    linear = _linear_rgb(x)
    rgb = torch.where(linear > 0.0031308, 1.055 * linear.clamp(min=0.0031308) ** (1 / 2.4) - 0.055, 12.92 * linear)
    return rgb.clamp(0, 1)


def _linear_rgb(lab: Tensor) -> Tensor:
    """Linear sRGB of Lab, outside of [0, 1] where the colour lies outside the gamut."""
    lightness, a, b = lab.unbind(1)
    fy = (lightness + 16) / 116
    f = torch.stack([fy + a / 500, fy, fy - b / 200], dim=1)
    t = torch.where(f > 0.2068966, f**3, (f - 16 / 116) / 7.787)
    return _mix(torch.linalg.inv(_XYZ), t * _WHITE.to(lab).view(3, 1, 1))


def _displayable(lab: Tensor) -> Tensor:
    """Which pixels (N, H, W) of Lab (N, 3, H, W) are colours of sRGB."""
    linear = _linear_rgb(lab)
    return ((linear >= -_MISS) & (linear <= 1 + _MISS)).all(dim=1)


def lab_within_gamut(x: Tensor) -> Tensor:
    """Lab (N, 3, H, W) with the chroma reduced, pixel by pixel, just so far that sRGB has the colour.

    `lab_to_rgb` clips each of R, G and B, which changes the lightness too. Here lightness and hue stay, and a and b
    shrink together. Every lightness from 0 to 100 has its gray in sRGB, so that a factor in [0, 1] always exists.

    Raises:
        ValueError: On another shape or dtype.
    """
    _check_rgb(x)
    outside = ~_displayable(x)
    if not outside.any():
        return x
    lightness, a, b = (channel[outside] for channel in x.unbind(1))
    low, high = torch.zeros_like(a), torch.ones_like(a)
    for _ in range(12):  # to 1/4096 of the chroma
        factor = (low + high) / 2
        fits = _displayable(torch.stack([lightness, factor * a, factor * b])[None, :, :, None])[0, :, 0]
        low, high = torch.where(fits, factor, low), torch.where(fits, high, factor)
    factors = torch.ones_like(x[:, 0])
    factors[outside] = low
    return torch.cat([x[:, :1], x[:, 1:] * factors[:, None]], dim=1)


@cache
@torch.inference_mode(False)  # kept for later calls, which may need gradients
def ab_bins() -> Tensor:
    """The Q = 313 colours of Zhang et al. 2016: points (Q, 2) of the (a, b) plane in steps of 10, by a, then by b.

    "In gamut" is generous: all colours of sRGB, projected to (a, b), have a convex hull; the points are the corners of
    all cells of 10 × 10 that meet it, which are those less than 10 away from it in the larger of the distances in a and
    in b. The authors published the list, not the rule; this rule gives their list.
    """
    from scipy.spatial import ConvexHull

    levels = torch.linspace(0, 1, 18, dtype=torch.float64)
    rgb = torch.cartesian_prod(levels, levels, levels).T[None, :, :, None]
    ab = rgb_to_lab(rgb)[0, 1:, :, 0].T  # (18³, 2)
    # Points less than 10 away from the hull lie in the hull of all squares of side 20 around its points.
    square = torch.cartesian_prod(*2 * [torch.tensor([-10.0, 10.0], dtype=torch.float64)])
    sides = torch.from_numpy(ConvexHull((ab[:, None] + square).reshape(-1, 2)).equations)
    ticks = torch.arange(-110, 111, 10, dtype=torch.float64)
    lattice = torch.cartesian_prod(ticks, ticks)
    inside = (lattice @ sides[:, :2].T + sides[:, 2] < -1e-9).all(dim=1)
    return lattice[inside].float()
