"""The command that paints a picture in a style; a method is one function and one row of `METHODS`."""

import dataclasses
import difflib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from torch import Tensor
from tyro.conf import arg

from imtrans import hardware, images, zoo
from imtrans import stylize as methods
from imtrans.cli.files import In, Out, note, read_for, write
from imtrans.data.styles import STYLES
from imtrans.models import adain, features
from imtrans.resize import to_side


@dataclass(frozen=True)
class Options:
    """The options of the command that some method uses; None leaves the method its own value."""

    style_side: int | None = None
    alpha: float | None = None
    steps: int | None = None
    start: str = "content"
    optimizer: str = "lbfgs"
    trunk: str | None = None
    seed: int = 0
    weights: tuple[float, ...] | None = None
    keep_colors: bool = False


def by_gatys(content: Tensor, style: str, options: Options) -> Tensor:
    """Optimise the pixels.

    Args:
        content: Photograph (1, 3, H, W).
        style: File or name of the style picture.
        options: Options of the command.
    """
    artwork = to_side(read_style(style), options.style_side or max(content.shape[-2:]))
    network = features.load((*methods.STYLE, *methods.CONTENT), options.trunk, fetch=True)
    chosen = {"alpha": options.alpha} if options.alpha is not None else {}
    schedule = methods.schedule(content, artwork, **({"steps": options.steps} if options.steps is not None else {}))
    how = {"start": options.start, "optimizer": options.optimizer, "seed": options.seed} | chosen
    notice = f"features: {network.about}"
    try:
        painted = methods.gatys(content, artwork, network=network, steps=schedule, device=hardware.best_device(), **how)
    except methods.Unfinished:
        note(notice)
        raise
    note(notice)
    return painted


def by_johnson(content: Tensor, style: str, options: Options) -> Tensor:
    """One pass through the network of a style.

    Args:
        content: Photograph (1, 3, H, W).
        style: Name of the style.
        options: Options of the command; none of them concerns this method.
    """
    return methods.johnson(content, style, device=hardware.best_device())


def by_adain(content: Tensor, style: str, options: Options) -> Tensor:
    """One pass through a network that was trained once, for all styles.

    Args:
        content: Photograph (1, 3, H, W).
        style: Files or names of style pictures with a comma between them.
        options: Options of the command.

    Raises:
        ValueError: If another trunk is asked for than the two that have a decoder.
    """
    if options.trunk not in (None, "small", "pair"):
        raise ValueError(f"--method adain has decoders for the trunks small and pair, not for {options.trunk}")
    network = adain.pair() if options.trunk == "pair" else zoo.load("adain")
    side = options.style_side or max(content.shape[-2:])
    painted = methods.adain(
        content,
        [to_side(read_style(name), side) for name in style.split(",")],
        network=network,
        alpha=1.0 if options.alpha is None else options.alpha,
        weights=options.weights,
        keep_colors=options.keep_colors,
        device=hardware.best_device(),
    )
    note(f"features: {network.about}")
    return painted


METHODS: dict[str, tuple[Callable[[Tensor, str, Options], Tensor], set[str]]] = {  # and the options that it uses
    "gatys": (by_gatys, {"style_side", "alpha", "steps", "start", "optimizer", "trunk", "seed"}),
    "johnson": (by_johnson, set()),
    "adain": (by_adain, {"style_side", "alpha", "trunk", "weights", "keep_colors"}),
}
# Names for the help; plain ones, which the reference of the book can parse.
Method = Literal[tuple(METHODS)]
Start = Literal[tuple(methods.STARTS)]
OptimizerName = Literal[tuple(methods.OPTIMIZERS)]
Trunk = Literal[(*features.TRUNKS, "pair")]


def stylize(
    content: In,
    style: Annotated[str, arg(metavar="STYLE")],
    target: Out,
    /,
    *,
    method: Method = "gatys",
    max_side: int = 512,
    style_side: int | None = None,
    alpha: float | None = None,
    steps: int | None = None,
    start: Start = "content",
    optimizer: OptimizerName = "lbfgs",
    trunk: Annotated[Trunk | None, arg(aliases=("--features",))] = None,
    seed: int = 0,
    weights: tuple[float, ...] | None = None,
    keep_colors: bool = False,
    force: bool = False,
) -> None:
    """Paint a picture in the style of another one.

    gatys optimises the pixels, by the features of a VGG network: some minutes for 512 pixels on a CPU. Ctrl-C stops
    early and saves the current result. johnson is one pass through a network that was trained for one style, which
    STYLE names: strokes, glass, starry-night or shipwreck; some seconds. adain
    is one pass through a network that was trained once for all styles: about a second.

    Args:
        content: Picture to paint.
        style: Picture whose style is taken, or the name of one that is drawn by code: strokes, glass. adain: several
            with a comma between them are mixed.
        target: File to write; its suffix gives the format.
        method: How it is done.
        max_side: Shrink IN first, so that its longer side has at most so many pixels.
        style_side: Longer side in pixels that STYLE is brought to, by default that of IN: smaller means finer strokes.
        alpha: gatys: weight of the content; higher keeps more of IN. adain: strength of the style, 0 to 1.
        steps: gatys: number of steps at the coarsest size; each larger size takes half as many.
        start: gatys: the picture to start from.
        optimizer: gatys: the optimiser.
        trunk: Feature network, see the notice. gatys: by default VGG-19 where it is on this machine, else the hybrid,
            which is fetched (6 MB), or, offline, the small one that ships. adain: small or pair.
        seed: Random seed of the noise of --start noise.
        weights: adain: weights of the styles, by default all the same.
        keep_colors: adain: keep the colours of IN.
        force: Overwrite an existing file, IN for instance.
    """
    options = Options(style_side, alpha, steps, start, optimizer, trunk, seed, weights, keep_colors)
    paint, used = METHODS[method]
    for field in dataclasses.fields(Options):
        if field.name not in used and getattr(options, field.name) != field.default:
            raise ValueError(f"--{field.name.replace('_', '-')} means nothing to --method {method}")
    picture, transparency = read_for(content, target, force)
    if max_side < 1 or (style_side is not None and style_side < 1):
        raise ValueError(f"a side has at least one pixel, got {min(max_side, style_side or max_side)}")
    if max(picture.shape[-2:]) > max_side:
        picture, transparency = (x if x is None else to_side(x, max_side) for x in (picture, transparency))
    try:
        painted = paint(picture.expand(1, 3, -1, -1), style, options)
    except methods.Unfinished as stop:
        write(target, stop.picture, transparency, content)
        raise KeyboardInterrupt(f"{stop}; {target} holds the result so far") from None
    write(target, painted, transparency, content)


def read_style(style: str) -> Tensor:
    """A style picture (1, 3, H, W), by the name of one that is drawn by code, or from a file.

    Args:
        style: Name or path.

    Raises:
        FileNotFoundError: If it is neither.
        ValueError: If the file is not a picture.
    """
    if style in STYLES:
        return STYLES[style]()
    if not Path(style).exists():
        near = difflib.get_close_matches(style, STYLES)
        raise FileNotFoundError(f"no such picture: {style} (drawn by code are {', '.join(near or STYLES)})")
    picture = images.read(style, alpha=True)
    if picture.shape[1] in (2, 4):
        picture = images.fill_transparent(picture[:, :-1], picture[:, -1:])
    return picture.expand(1, 3, -1, -1)
