"""Files: where they lie, how they are fetched, how they are verified.

This room knows no model and no data set. Three places matter, each moved by an environment variable:

===================  ==================================  ==========================================
place                default                             moved by
===================  ==================================  ==========================================
:func:`cache_dir`    the user's cache, ``imtrans``       ``XDG_CACHE_HOME`` and its like
:func:`data_root`    none                                ``IMTRANS_DATA``, a folder of picture sets
:func:`runs_dir`     ``runs`` in the cache               ``IMTRANS_RUNS``
===================  ==================================  ==========================================
"""

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from torch import Tensor


def cache_dir() -> Path:
    """The folder in the user's cache where fetched files and runs are kept. It need not exist yet."""
    import pooch

    return Path(pooch.os_cache("imtrans"))


def data_root() -> Path | None:
    """The folder of picture sets that ``IMTRANS_DATA`` names, as an absolute path; None where it is unset.

    Raises:
        ValueError: If the variable is set, but not to a folder.
    """
    value = os.environ.get("IMTRANS_DATA", "")
    if not value:
        return None
    root = Path(value).expanduser().absolute()
    if not root.is_dir():
        raise ValueError(f"IMTRANS_DATA is set to {value!r}, but there is no folder {root}")
    return root


def runs_dir() -> Path:
    """The folder where trainings keep their checkpoints and logs. It need not exist yet."""
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
    """The sha256 of a picture's 8-bit levels and its shape, whatever file format they came in.

    Args:
        levels: ``uint8`` of any shape. The digest covers the text of the shape, such as ``(3, 256, 256)``,
            and then the levels in row-major order; without the shape a reshaped copy would count as equal.

    Raises:
        ValueError: If the array is not ``uint8``.
    """
    levels = np.ascontiguousarray(levels)
    if levels.dtype != np.uint8:
        raise ValueError(f"wanted uint8 levels, got {levels.dtype}")
    return hashlib.sha256(f"{levels.shape}".encode() + levels.tobytes()).hexdigest()


def fetch(urls: Sequence[str], path: str | os.PathLike, sha256: str | None = None, *, progress: bool = True) -> Path:
    """The file at ``path``, downloaded from the first address that answers with the right bytes.

    A file that is there already, and has the digest if one is given, is not fetched again. A download is
    written aside and moved into place when it is complete.

    Args:
        urls: Addresses of the same file, tried in turn.
        path: Where the file is wanted; missing folders are made.
        sha256: The digest that the file must have.
        progress: Show a bar of the download.

    Raises:
        FileNotFoundError: If no address gave the file. The sentence names the folder for a copy made by hand.
    """
    import pooch
    import requests

    path = Path(path)
    if path.is_file() and (sha256 is None or sha256_file(path) == sha256):
        return path
    aside = _aside(path)
    # Seconds to wait for a connection, then for the next bytes: who has no network should hear so soon.
    download = pooch.HTTPDownloader(progressbar=progress, timeout=(5, 30))
    failures = []
    for url in urls:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            download(url, str(aside), None)
            if sha256 is not None and (digest := sha256_file(aside)) != sha256:
                raise ValueError(f"sha256 {digest}, but {sha256} was wanted")
            os.replace(aside, path)
            return path
        except (requests.RequestException, OSError, ValueError) as error:
            failures.append(f"{urlsplit(url).netloc or url}: {_reason(error)}")
        finally:
            aside.unlink(missing_ok=True)
    tried = "; ".join(failures) or "no address is known"
    raise FileNotFoundError(f"{path.name} could not be fetched ({tried}): put a copy into the folder {path.parent}")


def _reason(error: Exception) -> str:
    """A few words for a failed download, without the tower of causes that requests prints."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status is not None:
        return f"HTTP {status}"
    return str(error) if type(error) is ValueError else type(error).__name__


def _aside(path: Path) -> Path:
    """Where a file is written before ``os.replace`` moves it: in the same folder, so the move is one step."""
    return path.with_name(f".{path.name}.{os.getpid()}")


def write_whole(path: str | os.PathLike, content: bytes) -> None:
    """Write a file; an existing one is replaced at once or not at all.

    Args:
        path: The file to write; its folder must exist.
        content: All its bytes.
    """
    path = Path(path)
    temporary = _aside(path)
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def save_weights(path: str | os.PathLike, state_dict: Mapping[str, Tensor]) -> str:
    """Write weights as ``.safetensors``; an existing file is replaced at once or not at all.

    Equal weights give equal files, on whatever device and in whatever memory layout they were.

    Args:
        path: The file to write; its folder must exist.
        state_dict: Names and tensors, as ``module.state_dict()`` gives them.

    Returns:
        The sha256 of the file.

    Raises:
        FileNotFoundError: If the folder does not exist.
    """
    from safetensors.torch import save

    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"no such folder: {path.parent}")
    # A copy of each tensor: safetensors refuses tensors that share memory and layouts such as channels_last.
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in state_dict.items()}
    aside = _aside(path)
    try:
        aside.write_bytes(save(tensors))  # safetensors' own save_file makes a file that only its owner may read
        digest = sha256_file(aside)
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)
    return digest


def load_weights(path: str | os.PathLike, sha256: str | None = None) -> dict[str, Tensor]:
    """The tensors of a ``.safetensors`` file, on the CPU.

    Args:
        path: The file.
        sha256: The digest that the file must have.

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
