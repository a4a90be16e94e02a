"""The papers' picture sets: found on disk, else fetched, always verified.

A set is looked up in ``$IMTRANS_DATA/<name>``, then in the user's cache, then fetched from its mirrors into
the cache. Mirrors differ in file format, so a set is recognised by what its pictures hold: one sha256 over
the shape and the 8-bit levels of each picture, in the order of their names. The names are those of the
mirrors, without suffix::

    $IMTRANS_DATA/
        Set5/baby.png bird.png butterfly.png head.png woman.png
        B100/101085.png 101087.png ...
        BSD68/test001.png test002.png ...

Any suffix of ``images.SUFFIXES`` will do. Files that are no pictures, and pictures that are not in the set,
are left alone. Names, sources and digests are data: ``benchmarks.toml`` beside this file.

No licence for these pictures is ours to give. ``SETS[name].licence`` has the words of the source, often "not
stated": they are here to learn from and to be measured on, not to be published again.
"""

import os
import shutil
import tomllib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from torch import Tensor

from imtrans import assets, images

NamedPicture = tuple[str, Tensor]

# The same commit of the same repository, by two hosts.
_HOSTS = (
    "https://raw.githubusercontent.com/{repository}/{commit}/{folder}/{file}",
    "https://cdn.jsdelivr.net/gh/{repository}@{commit}/{folder}/{file}",
)


@dataclass(frozen=True)
class Mirror:
    """A folder of a public repository that holds a set, at one commit."""

    repository: str
    commit: str
    folder: str
    suffix: str

    def urls(self, stem: str) -> list[str]:
        """The addresses of one picture."""
        parts = {"repository": self.repository, "commit": self.commit, "folder": self.folder}
        return [host.format(**parts, file=stem + self.suffix) for host in _HOSTS]


@dataclass(frozen=True)
class BenchmarkSet:
    """A set of pictures.

    Attributes:
        name: The name, which is also that of its folder.
        about: One line on what it is and what it is used for.
        pictures: The names of the pictures, sorted, without suffix.
        licence: The licence in the words of the source.
        source: Repository, commit and folder that the digest was computed from.
        mirrors: Where it can be fetched.
        digest: The sha256 of the decoded pictures, see :func:`digest`.
        part_of: A larger set, whose folder will do.
    """

    name: str
    about: str
    pictures: tuple[str, ...]
    licence: str
    source: str
    mirrors: tuple[Mirror, ...]
    digest: str
    part_of: str | None = None


def _read_sets() -> dict[str, dict[str, Any]]:
    """The tables of ``benchmarks.toml``, with their lists of names split."""
    tables = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    lists = ("pictures", "held_out", "test_pictures")
    return {
        name: {key: tuple(value.split()) if key in lists else value for key, value in table.items()}
        for name, table in tables.items()
    }


_TABLES = _read_sets()
SETS: dict[str, BenchmarkSet] = {
    name: BenchmarkSet(
        name=name,
        mirrors=tuple(Mirror(*place) for place in table.get("mirrors", ())),
        **{key: table.get(key) for key in ("about", "pictures", "licence", "source", "digest", "part_of")},
    )
    for name, table in _TABLES.items()
}

HELD_OUT: dict[str, tuple[str, ...]] = {
    name: table["held_out"] for name, table in _TABLES.items() if "held_out" in table
}
"""Pictures that no training sees: they choose checkpoints and settings, so that no test set has to.

Ten are the 11th, 31st, ..., 191st of BSD500_test by name. The crops 201 to 400 of Train400 come from these 200
pictures in the same order (found by exact pixels), so ten of them are held out as well. Every fifth picture of
ImageNet1000_256 is held out for questions about features: 200 classes.
"""

TEST_PICTURES: dict[str, tuple[str, ...]] = {
    name: table["test_pictures"] for name, table in _TABLES.items() if "test_pictures" in table
}
"""Pictures of training sets that are test pictures too, and so left out of trainings.

302003 is the woman of Set5, in BSD200 once more and larger; a test looks for others, by thumbnails. Recipes of version
1 saw it, as did whoever trained on T91 and BSD200, the 291 images of many papers.
"""


def find(name: str) -> Path:
    """The folder of a set: from ``IMTRANS_DATA``, from the cache, or freshly fetched.

    Args:
        name: One of ``SETS``.

    Raises:
        ValueError: If there is no such set, or a folder of that name lacks some of the pictures.
        FileNotFoundError: If it is in none of the places. The sentence says where it was looked for and how
            to give it by hand.
    """
    return locate(name) or _fetch(_set(name))


def locate(name: str) -> Path | None:
    """The folder of a set if it is on this machine, else None. Nothing is fetched.

    Raises:
        ValueError: If there is no such set, or a folder of that name lacks some of the pictures.
    """
    benchmark = _set(name)
    for folder in _places(name):
        if folder.is_dir():
            _files(folder, benchmark)
            return folder
    return None


def load(name: str, *, held_out: bool | None = None) -> list[NamedPicture]:
    """The pictures of a set, found or fetched, and verified.

    Args:
        name: One of ``SETS``.
        held_out: None for all, True for those of ``HELD_OUT``, False for what a training takes: neither those nor
            the ``TEST_PICTURES``.

    Returns:
        (name, picture) sorted by name; a picture is (1, C, H, W) in [0, 1], C = 1 for gray files.

    Raises:
        ValueError: If there is no such set, its pixels are not the known ones, or nothing is held out of it.
        FileNotFoundError: If it is not to be had, see :func:`find`.
    """
    benchmark = _set(name)
    aside = HELD_OUT.get(name, ())
    if held_out and not aside:
        raise ValueError(f"nothing is held out of {name}, only of {' and '.join(HELD_OUT)}")
    pictures = verify(name, find(name))
    if held_out is None:
        return pictures
    wanted = set(aside) if held_out else set(benchmark.pictures) - {*aside, *TEST_PICTURES.get(name, ())}
    return [(stem, picture) for stem, picture in pictures if stem in wanted]


class PictureFolder(Sequence[NamedPicture]):
    """Named pictures of a folder, each read from its file whenever it is asked for: no more than one is in memory.

    Attributes:
        files: Name of each picture → its file, sorted by name. A name is that of the file without suffix; if two files
            of the folder differ in the suffix alone, or in capitals, all names keep their suffix.
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        paths = images.list_pictures(folder)
        distinct = len({path.stem.casefold() for path in paths}) == len(paths)
        self.files = dict(sorted((path.stem if distinct else path.name, path) for path in paths))

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int | slice) -> NamedPicture | list[NamedPicture]:
        chosen = list(self.files.items())[index]
        if isinstance(index, slice):
            return [(name, images.read(path)) for name, path in chosen]
        name, path = chosen
        return name, images.read(path)


def load_folder(folder: str | os.PathLike) -> PictureFolder:
    """The pictures of any folder, not verified, as a sequence that reads each one when it is asked for.

    Returns:
        Pairs (name, picture) sorted by name, as :func:`load` gives them. A file that is no picture raises a
        ``ValueError`` when its turn comes.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If it holds no picture.
    """
    return PictureFolder(folder)


def verify(name: str, folder: str | os.PathLike) -> list[NamedPicture]:
    """Read the set ``name`` from a folder and compare it with the known pixels.

    Returns:
        The pictures of the set, as :func:`load` gives them.

    Raises:
        ValueError: If pictures are missing or their pixels are others.
    """
    benchmark = _set(name)
    pictures = [(stem, images.read(path)) for stem, path in _files(Path(folder), benchmark).items()]
    found = digest(pictures)
    if found != benchmark.digest:
        raise ValueError(
            f"the pictures in {folder} are not those of {name}: sha256 of the pixels {found[:12]}…, wanted "
            f"{benchmark.digest[:12]}… (cropped, or compressed anew? load_folder reads them as they are)"
        )
    return pictures


def digest(pictures: Iterable[NamedPicture]) -> str:
    """One sha256 for a set: over a line ``<name> <sha256 of shape and levels>`` for each picture, in turn.

    JPEG files have the same levels under every decoder that computes as libjpeg-turbo does, Pillow's among
    them.
    """
    total = sha256()
    for stem, picture in pictures:
        total.update(f"{stem} {assets.sha256_pixels(images.to_uint8(picture)[0].numpy())}\n".encode())
    return total.hexdigest()


def _set(name: str) -> BenchmarkSet:
    if name not in SETS:
        raise ValueError(f"no picture set {name!r}: there are {', '.join(SETS)}")
    return SETS[name]


def _cache(name: str) -> Path:
    return assets.cache_dir() / "benchmarks" / name


def _places(name: str) -> list[Path]:
    names = [name for name in (name, SETS[name].part_of) if name]
    root = assets.data_root()
    return [place for name in names for place in ([] if root is None else [root / name]) + [_cache(name)]]


def _files(folder: Path, benchmark: BenchmarkSet) -> dict[str, Path]:
    """The file of each picture, in the set's order."""
    files = {path.stem: path for path in images.list_pictures(folder)}
    lacking = [stem for stem in benchmark.pictures if stem not in files]
    if lacking:
        raise ValueError(
            f"{folder} lacks {len(lacking)} of the {len(benchmark.pictures)} pictures of {benchmark.name}, "
            f"{lacking[0]!r} first"
        )
    return {stem: files[stem] for stem in benchmark.pictures}


def _fetch(benchmark: BenchmarkSet) -> Path:
    """Fetch a set from the first mirror that has the right pixels, into the cache; all of it or nothing."""
    target = _cache(benchmark.name)
    failures = []
    for mirror in benchmark.mirrors:
        # A folder a mirror, so that pictures of two mirrors never mix; what was fetched before a break stays.
        owner = mirror.repository.replace("/", "-")
        aside = target.with_name(f".{benchmark.name}-{owner}-{mirror.commit[:12]}")
        try:
            _download(benchmark, mirror, aside)
            verify(benchmark.name, aside)
            return aside.rename(target)
        except (OSError, ValueError) as error:
            if target.is_dir():  # another process was faster, and has moved or left behind what was here
                shutil.rmtree(aside, ignore_errors=True)
                return target
            if isinstance(error, ValueError):
                failures.append(f"{mirror.repository}: other pixels")
                shutil.rmtree(aside)
            elif isinstance(error, FileNotFoundError):
                failures.append(f"{mirror.repository}: no answer")
            else:
                raise
    looked = " nor in ".join(str(place) for place in _places(benchmark.name))
    file = benchmark.pictures[0] + ".png"
    raise FileNotFoundError(
        f"{benchmark.name} is not in {looked}, and could not be fetched ({'; '.join(failures)}): put its "
        f"{len(benchmark.pictures)} pictures ({file}, …) into {target}, or set IMTRANS_DATA "
        f"to a folder that holds {benchmark.name}/{file} and the others"
    )


def _download(benchmark: BenchmarkSet, mirror: Mirror, folder: Path) -> None:
    from tqdm.auto import tqdm

    def fetch(stem: str) -> None:
        assets.fetch(mirror.urls(stem), folder / (stem + mirror.suffix), progress=False)

    fetch(benchmark.pictures[0])  # before any bar and any thread: where there is no network, this says so
    with ThreadPoolExecutor(8) as pool:
        jobs = [pool.submit(fetch, stem) for stem in benchmark.pictures[1:]]
        title = f"{benchmark.name} from {mirror.repository}"
        try:
            for job in tqdm(as_completed(jobs), title, len(jobs), leave=False):
                job.result()
        except BaseException:  # Ctrl-C too: the pictures that wait would all be fetched first
            pool.shutdown(wait=False, cancel_futures=True)
            raise
