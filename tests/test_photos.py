import subprocess
import sys

import numpy as np
import pytest
import torch

from imtrans.data import photos


@pytest.mark.parametrize("photo", photos.PHOTOS, ids=lambda p: p.name)
def test_every_photograph_is_there_and_says_where_it_is_from(photo):
    picture = photo.picture
    assert picture.dtype == torch.float32
    assert picture.shape[:2] == (1, 1 if photo.gray else 3)
    assert min(picture.shape[-2:]) >= 128
    assert 0 <= picture.min() < picture.max() <= 1
    assert photo.licence
    assert photo.source
    assert photo.split in photos.SPLITS


def test_photographs_marked_colour_have_colour():
    for photo in photos.PHOTOS:
        if not photo.gray:
            assert (photo.picture.max(1).values - photo.picture.min(1).values).mean() > 0.01


def test_pixels_against_the_packages_own_loaders():
    import skimage.data
    import sklearn.datasets

    levels = {
        "astronaut": skimage.data.astronaut(),
        "chelsea": skimage.data.chelsea(),
        "coffee": skimage.data.coffee(),
        "camera": skimage.data.camera()[..., None],
        "china": sklearn.datasets.load_sample_image("china.jpg"),
        "flower": sklearn.datasets.load_sample_image("flower.jpg"),
    }
    for name, expected in levels.items():
        ours = photos.photo(name).picture[0].permute(1, 2, 0).numpy()
        np.testing.assert_allclose(ours * 255, expected, atol=1e-4)


def test_the_split_goes_by_picture():
    names = [photo.name for photo in photos.PHOTOS]
    assert len(set(names)) == len(names)
    files = [(photo.package, photo.file) for photo in photos.PHOTOS]
    assert len(set(files)) == len(files)
    parts = [photos.photos(split, gray=True) for split in photos.SPLITS]
    assert sorted(p.name for part in parts for p in part) == sorted(names)
    for part in parts:
        assert [p.gray for p in part] == sorted(p.gray for p in part)  # colour first


def test_each_split_has_what_it_is_for():
    for split in photos.SPLITS:
        assert not any(photo.gray for photo in photos.photos(split))
        assert any(photo.gray for photo in photos.photos(split, gray=True))
    assert len(photos.photos("train")) >= 4
    assert [p.name for p in photos.photos("test")] == ["astronaut", "chelsea"]
    # Figures and scores need test pictures without visible compression.
    assert all(p.file.endswith(".png") for p in photos.photos("test", gray=True))


def test_a_picture_is_a_copy():
    photo = photos.photo("chelsea")
    photo.picture.zero_()
    assert photo.picture.max() > 0.5


def test_unknown_names():
    with pytest.raises(ValueError, match=r"'val'.*validation"):
        photos.photos("val")
    with pytest.raises(ValueError, match=r"'lenna'.*astronaut"):
        photos.photo("lenna")


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(photos, "find_spec", lambda name: None)
    photos._read.cache_clear()
    with pytest.raises(FileNotFoundError, match="scikit-learn"):
        _ = photos.photo("china").picture


def test_nothing_heavy_is_imported_and_nothing_is_downloaded():
    code = (
        "import sys; from imtrans.data import photos\n"
        "[p.picture for p in photos.PHOTOS]\n"
        "print({'sklearn', 'skimage', 'pooch', 'requests'} & set(sys.modules))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "set()"
