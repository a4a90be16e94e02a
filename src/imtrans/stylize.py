"""Style transfer: the content of one picture in the style of another.

    painting = stylize.gatys(photograph, artwork)
    painting = stylize.johnson(photograph, "strokes")
    painting = stylize.adain(photograph, artwork)

`gatys` descends on the pixels of the result, guided by the features of a network that never changes. Gatys, Ecker and
Bethge, "Image Style Transfer Using Convolutional Neural Networks", CVPR 2016.

`johnson` is one pass through a network that was trained for one style. Johnson, Alahi and Fei-Fei, "Perceptual Losses
for Real-Time Style Transfer and Super-Resolution", ECCV 2016.

`adain` is one pass through a network that was trained once, for all styles. Huang and Belongie, "Arbitrary Style
Transfer in Real-Time with Adaptive Instance Normalization", ICCV 2017.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imtrans import losses, zoo
from imtrans.images import check_picture
from imtrans.models import features
from imtrans.models.adain import AdaIN
from imtrans.models.adain import adain as adain_features
from imtrans.models.transform_network import StyleNetwork
from imtrans.resize import imresize

CONTENT = ("relu4_2",)
STYLE = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
RANGE = 2.0  # weight of pixels outside of [0, 1]: without it the optimum leaves the range by far
FIRST = 0.01  # root mean square of the change of the pixels in a plain gradient step
SMALLEST = 32  # pixels of a side: two are left behind four poolings
STARTS = ("content", "style", "noise")
OPTIMIZERS: dict[str, Callable[[list[Tensor]], torch.optim.Optimizer]] = {
    "lbfgs": lambda pixels: torch.optim.LBFGS(pixels, max_iter=1, tolerance_grad=0, tolerance_change=0),
    "adam": lambda pixels: torch.optim.Adam(pixels, lr=0.02),
}


@dataclass(frozen=True)
class Step:
    """The state of an optimisation at a step.

    Attributes:
        step: Number of the step, from 1, over all sizes.
        content: Content loss before the step, relative to the energy of the photograph's features.
        style: Style loss before the step, relative to the energy of the artwork's Gram matrices.
        picture: The pixels after the step, (1, 3, H, W); they may leave [0, 1] a little.
    """

    step: int
    content: float
    style: float
    picture: Tensor


class Unfinished(KeyboardInterrupt):
    """Ctrl-C during an optimisation.

    Attributes:
        picture: Picture so far, (1, 3, H, W) in [0, 1], at the size of the photograph.
    """

    def __init__(self, words: str, picture: Tensor) -> None:
        super().__init__(words)
        self.picture = picture


def gatys(
    content: Tensor,
    style: Tensor,
    *,
    network: nn.Module | None = None,
    content_layers: Sequence[str] = CONTENT,
    style_layers: Sequence[str] = STYLE,
    statistic: Callable[[Tensor], Tensor] = losses.gram_per_position,
    alpha: float = 0.05,
    beta: float = 1.0,
    smoothness: float = 0.02,
    steps: Sequence[int] | None = None,
    optimizer: str = "lbfgs",
    start: str | Tensor = "content",
    seed: int = 0,
    device: str | torch.device | None = None,
    on_step: Callable[[Step], None] | None = None,
    progress: bool = True,
) -> Tensor:
    """Paint a photograph in the style of an artwork, by optimisation of the pixels.

    min over x of α L_content(p, x) + β L_style(a, x). Both losses are divided by the energy of their target, so the
    scale and the number of a trunk's features drop out (out of the paper's sums they do not; `losses.content_loss` and
    `losses.style_loss` are those). Two small terms are ours: total variation, and a penalty on pixels outside of
    [0, 1].

    Args:
        content: Photograph p, (1, 3, H, W) in [0, 1].
        style: Artwork a, (1, 3, H', W') in [0, 1]. Its strokes get the size that they have here, in pixels.
        network: Feature network whose taps include all layers, see `features.load`; None loads the best trunk here.
        content_layers: Layers of the content loss, each with the same weight.
        style_layers: Layers of the style loss, each with the same weight w_l.
        statistic: What the style loss compares at a layer: a function of its features (1, C, H, W) that does not depend
            on their size.
        alpha: Weight α of the content loss; 0 leaves a texture without content.
        beta: Weight β of the style loss; 0 reconstructs the photograph from its features.
        smoothness: Weight of the total variation.
        steps: Number of steps per size, the coarsest first. Each size has twice the side of the one before it, and the
            last is that of ``content``: large shapes are found where they are small and cheap. None takes `schedule`.
        optimizer: "lbfgs", the paper's, or "adam".
        start: "content", "style" or "noise", or a picture (1, 3, H, W), which is resized.
        seed: Random seed of the noise.
        device: Device to compute on, to which the network is moved; None is the network's own.
        on_step: Function that gets each `Step`, for curves and frames.
        progress: Whether to show a bar.

    Returns:
        x, (1, 3, H, W) in [0, 1].

    Raises:
        ValueError: If a picture is no RGB picture or too small, or an option is not one of those named.
        FileNotFoundError: If there is no network at hand.
        FloatingPointError: If the loss is no longer finite.
        Unfinished: On Ctrl-C once there is a picture, with the picture so far.
    """
    from tqdm.auto import tqdm

    steps = schedule(content, style) if steps is None else steps
    _check(content, style, steps, optimizer, start)
    if not (alpha >= 0 and beta >= 0):
        raise ValueError(f"weights are 0 or more, got alpha {alpha:g} and beta {beta:g}")
    network = network or features.load(tuple(dict.fromkeys((*content_layers, *style_layers))))
    device = _device_of(network) if device is None else device
    network = network.to(device)
    pyramid = [Fraction(1, 2**k) for k in reversed(range(len(steps)))]
    bar = tqdm(total=sum(steps), desc="steps", disable=not progress or "CI" in os.environ)
    x, done = None, 0
    try:
        for factor, count in zip(pyramid, steps, strict=True):
            # The two pictures at this size, and what is wanted of x
            photograph, artwork = (_shrunk(picture.to(device), factor) for picture in (content, style))
            wanted = _Targets(network, photograph, artwork, content_layers, style_layers, statistic)
            x = _start(start, photograph, artwork, seed) if x is None else _enlarged(x, photograph)
            x = x.detach().clone(memory_format=torch.contiguous_format).requires_grad_()  # as L-BFGS wants it
            descent = OPTIMIZERS[optimizer]([x])
            errors: dict[str, Tensor] = {}

            def loss(x: Tensor = x, wanted: _Targets = wanted, errors: dict[str, Tensor] = errors) -> Tensor:
                errors["content"], errors["style"] = wanted.errors(x)
                total = alpha * errors["content"] + beta * errors["style"]
                return total + smoothness * losses.total_variation(x) + RANGE * losses.out_of_range(x)

            # L-BFGS descends by plain gradients until it meets positive curvature: these should have a sensible length
            (gradient,) = torch.autograd.grad(loss(), x)
            scale = FIRST / gradient.square().mean().sqrt().clamp(min=1e-12)

            def closure(descent=descent, loss=loss, scale=scale) -> Tensor:
                descent.zero_grad()
                value = scale * loss()
                value.backward()
                return value

            for _ in range(count):
                value = descent.step(closure)
                if not value.isfinite():
                    raise FloatingPointError("the loss is no longer finite: --optimizer adam takes smaller steps")
                done += 1
                bar.update()
                if on_step:
                    values = {name: error.item() for name, error in errors.items()}
                    on_step(Step(done, **values, picture=x.detach().cpu().clone()))
    except KeyboardInterrupt:
        if x is None:
            raise
        so_far = _enlarged(x, content).detach().clamp(0, 1).cpu()
        raise Unfinished(f" after {done} of {sum(steps)} steps", so_far) from None
    finally:
        bar.close()
    return x.detach().clamp(0, 1).cpu()


def johnson(content: Tensor, name: str, *, device: str | torch.device = "cpu") -> Tensor:
    """Paint a photograph in a style that a network was trained for, in one pass.

    Args:
        content: Photograph, (1, 3, H, W) in [0, 1], at least 16 pixels on each side. The strokes keep their width in
            pixels: in a larger photograph they are finer.
        name: Name of the style, one of `johnson_styles`.
        device: Device to compute on.

    Returns:
        (1, 3, H, W) in [0, 1].

    Raises:
        ValueError: If there is no network for this style, or the photograph is not RGB or too small.
        FileNotFoundError: If the network has no trained weights here yet.
    """
    if name not in (styles := johnson_styles()):
        raise ValueError(f"no network was trained for the style {name!r}: there are {', '.join(styles)}")
    _check_for_one_pass("content", content)
    with torch.no_grad():
        return zoo.load(f"johnson-{name}").to(device)(content.to(device)).clamp(0, 1).cpu()


def johnson_styles() -> list[str]:
    """The styles that the registry has a network for, trained or not."""
    return [
        name.removeprefix("johnson-") for name, entry in zoo.OTHERS.items() if entry.architecture == StyleNetwork.small
    ]


def schedule(content: Tensor, style: Tensor, coarsest: int = 96, steps: int = 160) -> tuple[int, ...]:
    """How many steps `gatys` takes per size: half as many with each doubling, so that each size costs twice the last.

    Args:
        content: The photograph, (1, 3, H, W).
        style: The artwork, (1, 3, H', W'); it shrinks along, and has to keep the pixels that the network needs.
        coarsest: Smallest shorter side of the photograph in pixels.
        steps: Number of steps at the coarsest size.

    Raises:
        ValueError: If that is less than one.
    """
    if steps < 1:
        raise ValueError(f"wanted at least one step, got {steps}")
    sizes = 1
    while min(content.shape[-2:]) >= coarsest * 2**sizes and min(style.shape[-2:]) >= SMALLEST * 2**sizes:
        sizes += 1
    return tuple(max(1, steps // 2**k) for k in range(sizes))


@torch.no_grad()
def adain(
    content: Tensor,
    style: Tensor | Sequence[Tensor],
    *,
    network: AdaIN | None = None,
    alpha: float = 1.0,
    weights: Sequence[float] | None = None,
    masks: Sequence[Tensor] | None = None,
    keep_colors: bool = False,
    device: str | torch.device | None = None,
) -> Tensor:
    """Paint a photograph in the style of one or several pictures, in one pass.

    Args:
        content: Photograph, (1, 3, H, W) in [0, 1], at least 16 pixels on each side.
        style: Style picture, (1, 3, H', W') in [0, 1], or several of any sizes.
        network: Encoder and decoder; None loads the ones that ship.
        alpha: Strength of the style: 0 returns the photograph as the decoder reconstructs it, 1 is full strength.
        weights: Weights of the styles, divided by their sum; None gives all the same.
        masks: Where each style belongs, (1, 1, H, W) in [0, 1] each: statistics of the content are then those of the
            region. Divided by their sum at each position, so they should leave no position out.
        keep_colors: Whether the colours of the photograph stay: each style picture is brought to them first, see
            `match_colors`.
        device: Device to compute on, to which the network is moved; None is the network's own.

    Returns:
        (1, 3, H, W) in [0, 1].

    Raises:
        ValueError: If a picture is no RGB picture or too small, or there is not one weight or mask per style.
        FileNotFoundError: If the network has no trained weights here.
    """
    styles = [style] if isinstance(style, Tensor) else list(style)
    _check_regions(content, styles, weights, masks)
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha lies between 0 (the photograph) and 1 (the style), got {alpha:g}")
    network = zoo.load("adain") if network is None else network
    device = _device_of(network) if device is None else device
    network = network.to(device)
    if keep_colors:
        styles = [match_colors(each, content) for each in styles]

    height, width = content.shape[-2:]
    padded = F.pad(content.to(device), (0, -width % 8, 0, -height % 8), mode="reflect")
    x = network.encode(padded)
    regions = [x.new_full((1, 1, *x.shape[-2:]), weight) for weight in weights or [1.0] * len(styles)]
    if masks is not None:
        sides = {"pad": (0, -width % 8, 0, -height % 8), "mode": "replicate"}
        regions = [
            region * F.adaptive_avg_pool2d(F.pad(mask.to(x), **sides), x.shape[-2:])
            for region, mask in zip(regions, masks, strict=True)
        ]
    total = sum(regions)
    if not total.min() > 0:
        raise ValueError("weights and masks leave a position of the picture without a style")
    target = sum(
        region / total * adain_features(x, network.encode(each.to(device)), region=region)
        for region, each in zip(regions, styles, strict=True)
        if region.max() > 0
    )
    picture = network.decoder(torch.lerp(x, target, alpha))
    return picture[..., :height, :width].clamp(0, 1).cpu()


def _device_of(network: nn.Module) -> torch.device:
    return next((parameter.device for parameter in network.parameters()), torch.device("cpu"))


def match_colors(style: Tensor, content: Tensor) -> Tensor:
    """The style picture with mean and covariance of the content's colours (CORAL): x ↦ Σ_c^½ Σ_s^−½ (x − μ_s) + μ_c.

    Args:
        style: (1, 3, H', W') in [0, 1].
        content: (1, 3, H, W) in [0, 1].

    Returns:
        (1, 3, H', W'), clipped to [0, 1].
    """
    colors, wanted = (picture[0].flatten(1).double() for picture in (style, content))
    ours, theirs = (torch.cov(x) + 1e-5 * torch.eye(3).to(x) for x in (colors, wanted))
    matrix = _power(theirs, 0.5) @ _power(ours, -0.5)
    matched = matrix @ (colors - colors.mean(dim=1, keepdim=True)) + wanted.mean(dim=1, keepdim=True)
    return matched.to(style.dtype).view(style.shape).clamp(0, 1)


def _power(matrix: Tensor, exponent: float) -> Tensor:
    """A power of a symmetric positive matrix."""
    values, vectors = torch.linalg.eigh(matrix)
    return vectors @ torch.diag(values**exponent) @ vectors.T


def _check_regions(
    content: Tensor, styles: Sequence[Tensor], weights: Sequence[float] | None, masks: Sequence[Tensor] | None
) -> None:
    for name, picture in [("content", content), *(("style", each) for each in styles)]:
        _check_for_one_pass(name, picture)
    for name, given in (("weight", weights), ("mask", masks)):
        if given is not None and len(given) != len(styles):
            raise ValueError(f"wanted one {name} per style, got {len(given)} for {len(styles)}")
    if not styles or (weights is not None and (min(weights) < 0 or sum(weights) <= 0)):
        raise ValueError("wanted at least one style, and weights of 0 or more that are not all 0")
    for mask in masks or ():
        if mask.shape != (1, 1, *content.shape[-2:]):
            raise ValueError(f"wanted masks (1, 1, H, W) of the content's size, got {tuple(mask.shape)}")


class _Targets:
    """What is wanted of a picture: features of the photograph, Gram matrices or other statistics of the artwork."""

    def __init__(
        self,
        network: nn.Module,
        photograph: Tensor,
        artwork: Tensor,
        content_layers: Sequence[str],
        style_layers: Sequence[str],
        statistic: Callable[[Tensor], Tensor],
    ) -> None:
        self.network, self.statistic = network, statistic
        with torch.no_grad():
            of_photograph, of_artwork = network(photograph), network(artwork)
        self.content = {layer: of_photograph[layer] for layer in content_layers}
        self.style = {layer: statistic(of_artwork[layer]) for layer in style_layers}

    def errors(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Relative content and style error, each a mean over its layers."""
        found = self.network(x)
        content = [losses.relative_error(found[layer], target) for layer, target in self.content.items()]
        style = [losses.relative_error(self.statistic(found[layer]), target) for layer, target in self.style.items()]
        return tuple(torch.stack(errors).mean() if errors else x.new_zeros(()) for errors in (content, style))


def _start(start: str | Tensor, photograph: Tensor, artwork: Tensor, seed: int) -> Tensor:
    """The first picture, of the photograph's size."""
    if isinstance(start, Tensor):
        return F.interpolate(start.to(photograph), photograph.shape[-2:], mode="bicubic", antialias=True)
    if start == "content":
        return photograph
    if start == "style":
        return F.interpolate(artwork, photograph.shape[-2:], mode="bicubic", antialias=True)
    noise = torch.randn(photograph.shape, generator=torch.Generator().manual_seed(seed))
    return (0.5 + 0.1 * noise).to(photograph)


def _shrunk(picture: Tensor, factor: Fraction) -> Tensor:
    return picture if factor == 1 else imresize(picture, factor)


def _enlarged(x: Tensor, to: Tensor) -> Tensor:
    """x at the size of another picture, whose sides are those of x times a power of two, or a pixel less."""
    while x.shape[-1] < to.shape[-1]:
        x = imresize(x, 2)
    return x[..., : to.shape[-2], : to.shape[-1]]


def _check(content: Tensor, style: Tensor, steps: Sequence[int], optimizer: str, start: str | Tensor) -> None:
    for name, picture in (("content", content), ("style", style)):
        _check_picture(name, picture)
        smallest = SMALLEST * 2 ** (len(steps) - 1)
        if min(picture.shape[-2:]) < smallest:
            height, width = picture.shape[-2:]
            raise ValueError(
                f"{name}: {width}×{height} pixels are too few: {smallest} at least, as there are {len(steps)} sizes"
            )
    if not steps or min(steps) < 1:
        raise ValueError(f"wanted at least one step per size, got {list(steps)}")
    if optimizer not in OPTIMIZERS:
        raise ValueError(f"the optimisers are {', '.join(OPTIMIZERS)}, not {optimizer!r}")
    if isinstance(start, str) and start not in STARTS:
        raise ValueError(f"a start is {', '.join(STARTS)} or a picture, not {start!r}")


def _check_for_one_pass(name: str, picture: Tensor) -> None:
    _check_picture(name, picture)
    if min(picture.shape[-2:]) < 16:
        height, width = picture.shape[-2:]
        raise ValueError(f"{name}: {width}×{height} pixels are too few: 16 at least")


def _check_picture(name: str, picture: Tensor) -> None:
    check_picture(picture, name)
    if picture.shape[:2] != (1, 3):
        raise ValueError(f"{name}: wanted one RGB picture (1, 3, H, W), got shape {tuple(picture.shape)}")
