"""Reading, writing and cropping pictures."""

import io
import struct
import warnings
import zlib

import numpy as np
import pytest
import tifffile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, TiffImagePlugin

from imtrans import images
from imtrans.resize import imresize


@pytest.fixture
def levels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)


def same(picture: torch.Tensor, levels: np.ndarray) -> bool:
    """Whether a picture holds just these levels (H, W) or (H, W, C)."""
    levels = levels[..., None] if levels.ndim == 2 else levels
    return torch.equal(picture, torch.from_numpy(levels.astype(np.float32) / 255).permute(2, 0, 1)[None])


ADAM7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]


def png(
    levels: np.ndarray,
    kind: int,
    bits: int,
    *chunks: tuple[bytes, bytes],
    size: tuple[int, int] | None = None,
    interlaced: bool = False,
) -> bytes:
    """A PNG file written by hand: Pillow writes neither 16-bit colour nor keys of transparency.

    Args:
        levels: (H, W) or (H, W, C).
        kind: 0 gray, 2 RGB, 4 gray and alpha, 6 RGB and alpha.
        bits: Bits per sample.
        chunks: Kind and data of chunks before the pixels.
        size: Width and height in the header, in place of the true ones.
        interlaced: Store seven ever finer grids of pixels.
    """
    packed = b""
    for top, left, down, right in ADAM7 if interlaced else [(0, 0, 1, 1)]:
        grid = levels[top::down, left::right]
        for row in grid.reshape(len(grid), -1) if grid.size else []:
            if bits == 16:
                packed += b"\0" + row.astype(">u2").tobytes()
            else:  # the samples' bits one after the other, filled up to whole bytes
                each = np.unpackbits(row.astype(np.uint8)[:, None], axis=1)[:, -bits:]
                packed += b"\0" + np.packbits(each).tobytes()
    width, height = size or (levels.shape[1], levels.shape[0])
    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, int(interlaced))
    whole = b"\x89PNG\r\n\x1a\n"
    for name, content in ((b"IHDR", header), *chunks, (b"IDAT", zlib.compress(packed)), (b"IEND", b"")):
        whole += struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
    return whole


def deep(*shape: int) -> np.ndarray:
    """16-bit levels, the ends of their range and neighbours that 8 bits would merge among them."""
    levels = np.random.default_rng(1).integers(0, 65536, shape, dtype=np.uint16)
    levels.flat[:6] = 0, 65535, 255, 256, 32767, 32768
    return levels


def of_levels(levels: np.ndarray, peak: int) -> torch.Tensor:
    """The picture (1, C, H, W) of levels (H, W) or (H, W, C), each divided by the peak."""
    levels = levels[..., None] if levels.ndim == 2 else levels
    return torch.from_numpy(levels.astype(np.float32) / np.float32(peak)).permute(2, 0, 1)[None]


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


def test_all_levels_survive_bfloat16():
    levels = torch.arange(256)
    assert torch.equal(images.to_uint8((levels / 255).bfloat16()).long(), levels)


def test_what_is_not_a_number_has_no_level():
    with pytest.raises(ValueError, match="not a number"):
        images.to_uint8(torch.tensor([0.5, float("nan")]))


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


def test_crop_takes_left_top_width_height():
    x = torch.arange(42.0).view(1, 1, 6, 7)
    assert images.crop(x, (2, 1, 3, 2)).tolist() == [[[[9, 10, 11], [16, 17, 18]]]]
    assert torch.equal(images.crop(x, (0, 0, 7, 6)), x)
    for box in ((-1, 0, 2, 2), (0, 0, 8, 2), (0, 5, 2, 2), (0, 0, 0, 2)):
        with pytest.raises(ValueError, match="box"):
            images.crop(x, box)


# --- gray stored as colour, and hidden colours -----------------------------------------------------------


def test_gray_is_seen_in_three_equal_channels():
    gray = torch.rand(1, 1, 4, 5)
    assert images.is_gray(gray)
    assert images.is_gray(gray.expand(-1, 3, -1, -1))
    for channel in range(3):
        tinted = gray.repeat(1, 3, 1, 1)
        tinted[0, channel, 2, 3] += 0.001
        assert not images.is_gray(tinted)


@given(height=st.integers(1, 20), width=st.integers(1, 20), seed=st.integers(0, 10**6), visible=st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_only_hidden_colours_are_filled_and_by_visible_ones(height, width, seed, visible):
    generator = torch.Generator().manual_seed(seed)
    picture = torch.rand(2, 3, height, width, generator=generator)
    alpha = torch.rand(2, 1, height, width, generator=generator)
    alpha = alpha * (torch.rand(2, 1, height, width, generator=generator) < visible)
    filled = images.fill_transparent(picture, alpha)
    seen = (alpha > 0).expand_as(picture)
    assert torch.equal(filled[seen], picture[seen])
    assert filled.isfinite().all()
    for i in range(2):
        for channel in range(3):
            colors = picture[i, channel][alpha[i, 0] > 0]
            if len(colors):
                assert filled[i, channel].min() >= colors.min() - 1e-5
                assert filled[i, channel].max() <= colors.max() + 1e-5


def test_a_hidden_colour_is_the_weighted_mean_of_its_block():
    picture = torch.tensor([[0.9, 0.5, 0.1, 0.2], [0.3, 0.7, 0.3, 0.4]]).view(1, 1, 2, 4)
    alpha = torch.tensor([[0, 1, 0, 0], [0, 0.5, 0, 0]]).view(1, 1, 2, 4)
    left = (0.5 + 0.5 * 0.7) / 1.5
    wanted = torch.tensor([[left, 0.5, left, left], [left, 0.7, left, left]])
    assert torch.allclose(images.fill_transparent(picture, alpha)[0, 0], wanted)


def test_a_white_disc_on_transparent_black_stays_white_when_enlarged():
    y, x = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    alpha = ((y - 15.5) ** 2 + (x - 15.5) ** 2 < 100).float()[None, None]
    picture = alpha.expand(-1, 3, -1, -1)
    color = imresize(images.fill_transparent(picture, alpha), 4).clamp(0, 1)
    opacity = imresize(alpha, 4).clamp(0, 1)
    on_white = opacity * color + (1 - opacity)
    assert on_white.min() >= 250 / 255


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


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(("kind", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_png_is_read_with_sixteen_bits(tmp_path, kind, channels, interlaced):
    levels = deep(6, 9, channels)
    (tmp_path / "deep.png").write_bytes(png(levels, kind, 16, interlaced=interlaced))
    assert torch.equal(images.read(tmp_path / "deep.png", alpha=True), of_levels(levels, 65535))
    colors = levels[..., : 1 if channels < 3 else 3]
    assert torch.equal(images.read(tmp_path / "deep.png"), of_levels(colors, 65535))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"compression": "zlib", "predictor": True}])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_tiff_is_read_with_sixteen_bits(tmp_path, channels, options, order):
    levels = deep(21, 17, channels) if channels > 1 else deep(21, 17)
    kind = {"photometric": "minisblack"} if channels == 1 else {"photometric": "rgb"}
    kind |= {"extrasamples": ["unassalpha"]} if channels == 4 else {}
    tifffile.imwrite(tmp_path / "deep.tif", levels, byteorder=order, rowsperstrip=4, **kind, **options)
    assert torch.equal(images.read(tmp_path / "deep.tif", alpha=True), of_levels(levels, 65535))


def test_premultiplied_tiff_gives_the_colours_before_opacity(tmp_path):
    levels = np.array([[[100, 2000, 30000, 32768], [7, 7, 7, 65535], [0, 0, 0, 0]]], dtype=np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", levels, photometric="rgb", extrasamples=["assocalpha"])
    pixels = images.read(tmp_path / "a.tif", alpha=True)[0, :, 0].T
    assert torch.allclose(pixels[0], torch.tensor([100 / 32768, 2000 / 32768, 30000 / 32768, 32768 / 65535]))
    assert torch.allclose(pixels[1:], torch.tensor([[7 / 65535] * 3 + [1], [0] * 4]))


@pytest.mark.parametrize(("dtype", "peak"), [(np.uint8, 255), (np.uint16, 65535)])
def test_tiff_whose_white_is_zero(tmp_path, dtype, peak):
    levels = np.array([[0, 1, peak]], dtype=dtype)
    tifffile.imwrite(tmp_path / "a.tif", levels, photometric="miniswhite")
    assert torch.allclose(images.read(tmp_path / "a.tif"), of_levels(peak - levels, peak))


def test_tiff_of_twelve_bits_is_divided_by_4095(tmp_path):
    """Written by hand: a header, nine tags of four numbers each, and the levels 0xFFF and 0x123 in three bytes."""
    tags = [(256, 3, 2), (257, 3, 1), (258, 3, 12), (259, 3, 1), (262, 3, 1), (273, 4, 122), (277, 3, 1), (278, 3, 1)]
    tags = [struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in (*tags, (279, 4, 3))]
    content = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(tags)) + b"".join(tags) + bytes(4)
    (tmp_path / "a.tif").write_bytes(content + b"\xff\xf1\x23")
    assert torch.equal(images.read(tmp_path / "a.tif"), of_levels(np.array([[0xFFF, 0x123]]), 4095))


@pytest.mark.parametrize(
    ("header", "pixels", "levels", "peak"),
    [
        (
            b"P6 2 1 65535\n",
            bytes([0, 1, 2, 3, 4, 5, 255, 255, 1, 0, 0, 200]),
            [[[1, 515, 1029], [65535, 256, 200]]],
            65535,
        ),
        (b"P6\n# a comment\n2 1\n1023\n", bytes([3, 255, 0, 0, 1, 1] * 2), [[[1023, 0, 257]] * 2], 1023),
        (b"P6 1 2 100 ", bytes([0, 50, 100, 1, 2, 3]), [[[0, 50, 100]], [[1, 2, 3]]], 100),
        (b"P5 3 1 65535\n", bytes([0, 0, 1, 2, 255, 255]), [[0, 258, 65535]], 65535),
        (b"P5 3 1 1000\n", bytes([0, 0, 1, 2, 3, 232]), [[0, 258, 1000]], 1000),
        (b"P5 3 1 100\n", bytes([0, 33, 100]), [[0, 33, 100]], 100),
        (b"P5 3 1 255\n", bytes([0, 33, 255]), [[0, 33, 255]], 255),
        (b"P3 1 1 65535\n", b"1 # red\n 258\n65535\n", [[[1, 258, 65535]]], 65535),
        (b"P2 3 1 100\n", b"0 33 100", [[0, 33, 100]], 100),
        (b"P1 3 1\n", b"0 1 0", [[255, 0, 255]], 255),
    ],
)
def test_netpbm_is_read_by_its_own_largest_level(tmp_path, header, pixels, levels, peak):
    (tmp_path / "a.ppm").write_bytes(header + pixels)
    assert torch.equal(images.read(tmp_path / "a.ppm"), of_levels(np.array(levels), peak))


@pytest.mark.parametrize("content", [b"P2 2 1 100 50 101", b"P5 2 1 100 \x02\x65", b"P6 2 1 999 \0", b"P3 1 1 9 1 2"])
def test_netpbm_beyond_its_largest_level_or_cut_short_is_refused(tmp_path, content):
    (tmp_path / "a.pgm").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.pgm is not a picture that can be read"):
        images.read(tmp_path / "a.pgm")


def test_cmyk_becomes_rgb(tmp_path):
    """By the plain formula (1 − C)·(1 − K) where there is no profile; a damaged one is none."""
    levels = np.array([[[255, 0, 0, 0], [0, 128, 0, 51], [0, 0, 0, 255]]], dtype=np.uint8)
    cmyk = Image.fromarray(levels, "CMYK")
    for options in ({}, {"icc_profile": b"no profile" * 30}):
        cmyk.save(tmp_path / "a.tif", **options)
        pixels = images.to_uint8(images.read(tmp_path / "a.tif"))[0, :, 0].T
        assert pixels.tolist() == [[0, 255, 255], [204, 102, 204], [0, 0, 0]]
        assert images.profile(tmp_path / "a.tif") is None


def write_refused(folder, name):
    """A file that Pillow opens and whose levels it does not give whole, or whose range nobody knows."""
    file = folder / name
    if name == "integers.tif":
        Image.fromarray(np.array([[5, 600]], dtype=np.int32)).save(file)
    elif name == "signed.tif":
        tifffile.imwrite(file, np.array([[5, 600]], dtype=np.int16))
    elif name == "floats.tif":
        Image.fromarray(np.array([[0.5, 3.0]], dtype=np.float32)).save(file)
    elif name == "floats.pfm":
        file.write_bytes(b"Pf 1 1 -1.0\n" + struct.pack("<f", 0.5))
    elif name == "colours-in-float.tif":
        tifffile.imwrite(file, np.zeros((3, 4, 3), np.float32), photometric="rgb")
    elif name == "cmyk16.tif":
        tifffile.imwrite(file, deep(3, 4, 4), photometric="separated")
    elif name == "planes16.tif":
        tifffile.imwrite(file, deep(3, 8, 9), photometric="rgb", planarconfig="separate")
    elif name == "planes16-zlib.tif":
        tifffile.imwrite(file, deep(3, 8, 9), photometric="rgb", planarconfig="separate", compression="zlib")
    elif name == "lab.tif":
        Image.new("LAB", (4, 4)).save(file)
    elif name == "other.tga":
        Image.new("RGB", (4, 4)).save(file)
    elif name == "empty.png":
        file.write_bytes(b"")
    elif name == "no-pixels.png":
        file.write_bytes(png(np.zeros((1, 1), np.uint8), 0, 8, size=(0, 0)))
    elif name == "huge.png":
        file.write_bytes(png(np.zeros((1, 1), np.uint8), 0, 8, size=(2**30, 2**30)))


@pytest.mark.parametrize(
    "name",
    [
        "integers.tif",
        "signed.tif",
        "floats.tif",
        "floats.pfm",
        "colours-in-float.tif",
        "cmyk16.tif",
        "planes16.tif",
        "planes16-zlib.tif",
        "lab.tif",
        "other.tga",
        "empty.png",
        "no-pixels.png",
        "huge.png",
    ],
)
def test_what_cannot_be_read_exactly_is_refused_in_one_line(tmp_path, name):
    write_refused(tmp_path, name)
    with pytest.raises(ValueError, match=f"{name} is not a picture that can be read \\(.+\\)") as caught:
        images.read(tmp_path / name)
    assert "\n" not in str(caught.value)
    assert "object at 0x" not in str(caught.value)


def test_no_range_is_guessed(tmp_path):
    for name in ("integers.tif", "floats.tif"):
        write_refused(tmp_path, name)
        with pytest.raises(ValueError, match=f"{name}.*range is not known"):
            images.read(tmp_path / name)


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_one_gray_level_is_transparent(tmp_path, bits):
    peak = (1 << bits) - 1
    levels = np.array([[0, 1, peak], [1, 0, peak]])
    (tmp_path / "a.png").write_bytes(png(levels, 0, bits, (b"tRNS", struct.pack(">H", 1))))
    picture = images.read(tmp_path / "a.png", alpha=True)
    assert torch.equal(picture[:, :1], of_levels(levels, peak))
    assert torch.equal(picture[:, 1:], of_levels(levels != 1, 1))
    assert images.read(tmp_path / "a.png").shape == (1, 1, 2, 3)


@pytest.mark.parametrize("bits", [8, 16])
def test_one_colour_is_transparent(tmp_path, bits):
    peak = (1 << bits) - 1
    levels = np.array([[[peak, 7, 9], [peak, 7, 8], [9, 7, peak], [peak - 1, 7, 9]]])
    (tmp_path / "a.png").write_bytes(png(levels, 2, bits, (b"tRNS", struct.pack(">HHH", peak, 7, 9))))
    picture = images.read(tmp_path / "a.png", alpha=True)
    assert torch.equal(picture[:, :3], of_levels(levels, peak))
    assert picture[0, 3].tolist() == [[0, 1, 1, 1]]


def test_a_palette_with_opacities_keeps_them(tmp_path):
    palette = Image.fromarray(np.array([[0, 1, 2]], dtype=np.uint8), "P")
    palette.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    palette.save(tmp_path / "a.png", transparency=bytes([0, 128, 255]))
    pixels = images.to_uint8(images.read(tmp_path / "a.png", alpha=True))[0, :, 0].T
    assert pixels.tolist() == [[10, 20, 30, 0], [40, 50, 60, 128], [70, 80, 90, 255]]


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".tif"])
def test_transparency_is_read_from_other_formats(tmp_path, suffix):
    levels = np.zeros((4, 5, 4), np.uint8)
    levels[..., 3] = 255
    levels[1, 2] = 0
    Image.fromarray(levels).save(tmp_path / f"a{suffix}", **({"lossless": True} if suffix == ".webp" else {}))
    assert torch.equal(images.read(tmp_path / f"a{suffix}", alpha=True)[0, 3], of_levels(levels[..., 3], 255)[0, 0])


# --- metadata --------------------------------------------------------------------------------------------


STORED = {  # EXIF orientation → how the camera stored an upright picture (H, W, C)
    1: lambda x: x,
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.transpose(1, 0, 2),
    6: lambda x: np.rot90(x, 1),
    7: lambda x: x[::-1, ::-1].transpose(1, 0, 2),
    8: lambda x: np.rot90(x, -1),
}


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
@pytest.mark.parametrize("orientation", STORED)
def test_turned_pictures_are_read_upright(tmp_path, levels, orientation, suffix):
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](levels)))
    stored.save(tmp_path / f"turned{suffix}", exif=exif, **({"lossless": True} if suffix == ".webp" else {}))
    assert same(images.read(tmp_path / f"turned{suffix}"), levels)


@pytest.mark.parametrize("orientation", STORED)
def test_turned_pictures_of_sixteen_bits_are_read_upright(tmp_path, orientation):
    levels = deep(6, 9, 4)
    exif = Image.Exif()
    exif[0x0112] = orientation
    block = exif.tobytes().removeprefix(b"Exif\0\0")
    (tmp_path / "turned.png").write_bytes(png(STORED[orientation](levels), 6, 16, (b"eXIf", block)))
    assert torch.equal(images.read(tmp_path / "turned.png", alpha=True), of_levels(levels, 65535))


def with_metadata(kind: str) -> tuple[bytes, slice]:
    """A picture of 40×20 pixels, turned by EXIF to 20×40, and where its EXIF block lies."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F], exif[0x0110], exif[0x0132] = "maker", "model", "2020:01:01 00:00:00"
    exif[0x011A] = exif[0x011B] = TiffImagePlugin.IFDRational(72, 1)
    exif.get_ifd(0x8769)[0x829A] = TiffImagePlugin.IFDRational(1, 100)
    exif.get_ifd(0x8825)[2] = (1.0, 2.0, 3.0)
    file = io.BytesIO()
    picture = np.random.default_rng(3).integers(0, 256, (20, 40, 3), dtype=np.uint8)
    Image.fromarray(picture).save(file, kind, exif=exif)
    block = exif.tobytes().removeprefix(b"Exif\0\0")
    start = file.getvalue().index(block)
    return file.getvalue(), slice(start, start + len(block))


@pytest.mark.parametrize(("kind", "trials"), [("JPEG", 1800), ("PNG", 300), ("WEBP", 300)])
def test_damaged_exif_never_stops_sound_pixels(tmp_path, kind, trials):
    content, block = with_metadata(kind)
    file = tmp_path / "a"
    file.write_bytes(content)
    sound = images.read(file)
    assert sound.shape == (1, 3, 40, 20)
    random = np.random.default_rng(5)
    upright = 0
    for trial in range(trials):
        damaged = bytearray(content)
        for _ in range(1 + trial % 4):
            damaged[random.integers(block.start, block.stop)] = random.integers(256)
        file.write_bytes(damaged)
        picture = images.read(file)
        assert picture.sum().item() == pytest.approx(sound.sum().item(), abs=0.1)  # turned otherwise, perhaps
        upright += torch.equal(picture, sound)
    assert upright > 0.7 * trials


def test_a_resolution_of_minus_one_by_zero_does_not_hide_the_orientation(tmp_path, levels):
    """Pillow cannot write such EXIF again, which its own way of turning a picture wants to."""
    block = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 2) + struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0)
    block += struct.pack("<HHII", 0x011A, 10, 1, 38) + bytes(4) + struct.pack("<ii", -1, 0)
    Image.fromarray(levels).save(tmp_path / "a.jpg", exif=block)
    assert images.read(tmp_path / "a.jpg").shape == (1, 3, 9, 6)


def test_wrong_checksums_stop_png_at_pixels_alone(tmp_path, levels):
    file = tmp_path / "a.png"
    for name, damaged in ((b"tEXt", False), (b"eXIf", False), (b"tRNS", True)):
        content = bytearray(png(levels, 2, 8, (name, b"Title\0")))
        content[content.index(name) + 4] ^= 1
        file.write_bytes(content)
        if damaged:
            with pytest.raises(ValueError, match=r"a\.png is not a picture that can be read"):
                images.read(file)
        else:
            assert same(images.read(file), levels)


def animation(suffix: str) -> bytes:
    frames = [Image.new("RGB", (8, 6), color) for color in ("red", "green", "blue")]
    file = io.BytesIO()
    options = {"lossless": True} if suffix == ".webp" else {}
    frames[0].save(file, images.FORMATS.get(suffix, "GIF"), save_all=True, append_images=frames[1:], **options)
    return file.getvalue()


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".tif", ".png"])
def test_the_first_of_several_frames_is_read_with_a_warning(tmp_path, suffix):
    (tmp_path / f"a{suffix}").write_bytes(animation(suffix))
    with pytest.warns(UserWarning, match=f"a{suffix} holds 3 frames or pages: only the first is read"):
        picture = images.read(tmp_path / f"a{suffix}")
    assert picture[0, :, 2, 3].tolist() == [1, 0, 0]


def test_a_picture_beside_its_preview_and_single_frames_are_read_without_a_warning(tmp_path):
    """Telephones store both in one file, "MPO" to Pillow."""
    picture = Image.new("RGB", (16, 16), "white")
    picture.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[picture.resize((8, 8))])
    picture.save(tmp_path / "a.gif")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.equal(images.read(tmp_path / "a.jpg"), torch.ones(1, 3, 16, 16))
        assert images.read(tmp_path / "a.gif").shape == (1, 3, 16, 16)


def red_is_green() -> bytes:
    """An ICC profile that shows a level of red as green and the reverse: sRGB's with these two primaries exchanged."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile.replace(b"rXYZ", b"????").replace(b"gXYZ", b"rXYZ").replace(b"????", b"gXYZ")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp"])
def test_a_profile_goes_along_where_the_format_holds_one(tmp_path, suffix):
    profile = red_is_green()
    images.write(tmp_path / f"a{suffix}", torch.rand(1, 3, 8, 8), profile=profile)
    assert images.profile(tmp_path / f"a{suffix}") == profile
    images.write(tmp_path / f"b{suffix}", torch.rand(1, 3, 8, 8))
    assert images.profile(tmp_path / f"b{suffix}") is None


@pytest.mark.parametrize("suffix", [".bmp", ".ppm"])
def test_colours_become_srgb_where_the_format_holds_no_profile(tmp_path, suffix):
    picture = torch.rand(1, 3, 8, 8)
    images.write(tmp_path / f"a{suffix}", picture, profile=red_is_green())
    found = images.read(tmp_path / f"a{suffix}")
    assert torch.allclose(found, picture[:, [1, 0, 2]], atol=2.5 / 255)


def test_a_profile_that_does_not_fit_is_left_out(tmp_path):
    for name, channels, profile in (("gray", 1, red_is_green()), ("damaged", 3, b"no profile" * 30), ("cut", 3, b"")):
        images.write(tmp_path / f"{name}.png", torch.rand(1, channels, 8, 8), profile=profile)
        assert "icc_profile" not in Image.open(tmp_path / f"{name}.png").info
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png", icc_profile=b"no profile" * 30)
    assert images.profile(tmp_path / "a.png") is None
    damaged = red_is_green()[:200]  # its header is sound, the rest is gone
    images.write(tmp_path / "a.bmp", torch.full((1, 3, 4, 4), 0.2), profile=damaged)
    assert torch.equal(images.read(tmp_path / "a.bmp"), torch.full((1, 3, 4, 4), 0.2))


# --- damaged files ---------------------------------------------------------------------------------------


def test_read_what_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no such file: .*nothing\.png"):
        images.read(tmp_path / "nothing.png")
    with pytest.raises(FileNotFoundError, match="no such file"):
        images.read(tmp_path)


def whole_file(kind: str, levels: np.ndarray) -> bytes:
    file = io.BytesIO()
    if kind == "PNG of 16 bits":
        return png(deep(6, 9, 3), 2, 16)
    if kind == "TIFF of 16 bits":
        tifffile.imwrite(file, deep(6, 9, 3), photometric="rgb")
    elif kind == "plain PPM":
        return b"P3 9 6 999\n" + b" ".join(b"%d" % level for level in levels.flat)
    elif kind == "PPM of 16 bits":
        return b"P6 9 6 65535\n" + deep(6, 9, 3).astype(">u2").tobytes()
    else:
        Image.fromarray(levels).save(file, kind)
    return file.getvalue()


KINDS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "PPM", "GIF", "PNG of 16 bits", "TIFF of 16 bits", "plain PPM")


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("kind", [*KINDS, "PPM of 16 bits"])
def test_damaged_files_give_one_clear_error(tmp_path, levels, kind, monkeypatch):
    """Cut short, or a wrong byte in the header: it is a picture still, or a ValueError names the file."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 5_000)  # sizes that damage makes up would take long
    whole = whole_file(kind, levels)
    random = np.random.default_rng(7)
    refusals = []
    for trial in range(100):
        content = bytearray(whole)
        if trial % 2:
            content = content[: random.integers(len(content))]
        else:
            content[random.integers(min(len(content), 60))] = random.integers(256)
        file = tmp_path / "damaged"
        file.write_bytes(content)
        try:
            picture = images.read(file)
            assert picture.ndim == 4
            images.check_picture(picture)
        except ValueError as error:
            refusals.append(str(error))
    assert len(refusals) >= 20
    assert all(words.startswith(f"{file} is not a picture that can be read (") for words in refusals)
    assert not any("object at 0x" in words or "\n" in words for words in refusals)


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


@given(
    channels=st.integers(1, 4),
    height=st.integers(1, 12),
    width=st.integers(1, 12),
    suffix=st.sampled_from([suffix for suffix in images.SUFFIXES if suffix not in (".jpg", ".jpeg")]),
    seed=st.integers(0, 10**6),
)
@settings(max_examples=120, deadline=None)
def test_every_format_but_jpeg_gives_back_what_was_written(tmp_path_factory, channels, height, width, suffix, seed):
    """Colours of transparent pixels included. WebP gives gray back as three equal channels."""
    levels = np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)
    levels[..., -1] *= levels[..., -1] > 100  # many a pixel is transparent, if that is opacity
    picture = of_levels(levels, 255)
    file = tmp_path_factory.getbasetemp() / f"round-trip{suffix}"
    if (channels in (2, 4) and suffix not in (".png", ".tif", ".tiff", ".webp")) or (
        channels == 3 and suffix == ".pgm"
    ):
        with pytest.raises(ValueError, match=f"round-trip{suffix}: {suffix} files"):
            images.write(file, picture)
        return
    images.write(file, picture)
    found = images.read(file, alpha=True)
    if suffix == ".webp":
        opaque = channels in (2, 4) and levels[..., -1].min() == 255  # WebP drops an opacity that is 1 everywhere
        picture = picture[:, : 3 if channels > 2 else 1] if opaque else picture
        assert torch.equal(found[:, :3], picture[:, : 3 if channels > 2 else 1].expand(-1, 3, -1, -1))
        found = found if channels > 2 else found[:, 2:] if picture.shape[1] == 2 else found[:, :1]
        assert torch.equal(found, picture)
    else:
        assert torch.equal(found, picture)


def test_jpeg_is_written_at_quality_95_with_full_chroma(tmp_path):
    for suffix in (".jpg", ".jpeg"):
        images.write(tmp_path / f"a{suffix}", torch.rand(1, 3, 32, 32))
        with Image.open(tmp_path / f"a{suffix}") as image:
            assert list(image.quantization[0])[:8] in ([2, 1, 1, 2, 2, 4, 5, 6], [2, 1, 1, 1, 1, 1, 1, 1])
            assert sum(image.quantization[0]) == 369  # libjpeg's table for 95; 1,849 at 75
            assert [layer[1:3] for layer in image.layer] == [(1, 1)] * 3


def test_colours_survive_jpeg_beside_each_other(tmp_path):
    """Red and blue columns in turn: at half the chroma they would become purple."""
    stripes = torch.zeros(1, 3, 16, 16)
    stripes[:, 0, :, ::2] = stripes[:, 2, :, 1::2] = 1
    images.write(tmp_path / "a.jpg", stripes)
    assert (images.read(tmp_path / "a.jpg") - stripes).abs().max() < 0.06


def test_a_size_that_a_format_does_not_allow_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"a\.webp: "):
        images.write(tmp_path / "a.webp", torch.zeros(1, 1, 1, 16_384))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("full", ["disk", "memory"])
def test_a_failure_leaves_the_old_file(tmp_path, monkeypatch, full):
    file = tmp_path / "a.png"
    images.write(file, torch.zeros(1, 1, 4, 4))
    before = file.read_bytes()

    def half_a_file(self, content):
        with open(self, "wb") as half:
            half.write(content[: len(content) // 2])
        raise OSError("no space left on device")

    def half_in_memory(self, file, **options):
        file.write(b"half a file")
        raise OSError("no space left on device")

    if full == "disk":
        monkeypatch.setattr(images.Path, "write_bytes", half_a_file)
    else:
        monkeypatch.setattr(Image.Image, "save", half_in_memory)
    with pytest.raises(ValueError, match=r"a\.png: no space left"):
        images.write(file, torch.ones(1, 1, 4, 4))
    monkeypatch.undo()
    assert file.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize(
    ("name", "shape", "words"),
    [
        ("a", (1, 3, 4, 4), "unknown picture format ''"),
        ("a.doc", (1, 3, 4, 4), "unknown picture format '.doc'; one of .png"),
        ("a.psd", (1, 3, 4, 4), "unknown picture format"),  # one that Pillow reads and does not write
        ("a.pdf", (1, 3, 4, 4), "unknown picture format"),  # and one that Pillow writes: the list is ours
        ("a.gif", (1, 3, 4, 4), "unknown picture format"),
        ("a.jpg", (1, 4, 4, 4), r"a\.jpg: \.jpg files hold no transparency; one of \.png \.tif \.tiff \.webp does"),
        ("a.bmp", (1, 4, 4, 4), r"a\.bmp: \.bmp files hold no transparency"),
        ("a.ppm", (1, 4, 4, 4), r"a\.ppm: \.ppm files hold no transparency"),
        ("a.PGM", (1, 2, 4, 4), r"a\.PGM: \.pgm files hold no transparency"),
        ("a.pgm", (1, 3, 4, 4), r"a\.pgm: \.pgm files are gray"),
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


def test_folders_as_people_have_them(tmp_path):
    for name in ("a.png", "UPPER.PNG", "._a.png", ".hidden.png", ".DS_Store", "Thumbs.db", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "sub.png").mkdir()
    assert [path.name for path in images.list_pictures(tmp_path)] == ["UPPER.PNG", "a.png"]
    (tmp_path / "sub.png" / "._b.png").touch()
    with pytest.raises(ValueError, match="no picture"):
        images.list_pictures(tmp_path / "sub.png")


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
