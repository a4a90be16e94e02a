"""The two files of a training in its folder: ``checkpoint.pt`` and ``log.jsonl``.

A kill at any moment leaves the old checkpoint or the new one, never half of one.
"""

import json
import pickle
from pathlib import Path
from typing import Any

import torch

from imtrans import assets
from imtrans.training.recipe import Recipe


def fingerprint(recipe: Recipe) -> dict[str, Any]:
    """The fields that a recipe must share with a checkpoint to continue it."""
    return {key: getattr(recipe, key) for key in ("name", "budget", "steps", "batch", "seed", "version")}


def save_checkpoint(folder: Path, recipe: Recipe, state: dict[str, Any]) -> None:
    """Write the state of a training, in place of the checkpoint before.

    Raises:
        OSError: If it could not be written; the checkpoint before is kept.
    """
    path = folder / "checkpoint.pt"
    for left in folder.glob(".checkpoint.pt.*"):  # by a kill while one was written
        left.unlink(missing_ok=True)
    with assets.replacing(path) as temporary:
        try:
            torch.save({"identity": fingerprint(recipe), **state}, temporary)
        except RuntimeError as error:  # PyTorch's word for a full disk
            raise OSError(f"{path} could not be written: {error}") from None


def load_checkpoint(folder: Path, recipe: Recipe, *, resume: bool) -> dict[str, Any] | None:
    """The state of the training in a folder; None if it has no checkpoint.

    Raises:
        ValueError: If there is a checkpoint and ``resume`` is off, it is damaged, or it is one of another recipe.
    """
    path = folder / "checkpoint.pt"
    if not path.exists():
        return None
    saved = _read(path)
    if not resume:
        raise ValueError(f"{folder} holds a training at step {saved['step']}: resume it, or remove the folder")
    found, wanted = {"version": 1} | saved["identity"], fingerprint(recipe)  # the first checkpoints name no version
    if found != wanted:
        raise ValueError(f"{folder} holds another training, move it away: {found}, not {wanted}")
    return saved


def _read(path: Path) -> dict[str, Any]:
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
    except (EOFError, OSError, RuntimeError, ValueError, pickle.UnpicklingError):  # empty, cut short, something else
        saved = None
    if not isinstance(saved, dict) or not {"identity", "step"} <= saved.keys():
        raise ValueError(f"{path} is damaged: remove it, and start this training anew")
    return saved


def read_log(folder: Path, step: int) -> list[dict[str, float]]:
    """The log up to ``step``: entries of a killed run after its last checkpoint are dropped."""
    path = folder / "log.jsonl"
    if not path.exists():
        return []
    entries = []
    for line in path.read_text().splitlines():
        try:
            entries.append(json.loads(line))
        except json.JSONDecodeError:  # the last line, cut by the kill
            break
    return [entry for entry in entries if entry["step"] <= step]


def write_log(folder: Path, log: list[dict[str, float]]) -> None:
    """Write a whole log, in place of the one before."""
    assets.write_whole(folder / "log.jsonl", "".join(json.dumps(entry) + "\n" for entry in log).encode())


def append_to_log(folder: Path, entry: dict[str, float]) -> None:
    """Add one entry at the end of the log."""
    with (folder / "log.jsonl").open("a") as file:
        file.write(json.dumps(entry) + "\n")
