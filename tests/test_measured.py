"""Measured tables: numbers come back as numbers, and the tables of this repository are there."""

from pathlib import Path

import pytest
import torch

from imtrans import images, measured


def test_numbers_are_numbers(tmp_path, monkeypatch):
    (tmp_path / "x.csv").write_text('n,psnr,machine\n1,32.5,"a, b"\n')
    monkeypatch.setattr(measured, "FOLDERS", (tmp_path / "missing", tmp_path))
    assert measured.rows("x") == [{"n": 1, "psnr": 32.5, "machine": "a, b"}]


def test_a_missing_table(tmp_path, monkeypatch):
    monkeypatch.setattr(measured, "FOLDERS", (tmp_path,))
    with pytest.raises(FileNotFoundError, match=r"no measured y\.csv: make experiments"):
        measured.rows("y")


def test_pictures_of_experiments(tmp_path, monkeypatch):
    picture = images.to_float(torch.arange(60, dtype=torch.uint8).reshape(1, 3, 4, 5))
    images.write(tmp_path / "prior.png", picture)
    images.write(tmp_path / "large.jpg", picture)
    monkeypatch.setattr(measured, "FOLDERS", (tmp_path / "missing", tmp_path))
    assert torch.equal(measured.picture("prior.png"), picture)
    assert measured.picture("large.jpg").shape == (1, 3, 4, 5)
    with pytest.raises(FileNotFoundError, match=r"no measured prior\.jpg: make experiments"):
        measured.picture("prior.jpg")


def test_every_table_says_where_and_when():
    names = [path.stem for path in (Path(__file__).parents[1] / "results").glob("*.csv")]
    assert names
    for name in names:
        for row in measured.rows(name):
            assert row["machine"]
            assert row["date"]
