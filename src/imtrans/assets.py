"""Files: where they are, how they are fetched, verified and written.

This module knows no model and no data set. Three places matter, each set by an environment variable:

===================  ==================================  ==========================================
place                default                             set by
===================  ==================================  ==========================================
:func:`cache_dir`    the user's cache, ``imtrans``       ``XDG_CACHE_HOME`` and its like
:func:`data_root`    none                                ``IMTRANS_DATA``, sets in a folder or a zip
:func:`runs_dir`     ``runs`` in the cache               ``IMTRANS_RUNS``
===================  ==================================  ==========================================
"""

import errno
import hashlib
import os
import shutil
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from torch import Tensor


def cache_dir() -> Path:
    """The folder in the user's cache for fetched files and runs. It need not exist yet."""
    import pooch

    return Path(pooch.os_cache("imtrans"))


def data_root() -> Path | None:
    """The folder of picture sets that ``IMTRANS_DATA`` names, as an absolute path; None where it is unset.

    An archive of `imtrans.data.pack` will do too: it is unpacked into the cache, once.

    Raises:
        ValueError: If the variable is set, but neither to a folder nor to a zip archive.
    """
    value = os.environ.get("IMTRANS_DATA", "")
    if not value:
        return None
    root = Path(value).expanduser().absolute()
    if root.is_file() and zipfile.is_zipfile(root):
        return _unpacked(root)
    if not root.is_dir():
        raise ValueError(f"IMTRANS_DATA is set to {value!r}, but there is no folder {root}")
    return root


def _unpacked(archive: Path) -> Path:
    """The content of a zip archive, in the cache; another archive in its place gets a folder of its own."""
    state = archive.stat()
    folder = cache_dir() / "unpacked" / f"{archive.stem}-{state.st_size}-{state.st_mtime_ns}"
    if not folder.is_dir():
        aside = folder.with_name(f".{folder.name}.{os.getpid()}")
        with zipfile.ZipFile(archive) as content:
            content.extractall(aside)
        try:
            aside.rename(folder)
        except OSError:  # another process was faster
            shutil.rmtree(aside)
    return folder


def runs_dir() -> Path:
    """The folder of the trainings' checkpoints and logs. It need not exist yet."""
    value = os.environ.get("IMTRANS_RUNS", "")
    return Path(value).expanduser().absolute() if value else cache_dir() / "runs"


def sha256_file(path: str | os.PathLike) -> str:
    """The sha256 of a file's bytes, as 64 hexadecimal digits.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_pixels(levels: np.ndarray) -> str:
    """The sha256 of a picture's 8-bit levels and its shape, whatever file format they were stored in.

    Args:
        levels: Levels, ``uint8`` of any shape. The digest covers the text of the shape, such as ``(3, 256, 256)``,
            and then the levels in row-major order; without the shape a reshaped copy would count as equal.

    Raises:
        ValueError: If the array is not ``uint8``.
    """
    levels = np.ascontiguousarray(levels)
    if levels.dtype != np.uint8:
        raise ValueError(f"wanted uint8 levels, got {levels.dtype}")
    return hashlib.sha256(f"{levels.shape}".encode() + levels.tobytes()).hexdigest()


def is_local(error: Exception) -> bool:
    """Whether a fetch failed here, for a full disk or a folder that cannot be written to, and not on its way."""
    return getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS)


def fetch(urls: Sequence[str], path: str | os.PathLike, sha256: str | None = None, *, progress: bool = True) -> Path:
    """The file at ``path``, downloaded from the first address that gives the right bytes.

    A file that exists already, with the digest if one is given, is not fetched again. A download replaces the file
    when it is complete.

    Args:
        urls: Addresses of the same file, tried in turn.
        path: File to write; missing folders are made.
        sha256: Digest that the file must have.
        progress: Show a bar of the download.

    Raises:
        FileNotFoundError: If no address gave the file; the message names the folder for a copy made by hand.
        OSError: If the disk is full, or the folder cannot be written to.
    """
    import pooch

    path = Path(path)
    if path.is_file() and (sha256 is None or sha256_file(path) == sha256):
        return path
    # Seconds to wait for a connection, then for the next bytes: fail quickly when there is no network.
    download = pooch.HTTPDownloader(progressbar=progress, timeout=(5, 30))
    failures = []
    for url in urls:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as temporary:
                download(url, str(temporary), None)
                if sha256 is not None and (digest := sha256_file(temporary)) != sha256:
                    raise ValueError(f"sha256 {digest}, but {sha256} was wanted")
            return path
        except (OSError, ValueError) as error:  # those of requests are OSErrors without a number
            if is_local(error):
                raise
            failures.append(f"{urlsplit(url).netloc or url}: {_reason(error)}")
    tried = "; ".join(failures) or "no address is known"
    raise FileNotFoundError(f"{path.name} could not be fetched ({tried}): put a copy into the folder {path.parent}")


def _reason(error: Exception) -> str:
    """A few words for a failed download, without the nested causes that requests prints."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status is not None:
        return f"HTTP {status}"
    return str(error) if type(error) is ValueError else type(error).__name__


@contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """Write a file whole or not at all: a name to write to, which takes the place of ``path`` if nothing fails.

    The temporary file lies in the same folder, so that the move is one step; after a failure it is removed and an
    existing ``path`` is as it was.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_whole(path: str | os.PathLike, content: bytes) -> None:
    """Write a file whole or not at all; an existing file is replaced in one step.

    Args:
        path: File to write; its folder must exist.
        content: All of its bytes.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def save_weights(path: str | os.PathLike, state_dict: Mapping[str, Tensor]) -> str:
    """Write weights as ``.safetensors``; an existing file is replaced at once or not at all.

    Args:
        path: File to write; its folder must exist.
        state_dict: Tensors by name, as ``module.state_dict()`` gives them.

    Returns:
        The sha256 of the file.

    Raises:
        FileNotFoundError: If the folder does not exist.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"no such folder: {path.parent}")
    content = weights_file(state_dict)  # safetensors' own save_file makes a file that only its owner may read
    write_whole(path, content)
    return hashlib.sha256(content).hexdigest()


def weights_file(state_dict: Mapping[str, Tensor]) -> bytes:
    """The content of a ``.safetensors`` file. Equal weights give equal bytes, whatever their device and memory layout.

    Args:
        state_dict: As for `save_weights`.
    """
    from safetensors.torch import save

    # A copy of each tensor: safetensors refuses tensors that share memory and layouts such as channels_last.
    return save({name: tensor.detach().cpu().contiguous().clone() for name, tensor in state_dict.items()})


def load_weights(path: str | os.PathLike, sha256: str | None = None) -> dict[str, Tensor]:
    """The tensors of a ``.safetensors`` file, on the CPU.

    Args:
        path: File to read.
        sha256: Digest that the file must have.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the digest differs, or the file is not in this format.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if sha256 is not None and digest != sha256:
        raise ValueError(f"{path} has sha256 {digest}, but {sha256} was wanted")
    try:
        return load(content)
    except SafetensorError as error:
        raise ValueError(f"{path} is not a .safetensors file ({error})") from None
