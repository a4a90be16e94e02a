"""What takes longer than a notebook may: the tables in ``results/``, which ``make experiments`` writes.

    rows("srcnn-width")[0]["psnr"]

Each says on which machine, when and for how long it ran.
"""

import csv
from pathlib import Path

# Inside an installed package (see pyproject.toml), and in a clone, where experiments write.
FOLDERS = (Path(__file__).with_name("measured_results"), Path(__file__).parents[2] / "results")


def rows(name: str) -> list[dict[str, int | float | str]]:
    """The rows of a table, numbers as numbers.

    Args:
        name: Of the file, without ``.csv``.

    Raises:
        FileNotFoundError: If there is no such table.
    """
    for folder in FOLDERS:
        path = folder / f"{name}.csv"
        if path.is_file():
            with path.open(newline="", encoding="utf-8") as file:
                return [{key: _number(text) for key, text in row.items()} for row in csv.DictReader(file)]
    raise FileNotFoundError(f"no measured table {name!r}: make experiments writes them")


def _number(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text
