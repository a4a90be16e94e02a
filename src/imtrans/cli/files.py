"""Files and networks of the commands: what is read and written, and what is checked before anything is computed."""

import sys
from pathlib import Path
from typing import Annotated

import torch
from torch import Tensor, nn
from tyro.conf import arg

from imtrans import hardware, images, zoo
from imtrans.models.baselines import BASELINES

In = Annotated[Path, arg(metavar="IN")]
Out = Annotated[Path, arg(metavar="OUT")]
Folder = Annotated[Path, arg(metavar="DIR")]

REFUSED = (ValueError, OSError, FloatingPointError, torch.OutOfMemoryError)
"""Errors that are the input's or the machine's: one line, no traceback."""


def note(sentence: str) -> None:
    """Tell the user something on stderr, where it does not mix with results."""
    print(f"imtrans: {sentence}", file=sys.stderr)


def open_network(name: str) -> nn.Module:
    """A network by its name or file, or a baseline, on the best device.

    Raises:
        ValueError: If the name is unknown or that of a network that restores nothing, or the file is damaged.
        FileNotFoundError: If there are no weights.
    """
    if name in BASELINES:
        return BASELINES[name]()
    if name not in zoo.ENTRIES and not name.endswith(".safetensors"):
        restorers = [each for each in zoo.names() if each in zoo.RESTORERS]
        raise ValueError(f"no network is called {name!r}: {zoo.suggestion(name, [*restorers, *BASELINES])}")
    if name in zoo.OTHERS or zoo.card(name)["name"] in zoo.OTHERS:  # a file goes by its card
        raise ValueError(f"{name} does not restore pictures")
    return zoo.load(name).to(hardware.best_device())


def read_for(source: Path, target: Path, force: bool) -> tuple[Tensor, Tensor | None]:
    """Read a picture, after a check that the result can be written.

    Args:
        source: File of the picture.
        target: File of the result.
        force: Whether the result may replace an existing file.

    Returns:
        The colours (1, 1 or 3, H, W), filled in where nothing is seen of them, and the transparency (1, 1, H, W), or
        None without.

    Raises:
        ValueError: If ``source`` is not a picture, or ``target`` cannot hold one or exists.
        FileNotFoundError: If there is no such file or folder.
    """
    picture = images.read(source, alpha=True)
    images.check_target(target, picture.shape[1])
    check_place(target, force)
    colors = 1 if picture.shape[1] <= 2 else 3
    if picture.shape[1] == colors:
        return picture, None
    picture, alpha = picture[:, :colors], picture[:, colors:]
    return images.fill_transparent(picture, alpha), alpha


def check_place(target: Path, force: bool) -> None:
    """Check that a file can be written.

    Args:
        target: File of the result.
        force: Whether it may replace an existing file.

    Raises:
        ValueError: If ``target`` is a folder, or exists.
        FileNotFoundError: If its folder does not exist.
    """
    if not target.parent.is_dir():
        raise FileNotFoundError(f"no such folder: {target.parent}")
    if target.is_dir():
        raise ValueError(f"{target} is a folder")
    if target.exists() and not force:
        raise ValueError(f"{target} exists: --force overwrites it")


def write(target: Path, picture: Tensor, alpha: Tensor | None, source: Path) -> None:
    """Write a result, clipped to [0, 1], and print its size.

    Args:
        target: File to write; its suffix gives the format.
        picture: Colours (1, 1 or 3, H, W).
        alpha: Transparency (1, 1, H, W), or None.
        source: File that the picture came from: its colour profile is kept.

    Raises:
        ValueError: If the format cannot hold it.
    """
    whole = picture if alpha is None else torch.cat([picture, alpha], dim=1)
    images.write(target, whole.clamp(0, 1), profile=images.profile(source))
    print(f"{target}: {picture.shape[-1]}×{picture.shape[-2]} pixels")
