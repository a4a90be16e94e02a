"""BAPPS, the patches that people have judged (Zhang et al. 2018), in the layout of its archives.

    triplets = TwoAFC(folder / "2afc" / "val" / "traditional")
    triplets[0].vote  # the share of five people who called the second patch nearer
    two_afc(distance, Triplets.joined(triplets))  # of `imtrans.judgements`, in percent

It is large, and its pictures have no licence of their own, so nothing here fetches it unasked: `fetch` says both first.
"""

import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from imtrans import assets, images
from imtrans.data.triplets import Pairs, Triplets

LICENCE = (
    "none stated for the pictures, which come from MIT-Adobe 5k, RAISE1k, ImageNet and others, for research; "
    "the authors' repository is BSD-2-Clause"
)
_SERVER = "https://perceptual-similarity.s3.us-west-2.amazonaws.com/dataset"


@dataclass(frozen=True)
class Archive:
    """One of the three archives.

    Attributes:
        file: Name of the file on the authors' server.
        size: Size in words.
        about: What it holds.
        folder: Folder that it makes.
    """

    file: str
    size: str
    about: str
    folder: str


ARCHIVES: dict[str, Archive] = {
    "bapps-train": Archive("twoafc_train.tar.gz", "5.3 GB", "151,400 triplets with 2 votes each", "2afc/train"),
    "bapps-val": Archive("twoafc_val.tar.gz", "1.1 GB", "36,300 triplets with 5 votes each", "2afc/val"),
    "bapps-jnd": Archive("jnd.tar.gz", "0.2 GB", "9,600 pairs, shown for a second, with 3 votes each", "jnd"),
}


def folder() -> Path:
    """Where BAPPS lies: ``IMTRANS_DATA/BAPPS`` if it is there, else the user's cache."""
    root = assets.data_root()
    return root / "BAPPS" if root and (root / "BAPPS").is_dir() else assets.cache_dir() / "BAPPS"


def fetch(name: str) -> Path:
    """Find one archive unpacked, or fetch and unpack it into the cache, after a word about size and licence.

    Its bytes are not verified.

    Args:
        name: One of ``ARCHIVES``.

    Returns:
        The folder with ``2afc`` and ``jnd``.

    Raises:
        FileNotFoundError: If it could not be fetched.
    """
    archive, target = ARCHIVES[name], assets.cache_dir() / "BAPPS"
    for place in (folder(), target):  # an archive stays until all of it is unpacked
        if (place / archive.folder).is_dir() and not (place / archive.file).exists():
            return place
    print(f"fetching {archive.file}, {archive.size}: {archive.about} (licence: {LICENCE})")
    file = assets.fetch([f"{_SERVER}/{archive.file}"], target / archive.file)
    with tarfile.open(file) as content:
        content.extractall((target / archive.folder).parent, filter="data")
    file.unlink()
    return target


class _Folders(Sequence):
    """Samples that lie as files of the same name in several folders."""

    pictures: tuple[str, ...]
    number: str
    archive: str

    def __init__(self, folder: str | Path, size: int = 64) -> None:
        self.folder, self.size = Path(folder), size
        self.names = sorted(path.stem for path in (self.folder / self.number).glob("*.npy"))
        if not self.names:
            raise FileNotFoundError(f"no {self.number}/*.npy in {self.folder}: imtrans data fetch {self.archive}")

    def __len__(self) -> int:
        return len(self.names)

    def _read(self, index: int) -> tuple[list[Tensor], Tensor]:
        """The pictures, (1, 3, size, size) each, and the share of the votes, (1,)."""
        name = self.names[index]
        read = [images.read(self.folder / kind / f"{name}.png") for kind in self.pictures]
        # The archives hold 256×256 pixels; people saw 64×64. The authors' loader shrinks bilinearly, antialiased.
        side = (self.size, self.size)
        read = [F.interpolate(x, side, mode="bilinear", antialias=True, align_corners=False) for x in read]
        votes = np.load(self.folder / self.number / f"{name}.npy", allow_pickle=False)
        return [x.clamp(0, 1) for x in read], torch.tensor([float(votes.item())])


class TwoAFC(_Folders):
    """Triplets of one folder, with ``ref``, ``p0``, ``p1`` and ``judge`` below it, each read when it is asked for.

    Args:
        folder: Such as ``2afc/val/traditional``.
        size: Side that the patches are shrunk to.

    Raises:
        FileNotFoundError: If there are no votes in the folder.
    """

    pictures, number, archive = ("ref", "p0", "p1"), "judge", "bapps-val"

    def __getitem__(self, index: int) -> Triplets:
        """The triplet at a place, as a batch of one."""
        read, vote = self._read(index)
        return Triplets(*read, vote, (self.folder.name,))


class JND(_Folders):
    """Pairs of one folder, with ``p0``, ``p1`` and ``same`` below it, each read when it is asked for.

    Args:
        folder: Such as ``jnd/val/traditional``.
        size: Side that the patches are shrunk to.

    Raises:
        FileNotFoundError: If there are no votes in the folder.
    """

    pictures, number, archive = ("p0", "p1"), "same", "bapps-jnd"

    def __getitem__(self, index: int) -> Pairs:
        """The pair at a place, as a batch of one."""
        read, same = self._read(index)
        return Pairs(*read, same)
