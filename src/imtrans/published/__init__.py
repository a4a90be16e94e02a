"""What the papers printed: one CSV file per paper, one row per score, each with its source.

    rows("vdsr", model="VDSR", set="Set5", scale=3)[0]["psnr"]

``psnr`` and ``ssim`` are as printed, None where nothing is printed. ``rerun_psnr`` and ``rerun_ssim`` are what the
authors' own weights reach when they are run again by the row's protocol; None where that was not done.

``protocol`` is one of `imtrans.protocols`: scores are comparable by the same protocol alone. Beyond those, ``rgb`` in
super-resolution is all channels with the border of the scale, ``rgb+6`` all channels with a border of scale + 6
(EDSR's on DIV2K), and ``not stated`` is what it says. ``verified`` is False where a number was written down from
memory and found in no second place. In rows of ``inpainting`` the set is one picture and scale and sigma are None; the
source says what was missing. A paper with other measures than these has further columns after them, numbers too: LPIPS
has ``agreement``, in percent, and ``correlation``; colorization has ``value``, of what its task names, in percent where
that names no unit, and ``standard_error``; perceptual losses have ``speedup``, the time of the optimisation that the
task names, divided by that of one pass through the network; adain has ``seconds`` per picture, those of a new style
with its encoding. The set of these two is the size of the picture.
"""

import csv
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent

WORDS = ("paper", "model", "set", "task", "protocol", "source", "verified")  # all other columns are numbers


def papers() -> list[str]:
    """The papers whose tables are here, by their short names."""
    return sorted(path.stem for path in FOLDER.glob("*.csv"))


def rows(paper: str | None = None, **filters: Any) -> list[dict[str, Any]]:
    """The rows of a paper's tables, or of all of them.

    Args:
        paper: One of `papers`.
        **filters: Columns and the values wanted: ``set="Set5", scale=3``.

    Returns:
        One dict per row with paper, model, set, task, scale, sigma, quality, psnr, ssim, rerun_psnr, rerun_ssim,
        protocol, source, verified and the paper's own measures; numbers as numbers, None where there is none.

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
    kinds = {key: int if key in ("scale", "quality") else float for key in row.keys() - set(WORDS)}
    numbers = {key: kind(row[key]) if row[key] else None for key, kind in kinds.items()}
    return row | numbers | {"verified": row["verified"] == "yes"}
