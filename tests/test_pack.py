import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from imtrans import assets, images
from imtrans.data import benchmarks
from imtrans.data.benchmarks import HELD_OUT, SETS, BenchmarkSet
from imtrans.data.pack import pack


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A set of three pictures under IMTRANS_DATA, one of them held out, with strangers in its folder."""
    monkeypatch.setattr(assets, "cache_dir", lambda: tmp_path / "cache")
    monkeypatch.setenv("IMTRANS_DATA", str(tmp_path / "sets"))
    folder = tmp_path / "sets" / "Tiny"
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    for stem in ("one", "three", "two"):
        Image.fromarray(random.integers(0, 256, (9, 8, 3), dtype=np.uint8)).save(folder / f"{stem}.bmp")
    known = benchmarks.digest((p.stem, images.read(p)) for p in images.list_pictures(folder))
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(folder / "stranger.png")
    (folder / "notes.csv").write_text("no picture")
    tiny = BenchmarkSet("Tiny", "three pictures", ("one", "three", "two"), "not stated", "this test", (), known)
    monkeypatch.setitem(SETS, "Tiny", tiny)
    monkeypatch.setitem(HELD_OUT, "Tiny", ("three",))
    return folder


def test_the_archive_holds_the_original_files_of_the_set_alone(tiny, tmp_path):
    archive = zipfile.ZipFile(pack(["Tiny"], tmp_path / "sets.zip"))
    assert set(archive.namelist()) == {"Tiny/one.bmp", "Tiny/three.bmp", "Tiny/two.bmp", "SOURCES.txt"}
    for stem in ("one", "two", "three"):
        assert archive.read(f"Tiny/{stem}.bmp") == (tiny / f"{stem}.bmp").read_bytes()


def test_licence_and_source_travel_along(tiny, tmp_path):
    text = zipfile.ZipFile(pack(["Tiny"], tmp_path / "sets.zip")).read("SOURCES.txt").decode()
    assert "licence: not stated" in text
    assert "source: this test" in text


def test_the_unpacked_archive_is_a_root_of_sets(tiny, tmp_path, monkeypatch):
    before = benchmarks.load("Tiny")
    zipfile.ZipFile(pack(["Tiny"], tmp_path / "sets.zip")).extractall(tmp_path / "elsewhere")
    monkeypatch.setenv("IMTRANS_DATA", str(tmp_path / "elsewhere"))
    assert benchmarks.find("Tiny") == tmp_path / "elsewhere" / "Tiny"
    after = benchmarks.load("Tiny")
    assert [name for name, _ in after] == [name for name, _ in before]
    assert all(torch.equal(a, b) for (_, a), (_, b) in zip(after, before, strict=True))


def test_the_archive_itself_is_a_root_of_sets(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("IMTRANS_DATA", str(pack(["Tiny"], tmp_path / "sets.zip")))
    assert len(benchmarks.load("Tiny")) == 3


def test_another_archive_in_its_place_is_unpacked_anew(tiny, tmp_path, monkeypatch):
    target = pack(["Tiny"], tmp_path / "sets.zip")
    monkeypatch.setenv("IMTRANS_DATA", str(target))
    benchmarks.load("Tiny")
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("Other/a.txt", "nothing")
    assert benchmarks.locate("Tiny") is None


def test_pictures_held_out_stay_out_of_a_training(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("IMTRANS_DATA", str(pack(["Tiny"], tmp_path / "sets.zip")))
    assert [name for name, _ in benchmarks.load("Tiny", held_out=False)] == ["one", "two"]


def test_other_pixels_are_refused_and_the_old_archive_stays(tiny, tmp_path):
    target = pack(["Tiny"], tmp_path / "sets.zip")
    old = target.read_bytes()
    Image.fromarray(np.zeros((9, 8, 3), np.uint8)).save(tiny / "one.bmp")
    with pytest.raises(ValueError, match="are not those of Tiny"):
        pack(["Tiny"], target)
    assert target.read_bytes() == old
    assert not list(tmp_path.glob(".sets*"))


def test_equal_sets_give_equal_archives(tiny, tmp_path):
    first, second = (pack(["Tiny"], tmp_path / name).read_bytes() for name in ("a.zip", "b.zip"))
    assert first == second


def test_a_set_named_twice_is_packed_once(tiny, tmp_path):
    assert len(zipfile.ZipFile(pack(["Tiny", "Tiny"], tmp_path / "sets.zip")).namelist()) == 4


@pytest.mark.parametrize(
    ("names", "file", "sentence"),
    [((), "a.zip", "which sets"), (("Tiny",), "a.tar", "must be .zip"), (("Nowhere",), "a.zip", "no picture set")],
)
def test_what_cannot_be_packed_is_refused(tiny, tmp_path, names, file, sentence):
    with pytest.raises(ValueError, match=sentence):
        pack(names, tmp_path / file)


def test_a_missing_folder_is_named(tiny, tmp_path):
    with pytest.raises(FileNotFoundError, match="no such folder"):
        pack(["Tiny"], tmp_path / "missing" / "a.zip")
