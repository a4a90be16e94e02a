"""Measured tables: numbers come back as numbers, and the tables of this repository are there."""

from pathlib import Path

import pytest

from imtrans import measured


def test_numbers_are_numbers(tmp_path, monkeypatch):
    (tmp_path / "x.csv").write_text('n,psnr,machine\n1,32.5,"a, b"\n')
    monkeypatch.setattr(measured, "FOLDERS", (tmp_path / "missing", tmp_path))
    assert measured.rows("x") == [{"n": 1, "psnr": 32.5, "machine": "a, b"}]


def test_a_missing_table(tmp_path, monkeypatch):
    monkeypatch.setattr(measured, "FOLDERS", (tmp_path,))
    with pytest.raises(FileNotFoundError, match=r"no measured y\.csv: make experiments"):
        measured.rows("y")


def test_every_table_says_where_and_when():
    names = [path.stem for path in (Path(__file__).parents[1] / "results").glob("*.csv")]
    assert names
    for name in names:
        for row in measured.rows(name):
            assert row["machine"]
            assert row["date"]
