"""The zoo: a registry of networks, and trained weights, each with a card (``.json``) and the log of its training.

    model = load("srcnn-x3")
    card("srcnn-x3")["scores"]

All weights were trained by the recipes of this package. Some trainings start from another network's weights; the card
says so. A network may be registered before it has weights.
"""

import difflib
import hashlib
import json
import math
import os
import platform
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from imtrans import assets
from imtrans.training import Run
from imtrans.zoo.entries import ENTRIES, OTHERS, RESTORERS, Entry

__all__ = [
    "ENTRIES",
    "FOLDER",
    "OTHERS",
    "RESTORERS",
    "Entry",
    "card",
    "denoiser_for",
    "entry",
    "find",
    "load",
    "log",
    "names",
    "save",
    "suggestion",
]

FOLDER = Path(__file__).parent


def names() -> list[str]:
    """Names of the networks whose weights are in the package."""
    return [name for name in ENTRIES if (FOLDER / f"{name}.safetensors").exists()]


def suggestion(name: str, among: Iterable[str] | None = None) -> str:
    """Suggest close matches for an unknown name, or list all names.

    Args:
        name: The unknown name.
        among: Valid names; None takes `names`.
    """
    valid = names() if among is None else list(among)
    close = difflib.get_close_matches(name, valid, n=3, cutoff=0.4)
    return f"did you mean {', '.join(close)}?" if close else f"there are {', '.join(valid) or 'none yet'}"


def entry(name: str) -> Entry:
    """The entry of a network in the registry.

    Raises:
        ValueError: If the name is unknown; close ones are suggested.
    """
    if name not in ENTRIES:
        raise ValueError(f"no network is called {name!r}: {suggestion(name, ENTRIES)}")
    return ENTRIES[name]


def denoiser_for(sigma: float | None = None, channels: int = 1) -> str:
    """Name of the network for a noise level: the one trained for just that level, else one trained for a range.

    Networks whose weights are in the package are preferred. Without a network for colour, the channels of a colour
    picture are denoised one by one, by a network for gray pictures.

    Args:
        sigma: Noise level in 8-bit levels; None if it is unknown.
        channels: Channels of the picture, 1 or 3.

    Raises:
        ValueError: If the noise level is not above 0.
    """
    if sigma is not None and not 0 < sigma < math.inf:
        raise ValueError(f"the noise level must be above 0, got {sigma:g}")
    with torch.device("meta"):  # the attributes are enough
        models = {name: each.build() for name, each in RESTORERS.items()}
    denoisers = {name: model for name, model in models.items() if hasattr(model, "sigma") and not model.scales}
    trained = {name: denoisers[name] for name in names() if name in denoisers}
    for group, wanted in ((trained, channels), (trained, 1), (denoisers, 1)):
        levels = {name: model.sigma for name, model in group.items() if model.channels == wanted}
        exact = [name for name, level in levels.items() if level == sigma]
        blind = [name for name, level in levels.items() if isinstance(level, tuple)]
        if exact or blind:
            return (exact + blind)[0]
    raise ValueError("no network of the registry denoises")


def find(name: str | os.PathLike) -> Path:
    """The file of a network's weights: in the zoo by name, or a ``.safetensors`` file with its card beside it.

    Raises:
        FileNotFoundError: If there are no such weights, or a file has no card.
        ValueError: If the name is unknown; close ones are suggested.
    """
    if str(name).endswith(".safetensors"):
        path = Path(name)
        for file in (path, path.with_suffix(".json")):
            if not file.is_file():
                raise FileNotFoundError(f"no such file: {file} (weights need their card, the .json beside them)")
        return path
    if name not in ENTRIES:
        raise ValueError(f"no network is called {str(name)!r}: {suggestion(str(name))}")
    path = FOLDER / f"{name}.safetensors"
    if not path.exists():
        raise FileNotFoundError(f"{name} has no trained weights here yet: imtrans train {name} makes them")
    return path


def card(name: str | os.PathLike) -> dict[str, Any]:
    """The card of a network: how it was trained, and what it reaches.

    Raises:
        FileNotFoundError: As for `find`.
        ValueError: As for `find`, or if the file is not a card.
    """
    path = find(name).with_suffix(".json")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        content = None
    if not isinstance(content, dict) or not {"name", "sha256"} <= content.keys():
        raise ValueError(f"{path} is not the card of a network")
    return content


def log(name: str | os.PathLike) -> list[dict[str, float]]:
    """The log of a network's training, one dict per logged step."""
    path = find(name).with_suffix(".jsonl")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def load(name: str | os.PathLike) -> nn.Module:
    """A trained network, verified against the sha256 on its card, in evaluation mode.

    A network with a method ``for_weights`` chooses the form that its weights are for.

    Args:
        name: One of `names`, or the path of a ``.safetensors`` file whose card lies beside it.

    Raises:
        ValueError: If the name is unknown or the file is damaged.
        FileNotFoundError: If there are no weights.
    """
    path, facts = find(name), card(name)
    if facts["name"] not in ENTRIES:
        raise ValueError(f"{path.with_suffix('.json').name}: no network is called {facts['name']!r}")
    model, weights = ENTRIES[facts["name"]].build(), assets.load_weights(path, sha256=facts["sha256"])
    if hasattr(model, "for_weights"):
        model = model.for_weights(weights)
    try:
        model.load_state_dict(weights)
    except RuntimeError:
        architecture = type(model).__name__
        raise ValueError(f"the weights of {path.name} are those of another network than {architecture}") from None
    return model.eval()


def save(run: Run, folder: str | os.PathLike, *, initialised_from: str | None = None) -> Path:
    """Write the weights of a run, its card and its log into ``folder``, under the name of its recipe.

    Args:
        run: Finished or stopped training, from `imtrans.training.fit`.
        folder: An existing folder.
        initialised_from: Name of the weights that the training started from.

    Returns:
        The path of the weights.

    Raises:
        ValueError: If the registry has no network of this name.
    """
    recipe, path = run.recipe, Path(folder) / f"{run.recipe.name}.safetensors"
    origin = entry(recipe.name)
    content = assets.weights_file(run.model.state_dict())
    facts = {
        "name": recipe.name,
        "paper": origin.paper,
        "model_in_paper": origin.model_in_paper,
        "recipe_version": recipe.version,
        "budget": recipe.budget,
        "parameters": sum(p.numel() for p in run.model.parameters()),
        "data": list(recipe.sources),
        "optimizer": recipe.optimization,
        "steps": run.step,
        "planned_steps": recipe.steps,
        "batch": recipe.batch,
        "seconds": round(run.seconds),
        "machine": run.machine,
        "versions": {"python": platform.python_version(), "torch": torch.__version__.split("+")[0]},
        "seed": recipe.seed,
        "initialised_from": initialised_from,
        "validation": {k: v for k, v in (run.log[-1] if run.log else {}).items() if k == origin.measure},
        "scores": [],
        "bits": 32,
        "half_costs": None,
        "gain": None,
        "sha256": hashlib.sha256(content).hexdigest(),
    } | ({} if run.sampler == "host" else {"sampler": run.sampler})
    # The weights come last, and earlier ones go first: wherever a stop falls, weights have their own card and log.
    path.unlink(missing_ok=True)
    assets.write_whole(path.with_suffix(".jsonl"), "".join(json.dumps(line) + "\n" for line in run.log).encode())
    assets.write_whole(path.with_suffix(".json"), (json.dumps(facts, indent=1) + "\n").encode())
    assets.write_whole(path, content)
    return path
