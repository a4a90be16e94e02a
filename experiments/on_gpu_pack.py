"""Pack what ``on_gpu.sh`` needs into one folder, small enough to be sent to a rented machine.

    python experiments/on_gpu_pack.py on-gpu/pack

The package without the weights that are not trained there, the scripts, a notebook with its table, the pictures, and
the wheels in ``on-gpu/wheels``. There: ``bash experiments/on_gpu.sh`` in that folder.
"""

import shutil
import sys
from pathlib import Path

from imtrans import zoo
from imtrans.data.pack import pack

ROOT = Path(__file__).parents[1]
SETS = ("BSD200", "BSD500_test", "Set5")
LEFT_OUT = ("dncnn-15", "dncnn-25", "dncnn-50", *zoo.OTHERS)  # weights that on_gpu.py neither trains nor compares with
FILES = (
    "experiments/on_gpu.sh",
    "experiments/on_gpu.py",
    "notebooks/01-srcnn.ipynb",
    "results/srcnn-width.csv",
)
LIMIT = 60 * 2**20  # bytes


def copy_tree(target: Path) -> None:
    """Copy package, scripts and notebook."""
    left_out = {f"{name}.{kind}" for name in LEFT_OUT for kind in ("safetensors", "json", "jsonl")}
    ignore = shutil.ignore_patterns("__pycache__", "*.egg-info", *left_out)
    shutil.copytree(ROOT / "src", target / "src", ignore=ignore)
    for name in FILES:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target / name)


def size(folder: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main(target: Path) -> None:
    """Make the folder.

    Raises:
        SystemExit: If there is one, or if it is larger than it may be.
    """
    if target.exists():
        sys.exit(f"{target} is there already: remove it")
    copy_tree(target)
    carried = target / "on-gpu"
    carried.mkdir()
    pack(SETS, carried / "data.zip")
    wheels = ROOT / "on-gpu" / "wheels"
    if wheels.is_dir():
        shutil.copytree(wheels, carried / "wheels")
    else:
        print("no wheels in on-gpu/wheels: pooch and platformdirs must be there already, see on_gpu.sh")
    total = size(target)
    print(f"{target}: {total / 2**20:.1f} MiB")
    if total > LIMIT:
        sys.exit(f"more than {LIMIT / 2**20:.0f} MiB")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
