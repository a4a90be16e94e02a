"""Videos in and out, one frame at a time, so that the memory does not grow with their length; without their sound.

    write("large.mp4", (super_resolve(network, frame, 3) for frame in frames("small.mp4")), rate("small.mp4"))

FFmpeg does the work, through PyAV: the extra ``video`` of this package.
"""

import os
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from imtrans import assets, images

CONTAINERS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska"}  # those written here: suffix and FFmpeg's name
SUFFIXES = (*CONTAINERS, ".avi", ".m4v", ".webm")  # those taken for videos


def is_video(path: str | os.PathLike) -> bool:
    """Whether a file is a video, by its suffix."""
    return Path(path).suffix.lower() in SUFFIXES


def check_target(path: str | os.PathLike) -> None:
    """Raise a ValueError unless a video can be written under this name."""
    path = Path(path)
    if path.suffix.lower() not in CONTAINERS:
        raise ValueError(f"{path.name}: a video is written as {' '.join(CONTAINERS)}, not as {path.suffix!r}")


def rate(path: str | os.PathLike) -> Fraction:
    """Frames per second of a video; the mean, where it varies.

    Raises:
        ValueError: If the file is no video or does not say, or the extra is not installed.
        FileNotFoundError: If there is no such file.
    """
    with _av().open(os.fspath(path)) as container:
        stream = _stream(container, path)
        found = stream.average_rate or stream.guessed_rate
    if not found:
        raise ValueError(f"{Path(path).name} does not say how many frames a second has")
    return found


def frames(path: str | os.PathLike) -> Iterator[Tensor]:
    """The frames of a video in their order, each (1, 3, H, W), RGB in [0, 1], turned upright.

    Raises:
        ValueError: If the file is no video, or the extra is not installed.
        FileNotFoundError: If there is no such file.
    """
    with _av().open(os.fspath(path)) as container:
        for frame in container.decode(_stream(container, path)):
            levels = torch.from_numpy(frame.to_ndarray(format="rgb24"))  # (H, W, 3)
            # A phone stores how it was held as an angle beside the frames.
            yield images.to_float(levels.rot90(frame.rotation // 90).permute(2, 0, 1)[None])


def write(path: str | os.PathLike, pictures: Iterable[Tensor], rate: Fraction | int) -> int:
    """Write pictures as a video, H.264 at high quality; an existing file is replaced at once or not at all.

    Args:
        path: File to write; its suffix gives the container: .mp4, .mov or .mkv.
        pictures: Pictures (1, 1 or 3, H, W) of one size, clipped to [0, 1] and rounded to 8 bits here.
        rate: Frames per second.

    Returns:
        The number of frames.

    Raises:
        ValueError: On another suffix, without pictures, or if the extra is not installed.
    """
    check_target(path)
    av, count = _av(), 0
    kind = CONTAINERS[Path(path).suffix.lower()]  # the temporary file has another suffix
    with assets.replacing(path) as temporary, av.open(os.fspath(temporary), "w", format=kind) as container:
        stream = container.add_stream("libx264", rate=rate, options={"crf": "14"})
        stream.codec_context.colorspace = av.video.reformatter.Colorspace.ITU709
        for picture in pictures:
            if not count:
                stream.height, stream.width = picture.shape[-2:]
                # Colours at half the resolution, as every player expects them, exist for even sides alone.
                even = stream.height % 2 == stream.width % 2 == 0
                stream.pix_fmt = "yuv420p" if even else "yuv444p"
            levels = images.to_uint8(picture).expand(-1, 3, -1, -1)[0].permute(1, 2, 0).contiguous().numpy()
            frame = av.VideoFrame.from_ndarray(levels, format="rgb24")
            container.mux(stream.encode(frame.reformat(format=stream.pix_fmt, dst_colorspace="ITU709")))
            count += 1
        if not count:
            raise ValueError(f"{Path(path).name}: a video needs a frame")
        container.mux(stream.encode(None))
    return count


def _av() -> ModuleType:
    try:
        import av
    except ImportError:
        raise ValueError("videos need PyAV: pip install av") from None
    av.logging.set_level(av.logging.PANIC)  # errors come as exceptions
    return av


def _stream(container: Any, path: str | os.PathLike) -> Any:
    if not container.streams.video:
        raise ValueError(f"{Path(path).name} holds no video")
    return container.streams.video[0]
