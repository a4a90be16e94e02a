"""Results of experiments that are too long for a notebook: tables, pictures and weights in ``results/``.

    rows("srcnn-width")[0]["psnr"]

``make experiments`` writes them, by the scripts in ``experiments/``. Each row says on which machine and when it was
measured.
"""

import csv
import datetime
import io
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from imtrans import assets, images
from imtrans.hardware import processor_name

# Inside an installed package (see pyproject.toml), and in a clone, where experiments write.
FOLDERS = (Path(__file__).with_name("results"), Path(__file__).parents[2] / "results")


def rows(name: str) -> list[dict[str, int | float | str]]:
    """The rows of a table, numbers as numbers.

    Args:
        name: Name of the file, without ``.csv``.

    Raises:
        FileNotFoundError: If there is no such table.
    """
    with _find(f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return [{key: _number(text) for key, text in row.items()} for row in csv.DictReader(file)]


def picture(name: str) -> Tensor:
    """A picture that an experiment kept, (1, C, H, W) in [0, 1].

    Args:
        name: Name of the file, with its suffix.

    Raises:
        FileNotFoundError: If there is no such picture.
    """
    return images.read(_find(name))


def weights(name: str) -> dict[str, Tensor]:
    """Weights that an experiment kept, to look into: name of the parameter → values in float32.

    Args:
        name: Name of the file, without ``.safetensors``.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    from safetensors.torch import load_file

    return {key: value.float() for key, value in load_file(_find(f"{name}.safetensors")).items()}


def write(name: str, rows: Sequence[Mapping[str, Any]], *, device: str = "cpu") -> Path:
    """Write a table into ``results/`` of the clone; each row gets this machine and today's date.

    An experiment may call it after each run, with all rows so far: the file is replaced at once or not at all. A row
    that names its machine and date already keeps them.

    Args:
        name: Name of the file, without ``.csv``.
        rows: One dict per row, all with the keys of the first; numbers as they should be printed.
        device: Where it was measured, "cpu" or "cuda".

    Returns:
        The path of the table.
    """
    about = {"machine": processor_name(device), "date": datetime.date.today().isoformat()}
    columns = [*(key for key in rows[0] if key not in about), *about]
    table = io.StringIO(newline="")
    writer = csv.DictWriter(table, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(about | row for row in rows)
    path = FOLDERS[-1] / f"{name}.csv"
    assets.write_whole(path, table.getvalue().encode())
    return path


def best_times(
    functions: Sequence[Callable[[], Any]], rounds: int = 5, clock: Callable[[], float] = time.perf_counter
) -> list[float]:
    """Seconds of each function: the best of several rounds, the functions in turn within a round.

    What else the machine does at a time then counts for all of them, or for none.

    Args:
        functions: What is timed, called without arguments.
        rounds: Number of calls of each.
        clock: What tells the seconds; `time.process_time` counts those of the processor.
    """
    best = [float("inf")] * len(functions)
    for _ in range(rounds):
        for index, function in enumerate(functions):
            start = clock()
            function()
            best[index] = min(best[index], clock() - start)
    return best


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
