"""Pictures on disk and in memory.

In the package a picture is a ``float32`` tensor of shape (N, C, H, W), RGB or gray, with values in [0, 1].
"""

import io
import os
import re
import struct
import sys
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from imtrans import assets

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

# The one list of suffixes: folders are searched for them, results are written under them. Pillow's name of the format.
FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".bmp": "BMP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WEBP",
    ".ppm": "PPM",
    ".pgm": "PPM",
}
SUFFIXES = tuple(FORMATS)
READABLE = (*dict.fromkeys(FORMATS.values()), "GIF")  # what is read goes by the content of a file, not by its suffix

# The last step loses nothing but what JPEG must lose: chroma keeps its resolution, WebP is lossless. "exact" keeps the
# colours of transparent pixels.
_SAVE = {"JPEG": {"quality": 95, "subsampling": "4:4:4"}, "WEBP": {"lossless": True, "exact": True}}
_WITH_ALPHA = ("PNG", "TIFF", "WEBP")
_WITH_PROFILE = ("PNG", "TIFF", "WEBP", "JPEG")


def check_picture(x: Tensor, name: str = "picture") -> None:
    """Raise unless ``x`` is a picture of the package: float, (N, C, H, W), within [0, 1].

    Args:
        x: The tensor to check.
        name: What the error message calls it.

    Raises:
        ValueError: If it is not; the message says what came and what was wanted.
    """
    if x.ndim != 4:
        raise ValueError(f"{name}: wanted a tensor (N, C, H, W), got shape {tuple(x.shape)}")
    if not x.is_floating_point():
        raise ValueError(f"{name}: wanted floats in [0, 1], got {x.dtype} (images.to_float takes 8-bit levels)")
    if x.numel() == 0:
        raise ValueError(f"{name}: there are no pixels in shape {tuple(x.shape)}")
    low, high = x.min().item(), x.max().item()
    if not (low >= 0 and high <= 1):  # also catches NaN
        raise ValueError(f"{name}: wanted values in [0, 1], got [{low:.4g}, {high:.4g}]")


def to_uint8(x: Tensor) -> Tensor:
    """8-bit levels of a float picture: clipped to [0, 1], times 255, halves rounded up as MATLAB does.

    Args:
        x: Floats of any shape; values outside [0, 1] are clipped.

    Raises:
        ValueError: If ``x`` holds no floats, or a value that is not a number.
    """
    if not x.is_floating_point():
        raise ValueError(f"wanted floats, got {x.dtype}")
    if x.isnan().any():
        raise ValueError("some values are not a number: they have no level")
    x = x.to(torch.promote_types(x.dtype, torch.float32))  # bfloat16 would round 255.5 to 256, which wraps to 0
    return (x.clamp(0, 1) * 255 + 0.5).floor().to(torch.uint8)


def to_float(x: Tensor) -> Tensor:
    """Floats in [0, 1] of 8-bit levels.

    Raises:
        ValueError: If ``x`` is not ``uint8``.
    """
    if x.dtype != torch.uint8:
        raise ValueError(f"wanted uint8 levels, got {x.dtype}")
    return x.float() / 255


def modcrop(x: Tensor, scale: int) -> Tensor:
    """The largest top-left part of (..., H, W) whose sides are multiples of ``scale``.

    Raises:
        ValueError: If a side is shorter than ``scale``.
    """
    height, width = x.shape[-2] // scale * scale, x.shape[-1] // scale * scale
    if height == 0 or width == 0:
        raise ValueError(f"a picture of {x.shape[-2]}×{x.shape[-1]} pixels is smaller than the scale {scale}")
    return x[..., :height, :width]


def shave(x: Tensor, border: int) -> Tensor:
    """``x`` (..., H, W) without ``border`` pixels at each side.

    Raises:
        ValueError: If nothing would be left, or ``border`` is negative.
    """
    if border < 0 or 2 * border >= min(x.shape[-2:]):
        raise ValueError(f"a border of {border} does not fit a picture of {x.shape[-2]}×{x.shape[-1]} pixels")
    return x[..., border : x.shape[-2] - border, border : x.shape[-1] - border]


def middle(x: Tensor, size: int) -> Tensor:
    """The middle of pictures or feature maps (…, H, W), at most ``size`` × ``size``."""
    height, width = x.shape[-2:]
    top, left = max(0, height - size) // 2, max(0, width - size) // 2
    return x[..., top : top + size, left : left + size].contiguous()


def crop(picture: Tensor, box: tuple[int, int, int, int]) -> Tensor:
    """The part (left, top, width, height) of (N, C, H, W).

    Args:
        picture: One picture or a batch.
        box: Left, top, width and height in pixels.

    Raises:
        ValueError: If the box reaches beyond the picture.
    """
    left, top, width, height = box
    if min(left, top) < 0 or min(width, height) < 1:
        raise ValueError(f"a box is (left, top, width, height) of whole positive numbers, got {box}")
    if top + height > picture.shape[-2] or left + width > picture.shape[-1]:
        size = f"{picture.shape[-2]}×{picture.shape[-1]}"
        raise ValueError(f"the box {box} sticks out of a picture of {size} pixels")
    return picture[..., top : top + height, left : left + width]


def is_gray(picture: Tensor) -> bool:
    """Whether a picture (N, C, H, W) has one channel, or three equal ones: gray that was stored as colour."""
    first = picture[:, :1]
    return picture.shape[1] == 1 or (picture.shape[1] == 3 and bool((picture == first).all()))


def fill_transparent(picture: Tensor, alpha: Tensor) -> Tensor:
    """Give fully transparent pixels the colours of the visible ones around them.

    Such a pixel has a colour in the file that nobody sees, black most often. A filter that looks at its neighbours, an
    enlargement or a network, would draw it into the visible pixels. Visible colours are returned as they are.

    Args:
        picture: Colours (N, C, H, W), not premultiplied.
        alpha: Opacity (N, 1, H, W): 0 is transparent.

    Returns:
        Colours (N, C, H, W). Hidden ones are opacity-weighted means of the smallest block of 2, 4, 8 … pixels aside
        that holds a visible pixel.
    """

    def fill(weighted: Tensor, opacity: Tensor) -> Tensor:
        means = weighted / opacity.clamp(min=torch.finfo(opacity.dtype).tiny)
        if max(opacity.shape[-2:]) == 1 or (opacity > 0).all():
            return means
        halves = (F.avg_pool2d(x, 2, ceil_mode=True) for x in (weighted, opacity))
        around = fill(*halves).repeat_interleave(2, -2).repeat_interleave(2, -1)
        return torch.where(opacity > 0, means, around[..., : opacity.shape[-2], : opacity.shape[-1]])

    return torch.where(alpha > 0, picture, fill(picture * alpha, alpha))


def list_pictures(folder: str | os.PathLike) -> list[Path]:
    """The picture files of a folder, sorted by name.

    Hidden files (macOS leaves ``._a.png`` beside ``a.png``), folders and files with other suffixes are passed over.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If it holds no picture.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"no such folder: {folder}")
    files = sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and not path.is_dir()
    )
    if not files:
        raise ValueError(f"no picture ({' '.join(SUFFIXES)}) in {folder}")
    return files


def read(path: str | os.PathLike, *, alpha: bool = False) -> Tensor:
    """Read a picture file with all its bits: PNG, JPEG, BMP, TIFF, WebP, PPM or GIF, whatever its suffix.

    EXIF rotation is applied where it can be read; palettes become RGB; levels are divided by the largest that their
    bits can hold, 65535 for 16 bits. Levels stay in the file's own colour space (see `profile`), except that CMYK
    becomes sRGB. Of several frames or pages the first is read, with a warning.

    Args:
        path: File to read.
        alpha: Keep transparency as a last channel, where the file has it.

    Returns:
        (1, C, H, W) in [0, 1]: C is 1 for a gray file, 3 for colour, one more with ``alpha`` and transparency.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not a picture, is damaged, or holds levels that cannot be read exactly.
    """
    path = Path(path)
    samples, opacity, frames = _of_file(path, lambda content: (*_decode(content), _count_frames(content)))
    if frames > 1:
        warnings.warn(f"{path} holds {frames} frames or pages: only the first is read", stacklevel=2)
    if alpha and opacity is not None:
        samples = np.concatenate([samples, opacity], axis=2)
    return torch.from_numpy(samples).permute(2, 0, 1)[None].contiguous()


def profile(path: str | os.PathLike) -> bytes | None:
    """The ICC profile that says which colours the levels given by `read` are.

    Returns:
        The profile, for `write`; None where the file has none, or none for gray or RGB levels.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not a picture.
    """
    mode, embedded = _of_file(Path(path), _embedded_profile)
    return embedded if mode != "CMYK" and _describes(embedded, 1 if mode in _GRAY else 3) else None


_GRAY = ("1", "L", "LA", "I", "I;16", "I;16L", "I;16B", "I;16N")  # Pillow's modes


def _embedded_profile(content: bytes) -> tuple[str, bytes | None]:
    with _open(content) as image:
        return image.mode, image.info.get("icc_profile")


def _describes(profile: bytes | None, channels: int) -> bool:
    """Whether a profile is one of pictures with 1 or 3 channels, judged by its header."""
    return bool(profile) and profile[36:40] == b"acsp" and profile[16:20] == {1: b"GRAY", 3: b"RGB "}[channels]


def _of_file(path: Path, function: Callable[[bytes], Any]) -> Any:
    """``function`` of a file's content; whatever is wrong with the file becomes one ValueError that names it."""
    from PIL import UnidentifiedImageError

    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    content = path.read_bytes()
    reason = ""
    for attempt in (content, _mend_png(content)):
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", category=UserWarning, module="PIL")  # on damaged metadata
                return function(attempt)
        except UnidentifiedImageError:
            reason = reason or f"not one of {', '.join(READABLE)}, or damaged at its beginning"
        except Exception as error:  # Pillow's decoders raise a dozen kinds of them on damaged files
            reason = reason or str(error) or type(error).__name__
        if attempt is not content:
            break
    raise ValueError(f"{path} is not a picture that can be read ({reason})")


def _open(content: bytes) -> "ImageFile":
    from PIL import Image

    return Image.open(io.BytesIO(content), formats=READABLE)


def _mend_png(content: bytes) -> bytes:
    """The same PNG file with right checksums of its metadata, so that damage there does not stop sound pixels."""
    if not content.startswith(b"\x89PNG\r\n\x1a\n"):
        return content
    mended, at = bytearray(content), 8
    while at + 12 <= len(content):  # a chunk: length, kind, data, checksum; ancillary ones begin with a small letter
        end = at + 8 + int.from_bytes(content[at : at + 4], "big")
        kind = content[at + 4 : at + 8]
        if kind[:1].islower() and kind != b"tRNS" and end + 4 <= len(content):
            mended[end : end + 4] = zlib.crc32(content[at + 4 : end]).to_bytes(4, "big")
        at = end + 4
    return bytes(mended)


def _count_frames(content: bytes) -> int:
    try:
        with _open(content) as image:
            # A telephone's MPO holds previews and depth maps beside its photograph.
            return 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
    except Exception:  # a damaged later page
        return 1


def _decode(content: bytes) -> tuple[np.ndarray, np.ndarray | None]:
    """Samples (H, W, 1 or 3) and opacity (H, W, 1) or None of a file, in [0, 1], upright.

    Raises:
        ValueError: If Pillow gives less than the file holds, or the range of the levels is not known.
    """
    with _open(content) as image:
        tags = getattr(image, "tag_v2", {})  # of TIFF
        codec, *_, arguments = image.tile[0] if image.tile else ("", "")  # how Pillow unpacks samples; WebP has none
        rawmode = arguments if isinstance(arguments, str) else str(arguments[0])
        bits = max(tags.get(_BITS_PER_SAMPLE, (8,))) if tags else {"2": 2, "4": 4}.get(rawmode.partition(";")[2], 8)
        if bits > 8 and tags.get(_PLANES) == 2:
            raise ValueError("16-bit channels in separate planes")
        if image.mode in ("F", "LAB") or (image.mode == "I" and image.format not in ("PNG", "PPM")):
            raise ValueError(f"levels of Pillow's mode {image.mode}: their range is not known")

        if codec in ("ppm", "ppm_plain") and not isinstance(arguments, str):
            mode, samples = image.mode, _netpbm(content, image)
        elif image.mode.startswith("I"):
            bits = bits if tags else 16
            mode, samples = "L", _upright(image).astype(np.float32) / np.float32((1 << bits) - 1)
            if tags.get(_PHOTOMETRIC) == 0:  # white is zero; Pillow turns it round for 8 bits alone
                samples = 1 - samples
        elif ";16" in rawmode:
            bits = 16
            mode, samples = _sixteen_bits(content, rawmode)
        else:
            mode, image = _eight_bits(image)
            samples = _upright(image).astype(np.float32) / np.float32(255)
        samples = samples if samples.ndim == 3 else samples[..., None]
        key = image.info.get("transparency")
    if samples.size == 0:
        raise ValueError("there are no pixels")
    if mode in ("LA", "RGBA"):
        return samples[..., :-1], samples[..., -1:]
    if key is None:
        return samples, None
    # One level or colour of the file is transparent. Equal fractions are equal floats, whatever their bits.
    key = (np.asarray(key) & ((1 << bits) - 1)).astype(np.float32) / np.float32((1 << bits) - 1)
    return samples, (samples != key).any(axis=2, keepdims=True).astype(np.float32)


_BITS_PER_SAMPLE, _PHOTOMETRIC, _PLANES = 258, 262, 284  # tags of TIFF


def _upright(image: "Image") -> np.ndarray:
    """Pillow's levels (H, W) or (H, W, C), turned as EXIF says. Pillow turns TIFF itself, and forgets the tag."""
    from PIL.Image import Transpose

    image.load()
    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    try:
        turn = turns.get(image.getexif().get(0x0112))
    except Exception:  # damaged metadata: the pixels are sound
        turn = None
    return np.asarray(image if turn is None else image.transpose(turn))


def _eight_bits(image: "Image") -> tuple[str, "Image"]:
    """The picture in the mode L, LA, RGB or RGBA that loses nothing."""
    if image.mode == "CMYK":
        return "RGB", _cmyk_to_rgb(image)
    if image.mode in ("L", "LA", "RGB", "RGBA"):
        return image.mode, image
    mode = "L" if image.mode == "1" else "RGBA" if image.has_transparency_data else "RGB"
    return mode, image.convert(mode)


def _cmyk_to_rgb(image: "Image") -> "Image":
    """sRGB by the picture's own profile, or by the plain formula (1 − C)·(1 − K) where it has none."""
    from PIL import ImageCms

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
        return ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (KeyError, OSError, ImageCms.PyCMSError):  # none, or damaged
        return image.convert("RGB")


def _sixteen_bits(content: bytes, rawmode: str) -> tuple[str, np.ndarray]:
    """Mode and samples of a picture with several channels of 16 bits.

    Pillow keeps one byte of each sample, the one that the byte order in the raw mode names: read once as it is and once
    with the other byte order, it gives both bytes.
    """
    bands, _, order = rawmode.partition(";16")
    if bands == "LA":  # four bytes per pixel, of PNG, so the high ones first
        pair = _unpacked(content, "RGBA").astype(np.uint16)
        return "LA", (256 * pair[..., 0::2] + pair[..., 1::2]).astype(np.float32) / np.float32(65535)
    if bands not in ("RGB", "RGBX", "RGBA", "RGBa"):
        raise ValueError(f"16-bit levels of {bands}")
    order = {"N": "L" if sys.byteorder == "little" else "B"}.get(order, order)
    high = _unpacked(content, f"{bands.upper()};16{order}").astype(np.uint16)
    low = _unpacked(content, f"{bands.upper()};16{'B' if order == 'L' else 'L'}")
    samples = (256 * high + low).astype(np.float32) / np.float32(65535)
    if bands == "RGBa":  # premultiplied
        opacity = samples[..., 3:]
        samples[..., :3] = (samples[..., :3] / np.where(opacity > 0, opacity, 1)).clip(max=1)
    return ("RGB" if bands in ("RGB", "RGBX") else "RGBA"), samples


def _unpacked(content: bytes, rawmode: str) -> np.ndarray:
    with _open(content) as image:
        tiles = []
        for tile in image.tile:
            arguments = rawmode if isinstance(tile[3], str) else (rawmode, *tile[3][1:])
            tiles.append(tile._replace(args=arguments) if hasattr(tile, "_replace") else (*tile[:3], arguments))
        image.tile = tiles
        return _upright(image)


def _netpbm(content: bytes, image: "ImageFile") -> np.ndarray:
    """Samples of a PPM or PGM file by its own largest level, which Pillow would round to 8 bits."""
    codec, _, offset, (_, peak) = image.tile[0]
    shape = (image.height, image.width, 3 if image.mode == "RGB" else 1)
    if codec == "ppm":
        levels = np.frombuffer(content, ">u2" if peak > 255 else "u1", np.prod(shape), offset)
    else:
        levels = np.array(re.sub(rb"#[^\r\n]*", b"", content[offset:]).split(), dtype=np.int64)[: np.prod(shape)]
    if levels.min() < 0 or levels.max() > peak:
        raise ValueError(f"levels from {levels.min()} to {levels.max()}, of at most {peak}")
    return levels.reshape(shape).astype(np.float32) / np.float32(peak)


def to_pil(picture: Tensor) -> "Image":
    """Pillow's image of a picture, in 8 bits.

    Args:
        picture: (1, C, H, W) or (C, H, W) in [0, 1]; C is 1 (gray), 2 (gray, alpha), 3 (RGB) or 4 (RGB, alpha).

    Raises:
        ValueError: On another shape, dtype or range.
    """
    from PIL import Image

    picture = picture.detach().cpu()
    picture = picture[None] if picture.ndim == 3 else picture
    check_picture(picture)
    if picture.shape[0] != 1 or picture.shape[1] > 4:
        raise ValueError(f"wanted one picture of 1 to 4 channels, got shape {tuple(picture.shape)}")
    levels = to_uint8(picture)[0].permute(1, 2, 0).numpy()
    return Image.fromarray(np.ascontiguousarray(levels[..., 0] if levels.shape[2] == 1 else levels))


def check_target(path: str | os.PathLike, channels: int) -> None:
    """Raise unless a picture of so many channels can be written under this name.

    Args:
        path: Name of the file to write; its suffix gives the format.
        channels: 1 (gray), 2 (gray, alpha), 3 (RGB) or 4 (RGB, alpha).

    Raises:
        ValueError: On an unknown suffix, transparency in a format without it, or colour in ``.pgm``.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise ValueError(f"{path.name}: unknown picture format {path.suffix!r}; one of {' '.join(SUFFIXES)}")
    if channels in (2, 4) and FORMATS[suffix] not in _WITH_ALPHA:
        fitting = " ".join(s for s in SUFFIXES if FORMATS[s] in _WITH_ALPHA)
        raise ValueError(f"{path.name}: {suffix} files hold no transparency; one of {fitting} does")
    if channels == 3 and suffix == ".pgm":
        raise ValueError(f"{path.name}: .pgm files are gray; .ppm holds colour")


def write(path: str | os.PathLike, picture: Tensor, *, profile: bytes | None = None) -> None:
    """Write a picture as 8-bit file; an existing file is replaced at once or not at all.

    PNG, TIFF, BMP, PPM and WebP lose nothing; JPEG is written at quality 95 with full chroma.

    Args:
        path: File to write; its suffix gives the format.
        picture: (1, C, H, W) or (C, H, W) in [0, 1]; C is 1 (gray), 2 (gray, alpha), 3 (RGB) or 4 (RGB, alpha).
        profile: ICC profile of the levels, as `profile` gives it. It goes into the file; for a format without
            profiles the colours are converted to sRGB. A profile for another number of channels is left out.

    Raises:
        ValueError: On another shape, dtype or range, an unknown suffix, transparency in a format without it, or a
            size that the format does not allow.
        FileNotFoundError: If the folder does not exist.
    """
    path = Path(path)
    image = to_pil(picture)
    check_target(path, len(image.getbands()))
    if not path.parent.is_dir():
        raise FileNotFoundError(f"no such folder: {path.parent}")
    kind = FORMATS[path.suffix.lower()]
    options = dict(_SAVE.get(kind, {}))
    if _describes(profile, 1 if image.mode in _GRAY else 3):
        if kind in _WITH_PROFILE:
            options["icc_profile"] = profile
        else:
            image = _to_srgb(image, profile)
    file = io.BytesIO()
    try:
        image.save(file, format=kind, **options)
        assets.write_whole(path, file.getvalue())
    except (OSError, ValueError, struct.error) as error:
        raise ValueError(f"{path.name}: {error}") from None


def _to_srgb(image: "Image", profile: bytes) -> "Image":
    from PIL import ImageCms

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (OSError, ImageCms.PyCMSError):  # a damaged profile says nothing about the colours
        return image
    return converted.convert(image.mode)
