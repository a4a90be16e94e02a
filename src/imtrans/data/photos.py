"""Real photographs that every installation has: they lie inside the wheels of scikit-image and scikit-learn.

No download, no network. Taken are the files that the wheels themselves hold (scikit-image fetches its other
pictures on demand) and whose licence is stated; the licence words are those of the two packages. Left out:
``moon``, ``page``, the Middlebury motorcycle and the faces of LFW (no licence stated), drawings, single
cells, and the retina, which is so smooth that there is next to nothing to learn beyond bicubic interpolation.

The split goes by picture, so that no patch of a test picture is ever seen in training. ``astronaut`` and
``chelsea`` are the test: both are PNG files without visible compression, and between them they show what a
figure has to show, a face, stripes, lettering, fur, and smooth background. ``coffee`` (wood grain, porcelain,
an even blur) chooses checkpoints. All the rest trains: architecture and foliage, petals, lattice masts at
dusk, stained tissue, points of light. The gray photographs are split likewise: textures train, ``coins``
choose, ``camera`` tests.
"""

from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from torch import Tensor

from imtrans import images

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Photo:
    """A photograph of the bundle.

    Attributes:
        name: A short name, unique in the bundle.
        split: ``"train"``, ``"validation"`` or ``"test"``.
        licence: The licence as the package states it.
        source: Who made it and where it was published, as the package states it.
        package: The installed package that holds the file.
        file: The file inside that package.
        gray: Whether the picture has a single channel.
    """

    name: str
    split: str
    licence: str
    source: str
    package: str
    file: str
    gray: bool = False

    @property
    def picture(self) -> Tensor:
        """(1, 3, H, W), or (1, 1, H, W) if gray, float32 in [0, 1]. A copy: write into it as you like."""
        return _read(self.package, self.file).clone()


_SKIMAGE = "scikit-image"
_SKLEARN = "scikit-learn"
_CC0 = "CC0"
_CC_BY = "CC BY 2.0"

PHOTOS: tuple[Photo, ...] = (
    Photo(
        "china", "train", _CC_BY,
        "danielbuechele, https://www.flickr.com/photos/danielbuechele/6061409035/",
        _SKLEARN, "china.jpg",
    ),
    Photo(
        "flower", "train", _CC_BY,
        # The README of scikit-learn names danielbuechele here too; its link leads to vultilion.
        "vultilion, https://www.flickr.com/photos/vultilion/6056698931/",
        _SKLEARN, "flower.jpg",
    ),
    Photo(
        "rocket", "train", "released in the public domain",
        "SpaceX, https://www.flickr.com/photos/spacexphotos/16511594820/",
        _SKIMAGE, "rocket.jpg",
    ),
    Photo(
        "tissue", "train", "no known copyright restrictions",
        "Center for Microscopy And Molecular Imaging (CMMI)",
        _SKIMAGE, "ihc.png",
    ),
    Photo(
        "stars", "train", "may be freely used in the public domain",
        "NASA, http://hubblesite.org/newscenter/archive/releases/2012/37/image/a/",
        _SKIMAGE, "hubble_deep_field.jpg",
    ),
    Photo(
        "brick", "train", _CC0,
        "https://cc0textures.com/view.php?tex=Bricks25",
        _SKIMAGE, "brick.png", gray=True,
    ),
    Photo(
        "grass", "train", _CC0,
        "linolafett, https://www.deviantart.com/linolafett/art/Grass-01-434853879",
        _SKIMAGE, "grass.png", gray=True,
    ),
    Photo(
        "gravel", "train", _CC0,
        "https://cc0textures.com/view.php?tex=Gravel04",
        _SKIMAGE, "gravel.png", gray=True,
    ),
    Photo(
        "text", "train", "no known copyright restrictions, released into the public domain",
        "https://en.wikipedia.org/wiki/File:Corner.png",
        _SKIMAGE, "text.png", gray=True,
    ),
    Photo(
        "coffee", "validation", _CC0,
        "Rachel Michetti, courtesy of Pikolo Espresso Bar",
        _SKIMAGE, "coffee.png",
    ),
    Photo(
        "coins", "validation", "no known copyright restrictions",
        "Brooklyn Museum, https://www.brooklynmuseum.org/opencollection/archives/image/51611",
        _SKIMAGE, "coins.png", gray=True,
    ),
    Photo(
        "astronaut", "test", "no known copyright restrictions, released into the public domain",
        "NASA Great Images, https://flic.kr/p/r9qvLn",
        _SKIMAGE, "astronaut.png",
    ),
    Photo(
        "chelsea", "test", _CC0,
        "Stefan van der Walt",
        _SKIMAGE, "chelsea.png",
    ),
    Photo(
        "camera", "test", _CC0,
        "Lav Varshney",
        _SKIMAGE, "camera.png", gray=True,
    ),
)  # fmt: skip


def photos(split: str, *, gray: bool = False) -> list[Photo]:
    """The photographs of a split, always in the same order.

    Args:
        split: ``"train"``, ``"validation"`` or ``"test"``.
        gray: Take the single-channel photographs too, after the colour ones.

    Raises:
        ValueError: On an unknown split.
    """
    if split not in SPLITS:
        raise ValueError(f"split {split!r}: wanted one of {', '.join(SPLITS)}")
    chosen = [photo for photo in PHOTOS if photo.split == split and (gray or not photo.gray)]
    return sorted(chosen, key=lambda photo: photo.gray)  # stable: the order of the table within each kind


def photo(name: str) -> Photo:
    """The photograph of that name.

    Raises:
        ValueError: If there is none.
    """
    for candidate in PHOTOS:
        if candidate.name == name:
            return candidate
    raise ValueError(f"no bundled photograph {name!r}: there are {', '.join(p.name for p in PHOTOS)}")


def _path(package: str, file: str) -> Path:
    """Where a package keeps a picture. The package is found, not imported: an import would take a second."""
    module, folder = {_SKIMAGE: ("skimage", "data"), _SKLEARN: ("sklearn", "datasets/images")}[package]
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(f"{file} comes with {package}, which is not installed")
    return Path(spec.origin).parent / folder / file


@cache
def _read(package: str, file: str) -> Tensor:
    return images.read(_path(package, file))
