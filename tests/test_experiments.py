"""Tables of experiments: numbers come back as numbers, and the tables of this repository are there."""

import datetime
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from imtrans import experiments, images
from imtrans.hardware import processor_name


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder that experiments write into, behind one that is missing."""
    monkeypatch.setattr(experiments, "FOLDERS", (tmp_path / "missing", tmp_path))
    return tmp_path


def test_numbers_are_read_as_numbers(folder):
    (folder / "x.csv").write_text('n,psnr,machine\n1,32.5,"a, b"\n')
    assert experiments.rows("x") == [{"n": 1, "psnr": 32.5, "machine": "a, b"}]


def test_a_missing_table_names_what_writes_it(folder):
    with pytest.raises(FileNotFoundError, match=r"no measured y\.csv: make experiments"):
        experiments.rows("y")


def test_a_picture_is_found_by_its_whole_name(folder):
    picture = images.to_float(torch.arange(60, dtype=torch.uint8).reshape(1, 3, 4, 5))
    images.write(folder / "prior.png", picture)
    assert torch.equal(experiments.picture("prior.png"), picture)
    with pytest.raises(FileNotFoundError, match=r"no measured prior\.jpg: make experiments"):
        experiments.picture("prior.jpg")


def test_kept_weights_come_back_in_single_precision(folder):
    save_file({"w": torch.tensor([0.5, -2.0], dtype=torch.float16)}, folder / "net.safetensors")
    [(name, value)] = experiments.weights("net").items()
    assert (name, value.dtype, value.tolist()) == ("w", torch.float32, [0.5, -2.0])


def test_a_written_row_says_where_and_when(folder):
    path = experiments.write("x", [{"n": 1, "psnr": "32.50"}, {"n": 2, "psnr": "33.00"}])
    assert path == folder / "x.csv"
    about = {"machine": processor_name(), "date": datetime.date.today().isoformat()}
    assert experiments.rows("x") == [{"n": 1, "psnr": 32.5, **about}, {"n": 2, "psnr": 33.0, **about}]
    assert path.read_bytes().startswith(b"n,psnr,machine,date\n1,32.50,")


def test_a_row_of_another_machine_keeps_it(folder):
    experiments.write("x", [{"n": 1, "machine": "another", "date": "2026-01-01"}])
    assert experiments.rows("x") == [{"n": 1, "machine": "another", "date": "2026-01-01"}]


def test_functions_are_timed_in_turn():
    calls = []
    times = experiments.best_times([lambda: calls.append("a"), lambda: calls.append("b")], rounds=3)
    assert calls == ["a", "b"] * 3
    assert len(times) == 2
    assert all(0 <= seconds < 1 for seconds in times)


def test_another_clock_can_time_functions():
    assert experiments.best_times([lambda: None], 2, clock=iter([0, 5, 10, 12]).__next__) == [2]


def test_every_table_says_where_and_when():
    names = [path.stem for path in (Path(__file__).parents[1] / "results").glob("*.csv")]
    assert names
    for name in names:
        for row in experiments.rows(name):
            assert row["machine"]
            assert row["date"]
