"""Trained weights, each with a card (``.json``) and the log of its training (``.jsonl``).

    model = load("srcnn-x3")
    card("srcnn-x3")["scores"]

All were trained by the recipes of this package. Some start from another's weights; the card says so.
"""

import difflib
import json
import os
import platform
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from imtrans import assets, hardware
from imtrans.models.dncnn import DnCNN, merged
from imtrans.models.edsr import EDSR
from imtrans.models.espcn import ESPCN
from imtrans.models.srcnn import SRCNN
from imtrans.models.vdsr import VDSR
from imtrans.training import Run

FOLDER = Path(__file__).parent


def _trained_for(build: Callable[[], nn.Module], **known: Any) -> nn.Module:
    """A network that says what its weights are for: ``scales``, or ``sigma`` in 8-bit levels.

    An architecture may serve more: SRCNN has one for all scales, and weights for each.
    """
    model = build()
    for name, value in known.items():
        setattr(model, name, value)
    return model


MODELS: dict[str, Callable[[], nn.Module]] = {
    "srcnn-x2": partial(_trained_for, SRCNN, scales=(2,)),
    "srcnn-x3": partial(_trained_for, SRCNN, scales=(3,)),
    "srcnn-x4": partial(_trained_for, SRCNN, scales=(4,)),
    "srcnn-955-x3": partial(_trained_for, partial(SRCNN, f2=5), scales=(3,)),
    "vdsr": VDSR,
    "espcn-x3": partial(ESPCN, 3),
    "dncnn-15": partial(_trained_for, DnCNN, sigma=15),
    "dncnn-25": partial(_trained_for, DnCNN, sigma=25),
    "dncnn-50": partial(_trained_for, DnCNN, sigma=50),
    "dncnn-blind": partial(DnCNN, depth=20),
    "dncnn-3": DnCNN.three,
    "cdncnn-blind": partial(DnCNN, 3, depth=20),
    "edsr-baseline-x2": partial(EDSR.baseline, 2),
}


def names() -> list[str]:
    """The networks whose weights are in the package."""
    return [name for name in MODELS if (FOLDER / f"{name}.safetensors").exists()]


def near(name: str, among: Iterable[str] | None = None) -> str:
    """A sentence that names the trained networks, or ``among``; only those like ``name`` if there are any."""
    known = names() if among is None else list(among)
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
    return f"did you mean {', '.join(close)}?" if close else f"there are {', '.join(known) or 'none yet'}"


def find(name: str | os.PathLike) -> Path:
    """The weights of a network of the zoo, or of a ``.safetensors`` file with its card beside it.

    Raises:
        FileNotFoundError: If there are no such weights, or a file has no card.
        ValueError: If the name is not known; the near ones are named.
    """
    if str(name).endswith(".safetensors"):
        path = Path(name)
        for file in (path, path.with_suffix(".json")):
            if not file.is_file():
                raise FileNotFoundError(f"no such file: {file} (weights need their card, the .json beside them)")
        return path
    if name not in MODELS:
        raise ValueError(f"no network is called {str(name)!r}: {near(str(name))}")
    path = FOLDER / f"{name}.safetensors"
    if not path.exists():
        raise FileNotFoundError(f"{name} has no trained weights here yet: imtrans train {name} makes them")
    return path


def card(name: str | os.PathLike) -> dict[str, Any]:
    """The card of a network: how it was trained, and what it reaches.

    Raises:
        FileNotFoundError: As `find`.
        ValueError: As `find`, or if the file is no card.
    """
    path = find(name).with_suffix(".json")
    try:
        written = json.loads(path.read_text())
    except ValueError:
        written = None
    if not isinstance(written, dict) or not {"model", "sha256"} <= written.keys():
        raise ValueError(f"{path} is not the card of a network")
    return written


def log(name: str | os.PathLike) -> list[dict[str, float]]:
    """The log of its training, a dict a logged step."""
    path = find(name).with_suffix(".jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()]


def load(name: str | os.PathLike) -> nn.Module:
    """A trained network, verified against the sha256 on its card, in evaluation mode.

    Args:
        name: One of `names`, or the path of a ``.safetensors`` file whose card lies beside it.

    Raises:
        ValueError: If the name is not known or the file is damaged.
        FileNotFoundError: If there are no weights.
    """
    path, written = find(name), card(name)
    if written["model"] not in MODELS:
        raise ValueError(f"{path.with_suffix('.json').name}: no network is called {written['model']!r}")
    model, weights = MODELS[written["model"]](), assets.load_weights(path, sha256=written["sha256"])
    if isinstance(model, DnCNN) and not any(name.endswith("running_mean") for name in weights):
        model = merged(model)
    load_into(model, weights, path.name)
    return model.eval()


def load_into(model: nn.Module, weights: Mapping[str, Tensor], source: str) -> None:
    """Load ``weights`` into a network.

    Raises:
        ValueError: If they are those of another architecture; ``source`` is named.
    """
    try:
        model.load_state_dict(weights)
    except RuntimeError:
        raise ValueError(f"the weights of {source} are those of another network than {type(model).__name__}") from None


def load_matching(model: nn.Module, weights: Mapping[str, Tensor], source: str) -> list[str]:
    """Load what has the same name and shape; the rest of ``model`` stays as it is.

    So a network can start from one of fewer layers, or of other channels.

    Returns:
        The names of what stayed.

    Raises:
        ValueError: If that is more than half of the network: ``source`` is of another architecture.
    """
    own = model.state_dict()
    found = {
        name: weights[name] for name, value in own.items() if name in weights and weights[name].shape == value.shape
    }
    if 2 * len(found) < len(own):
        raise ValueError(f"the weights of {source} are those of another network than {type(model).__name__}")
    model.load_state_dict(own | found)
    return [name for name in own if name not in found]


def save(run: Run, folder: str | os.PathLike, *, initialised_from: str | None = None) -> Path:
    """Write the weights of a run, its card and its log into ``folder``, under the name of its recipe.

    Args:
        run: From `imtrans.training.fit`.
        folder: An existing folder.
        initialised_from: The name of the weights it started from.

    Returns:
        The path of the weights.
    """
    recipe, path = run.recipe, Path(folder) / f"{run.recipe.name}.safetensors"
    digest = assets.save_weights(path, run.model.state_dict())
    written = {
        "name": recipe.name,
        "model": recipe.name,
        "recipe": recipe.name,
        "budget": recipe.budget,
        "parameters": sum(p.numel() for p in run.model.parameters()),
        "data": list(recipe.sources),
        "optimizer": recipe.optimization,
        "steps": run.step,
        "planned_steps": recipe.steps,
        "batch": recipe.batch,
        "seconds": round(run.seconds),
        "machine": hardware.processor_name(run.device),
        "versions": {"python": platform.python_version(), "torch": torch.__version__.split("+")[0]},
        "seed": recipe.seed,
        "initialised_from": initialised_from,
        "validation": {k: v for k, v in (run.log[-1] if run.log else {}).items() if k == "psnr"},
        "scores": [],
        "sha256": digest,
    }
    path.with_suffix(".json").write_text(json.dumps(written, indent=1) + "\n")
    path.with_suffix(".jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in run.log))
    return path
