"""What the tests share."""

import os
from pathlib import Path

import pytest
import torch

from imtrans import images, zoo
from imtrans.data import photos
from imtrans.training import Recipe, Run


@pytest.fixture
def data_root() -> Path:
    """The folder of picture sets. Where there is none the test is skipped, or fails under CI with data."""
    value = os.environ.get("IMTRANS_DATA")
    if not value:
        message = "needs the benchmark sets: set IMTRANS_DATA to the folder that holds Set5, Set14, …"
        if os.environ.get("IMTRANS_REQUIRE_DATA"):
            pytest.fail(message)
        pytest.skip(message)
    return Path(value).absolute()


@pytest.fixture
def cat_path(tmp_path) -> Path:
    """A small photograph, 41×30 pixels, in a file of its own."""
    path = tmp_path / "cat.png"
    images.write(path, photos.photo("chelsea").picture[..., 100:130, 100:141])
    return path


@pytest.fixture
def save_network(tmp_path):
    """A function (name, model, folder) that saves weights with a card, as a training leaves them."""

    def save(name: str, model: torch.nn.Module, folder: Path = tmp_path) -> Path:
        recipe = Recipe(name, type(model), None, None, None, 1, 1, None)
        return zoo.save(Run(recipe, model, 1, 0.0), folder)

    return save


@pytest.fixture
def runs_dir(tmp_path, monkeypatch) -> Path:
    """Where trainings are kept; no data set is on this machine, no progress bar is shown."""
    monkeypatch.setenv("IMTRANS_RUNS", str(tmp_path / "runs"))
    monkeypatch.delenv("IMTRANS_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("CI", "1")
    return tmp_path / "runs"


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """What the tests compute is small: a second thread costs more than it gives where the cores are busy."""
    torch.set_num_threads(1)
