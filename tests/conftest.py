"""What the tests share."""

import os
from pathlib import Path

import pytest
import torch


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


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """What the tests compute is small: a second thread costs more than it gives where the cores are busy."""
    torch.set_num_threads(1)
