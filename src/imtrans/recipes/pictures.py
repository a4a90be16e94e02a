"""Training pictures: the bundled photographs and dead leaves, the papers' sets, or folders of your own."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from statistics import fmean

import torch
from torch import Tensor, nn

from imtrans import images
from imtrans.color import rgb_to_y
from imtrans.data.pairs import NoisePairs, SuperResolutionPairs
from imtrans.resize import imresize
from imtrans.training import Samples

Folders = Sequence[str | Path] | None

# Sets in place of DIV2K, and in place of MS-COCO and ImageNet.
T91_AND_BSD = ("T91", "BSD200", "BSD500_test")
IMAGENET_AND_BSD = ("ImageNet1000_256", "BSD200", "BSD500_test")


@dataclass(frozen=True)
class TrainingSet:
    """Pictures to train on.

    Attributes:
        pictures: Pictures (1, 1 or 3, H, W) in [0, 1].
        sources: Descriptions for the card, one per source: its name and its number of pictures.
    """

    pictures: list[Tensor]
    sources: tuple[str, ...]

    def luma(self) -> "TrainingSet":
        """The same set in luma: Y of each picture, unrounded; gray pictures stay as they are."""
        return replace(self, pictures=[rgb_to_y(p) if p.shape[1] == 3 else p for p in self.pictures])

    def rgb(self) -> "TrainingSet":
        """The same set in RGB: gray pictures are repeated in three channels."""
        return replace(self, pictures=[p.expand(1, 3, -1, -1) if p.shape[1] == 1 else p for p in self.pictures])

    def resized(self, factors: Sequence[Fraction]) -> "TrainingSet":
        """The same set with each picture at each factor: smaller copies are more training data."""
        copies = [p if f == 1 else imresize(p, f).clamp(0, 1) for f in factors for p in self.pictures]
        return replace(self, pictures=copies)


def training_pictures(sets: Sequence[str] = (), folders: Folders = None) -> TrainingSet:
    """The pictures of named sets, without those held out for validation, or of folders in their place.

    With neither: the bundled photographs, and dead leaves in their colours, which every clone has.

    Args:
        sets: Names of sets.
        folders: Folders of pictures, which take the place of the sets.

    Raises:
        FileNotFoundError: If a set is neither stored here nor can be fetched, or a folder does not exist.
    """
    from imtrans.data import benchmarks, dead_leaves, photos

    if isinstance(folders, str | Path):  # one folder, not the letters of its name
        folders = [folders]
    if folders:
        # Pairs, not a dict: two folders may have the same name.
        parts = [(Path(f).resolve().name, [p for _, p in benchmarks.load_folder(f)]) for f in folders]
    elif sets:
        parts = [(name, [p for _, p in benchmarks.load(name, held_out=False)]) for name in sets]
    else:
        bundled = [photo.picture for photo in photos.photos("train")]
        leaves = dead_leaves.dead_leaves(32, 96, palette=bundled, seed=1)
        parts = [("bundled photographs", bundled), ("dead leaves", list(leaves.split(1)))]
    return TrainingSet(
        [picture for _, pictures in parts for picture in pictures],
        tuple(f"{name}: {len(pictures)} pictures" for name, pictures in parts),
    )


def validation_pictures(size: int) -> list[tuple[str, Tensor]]:
    """Name and picture, RGB or gray: the middle, at most ``size`` × ``size``, of each picture that no training sees.

    They are the ten of BSD500_test that are held out where that set is at hand, else the bundled validation
    photographs.
    """
    from imtrans.data import benchmarks, photos

    if benchmarks.locate("BSD500_test"):
        pictures = benchmarks.load("BSD500_test", held_out=True)
    else:
        pictures = [(photo.name, photo.picture) for photo in photos.photos("validation")]
    return [(name, images.middle(picture, size)) for name, picture in pictures]


def mean_error(
    loss: Callable[[Tensor, Tensor], Tensor],
    pairs: Iterable[tuple[Tensor, Tensor]],
    forward: Callable[[nn.Module, Tensor], Tensor] = nn.Module.__call__,
) -> Callable[[nn.Module], dict[str, float]]:
    """What a training is watched by: the mean of a loss, by the name ``error``; lower is better.

    Args:
        loss: Function of (prediction, target) that returns a scalar.
        pairs: Inputs and targets that no training sees. They are brought to the device of the network.
        forward: Function of (network, input) that returns the prediction.
    """
    pairs = list(pairs)

    def validate(network: nn.Module) -> dict[str, float]:
        device = next(network.parameters()).device
        with torch.no_grad():
            return {"error": fmean(float(loss(forward(network, x.to(device)), y.to(device))) for x, y in pairs)}

    return validate


def low_resolution_patches(pictures: TrainingSet, scale: int, size: int) -> Callable[[int], Samples]:
    """Samples for a network that enlarges: pairs of size² low-resolution pixels, as a function of the seed.

    Args:
        pictures: Training pictures.
        scale: Upscaling factor.
        size: Side of the low-resolution patches in pixels.
    """
    return lambda seed: SuperResolutionPairs(pictures.pictures, (scale,), size, upsamples=True, seed=seed)


def noisy_patches(pictures: TrainingSet, size: int, levels: tuple[float, float]) -> Callable[[int], Samples]:
    """Samples for a denoiser: pairs of size² pixels, as a function of the seed.

    Args:
        pictures: Training pictures.
        size: Side of the patches in pixels.
        levels: (lowest, highest) noise level, in 8-bit levels; one is drawn for each patch.
    """
    return lambda seed: NoisePairs(pictures.pictures, size, levels, seed=seed)
