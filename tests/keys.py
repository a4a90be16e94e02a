"""MATLAB's ``imresize(·, factor, "bicubic")`` in plain NumPy, written from its definition.

The oracle of `test_resize`. It shares nothing with `imtrans.resize`: weights are summed tap by tap in double
precision, indices are clamped.
"""

import math
from fractions import Fraction

import numpy as np


def kernel(x: np.ndarray) -> np.ndarray:
    """Keys' cubic convolution with a = -1/2."""
    x = np.abs(x)
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, near, np.where(x <= 2, far, 0.0))


def taps(size: int, factor: Fraction) -> tuple[np.ndarray, np.ndarray]:
    """Which input pixels each output pixel is made of, and with which weights; both (outputs, taps)."""
    shrink = min(1.0, float(factor))  # below 1 the kernel is widened: that is the antialiasing
    width = 4 / shrink
    i = np.arange(1, math.ceil(factor * size) + 1)  # 1-based, as MATLAB counts
    u = i / float(factor) + 0.5 * (1 - 1 / float(factor))
    j = np.floor(u - width / 2)[:, None] + np.arange(math.ceil(width) + 2)
    weights = shrink * kernel(shrink * (u[:, None] - j))
    weights /= weights.sum(axis=1, keepdims=True)
    return np.clip(j, 1, size).astype(int) - 1, weights


def _rows(picture: np.ndarray, factor: Fraction) -> np.ndarray:
    index, weights = taps(picture.shape[0], factor)
    return np.einsum("ot,otw->ow", weights, picture[index])


def resize(picture: np.ndarray, factor: Fraction) -> np.ndarray:
    """(H, W) → (⌈factor·H⌉, ⌈factor·W⌉), in double; ``uint8`` is rounded after each pass, halves up."""
    if picture.dtype != np.uint8:
        return _rows(_rows(picture.astype(float), factor).T, factor).T
    half = np.clip(np.floor(_rows(picture.astype(float), factor) + 0.5), 0, 255)
    return np.clip(np.floor(_rows(half.T, factor).T + 0.5), 0, 255).astype(np.uint8)
