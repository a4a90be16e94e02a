"""What recipes train on: the bundled photographs and dead leaves, the papers' sets, or a folder of yours."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from torch import Tensor

from imtrans.color import rgb_to_y
from imtrans.resize import imresize

Folders = Sequence[str | Path] | None

BUDGETS = ("quick", "class", "full", "paper")


def check_budget(budget: str) -> None:
    """Raise a ValueError unless ``budget`` is one of the four."""
    if budget not in BUDGETS:
        raise ValueError(f"budget must be one of {', '.join(BUDGETS)}, got {budget!r}")


@dataclass(frozen=True)
class Material:
    """Pictures to train on and their description, one line a source, for the card."""

    pictures: list[Tensor]
    words: tuple[str, ...]


def material(sets: Sequence[str] = (), folders: Folders = None) -> Material:
    """The pictures of named sets less those held out for validation, or of folders in their place.

    Without either, what every clone has: the bundled photographs, and dead leaves in their colours.

    Raises:
        FileNotFoundError: If a set is not at hand and cannot be fetched, or there is no such folder.
    """
    from imtrans.data import benchmarks, dead_leaves, photos

    if folders:
        # Pairs, no dict: two folders may have one name.
        found = [(Path(f).resolve().name, [p for _, p in benchmarks.load_folder(f)]) for f in folders]
    elif sets:
        found = [(name, [p for _, p in benchmarks.load(name, held_out=False)]) for name in sets]
    else:
        bundled = [photo.picture for photo in photos.photos("train")]
        leaves = dead_leaves.dead_leaves(32, 96, palette=bundled, seed=1)
        found = [("bundled photographs", bundled), ("dead leaves", list(leaves.split(1)))]
    return Material(
        [picture for _, pictures in found for picture in pictures],
        tuple(f"{name}: {len(pictures)} pictures" for name, pictures in found),
    )


def to_luma(pictures: Sequence[Tensor]) -> list[Tensor]:
    """Y of each picture, unrounded; a gray picture stays as it is."""
    return [rgb_to_y(p) if p.shape[1] == 3 else p for p in pictures]


def to_rgb(pictures: Sequence[Tensor]) -> list[Tensor]:
    """Three channels of each picture."""
    return [p.expand(1, 3, -1, -1) if p.shape[1] == 1 else p for p in pictures]


def shrunk(pictures: Sequence[Tensor], factors: Sequence[Fraction]) -> list[Tensor]:
    """Each picture at each factor (1 is the picture itself): smaller copies are more training data."""
    return [p if f == 1 else imresize(p, f).clamp(0, 1) for f in factors for p in pictures]
