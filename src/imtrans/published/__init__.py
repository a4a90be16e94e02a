"""What the papers printed: one CSV file a paper, one row a score, each with its source.

    rows("vdsr", model="VDSR", set="Set5", scale=3)[0]["psnr"]

``protocol`` is the ruler, as in `imtrans.evaluation`: compare on the same one alone. Beyond those, ``rgb``
in super-resolution is all channels with the border of the scale, ``rgb+6`` all channels with a border of
scale + 6 (EDSR's on DIV2K), and ``not stated`` is what it says. ``verified`` is False where a number was
written down from memory and found in no second place. In rows of ``inpainting`` the set is one picture and
scale and sigma are None; the source says what was missing.
"""

import csv
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent

NUMBERS = {"scale": int, "sigma": float, "quality": int, "psnr": float, "ssim": float}


def papers() -> list[str]:
    """The papers whose tables are here, by their short names."""
    return sorted(path.stem for path in FOLDER.glob("*.csv"))


def rows(paper: str | None = None, **filters: Any) -> list[dict[str, Any]]:
    """The rows of a paper's tables, or of all of them.

    Args:
        paper: One of `papers`.
        **filters: Columns and the values wanted: ``set="Set5", scale=3``.

    Returns:
        Dicts with paper, model, set, task, scale, sigma, quality, psnr, ssim, protocol, source and verified; numbers
        as numbers, None where the paper has none.

    Raises:
        ValueError: If there is no such paper or column.
    """
    if paper is not None and paper not in papers():
        raise ValueError(f"no tables of {paper!r}: there are {', '.join(papers())}")
    found = []
    for name in papers() if paper is None else [paper]:
        with (FOLDER / f"{name}.csv").open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            unknown = filters.keys() - set(reader.fieldnames)
            if unknown:
                raise ValueError(f"no column {', '.join(unknown)}: there are {', '.join(reader.fieldnames)}")
            found += [_typed(row) for row in reader]
    return [row for row in found if all(row[key] == value for key, value in filters.items())]


def _typed(row: dict[str, str]) -> dict[str, Any]:
    numbers = {key: kind(row[key]) if row[key] else None for key, kind in NUMBERS.items()}
    return row | numbers | {"verified": row["verified"] == "yes"}
