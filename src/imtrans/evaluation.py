"""Pictures through a network, and a score by the papers' protocols. Every score names its protocol.

========  ==============================  ===================================  ====================
protocol  low resolution made from        luma that is compared                used by
========  ==============================  ===================================  ====================
y8        8-bit Y; down and up unrounded  the answer, rounded                  SRCNN, VDSR, bicubic
rgb-y     8-bit RGB, 8-bit result         of the 8-bit RGB answer, unrounded   RDN, RCAN
rgb-y8    8-bit RGB, 8-bit result         of the 8-bit RGB answer, rounded     EDSR
y-double  RGB, unrounded                  unrounded                            DnCNN-3
========  ==============================  ===================================  ====================

They lie up to 0.09 dB apart on the same pictures. A picture with one channel is its own luma. Denoising has
``gray`` (one channel) and ``rgb``: noise in 8-bit levels, not clipped; the answer clipped and rounded; no
border. JPEG has ``y8``: 8-bit Y is encoded, the answer rounded; no border.
"""

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

import torch
from torch import Tensor, nn

from imtrans import images, metrics, restore
from imtrans.data import benchmarks, photos
from imtrans.degrade import bicubic_down, gaussian_noise, jpeg
from imtrans.images import modcrop, to_float, to_uint8
from imtrans.resize import imresize

NamedPicture = tuple[str, Tensor]

SUPER_RESOLUTION = ("y8", "rgb-y", "rgb-y8", "y-double")
DENOISING = ("gray", "rgb")
PROTOCOLS = {"scale": SUPER_RESOLUTION, "sigma": DENOISING, "quality": ("y8",)}  # by task, see `restore.tasks`


@dataclass(frozen=True)
class Row:
    """The score of one picture: PSNR in dB, infinite for equal pictures, and SSIM."""

    name: str
    psnr: float
    ssim: float


@dataclass(frozen=True)
class Evaluation:
    """The score of a network on a set of pictures.

    Attributes:
        model: Its name.
        protocol: The ruler.
        rows: A row a picture, sorted by name.
        border: Pixels left out at each side.
        scale: Of super-resolution, else None.
        sigma: Noise level in 8-bit levels, else None.
        quality: Of JPEG, else None.
    """

    model: str
    protocol: str
    rows: tuple[Row, ...]
    border: int
    scale: int | None = None
    sigma: float | None = None
    quality: int | None = None

    @property
    def psnr(self) -> float:
        """The mean of the pictures' PSNR: a mean of decibels, as in the papers."""
        return fmean(row.psnr for row in self.rows)

    @property
    def ssim(self) -> float:
        """The mean of the pictures' SSIM."""
        return fmean(row.ssim for row in self.rows)

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON, which has no infinity: the PSNR of equal pictures is None."""
        return {
            "model": self.model,
            "psnr": finite(self.psnr),
            "ssim": self.ssim,
            "protocol": self.protocol,
            "scale": self.scale,
            "sigma": self.sigma,
            "quality": self.quality,
            "border": self.border,
            "images": [{"name": row.name, "psnr": finite(row.psnr), "ssim": row.ssim} for row in self.rows],
        }

    def table(self) -> str:
        """A line a picture, the mean last, the ruler on top."""
        task = degradation(self.to_dict())
        width = max(len(row.name) for row in (*self.rows, Row("mean", 0, 0)))
        lines = [f"{self.model}, {task}, protocol {self.protocol}, border {self.border}"]
        lines.append(f"{'':{width}}  {'PSNR/dB':>8}  {'SSIM':>6}")
        for row in (*self.rows, Row("mean", self.psnr, self.ssim)):
            lines.append(f"{row.name:{width}}  {row.psnr:8.2f}  {row.ssim:6.4f}")
        return "\n".join(lines)


def finite(value: float) -> float | None:
    """``value``, or None where it is infinite."""
    return value if math.isfinite(value) else None


def degradation(score: Mapping[str, Any]) -> str:
    """What the pictures of a score went through, in words: ×3, σ = 25 or JPEG 10."""
    if score["scale"]:
        return f"×{score['scale']}"
    return f"JPEG {score['quality']}" if score.get("quality") else f"σ = {score['sigma']:g}"


def default_protocol(model: nn.Module, task: str | None = None) -> str:
    """By task: y8 for networks of luma and rgb-y for those of RGB; gray and rgb for denoising; y8 for JPEG.

    Args:
        model: A network.
        task: One of `restore.tasks`; None takes the first.
    """
    by_task = {"scale": ("y8", "rgb-y"), "sigma": ("gray", "rgb"), "quality": ("y8", "y8")}
    luma, rgb = by_task[task or restore.tasks(model)[0]]
    return luma if model.channels == 1 else rgb


def evaluate(
    model: nn.Module | Literal["bicubic", "input"],
    pictures: Sequence[NamedPicture],
    *,
    scale: int | None = None,
    sigma: float | None = None,
    quality: int | None = None,
    protocol: str | None = None,
    border: int | None = None,
    name: str | None = None,
    seed: int = 0,
    tile: int | None = None,
    self_ensemble: bool = False,
    save: str | os.PathLike | None = None,
    progress: bool = False,
) -> Evaluation:
    """Degrade clean pictures, let the network restore them, compare. Always in fp32.

    Args:
        model: A network, or a baseline: ``"bicubic"``, or ``"input"`` for the noisy picture or the JPEG as it is.
        pictures: (name, picture) with pictures (1, C, H, W) in [0, 1], C = 1 or 3.
        scale: Of super-resolution. May be left out where the network has just one.
        sigma: Noise level in 8-bit levels, for denoisers. May be left out where the network was trained for
            one, its attribute ``sigma``.
        quality: Of JPEG, for networks that know it.
        protocol: A ruler of the table above; None takes `default_protocol`.
        border: Pixels left out at each side; None takes the scale, or 0 without one.
        name: Of the network, for the table; None takes that of its class.
        seed: Of the noise; picture ``i`` by name has seed + i.
        tile: As for `restore.super_resolve`.
        self_ensemble: As for `restore.super_resolve`.
        save: A folder, made if it is missing, for the restored pictures: ``<picture>_<name>.png``, luma under
            y8.
        progress: Show a bar.

    Raises:
        ValueError: On an unknown protocol or one that does not suit the network, a scale, noise level or quality
            that is missing or wrong, no pictures, or a picture that is too small.
    """
    if model in ("bicubic", "input"):
        baseline = restore.Bicubic() if model == "bicubic" else restore.Untouched()
        model, name = baseline, name or model
    name = name or type(model).__name__
    if not pictures:
        raise ValueError("no pictures to evaluate on")
    task = _known_task(model, {"scale": scale, "sigma": sigma, "quality": quality})
    scale = restore.known_scale(model, scale) if task == "scale" else None
    sigma = _known_sigma(model, sigma) if task == "sigma" else None
    protocol = _check_protocol(model, task, protocol or default_protocol(model, task))
    border = (scale or 0) if border is None else border
    how: dict[str, Any] = {"tile": tile, "self_ensemble": self_ensemble}

    def restored(truth: Tensor, seed: int) -> Tensor:
        if task == "sigma":
            return restore.denoise(model, gaussian_noise(truth, sigma, seed), **how)
        if task == "quality":
            return restore.deblock(model, jpeg(compared(truth, protocol), quality), **how)
        low_res = _low_res(truth, scale, protocol)
        if isinstance(model, restore.Bicubic) and protocol.startswith("rgb"):
            # As MATLAB enlarges 8-bit pictures: rounded after each of its two passes.
            return to_float(imresize(to_uint8(low_res), scale))
        return restore.super_resolve(model, low_res, scale, **how)

    rows = []
    pictures = sorted(pictures, key=lambda pair: pair[0])
    with _fp32(model):
        for index, (stem, picture) in enumerate(_bar(pictures, name) if progress else pictures):
            if protocol == "gray" and picture.shape[1] != 1:
                raise ValueError(f"{stem} has {picture.shape[1]} channels; protocol gray wants 1, rgb takes any")
            try:
                truth = modcrop(picture, scale) if scale else to_float(to_uint8(picture))
                answer = restored(truth, seed + index)
                rows.append(score(stem, answer, truth, protocol=protocol, border=border))
            except ValueError as error:
                raise ValueError(f"{stem}: {error}") from None
            if save is not None:
                Path(save).mkdir(parents=True, exist_ok=True)
                images.write(Path(save) / f"{stem}_{name}.png", to_float(to_uint8(answer)))
    return Evaluation(name, protocol, tuple(rows), border, scale, sigma, quality)


def _known_task(model: nn.Module, given: dict[str, float | None]) -> str:
    asked = [task for task, value in given.items() if value is not None]
    able = restore.tasks(model)
    if len(asked) > 1 or not set(asked) <= set(able):
        raise ValueError(
            "a scale is for super-resolution, a noise level for denoising, a quality for JPEG: "
            f"this network takes a {' or a '.join(able)}, got {' and '.join(asked)}"
        )
    if not asked and len(able) > 1:
        raise ValueError(f"which task? this network takes one of {', '.join(able)}")
    return (asked or able)[0]


def _known_sigma(model: nn.Module, sigma: float | None) -> float:
    if sigma is None:
        sigma = getattr(model, "sigma", None)
    if sigma is None or isinstance(sigma, tuple):
        raise ValueError("which noise level? sigma in 8-bit levels, 25 for instance")
    if not 0 < sigma < math.inf:
        raise ValueError(f"the noise level must be above 0, got {sigma:g}")
    return sigma


def _check_protocol(model: nn.Module, task: str, protocol: str) -> str:
    known = PROTOCOLS[task]
    if protocol not in known:
        raise ValueError(f"no protocol {protocol!r} for this network: one of {', '.join(known)}")
    if protocol == "y8" and model.channels == 3:
        raise ValueError("protocol y8 shows luma alone, and this network wants RGB: rgb-y or rgb-y8")
    return protocol


def _low_res(picture: Tensor, scale: int, protocol: str) -> Tensor:
    """What a network of super-resolution gets of a clean picture whose sides divide by the scale."""
    if protocol == "y8":
        return bicubic_down(compared(picture, protocol), scale)
    if protocol == "y-double":
        return bicubic_down(picture, scale)
    return to_float(bicubic_down(to_uint8(picture), scale))


def compared(picture: Tensor, protocol: str) -> Tensor:
    """What of a picture a protocol compares: luma (N, 1, H, W), or all channels for denoising."""
    if protocol == "y-double":
        return metrics.luma(picture, rounded=False).clamp(0, 1)
    rounded = to_float(to_uint8(picture))
    if protocol in DENOISING:
        return rounded
    return metrics.luma(rounded, rounded=protocol != "rgb-y")


def score(name: str, answer: Tensor, truth: Tensor, *, protocol: str, border: int) -> Row:
    """PSNR and SSIM of one picture (1, C, H, W) against the truth; a picture of one channel is its own luma.

    Raises:
        ValueError: On an unknown protocol, different sizes, or what is smaller than the border and SSIM's 11
            pixels.
    """
    if protocol not in SUPER_RESOLUTION + DENOISING:
        raise ValueError(f"no protocol {protocol!r}: one of {', '.join(SUPER_RESOLUTION + DENOISING)}")
    pair = compared(answer, protocol), compared(truth, protocol)
    return Row(name, *(metric(*pair, border=border).item() for metric in (metrics.psnr, metrics.ssim)))


@contextmanager
def _fp32(model: nn.Module) -> Iterator[None]:
    """No autocast, no TF32: scores are computed in fp32 wherever they are computed."""
    low = {p.dtype for p in model.parameters()} - {torch.float32}
    if low:
        raise ValueError(f"scores are computed in float32, but the network is in {', '.join(map(str, low))}")
    on_gpu = any(p.is_cuda for p in model.parameters())
    exact = torch.backends.cudnn.flags(enabled=True, allow_tf32=False) if on_gpu else nullcontext()
    with torch.autocast("cuda" if on_gpu else "cpu", enabled=False), exact:
        yield


def _bar(pictures: list[NamedPicture], name: str):
    from tqdm.auto import tqdm

    return tqdm(pictures, name, leave=False)


def validator(
    *, scales: Sequence[int] = (), sigmas: Sequence[float] = (), qualities: Sequence[int] = (), size: int = 160
) -> Callable[[nn.Module], dict[str, float]]:
    """What `imtrans.training.fit` calls to see how far a network is, on pictures that no training sees.

    They are the ten of BSD500_test that are held out where that set is at hand, else the bundled validation
    photographs; the middle of each, so that a call takes seconds.

    Args:
        scales: Of super-resolution.
        sigmas: Noise levels, in 8-bit levels.
        qualities: Of JPEG.
        size: Side of the middle piece in pixels.

    Returns:
        Network → ``{"psnr": mean}``, with several conditions also ``"psnr_x2"``, ``"psnr_25"``, ``"psnr_q10"`` and so
        on, by the default protocol.
    """
    if benchmarks.locate("BSD500_test"):
        pictures = benchmarks.load("BSD500_test", held_out=True)
    else:
        pictures = [(photo.name, photo.picture) for photo in photos.photos("validation")]
    middle = [(name, _middle(picture, size)) for name, picture in pictures]
    gray = [(name, metrics.luma(picture, rounded=True)) for name, picture in middle] if sigmas else []

    def validate(model: nn.Module) -> dict[str, float]:
        noisy = gray if model.channels == 1 else middle
        each = {f"psnr_x{scale}": evaluate(model, middle, scale=scale).psnr for scale in scales}
        each |= {f"psnr_{sigma:g}": evaluate(model, noisy, sigma=sigma).psnr for sigma in sigmas}
        each |= {f"psnr_q{quality}": evaluate(model, middle, quality=quality).psnr for quality in qualities}
        return {"psnr": fmean(each.values()), **(each if len(each) > 1 else {})}

    return validate


def _middle(picture: Tensor, size: int) -> Tensor:
    height, width = picture.shape[-2:]
    top, left = max(0, height - size) // 2, max(0, width - size) // 2
    return picture[..., top : top + size, left : left + size].contiguous()


def levels(model: nn.Module) -> dict[str, tuple]:
    """What a network is measured at: its scales, the noise level it is for (15, 25, 50 if blind), JPEG 10 to 40."""
    able, sigma = restore.tasks(model), getattr(model, "sigma", None)
    sigmas = (15, 25, 50) if isinstance(sigma, tuple) else (sigma,)
    return {
        "scale": tuple(model.scales),
        "sigma": sigmas if "sigma" in able else (),
        "quality": (10, 20, 30, 40) if "quality" in able else (),
    }


def card_scores(model: nn.Module, *, progress: bool = False) -> list[dict[str, Any]]:
    """The scores of a network on the test sets at hand, as they stand on its card. Nothing is fetched.

    Set5, Set14 and B100 at each scale, by y8 for luma, by rgb-y and rgb-y8 for RGB; Set5 and Set14 by y-double for a
    network that takes off noise too, DnCNN-3. Set12 and BSD68 for denoisers, CBSD68 for those of RGB. Set5 and B100 for
    JPEG.
    """
    rgb = model.channels == 3
    many = len(restore.tasks(model)) > 1
    sets = {
        "scale": ("Set5", "Set14") if many else ("Set5", "Set14", "B100"),
        "sigma": ("CBSD68",) if rgb else ("Set12", "BSD68"),
        "quality": ("Set5", "B100"),
    }
    scores = []
    for task, values in levels(model).items():
        protocols = (default_protocol(model, task),)
        if task == "scale" and many:
            protocols = ("y-double",)
        elif task == "scale" and rgb:
            protocols = ("rgb-y", "rgb-y8")
        for name in sets[task]:
            if not (values and benchmarks.locate(name)):
                continue
            pictures = benchmarks.load(name)
            for value in values:
                for protocol in protocols:
                    how = {task: value, "protocol": protocol}
                    scores.append(
                        {"set": name} | _summary(evaluate(model, pictures, name=name, progress=progress, **how))
                    )
                    if task == "quality":
                        scores[-1]["input_psnr"] = round(evaluate("input", pictures, **how).psnr, 3)
    return scores


def _summary(result: Evaluation) -> dict[str, Any]:
    """What a card keeps of an evaluation."""
    ruler = {"scale": result.scale, "sigma": result.sigma, "protocol": result.protocol, "border": result.border}
    if result.quality is not None:
        ruler["quality"] = result.quality
    return ruler | {"psnr": round(result.psnr, 3), "ssim": round(result.ssim, 4)}
