"""Pictures through a network, and scores by the papers' protocols. Every score names its protocol.

    evaluate(zoo.load("srcnn-x3"), benchmarks.load("Set5"), Downscale(3)).psnr
    evaluate(zoo.load("dncnn-25"), benchmarks.load("Set12"), GaussianNoise(25)).table()

The protocols stand in `imtrans.protocols`, the metrics in `imtrans.metrics`.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Literal

import torch
from torch import Tensor, nn

from imtrans import restore
from imtrans.data.benchmarks import NamedPicture
from imtrans.degrade import Degradation
from imtrans.images import modcrop, to_float, to_uint8
from imtrans.metrics import METRICS
from imtrans.models.baselines import BASELINES
from imtrans.protocols import Protocol, default_protocol, find_protocol
from imtrans.resize import imresize


@dataclass(frozen=True)
class Row:
    """The scores of one picture.

    Attributes:
        name: Name of the picture.
        scores: One number per metric, under its key in `imtrans.metrics.METRICS`.
    """

    name: str
    scores: Mapping[str, float]

    @property
    def psnr(self) -> float:
        """The PSNR in dB, infinite for equal pictures."""
        return self.scores["psnr"]

    @property
    def ssim(self) -> float:
        """The SSIM."""
        return self.scores["ssim"]


@dataclass(frozen=True)
class Evaluation:
    """The scores of a network on a set of pictures.

    Attributes:
        model: Name of the network.
        degradation: What the pictures went through.
        protocol: Name of the protocol.
        border: Pixels left out at each side.
        rows: One row per picture, in the order of the pictures.
    """

    model: str
    degradation: Degradation
    protocol: str
    border: int
    rows: tuple[Row, ...]

    @property
    def scores(self) -> dict[str, float]:
        """The mean of each metric over the pictures: for PSNR a mean of decibels, as in the papers."""
        return {metric: fmean(row.scores[metric] for row in self.rows) for metric in self.rows[0].scores}

    @property
    def psnr(self) -> float:
        """The mean PSNR in dB."""
        return self.scores["psnr"]

    @property
    def ssim(self) -> float:
        """The mean SSIM."""
        return self.scores["ssim"]

    def to_dict(self) -> dict[str, Any]:
        """Content for JSON, which has no infinity: the PSNR of equal pictures is None."""
        return {
            "model": self.model,
            **none_if_infinite(self.scores),
            "protocol": self.protocol,
            **self.degradation.record(),
            "border": self.border,
            "images": [{"name": row.name, **none_if_infinite(row.scores)} for row in self.rows],
        }

    def table(self) -> str:
        """One line per picture, the mean last, the protocol on top."""
        rows = [*self.rows, Row("mean", self.scores)]
        width = max(len(row.name) for row in rows)
        lines = [f"{self.model}, {self.degradation}, protocol {self.protocol}, border {self.border}"]
        heads = [metric.name + f"/{metric.unit}" * bool(metric.unit) for metric in map(METRICS.get, self.scores)]
        lines.append("  ".join([" " * width, *(f"{head:>8}" for head in heads)]))
        for row in rows:
            numbers = (f"{value:8.{METRICS[key].decimals}f}" for key, value in row.scores.items())
            lines.append("  ".join([f"{row.name:{width}}", *numbers]))
        return "\n".join(lines)


def none_if_infinite(scores: Mapping[str, float]) -> dict[str, float | None]:
    """The same scores with None in place of infinity."""
    return {metric: value if math.isfinite(value) else None for metric, value in scores.items()}


def evaluate(
    model: nn.Module | Literal["bicubic", "input"],
    pictures: Iterable[NamedPicture],
    degradation: Degradation,
    *,
    protocol: str | None = None,
    border: int | None = None,
    metrics: Sequence[str] = ("psnr", "ssim"),
    name: str | None = None,
    seed: int = 0,
    tile: int | None = None,
    self_ensemble: bool = False,
    on_picture: Callable[[Row, Tensor], None] | None = None,
    progress: bool = False,
) -> Evaluation:
    """Degrade clean pictures, let the network restore them, compare. Always in fp32, one picture in memory at a time.

    Args:
        model: A network, or a baseline: ``"bicubic"``, or ``"input"`` for the noisy picture or the JPEG as it is.
        pictures: Pairs of name and picture (1, C, H, W) in [0, 1], C = 1 or 3; read as they are needed.
        degradation: What the pictures go through, ``Downscale(3)`` for instance.
        protocol: Name of a protocol; None takes `imtrans.protocols.default_protocol`.
        border: Pixels left out at each side; None takes the scale, or 0 without one.
        metrics: Keys of `imtrans.metrics.METRICS`.
        name: Name of the network, for the table; None takes that of its class.
        seed: Random seed of the degradation; picture number ``i`` has seed + i.
        tile: As for `restore.super_resolve`.
        self_ensemble: As for `restore.super_resolve`.
        on_picture: Called after each picture with its row and the result (1, C, H, W), clipped: luma under y8.
        progress: Show a bar.

    Raises:
        ValueError: On an unknown baseline, a protocol that is unknown or does not suit the network, a degradation that
            the network does not undo, no pictures, or a picture that is too small.
    """
    if isinstance(model, str):
        if model not in BASELINES:
            raise ValueError(f"no baseline {model!r}: there are {', '.join(BASELINES)} (networks: zoo.load)")
        model, name = BASELINES[model](), name or model
    name = name or type(model).__name__
    rules = _choose_protocol(model, degradation, protocol)
    scale = degradation.scale if degradation.task == "super-resolution" else None
    border = (scale or 0) if border is None else border
    rows: list[Row] = []
    with _fp32(model):
        for index, (stem, picture) in enumerate(_bar(pictures, name) if progress else pictures):
            if rules.name == "gray" and picture.shape[1] != 1:
                raise ValueError(f"{stem} has {picture.shape[1]} channels; protocol gray wants 1, rgb takes any")
            try:
                truth = modcrop(picture, scale) if scale else to_float(to_uint8(picture))
                observed = rules.observe(truth, degradation, seed + index)
                if rules.enlarges_8_bit and getattr(model, "interpolates", False):
                    result = to_float(imresize(to_uint8(observed), scale))
                else:
                    result = restore.restore(model, observed, degradation, tile=tile, self_ensemble=self_ensemble)
                rows.append(score_picture(stem, result, truth, protocol=rules.name, border=border, metrics=metrics))
            except ValueError as error:
                raise ValueError(f"{stem}: {error}") from None
            if on_picture is not None:
                on_picture(rows[-1], result.clamp(0, 1))
    if not rows:
        raise ValueError("no pictures to evaluate on")
    return Evaluation(name, degradation, rules.name, border, tuple(rows))


def score_picture(
    name: str,
    result: Tensor,
    truth: Tensor,
    *,
    protocol: str,
    border: int,
    metrics: Sequence[str] = ("psnr", "ssim"),
) -> Row:
    """The scores of one picture (1, C, H, W) against the truth; a picture of one channel is its own luma.

    Raises:
        ValueError: On an unknown protocol or metric, a result that is not finite, different sizes, or what is smaller
            than the border and SSIM's 11 pixels.
    """
    rules = find_protocol(protocol)
    if unknown := set(metrics) - METRICS.keys():
        raise ValueError(f"no metric {', '.join(sorted(unknown))}: there are {', '.join(METRICS)}")
    if not result.isfinite().all():
        raise ValueError("the result holds values that are not finite")
    pair = rules.comparable_channels(result), rules.comparable_channels(truth)
    return Row(name, {key: METRICS[key].function(*pair, border=border).item() for key in metrics})


def _choose_protocol(model: nn.Module, degradation: Degradation, name: str | None) -> Protocol:
    task = degradation.task
    restore.check_task(model, task)
    protocol = find_protocol(name or default_protocol(task, model.channels), task)
    if protocol.degrades_luma and model.channels == 3:
        raise ValueError(f"protocol {protocol.name} shows luma alone, and this network wants RGB: rgb-y or rgb-y8")
    return protocol


@contextmanager
def _fp32(model: nn.Module) -> Iterator[None]:
    """No autocast, no TF32 in convolutions: a network is in fp32 wherever its scores are computed."""
    low = {p.dtype for p in model.parameters()} - {torch.float32}
    if low:
        raise ValueError(f"scores are computed in float32, but the network is in {', '.join(map(str, low))}")
    on_gpu = any(p.is_cuda for p in model.parameters())
    exact = torch.backends.cudnn.flags(enabled=True, allow_tf32=False) if on_gpu else nullcontext()
    with torch.autocast("cuda" if on_gpu else "cpu", enabled=False), exact:
        yield


def _bar(pictures: Iterable[NamedPicture], name: str) -> Iterable[NamedPicture]:
    from tqdm.auto import tqdm

    return tqdm(pictures, name, leave=False)
