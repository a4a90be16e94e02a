"""Colour spaces: BT.601 Y'CbCr in studio range, and CIE Lab (D65).

The papers on super-resolution measure on the luma that MATLAB's ``rgb2ycbcr`` gives: 16 to 235 on a scale of 255, not 0
to 255. The smaller range alone raises a PSNR by 20·log10(255/219) = 1.32 dB against full-range luma.
"""

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


def _check_rgb(x: Tensor) -> None:
    if x.ndim != 4 or x.shape[1] != 3 or not x.is_floating_point():
        raise ValueError(f"wanted floats (N, 3, H, W), got {x.dtype} of shape {tuple(x.shape)}")


def _mix(matrix: Tensor, x: Tensor) -> Tensor:
    """Apply a (D, 3) colour matrix to (N, 3, H, W)."""
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
    lightness, a, b = x.unbind(1)
    fy = (lightness + 16) / 116
    f = torch.stack([fy + a / 500, fy, fy - b / 200], dim=1)
    t = torch.where(f > 0.2068966, f**3, (f - 16 / 116) / 7.787)
    linear = _mix(torch.linalg.inv(_XYZ), t * _WHITE.to(x).view(3, 1, 1))
    rgb = torch.where(linear > 0.0031308, 1.055 * linear.clamp(min=0.0031308) ** (1 / 2.4) - 0.055, 12.92 * linear)
    return rgb.clamp(0, 1)
