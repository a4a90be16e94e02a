"""Triplets of patches, which a rule has judged: a stand-in for BAPPS, whose triplets people have judged.

    triplets = make(pictures, 500, seed=0)
    triplets.reference, triplets.first, triplets.second, triplets.vote

Two rules need no voter (`RULES`):

``added``
    One patch went through a distortion, the other through the same one and then through a second, of another family,
    which does not hide the first. The first is nearer.
``equal error``
    One patch was moved by a pixel or two, turned by up to three degrees, or made a few percent brighter or darker;
    side by side this is hardly seen. The other was damaged visibly. Both have the *same* mean squared error. The first
    is nearer.

These are invariances that we postulate: what a distance should not mind. What people mind, only people can say.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from imtrans.data.distortions import FAMILIES, INVISIBLE, Distortion
from imtrans.images import to_float, to_uint8

LIKE_INVISIBLE = ("places", "colours")  # families that are too much like what is invisible
GRAINY = ("noise", "compression")  # families that add what a later blur hides
FAINT, STRONG = 36, 18  # dB of PSNR: above 36 a change is too small for the rule ``equal error``, below 18 too large
TRIES = 1_000  # patches of which one should suit


TENSORS = ("reference", "first", "second", "vote")  # fields of `Triplets`


@dataclass(frozen=True)
class Triplets:
    """References and two distorted patches each: the set 𝒯 of the slides.

    Attributes:
        reference: x, (N, 3, H, W) in [0, 1].
        first: x₀, the same shape.
        second: x₁, the same shape.
        vote: h, (N,): the share of judges who call the second one nearer.
        kind: How each was made or where it comes from, N texts.
    """

    reference: Tensor
    first: Tensor
    second: Tensor
    vote: Tensor
    kind: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.kind)

    @classmethod
    def joined(cls, parts: Iterable["Triplets"]) -> "Triplets":
        """Several batches of one size of patches as one, those of `imtrans.data.bapps.TwoAFC` for instance."""
        parts = list(parts)
        fields = {name: torch.cat([getattr(part, name) for part in parts]) for name in TENSORS}
        return cls(**fields, kind=tuple(kind for part in parts for kind in part.kind))

    def where(self, condition: Callable[[str], bool]) -> "Triplets":
        """Those whose kind meets a condition."""
        return self.take([i for i, kind in enumerate(self.kind) if condition(kind)])

    def take(self, places: Sequence[int]) -> "Triplets":
        """Those at the given places."""
        index = torch.as_tensor(places, dtype=torch.long)
        fields = {name: getattr(self, name)[index] for name in TENSORS}
        return replace(self, **fields, kind=tuple(self.kind[i] for i in places))


@dataclass(frozen=True)
class Pairs:
    """Pairs of patches and whether people took them for the same (just noticeable differences).

    Attributes:
        first: (N, 3, H, W) in [0, 1].
        second: The same shape.
        same: (N,): the share of judges who saw no difference.
    """

    first: Tensor
    second: Tensor
    same: Tensor


def make(
    pictures: Sequence[Tensor],
    count: int,
    *,
    seed: int,
    rules: Sequence[str] = ("added", "equal error"),
    size: int = 64,
    families: Mapping[str, Sequence[Distortion]] = FAMILIES,
) -> Triplets:
    """Triplets from real photographs, the rules in turn, each triplet from a random stream of its own.

    Args:
        pictures: Photographs (1, 3, H, W) in [0, 1], with sides of ``size`` at least.
        count: Number of triplets.
        seed: Random seed.
        rules: Keys of ``RULES``.
        size: Side of the patches.
        families: Family → distortions.

    Raises:
        ValueError: On an unknown rule, pictures that are too small or flat, or families that do not suit the rules.
    """
    if unknown := set(rules) - RULES.keys():
        raise ValueError(f"no rule {', '.join(unknown)}: there are {', '.join(RULES)}")
    if min(min(picture.shape[-2:]) for picture in pictures) < size:
        raise ValueError(f"wanted pictures with sides of {size} pixels or more")
    if len(families) < 2 or not families.keys() - LIKE_INVISIBLE:
        raise ValueError(f"wanted two families or more, one of them not of {', '.join(LIKE_INVISIBLE)}")
    made = []
    for index in range(count):
        rule, random = rules[index % len(rules)], np.random.default_rng((seed, index))
        for _ in range(TRIES):  # a smooth patch hides a shift, a strong error hides nothing: take another one
            if found := RULES[rule](patch(pictures, size, random), families, random):
                break
        else:
            raise ValueError(f"no patch of these pictures suits the rule {rule!r} with {', '.join(families)}")
        x, near, far, words = found
        swapped = bool(random.integers(2))
        pair = (far, near) if swapped else (near, far)
        made.append((x, *pair, float(swapped), f"{rule}: {words}"))
    x, first, second, vote, kind = zip(*made, strict=True)
    return Triplets(torch.cat(x), torch.cat(first), torch.cat(second), torch.tensor(vote), kind)


def patch(pictures: Sequence[Tensor], size: int, random: np.random.Generator) -> Tensor:
    """A random square out of a random picture, one that is not flat, (1, 3, size, size).

    Raises:
        ValueError: If they all seem to be flat.
    """
    for _ in range(TRIES):
        picture = pictures[int(random.integers(len(pictures)))]
        top, left = (int(random.integers(side - size + 1)) for side in picture.shape[-2:])
        found = picture[..., top : top + size, left : left + size]
        if found.std() > 0.05:
            return found
    raise ValueError("these pictures are flat")


Made = tuple[Tensor, Tensor, Tensor, str]  # the reference, the nearer, the farther, what was done


def added(x: Tensor, families: Mapping[str, Sequence[Distortion]], random: np.random.Generator) -> Made | None:
    """The rule ``added``: A(x) is nearer than B(A(x)). Grain and blocks come last, since blur would hide them again."""
    one, two = (list(families)[i] for i in random.permutation(len(families))[:2])
    if one in GRAINY:
        one, two = two, one
    if one in GRAINY:
        return None
    first, second = (_one_of(families[name], random) for name in (one, two))
    near = eight_bit(first(x, random))
    return x, near, eight_bit(second(near, random)), f"{one}, then {two}"


def equal_error(x: Tensor, families: Mapping[str, Sequence[Distortion]], random: np.random.Generator) -> Made | None:
    """The rule ``equal error``: an invisible change is nearer than damage; None where the error does not suit."""
    invisible = _one_of(INVISIBLE, random)
    near = eight_bit(invisible(x, random))
    error = (near - x).square().mean()
    if not 10 ** (-FAINT / 10) < error < 10 ** (-STRONG / 10):
        return None
    visible = [name for name in families if name not in LIKE_INVISIBLE]
    name = visible[int(random.integers(len(visible)))]
    # Equal to a percent; which of the two errors is the larger one, a coin decides.
    wanted = error * (1.005 if random.random() < 0.5 else 0.995)
    far = at_error(x, _one_of(families[name], random)(x, random), wanted)
    return None if far is None else (x, near, far, f"{invisible.__name__}, {name}")


RULES: dict[str, Callable[..., Made | None]] = {"added": added, "equal error": equal_error}


def at_error(x: Tensor, damaged: Tensor, error: Tensor) -> Tensor | None:
    """The same damage, weaker or up to 3 times as strong, such that its mean squared error is the given one.

    Clipping and rounding move the error a little: some corrections bring it within 0.2 percent, or it is None.
    """
    difference, factor = damaged - x, 1.0
    for _ in range(8):
        found = eight_bit(x + factor * difference)
        ratio = float(error / (found - x).square().mean().clamp(min=1e-9))
        if abs(ratio - 1) < 0.002:
            return found
        factor *= ratio**0.5
        if factor > 3:
            return None
    return None


def eight_bit(x: Tensor) -> Tensor:
    """Clipped and rounded to 8 bits: what a file would hold."""
    return to_float(to_uint8(x))


def pairs(triplets: Triplets) -> Pairs:
    """Each reference with both of its patches; the nearer one counts as the same. Sensible for ``equal error``."""
    return Pairs(
        torch.cat([triplets.reference] * 2),
        torch.cat([triplets.first, triplets.second]),
        torch.cat([1 - triplets.vote, triplets.vote]),
    )


def _one_of(distortions: Sequence[Distortion], random: np.random.Generator) -> Distortion:
    return distortions[int(random.integers(len(distortions)))]
