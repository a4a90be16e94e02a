"""Pictures on disk and in memory.

In the package a picture is a ``float32`` tensor of shape (N, C, H, W), RGB or gray, with values in [0, 1].
"""

import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm")


def check_picture(x: Tensor, name: str = "picture") -> None:
    """Raise unless ``x`` is a picture of the package: float, (N, C, H, W), within [0, 1].

    Raises:
        ValueError: With what came and what was wanted.
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
        x: Floats of any shape. Values outside [0, 1] are clipped.

    Raises:
        ValueError: If ``x`` holds no floats.
    """
    if not x.is_floating_point():
        raise ValueError(f"wanted floats, got {x.dtype}")
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


def list_pictures(folder: str | os.PathLike) -> list[Path]:
    """The picture files of a folder, sorted by name.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If it holds no picture.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"no such folder: {folder}")
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES)
    if not files:
        raise ValueError(f"no picture ({' '.join(SUFFIXES)}) in {folder}")
    return files


def read(path: str | os.PathLike, *, alpha: bool = False) -> Tensor:
    """Read a picture file.

    EXIF rotation is applied, palettes become RGB, 16-bit levels are divided by 65535.

    Args:
        path: A file that Pillow can read.
        alpha: Keep transparency as a last channel, where the file has it.

    Returns:
        (1, C, H, W) in [0, 1]: C is 1 for a gray file, 3 for colour, one more with ``alpha`` and transparency.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not a picture.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    try:
        with Image.open(path) as opened:
            image = ImageOps.exif_transpose(opened)
            image.load()
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"{path} is not a picture that can be read ({error})") from None
    peak = 255
    transparent = "A" in image.getbands() or "transparency" in image.info
    if image.mode.startswith("I"):  # Pillow reads 16-bit gray files as "I;16" or, from PNG, as "I"
        peak = 65535
    elif image.mode == "F":
        raise ValueError(f"{path} holds floating-point levels: their range is not known")
    elif image.mode in ("1", "L", "LA") or (image.mode == "La"):
        image = image.convert("LA" if alpha and transparent else "L")
    else:
        image = image.convert("RGBA" if alpha and transparent else "RGB")
    levels = np.asarray(image, dtype=np.float32)
    if levels.min() < 0 or levels.max() > peak:  # 32-bit integers
        raise ValueError(f"{path} holds levels from {levels.min():g} to {levels.max():g}: their range is not known")
    levels = levels[..., None] if levels.ndim == 2 else levels
    return torch.from_numpy(levels / np.float32(peak)).permute(2, 0, 1)[None].contiguous()


def write(path: str | os.PathLike, picture: Tensor) -> None:
    """Write a picture as 8-bit file; an existing file is replaced at once or not at all.

    Args:
        path: The suffix gives the format.
        picture: (1, C, H, W) or (C, H, W) in [0, 1]; C is 1 (gray), 2 (gray, alpha), 3 (RGB) or 4 (RGB, alpha).

    Raises:
        ValueError: On another shape, dtype or range, an unknown suffix, or transparency in a format without it.
        FileNotFoundError: If the folder does not exist.
    """
    from PIL import Image

    path = Path(path)
    picture = picture.detach().cpu()
    picture = picture[None] if picture.ndim == 3 else picture
    check_picture(picture)
    if picture.shape[0] != 1 or picture.shape[1] > 4:
        raise ValueError(f"wanted one picture of 1 to 4 channels, got shape {tuple(picture.shape)}")
    formats = {suffix: name for suffix, name in Image.registered_extensions().items() if name in Image.SAVE}
    if path.suffix.lower() not in formats:
        raise ValueError(f"{path.name}: unknown picture format {path.suffix!r}; one of {' '.join(SUFFIXES)}")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"no such folder: {path.parent}")
    levels = to_uint8(picture)[0].permute(1, 2, 0).numpy()
    image = Image.fromarray(levels[..., 0] if levels.shape[2] == 1 else levels)
    aside = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        kind = formats[path.suffix.lower()]
        image.save(aside, format=kind, **({"quality": 95} if kind == "JPEG" else {}))
        os.replace(aside, path)
    except OSError as error:
        raise ValueError(f"{path.name}: {error}") from None
    finally:
        aside.unlink(missing_ok=True)
