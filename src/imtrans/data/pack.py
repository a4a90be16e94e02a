"""Picture sets in one file, to upload to Colab or to a rented machine.

    pack(["BSD200", "BSD500_test", "Set5"], "sets.zip")

There ``IMTRANS_DATA=sets.zip`` gives the sets, as does the folder that it is unpacked into.
"""

import os
import zipfile
from collections.abc import Sequence
from pathlib import Path

from imtrans import assets, images
from imtrans.data import benchmarks

LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the same files give the same archive, whenever it is made


def pack(names: Sequence[str], target: str | os.PathLike) -> Path:
    """Write picture sets into one zip archive: their original files, after their pixels were verified.

    Each set is found on this machine or fetched, as by `benchmarks.load`. The archive holds a folder per set, pictures
    that are held out included, and a text with the licence and the source of each.

    Args:
        names: Names of sets, of `benchmarks.SETS`.
        target: The archive to write, with the suffix ``.zip``; an existing one is replaced at once or not at all.

    Returns:
        The path of the archive.

    Raises:
        ValueError: If there is no such set, its pixels are not the known ones, no set is named, or the suffix is
            another one.
        FileNotFoundError: If a set is not to be had, or there is no folder for the archive.
    """
    target = Path(target)
    if not names:
        raise ValueError(f"which sets? {', '.join(benchmarks.SETS)}")
    if target.suffix.lower() != ".zip":
        raise ValueError(f"{target}: the suffix must be .zip")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"no such folder: {target.parent}")
    with assets.replacing(target) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name in dict.fromkeys(names):
            folder = benchmarks.find(name)
            benchmarks.verify(name, folder)
            files = {path.stem: path for path in images.list_pictures(folder)}
            for stem in benchmarks.SETS[name].pictures:
                _add(archive, f"{name}/{files[stem].name}", files[stem].read_bytes())
        _add(archive, "SOURCES.txt", _sources(dict.fromkeys(names)).encode())
    return target


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    archive.writestr(zipfile.ZipInfo(name, LONG_AGO), content, zipfile.ZIP_DEFLATED)


def _sources(names: Sequence[str]) -> str:
    sets = [benchmarks.SETS[name] for name in names]
    return "".join(f"{s.name}: {s.about}\n  licence: {s.licence}\n  source: {s.source}\n" for s in sets)
