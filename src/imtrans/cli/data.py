"""Commands on the benchmark sets: list, fetch, where, pack, digest."""

from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from imtrans.data import bapps, benchmarks
from imtrans.models import adain, features


def list_sets() -> None:
    """List the benchmark sets with description, licence and place on disk."""
    for name, benchmark in benchmarks.SETS.items():
        print(f"{name}: {benchmark.about}")
        print(f"  {len(benchmark.pictures)} pictures · licence: {benchmark.licence}")
        print(f"  {_place(name)}")


def fetch(name: Positional[str]) -> None:
    """Find a benchmark set or the weights of a feature network, or fetch them into the user's cache, and verify them.

    Args:
        name: Name of the set, Set5 for instance; hybrid (6 MB), vgg19 (548 MB) or vgg16 (528 MB), feature networks;
            pair (2 MB), another encoder and decoder for AdaIN; alex, vgg16 or squeeze, the trunks of LPIPS (233, 528,
            5 MB); bapps-train, bapps-val or bapps-jnd, what people judged.
    """
    if name == "pair":
        adain.fetch_pair()
        print("pair: " + adain.pair().about)
        return
    if name in bapps.ARCHIVES:
        print(bapps.fetch(name))
        return
    if name in features.FETCH:
        features.FETCH[name]()
        print(f"{name}: {features.load(['relu1_1'], name).about}")
        return
    if name in features.OFFICIAL:
        features.fetch_official(name)
        print(f"{name}: {features.find_official(name)}")
        return
    benchmarks.load(name)
    print(f"{benchmarks.find(name)} (licence: {benchmarks.SETS[name].licence})")


def where(name: Positional[str | None] = None) -> None:
    """Print the folder of a benchmark set, or of all of them. Nothing is fetched.

    Args:
        name: Name of the set.
    """
    if name is None:
        for each in benchmarks.SETS:
            print(f"{each}: {_place(each)}")
        return
    folder = benchmarks.locate(name)
    if folder is None:
        raise FileNotFoundError(f"{name} is not on this machine: imtrans data fetch {name}")
    print(folder)


def digest(folder: Annotated[Positional[Path], arg(metavar="DIR")]) -> None:
    """Print the digest of the pictures of a folder, by which a set is recognised: for a new one in benchmarks.toml.

    Args:
        folder: Folder of pictures.
    """
    print(benchmarks.digest(benchmarks.load_folder(folder)))


def pack(sets: Annotated[Positional[tuple[str, ...]], arg(metavar="SET … OUT")]) -> None:
    """Write benchmark sets into one zip, for Colab or a rented machine: IMTRANS_DATA=OUT gives them there.

    Args:
        sets: Names of sets, then the file to write.
    """
    from imtrans.data.pack import pack

    if len(sets) < 2:
        raise ValueError(f"a set and a file are wanted, Set5 sets.zip for instance; sets: {', '.join(benchmarks.SETS)}")
    target = pack(sets[:-1], sets[-1])
    print(f"{target}: {', '.join(sets[:-1])}, {target.stat().st_size / 2**20:.1f} MiB")


def _place(name: str) -> str:
    try:
        return str(benchmarks.locate(name) or f"not on this machine: imtrans data fetch {name}")
    except ValueError as error:  # an incomplete folder: the listing is there to find it
        return str(error)
