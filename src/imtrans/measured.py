"""What takes longer than a notebook may: the tables in ``results/``, which ``make experiments`` writes.

    rows("srcnn-width")[0]["psnr"]

Each says on which machine, when and for how long it ran.
"""

import csv
from pathlib import Path

from torch import Tensor

from imtrans import images

# Inside an installed package (see pyproject.toml), and in a clone, where experiments write.
FOLDERS = (Path(__file__).with_name("measured_results"), Path(__file__).parents[2] / "results")


def rows(name: str) -> list[dict[str, int | float | str]]:
    """The rows of a table, numbers as numbers.

    Args:
        name: Of the file, without ``.csv``.

    Raises:
        FileNotFoundError: If there is no such table.
    """
    with _find(f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return [{key: _number(text) for key, text in row.items()} for row in csv.DictReader(file)]


def picture(name: str) -> Tensor:
    """A picture that an experiment kept, (1, C, H, W) in [0, 1].

    Args:
        name: Of the file, with its suffix.

    Raises:
        FileNotFoundError: If there is no such picture.
    """
    return images.read(_find(name))


def _find(file: str) -> Path:
    for folder in FOLDERS:
        if (folder / file).is_file():
            return folder / file
    raise FileNotFoundError(f"no measured {file}: make experiments writes them")


def _number(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text
