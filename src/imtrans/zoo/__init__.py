"""Trained weights, each with a card (``.json``) and the log of its training (``.jsonl``).

    model = load("srcnn-x3")
    card("srcnn-x3")["scores"]

All were trained by the recipes of this package. Some start from another's weights; the card says so.
"""

import difflib
import json
import os
import platform
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from imtrans import assets
from imtrans.models.dncnn import DnCNN
from imtrans.models.edsr import EDSR
from imtrans.models.espcn import ESPCN
from imtrans.models.srcnn import SRCNN
from imtrans.models.vdsr import VDSR
from imtrans.training import Run

FOLDER = Path(__file__).parent

MODELS: dict[str, Callable[[], nn.Module]] = {
    "srcnn-x2": SRCNN,
    "srcnn-x3": SRCNN,
    "srcnn-x4": SRCNN,
    "srcnn-955-x3": partial(SRCNN, f2=5),
    "vdsr": VDSR,
    "espcn-x3": partial(ESPCN, 3),
    "dncnn-25": DnCNN,
    "edsr-baseline-x2": partial(EDSR.baseline, 2),
}


def names() -> list[str]:
    """The networks whose weights are in the package."""
    return [name for name in MODELS if (FOLDER / f"{name}.safetensors").exists()]


def near(name: str) -> str:
    """A sentence that names what there is, the names like ``name`` first."""
    close = difflib.get_close_matches(name, names(), n=3, cutoff=0.4)
    return f"did you mean {', '.join(close)}?" if close else f"there are {', '.join(names()) or 'none yet'}"


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
    """The card of a network: how it was trained, and what it reaches. Errors are those of `find`."""
    return json.loads(find(name).with_suffix(".json").read_text())


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
    model = MODELS[written["model"]]()
    model.load_state_dict(assets.load_weights(path, sha256=written["sha256"]))
    return model.eval()


def machine() -> str:
    """The processor or accelerator of this machine in words."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        model = platform.processor() or platform.machine()
    return f"{model}, {os.cpu_count()} cores"


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
        "data": list(recipe.material),
        "optimizer": recipe.optimizer,
        "steps": run.step,
        "planned_steps": recipe.steps,
        "batch": recipe.batch,
        "seconds": round(run.seconds),
        "machine": machine(),
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
