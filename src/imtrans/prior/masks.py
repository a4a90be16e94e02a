"""Masks (1, 1, H, W) that say which pixels of a picture are known: 1 = known, 0 = missing."""

import math
from fractions import Fraction

import torch
import torch.nn.functional as F
from torch import Tensor


def holds_a_hole(mask: Tensor, side: int = 33) -> bool:
    """Whether a mask has a square without a single known pixel.

    Args:
        mask: (1, 1, H, W), 1 = known.
        side: Side of the square in pixels.
    """
    if min(mask.shape[-2:]) < side:
        return not mask.any()
    return bool((F.max_pool2d(mask, side, stride=1) == 0).any())


def shrink_mask(mask: Tensor, factor: Fraction, size: tuple[int, int]) -> Tensor:
    """The mask of a smaller copy of a picture: a pixel is known if all pixels under the bicubic kernel are.

    Args:
        mask: (1, 1, H, W), 1 = known.
        factor: Factor by which `imresize` shrinks the picture, below 1.
        size: (h, w) of the smaller copy.

    Returns:
        (1, 1, h, w), 1 = known.
    """
    reach = math.ceil(2 / factor)  # the kernel ends two of the smaller pixels from its middle
    hidden = 1 - mask
    for kernel, padding in (((2 * reach + 1, 1), (reach, 0)), ((1, 2 * reach + 1), (0, reach))):
        hidden = F.max_pool2d(hidden, kernel, stride=1, padding=padding)
    middles = [((torch.arange(n) + 0.5) / float(factor)).long() for n in size]
    rows, columns = (at.clamp(max=n - 1) for at, n in zip(middles, mask.shape[-2:], strict=True))
    return 1 - hidden[..., rows[:, None], columns]
