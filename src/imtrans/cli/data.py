"""Commands on the benchmark sets: list, fetch, where."""

from tyro.conf import Positional

from imtrans.data import benchmarks


def list_sets() -> None:
    """List the benchmark sets with description, licence and place on disk."""
    for name, benchmark in benchmarks.SETS.items():
        print(f"{name}: {benchmark.about}")
        print(f"  {len(benchmark.pictures)} pictures · licence: {benchmark.licence}")
        print(f"  {_place(name)}")


def fetch(name: Positional[str]) -> None:
    """Find a benchmark set, or fetch it into the user's cache, and verify its pixels.

    Args:
        name: Name of the set, Set5 for instance.
    """
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


def _place(name: str) -> str:
    return str(benchmarks.locate(name) or f"not on this machine: imtrans data fetch {name}")
