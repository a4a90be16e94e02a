"""Reading, writing and cropping pictures."""

import io

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imtrans import images


@pytest.fixture
def levels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)


def same(picture: torch.Tensor, levels: np.ndarray) -> bool:
    """Whether a picture holds just these levels (H, W) or (H, W, C)."""
    levels = levels[..., None] if levels.ndim == 2 else levels
    return torch.equal(picture, torch.from_numpy(levels.astype(np.float32) / 255).permute(2, 0, 1)[None])


# --- levels and floats -----------------------------------------------------------------------------------


def test_all_levels_survive():
    levels = torch.arange(256, dtype=torch.uint8)
    floats = images.to_float(levels)
    assert floats.dtype == torch.float32
    assert (floats.min(), floats.max()) == (0, 1)
    assert torch.equal(images.to_uint8(floats), levels)
    assert torch.equal(images.to_uint8(floats.double()), levels)


def test_to_uint8_clips_and_rounds_halves_up():
    x = torch.tensor([-0.2, 0.0, 0.5 / 255, 1.5 / 255, 2.5 / 255, 2.49 / 255, 1.0, 1.7], dtype=torch.float64)
    assert images.to_uint8(x).tolist() == [0, 0, 1, 2, 3, 2, 255, 255]


def test_the_dtype_is_checked_both_ways():
    with pytest.raises(ValueError, match="wanted uint8"):
        images.to_float(torch.zeros(3))
    with pytest.raises(ValueError, match="wanted floats"):
        images.to_uint8(torch.zeros(3, dtype=torch.uint8))


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (torch.zeros(3, 4, 4), r"\(N, C, H, W\), got shape \(3, 4, 4\)"),
        (torch.zeros(1, 3, 4, 4, dtype=torch.uint8), "uint8.*to_float"),
        (torch.full((1, 1, 2, 2), 1.01), r"\[1.01, 1.01\]"),
        (torch.full((1, 1, 2, 2), -0.5), r"wanted values in \[0, 1\]"),
        (torch.full((1, 1, 2, 2), float("nan")), "nan"),
        (torch.zeros(1, 3, 0, 4), "no pixels"),
    ],
)
def test_check_picture(x, words):
    with pytest.raises(ValueError, match="^input: .*" + words):
        images.check_picture(x, "input")


# --- cropping --------------------------------------------------------------------------------------------


@given(height=st.integers(1, 30), width=st.integers(1, 30), scale=st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_modcrop(height, width, scale):
    x = torch.rand(2, 3, height, width)
    if min(height, width) < scale:
        with pytest.raises(ValueError, match="smaller than the scale"):
            images.modcrop(x, scale)
        return
    y = images.modcrop(x, scale)
    assert y.shape[-2] % scale == y.shape[-1] % scale == 0
    assert 0 <= height - y.shape[-2] < scale
    assert 0 <= width - y.shape[-1] < scale
    assert torch.equal(y, x[..., : y.shape[-2], : y.shape[-1]])  # the top-left part
    assert torch.equal(images.modcrop(y, scale), y)


@given(height=st.integers(1, 20), width=st.integers(1, 20), border=st.integers(-1, 12))
@settings(max_examples=60, deadline=None)
def test_shave(height, width, border):
    x = torch.rand(1, 1, height, width)
    if border < 0 or 2 * border >= min(height, width):
        with pytest.raises(ValueError, match="does not fit"):
            images.shave(x, border)
        return
    y = images.shave(x, border)
    assert y.shape[-2:] == (height - 2 * border, width - 2 * border)
    padded = torch.nn.functional.pad(y, (border,) * 4)
    assert torch.equal(padded != 0, (x == padded) & (x != 0))  # what is left stays where it was


# --- reading ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".ppm"])
def test_read_rgb(tmp_path, levels, suffix):
    file = tmp_path / f"a{suffix}"
    Image.fromarray(levels).save(file)
    picture = images.read(file)
    assert picture.dtype == torch.float32
    assert picture.is_contiguous()
    assert same(picture, levels)
    assert same(images.read(str(file), alpha=True), levels)  # no transparency: still three channels


def test_read_gray_and_one_bit(tmp_path, levels):
    gray = levels[..., 0]
    Image.fromarray(gray).save(tmp_path / "gray.png")
    assert same(images.read(tmp_path / "gray.png"), gray)
    Image.fromarray(gray > 127).save(tmp_path / "bits.png")
    assert Image.open(tmp_path / "bits.png").mode == "1"
    assert same(images.read(tmp_path / "bits.png"), np.where(gray > 127, 255, 0))


def test_read_transparency(tmp_path, levels):
    alpha = levels[..., :1] // 2 + 20
    rgba, la = np.concatenate([levels, alpha], 2), np.concatenate([levels[..., 1:2], alpha], 2)
    for name, array in (("rgba", rgba), ("la", la)):
        file = tmp_path / f"{name}.png"
        Image.fromarray(array).save(file)
        assert same(images.read(file, alpha=True), array)
        assert same(images.read(file), array[..., :-1])  # transparency is left out, colours stay as they are


def test_read_palette(tmp_path, levels):
    palette = Image.fromarray(levels).quantize(16)
    colors = np.asarray(palette.convert("RGB"))
    palette.save(tmp_path / "palette.png")
    assert Image.open(tmp_path / "palette.png").mode == "P"
    assert same(images.read(tmp_path / "palette.png"), colors)
    palette.save(tmp_path / "hole.png", transparency=3)
    with_alpha = images.read(tmp_path / "hole.png", alpha=True)
    assert same(with_alpha[:, :3], colors)
    assert torch.equal(with_alpha[0, 3], torch.from_numpy((np.asarray(palette) != 3).astype(np.float32)))


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_read_sixteen_bits(tmp_path, suffix):
    levels = np.array([[0, 1, 256], [40000, 65534, 65535]], dtype=np.uint16)
    Image.fromarray(levels).save(tmp_path / f"deep{suffix}")
    picture = images.read(tmp_path / f"deep{suffix}")
    assert torch.equal(picture[0, 0], torch.from_numpy(levels.astype(np.float32) / np.float32(65535)))


def test_no_range_is_guessed(tmp_path):
    Image.fromarray(np.array([[-5, 70000]], dtype=np.int32)).save(tmp_path / "integers.tif")
    Image.fromarray(np.array([[0.5, 3.0]], dtype=np.float32)).save(tmp_path / "floats.tif")
    for name in ("integers.tif", "floats.tif"):
        with pytest.raises(ValueError, match=f"{name}.*range is not known"):
            images.read(tmp_path / name)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation(tmp_path, levels, orientation):
    """A camera that was turned stores turned pixels and says so; what is read is upright."""
    store = {
        1: lambda x: x,
        2: lambda x: x[:, ::-1],
        3: lambda x: x[::-1, ::-1],
        4: lambda x: x[::-1],
        5: lambda x: x.transpose(1, 0, 2),
        6: lambda x: np.rot90(x, 1),
        7: lambda x: x[::-1, ::-1].transpose(1, 0, 2),
        8: lambda x: np.rot90(x, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(store(levels))).save(tmp_path / "turned.png", exif=exif)
    assert same(images.read(tmp_path / "turned.png"), levels)


def test_read_what_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no such file: .*nothing\.png"):
        images.read(tmp_path / "nothing.png")
    with pytest.raises(FileNotFoundError, match="no such file"):
        images.read(tmp_path)


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's own words on damaged TIFF
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "TIFF", "WEBP", "PPM", "GIF"])
def test_damaged_files_give_one_clear_error(tmp_path, levels, kind):
    """Cut short, or a wrong byte in the header: it is a picture still, or a ValueError names the file."""
    whole = io.BytesIO()
    Image.fromarray(levels).save(whole, kind)
    whole = whole.getvalue()
    random = np.random.default_rng(7)
    refusals = []
    for trial in range(60):
        content = bytearray(whole)
        if trial % 2:
            content = content[: random.integers(len(content))]
        else:
            content[random.integers(min(len(content), 60))] = random.integers(256)
        file = tmp_path / "damaged"
        file.write_bytes(content)
        try:
            assert images.read(file).ndim == 4
        except ValueError as error:
            refusals.append(str(error))
    assert len(refusals) >= 15
    assert all(words.startswith(f"{file} is not a picture that can be read (") for words in refusals)


def test_a_picture_too_large_to_be_honest_is_refused(tmp_path, levels, monkeypatch):
    Image.fromarray(levels).save(tmp_path / "large.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20)
    with pytest.raises(ValueError, match=r"large\.png is not a picture that can be read"):
        images.read(tmp_path / "large.png")


def test_text_is_no_picture(tmp_path):
    (tmp_path / "notes.png").write_text("no picture at all")
    with pytest.raises(ValueError, match=r"notes\.png is not a picture"):
        images.read(tmp_path / "notes.png")


# --- writing ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_what_is_written_is_read_again(tmp_path, channels):
    picture = images.to_float(torch.randint(0, 256, (1, channels, 5, 7), dtype=torch.uint8))
    images.write(tmp_path / "a.png", picture)
    assert torch.equal(images.read(tmp_path / "a.png", alpha=True), picture)
    images.write(str(tmp_path / "b.png"), picture[0])
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.png", "b.png"]  # nothing left aside


@pytest.mark.parametrize("suffix", images.SUFFIXES)
def test_every_suffix_that_is_listed_is_written(tmp_path, suffix):
    color = torch.full((1, 3, 16, 16), 0.5)
    images.write(tmp_path / f"a{suffix}", color)
    assert torch.allclose(images.read(tmp_path / f"a{suffix}"), color, atol=3 / 255)


def test_a_failure_leaves_the_old_file(tmp_path, monkeypatch):
    file = tmp_path / "a.png"
    images.write(file, torch.zeros(1, 1, 4, 4))
    before = file.read_bytes()

    def fail(self, path, **options):
        with open(path, "wb") as half:
            half.write(b"half a file")
        raise OSError("no space left on device")

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(ValueError, match=r"a\.png: no space left"):
        images.write(file, torch.ones(1, 1, 4, 4))
    assert file.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize(
    ("name", "shape", "words"),
    [
        ("a", (1, 3, 4, 4), "unknown picture format ''"),
        ("a.doc", (1, 3, 4, 4), "unknown picture format '.doc'; one of .png"),
        ("a.psd", (1, 3, 4, 4), "unknown picture format"),  # one that Pillow reads and does not write
        ("a.jpg", (1, 4, 4, 4), "RGBA"),
        ("a.png", (2, 3, 4, 4), "one picture of 1 to 4 channels"),
        ("a.png", (1, 5, 4, 4), "one picture of 1 to 4 channels"),
        ("a.png", (4, 4), r"\(N, C, H, W\)"),
    ],
)
def test_what_cannot_be_written(tmp_path, name, shape, words):
    with pytest.raises(ValueError, match=words):
        images.write(tmp_path / name, torch.zeros(shape))
    assert list(tmp_path.iterdir()) == []


def test_write_checks_range_dtype_and_folder(tmp_path):
    with pytest.raises(ValueError, match=r"wanted values in \[0, 1\]"):
        images.write(tmp_path / "a.png", torch.full((1, 1, 4, 4), 1.5))
    with pytest.raises(ValueError, match=r"got torch\.uint8"):
        images.write(tmp_path / "a.png", torch.zeros(1, 1, 4, 4, dtype=torch.uint8))
    with pytest.raises(FileNotFoundError, match="no such folder"):
        images.write(tmp_path / "nowhere" / "a.png", torch.zeros(1, 1, 4, 4))
    assert list(tmp_path.iterdir()) == []


# --- folders ---------------------------------------------------------------------------------------------


def test_list_pictures(tmp_path):
    for name in ("b.PNG", "a.jpg", "c.txt"):
        (tmp_path / name).touch()
    assert [p.name for p in images.list_pictures(tmp_path)] == ["a.jpg", "b.PNG"]
    assert images.list_pictures(str(tmp_path)) == images.list_pictures(tmp_path)


def test_folders_missing_or_empty(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such folder"):
        images.list_pictures(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="no picture"):
        images.list_pictures(tmp_path)
