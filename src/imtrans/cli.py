"""The command line: ``imtrans COMMAND --help``.

Plain functions; tyro reads the options from their signatures and the help from their docstrings. What the
package raises about bad input becomes one line on stderr and exit status 2, in `main` and nowhere else. Any
other exception is a fault of ours and keeps its traceback.
"""

import dataclasses
import json
import math
import os
import sys
import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import torch.nn.functional as F
import tyro
from torch import Tensor, nn
from tyro.conf import Positional, UseAppendAction, arg

from imtrans import assets, evaluation, hardware, images, restore, zoo
from imtrans import prior as dip
from imtrans.data import benchmarks
from imtrans.degrade import lanczos_down
from imtrans.models.dncnn import DnCNN, merged
from imtrans.models.vdsr import VDSR
from imtrans.recipes import RECIPES
from imtrans.resize import imresize
from imtrans.training import fit, scaled

ENOUGH = 0.05  # dB that new weights must gain on the validation pictures before `publish` takes them

In = Annotated[Path, arg(metavar="IN")]
Out = Annotated[Path, arg(metavar="OUT")]
Data = Annotated[Path, arg(metavar="DIR")]


def super_resolve(
    source: In,
    target: Out,
    /,
    *,
    model: str,
    scale: int | None = None,
    tile: int = 512,
    self_ensemble: bool = False,
    force: bool = False,
) -> None:
    """Enlarge a picture.

    Gray stays gray, transparency is kept and enlarged by bicubic, EXIF rotation is applied. The
    result has 8 bits.

    Args:
        source: The picture to enlarge.
        target: The file to write; its suffix gives the format.
        model: A name from `imtrans models`, bicubic, or a .safetensors file with its card beside it.
        scale: May be left out where the network has just one.
        tile: Side of the pieces that a large picture is cut into, in pixels of what the network gets. It
            limits the memory and does not change the result.
        self_ensemble: The mean over the eight flips and rotations; eight times as long.
        force: Overwrite an existing file, IN for instance.
    """
    network = _network(model)
    picture, alpha = _read_for(source, target, force)
    scale = restore.known_scale(network, scale)
    large = restore.super_resolve(network, picture, scale, tile=tile, self_ensemble=self_ensemble)
    _write(target, large, None if alpha is None else imresize(alpha, scale))


def denoise(
    source: In,
    target: Out,
    /,
    *,
    sigma: float | Literal["blind"] = "blind",
    model: str | None = None,
    tile: int = 512,
    force: bool = False,
) -> None:
    """Take the noise off a picture.

    It goes through dncnn-15, -25 or -50 if that is its noise level, else through dncnn-blind; the channels of a colour
    picture each on its own, or together through cdncnn-blind where its weights are there.

    Args:
        source: The noisy picture.
        target: The file to write; its suffix gives the format.
        sigma: Noise level in 8-bit levels, where it is known.
        model: Another network, in place of the choice by --sigma: a name from `imtrans models`, or a .safetensors
            file with its card beside it.
        tile: Side of the pieces that a large picture is cut into.
        force: Overwrite an existing file, IN for instance.
    """
    if model is not None and sigma != "blind":
        raise ValueError(f"--sigma chooses the network, --model {model} does so too: give one of them")
    picture, alpha = _read_for(source, target, force)
    network = _network(model or _denoiser(sigma, picture.shape[1]))
    clean = restore.denoise(network, picture, tile=tile)
    _write(target, clean, alpha)


def deblock(source: In, target: Out, /, *, model: str = "dncnn-3", tile: int = 512, force: bool = False) -> None:
    """Take the traces of JPEG off a picture: blocks, and ringing at edges.

    Luma goes through the network, the colours stay as they were decoded.

    Args:
        source: A JPEG file, or a picture that was one.
        target: The file to write; its suffix gives the format.
        model: A name from `imtrans models`, or a .safetensors file with its card beside it.
        tile: Side of the pieces that a large picture is cut into.
        force: Overwrite an existing file, IN for instance.
    """
    network = _network(model)
    picture, alpha = _read_for(source, target, force)
    _write(target, restore.deblock(network, picture, tile=tile), alpha)


def prior(
    source: In,
    target: Out,
    /,
    *,
    task: Literal["denoise", "inpaint", "super-resolve"],
    mask: Path | None = None,
    invert_mask: bool = False,
    scale: Literal[2, 4, 8] = 4,
    iterations: int | None = None,
    max_side: int | None = None,
    seed: int = 0,
    force: bool = False,
) -> None:
    """Restore a picture by the deep image prior: a network that is fitted to this one picture, and to no other.

    That takes minutes to hours. Ctrl-C ends it and writes what stands. Noise is taken off until the outputs change
    least; the other tasks run for all their iterations.

    Args:
        source: The damaged picture.
        target: The file to write; its suffix gives the format.
        task: What the damage is.
        mask: To inpaint: a picture of the same size, white where IN is to be filled in.
        invert_mask: Black is to be filled in.
        scale: To super-resolve: 2, 4 or 8.
        iterations: At most so many, in place of the paper's.
        max_side: Shrink IN first, so that its longer side has at most so many pixels.
        seed: Of weights and noise: another seed gives a slightly different picture.
        force: Overwrite an existing file, IN for instance.
    """
    device = hardware.best_device()
    picture, alpha = _read_for(source, target, force)
    known = _known(mask, invert_mask, picture, task)
    if max_side is not None and max(picture.shape[-2:]) > max_side:
        side = max_side * scale if task == "super-resolve" else max_side
        if side < 33:
            raise ValueError(f"the hourglass needs at least 33 pixels a side, --max-side {max_side} leaves {side}")
        # The largest factor that `imresize` takes: a fraction with a denominator up to 100.
        factor = max(Fraction(max_side * d // max(picture.shape[-2:]), d) for d in range(1, 101))
        if not factor:
            raise ValueError(f"--max-side {max_side} is less than a hundredth of {max(picture.shape[-2:])} pixels")
        picture, alpha = (x if x is None else imresize(x, factor).clamp(0, 1) for x in (picture, alpha))
        known = None if known is None else _still_known(known, factor, picture.shape[-2:])
        if known is not None and not known.any():
            raise ValueError(f"what is known lies so scattered that --max-side {max_side} leaves no pixel of it")
    how: dict[str, Any] = {"seed": seed, "device": device, "autocast": True}
    height, width = picture.shape[-2:]
    stop = None
    if task == "denoise":
        settings, stop = dip.denoising(), dip.LeastVariance()
    elif task == "inpaint":
        settings = dip.hole_filling() if dip.holds_a_hole(known) else dip.inpainting()
        how["mask"] = known
    else:
        settings = dip.super_resolution(scale)
        height, width = scale * height, scale * width
        how |= {"degrade": partial(lanczos_down, scale=scale), "size": (height, width)}
        alpha = None if alpha is None else imresize(alpha, scale)
    iterations = settings.iterations if iterations is None else iterations
    if iterations < 1:
        raise ValueError(f"at least one iteration, got {iterations}")
    _announce(picture, settings, iterations, (height, width), how)
    fitted = dip.restore(picture, settings, iterations=iterations, stop=stop, keep_on_interrupt=True, **how)
    restored = fitted.picture if task != "inpaint" else known * picture + (1 - known) * fitted.picture
    _write(target, restored, alpha)
    if len(fitted.losses) < iterations and not (stop and stop.done):
        sys.exit(_stopped(f" after {len(fitted.losses):,} of {iterations:,} iterations; {target} holds what stood"))


def evaluate(
    model: Annotated[str, arg(metavar="MODEL")],
    /,
    *,
    data: Data,
    scale: int | None = None,
    sigma: float | None = None,
    quality: int | None = None,
    protocol: str | None = None,
    self_ensemble: bool = False,
    json: bool = False,
    save: Path | None = None,
) -> None:
    """Score a network on a folder of clean pictures, by a paper's protocol.

    Args:
        model: A name from `imtrans models`, a .safetensors file with its card beside it, bicubic, or input: the
            noisy picture or the JPEG as it is.
        data: The folder.
        scale: Of super-resolution; may be left out where the network has just one.
        sigma: Noise level in 8-bit levels; may be left out where the network was trained for one.
        quality: Of JPEG, 1 to 100.
        protocol: y8, rgb-y, rgb-y8 or y-double; gray or rgb for denoising.
        self_ensemble: The mean over the eight flips and rotations.
        json: Print JSON, a row an image.
        save: Keep the restored pictures in this folder.
    """
    network = _network(model)
    pictures = benchmarks.load_folder(data)
    if save is not None and save.resolve() == data.resolve():
        raise ValueError(f"{save} holds the clean pictures: keep the restored ones in another folder")
    result = evaluation.evaluate(
        network,
        pictures,
        scale=scale,
        sigma=sigma,
        quality=quality,
        protocol=protocol,
        name=Path(model).name.removesuffix(".safetensors"),
        self_ensemble=self_ensemble,
        save=save,
        progress=sys.stderr.isatty(),
    )
    print(_json(result.to_dict()) if json else result.table())


def compare(
    a: Annotated[Path, arg(metavar="A")],
    b: Annotated[Path, arg(metavar="B")],
    /,
    *,
    protocol: str = "y8",
    border: int = 0,
    json: bool = False,
) -> None:
    """PSNR and SSIM of two pictures of the same size.

    Args:
        a: A picture.
        b: Another.
        protocol: y8 and rgb-y8 compare luma in 8 bits, rgb-y and y-double unrounded luma, rgb and gray all
            channels.
        border: Pixels left out at each side.
        json: Print JSON.
    """
    row = evaluation.score(a.name, images.read(a), images.read(b), protocol=protocol, border=border)
    if json:
        print(
            _json(
                {
                    "psnr": evaluation.finite(row.psnr),
                    "ssim": row.ssim,
                    "protocol": protocol,
                    "border": border,
                }
            )
        )
    else:
        print(f"PSNR {row.psnr:.2f} dB, SSIM {row.ssim:.4f} (protocol {protocol}, border {border})")


def train(
    recipes: Positional[tuple[str, ...]],
    *,
    budget: str = "quick",
    seconds: float | None = None,
    steps: int | None = None,
    rate: float | None = None,
    data: Annotated[UseAppendAction[tuple[Path, ...]], arg(metavar="DIR")] = (),
    resume: bool = False,
    from_: Annotated[str | None, arg(name="from", metavar="NAME|FILE")] = None,
    seed: int | None = None,
    device: Literal["cpu"] | None = None,
) -> None:
    """Train networks by their recipes, one after the other.

    A run keeps its checkpoint, and at its end weights, card and log, in the folder RECIPE-BUDGET among the
    runs (IMTRANS_RUNS).

    Args:
        recipes: Names of recipes, srcnn-x3 for instance.
        budget: quick, class, full or paper.
        seconds: Stop each run after so long, with a checkpoint; --resume goes on.
        steps: Another length of the schedule.
        rate: A factor on all learning rates: below 1 to polish weights that --from names.
        data: A folder of pictures in place of the budget's own. May be repeated.
        resume: Go on from the checkpoint, with the same options; start where there is none. A finished run of
            the same steps and seed is passed over.
        from_: Start from these weights, with a fresh schedule. With --resume a checkpoint goes first.
        seed: Of initialisation, samples and noise.
        device: cpu, or the best at hand.
    """
    if not recipes:
        raise ValueError(f"which recipe? {', '.join(RECIPES)}")
    for name in recipes:
        if name not in RECIPES:
            raise ValueError(f"no recipe is called {name!r}: {zoo.near(name, RECIPES)}")
    options = {"steps": steps, "rate": rate, "seed": seed, "data": [str(folder.absolute()) for folder in data]}
    for name in recipes:
        _train(name, budget, options, resume=resume, start=from_, seconds=seconds, device=device)


def models() -> None:
    """List the trained networks and what they reach."""
    for name in zoo.MODELS:
        try:
            card = zoo.card(name)
        except FileNotFoundError:
            print(f"{name:18} not trained here yet: imtrans train {name}")
            continue
        print(f"{name:18} {card['parameters']:>11,} parameters, {'; '.join(card['data'])}")
        if "note" in card:
            print(f"{'':18} {card['note']}")
        for score in card["scores"]:
            task = evaluation.degradation(score)
            ruler = f"protocol {score['protocol']}, border {score['border']}"
            print(f"{'':18} {score['set']:>8} {task:7} {score['psnr']:6.2f} dB  {score['ssim']:.4f}  {ruler}")


def data_list() -> None:
    """List the benchmark sets: what they are, their licence, and where they lie."""
    for name, benchmark in benchmarks.SETS.items():
        print(f"{name}: {benchmark.about}")
        print(f"  {len(benchmark.pictures)} pictures · licence: {benchmark.licence}")
        print(f"  {_place(name)}")


def data_fetch(name: Positional[str]) -> None:
    """Find a benchmark set, or fetch it into the user's cache, and verify its pixels.

    Args:
        name: Of the set, Set5 for instance.
    """
    benchmarks.load(name)
    print(f"{benchmarks.find(name)} (licence: {benchmarks.SETS[name].licence})")


def data_where(name: Positional[str | None] = None) -> None:
    """Say where a benchmark set lies, or all of them. Nothing is fetched.

    Args:
        name: Of the set.
    """
    if name is None:
        for each in benchmarks.SETS:
            print(f"{each}: {_place(each)}")
    else:
        folder = benchmarks.locate(name)
        if folder is None:
            raise FileNotFoundError(f"{name} is not on this machine: imtrans data fetch {name}")
        print(folder)


def publish(name: Positional[str], *, budget: str = "full", force: bool = False, note: str | None = None) -> None:
    """Score what a run has made, and take it into the package if it is better than what is there.

    The scores of the card are those on the test sets at hand. What decides is the validation, on pictures
    held out.

    Args:
        name: Of the recipe.
        budget: Of the run.
        force: Take it even if it gains less than 0.05 dB.
        note: What a user of the weights should know, for the card: that they miss a goal, for instance.
    """
    if name not in RECIPES:
        raise ValueError(f"no recipe is called {name!r}: {zoo.near(name, RECIPES)}")
    folder = _run_folder(name, budget)
    weights = folder / f"{name}.safetensors"
    if not weights.exists():
        raise FileNotFoundError(f"{folder} holds no weights: imtrans train {name} --budget {budget} makes them")
    network = zoo.load(weights).to(memory_format=torch.channels_last)  # a quarter less time, on a CPU too
    validate = _validator(network)
    new = validate(network)
    if name in zoo.names():
        old = validate(zoo.load(name))
        gain = new["psnr"] - old["psnr"]
        print(f"{name}: validation {new['psnr']:.2f} dB, {gain:+.2f} against the weights of the package")
        if gain < ENOUGH and not force:
            print(f"left as it is: {ENOUGH} dB more would be needed, or --force")
            return
    scores = evaluation.card_scores(network, progress=sys.stderr.isatty())
    validation = {key: round(value, 3) for key, value in new.items()}
    card = zoo.card(weights) | {"validation": validation, "scores": scores} | ({"note": note} if note else {})
    for suffix in (".jsonl", ".safetensors"):
        _replace(zoo.FOLDER / (name + suffix), weights.with_suffix(suffix).read_bytes())
    _replace(zoo.FOLDER / f"{name}.json", (json.dumps(card, indent=1) + "\n").encode())
    for score in scores:
        print(f"{name}: {score['set']} {score['psnr']:.2f} dB, {score['ssim']:.4f}, {score['protocol']}")


BASELINES = {"bicubic": restore.Bicubic, "input": restore.Untouched}


def _network(name: str) -> nn.Module:
    """A network by its name or file, or a baseline, on the GPU if there is one."""
    if not (name in zoo.MODELS or name in BASELINES or name.endswith(".safetensors")):
        raise ValueError(f"no network is called {name!r}: {zoo.near(name, [*zoo.names(), *BASELINES])}")
    network = BASELINES[name]() if name in BASELINES else zoo.load(name)
    return network.to(hardware.best_device())


def _denoiser(sigma: float | str, channels: int) -> str:
    """The name of the network for a noise level; what the user should know about the choice goes to stderr."""
    in_color = channels == 3 and "cdncnn-blind" in zoo.names()  # else each channel goes on its own
    blind = "cdncnn-blind" if in_color else "dncnn-blind"
    if sigma == "blind":
        return blind
    if not 0 < sigma < math.inf:
        raise ValueError(f"the noise level must be above 0, got {sigma:g}")
    if not in_color and sigma in (15, 25, 50):
        return f"dncnn-{sigma:g}"
    if sigma > 55:
        print(f"imtrans: warning: {blind} was trained for noise up to 55, not {sigma:g}", file=sys.stderr)
    else:
        print(f"imtrans: {blind} finds the noise level itself", file=sys.stderr)
    return blind


def _known(mask: Path | None, invert: bool, picture: Tensor, task: str) -> Tensor | None:
    """The mask of a picture, 1 = known, (1, 1, H, W)."""
    if (mask is not None) != (task == "inpaint"):
        raise ValueError("to inpaint, and only then, a mask is wanted: --mask M, white where IN is to be filled in")
    if mask is None:
        return None
    fill = (images.read(mask).mean(dim=1, keepdim=True) >= 0.5).float()
    if fill.shape[-2:] != picture.shape[-2:]:
        sizes = [f"{x.shape[-1]}×{x.shape[-2]}" for x in (fill, picture)]
        raise ValueError(f"{mask} has {sizes[0]} pixels, the picture {sizes[1]}")
    known = fill if invert else 1 - fill
    if not known.any() or known.all():
        raise ValueError(f"{mask} leaves {'nothing to fill in' if known.any() else 'no pixel known'}: --invert-mask?")
    return known


def _still_known(known: Tensor, factor: Fraction, size: torch.Size) -> Tensor:
    """The mask of a smaller copy: known is what bicubic, two of the smaller pixels far, makes of known ones alone."""
    reach = math.ceil(2 / factor)
    hidden = 1 - known
    for kernel, padding in (((2 * reach + 1, 1), (reach, 0)), ((1, 2 * reach + 1), (0, reach))):
        hidden = F.max_pool2d(hidden, kernel, stride=1, padding=padding)
    middles = [((torch.arange(n) + 0.5) / float(factor)).long() for n in size]
    rows, columns = (at.clamp(max=n - 1) for at, n in zip(middles, known.shape[-2:], strict=True))
    return 1 - hidden[..., rows[:, None], columns]


def _announce(
    picture: Tensor, settings: dip.Settings, iterations: int, size: tuple[int, int], how: dict[str, Any]
) -> None:
    """Say how long it will take and how much memory, by two iterations; refuse what does not fit."""
    wanted, free = dip.needed_bytes(settings, *size, picture.shape[1]), hardware.free_bytes(how["device"])
    if wanted > free:
        fits = math.floor(max(picture.shape[-2:]) * math.sqrt(0.8 * free / wanted))
        raise ValueError(
            f"{size[1]}×{size[0]} pixels take about {wanted / 1e9:.1f} GB, {free / 1e9:.1f} GB are free: "
            f"--max-side {fits} would fit"
        )
    steps = dip.iterate(picture, settings, **how)
    next(steps)  # the first one is slower
    started = time.monotonic()
    next(steps)
    minutes = (time.monotonic() - started) * iterations / 60
    estimate = "less than a minute" if minutes < 1 else f"about {minutes:.0f} minutes at most"
    print(f"imtrans: {estimate}, {wanted / 1e9:.1f} GB of memory", file=sys.stderr)


def _read_for(source: Path, target: Path, force: bool) -> tuple[Tensor, Tensor | None]:
    """The picture and its transparency, after a look at whether the result can be written."""
    picture = images.read(source, alpha=True)
    if target.suffix.lower() not in images.SUFFIXES:
        raise ValueError(f"{target}: the suffix must be one of {' '.join(images.SUFFIXES)}")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"no such folder: {target.parent}")
    if target.is_dir():
        raise ValueError(f"{target} is a folder")
    if target.exists() and not force:
        raise ValueError(f"{target} exists: --force overwrites it")
    colors = 1 if picture.shape[1] <= 2 else 3
    return picture[:, :colors], picture[:, colors:] if picture.shape[1] > colors else None


def _write(target: Path, picture: Tensor, alpha: Tensor | None) -> None:
    whole = picture if alpha is None else torch.cat([picture, alpha], dim=1)
    images.write(target, whole.clamp(0, 1))
    print(f"{target}: {picture.shape[-1]}×{picture.shape[-2]} pixels")


def _json(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False)


def _place(name: str) -> str:
    folder = benchmarks.locate(name)
    return str(folder) if folder else f"not on this machine: imtrans data fetch {name}"


def _run_folder(name: str, budget: str) -> Path:
    return assets.runs_dir() / f"{name}-{budget}"


def _validator(network: nn.Module) -> Callable[[nn.Module], dict[str, float]]:
    at = evaluation.levels(network)
    return evaluation.validator(scales=at["scale"], sigmas=at["sigma"], qualities=at["quality"])


def _replace(path: Path, content: bytes) -> None:
    """Write a file aside, then put it in its place at once."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_bytes(content)
    os.replace(aside, path)


def _train(
    name: str,
    budget: str,
    options: dict[str, Any],
    *,
    resume: bool,
    start: str | None,
    seconds: float | None,
    device: str | None,
) -> None:
    """One run: start it, or go on with the options it was started with; save what it ends with."""
    folder = _run_folder(name, budget)
    go_on = f"imtrans train {name} --budget {budget} --resume"
    main_process = os.environ.get("RANK", "0") == "0"  # torchrun sets it
    noted = folder / "options.json"
    begun = (folder / "checkpoint.pt").exists()
    if resume and noted.exists():
        kept = json.loads(noted.read_text())
        options = {key: kept.get(key) if value in (None, []) else value for key, value in options.items()}
        start = kept["from"] if begun else start or kept["from"]
    card = folder / f"{name}.json"
    if resume and card.exists():
        made = json.loads(card.read_text())
        asked = {"planned_steps": options["steps"], "seed": options["seed"]}
        same = all(made[key] == value for key, value in asked.items() if value is not None)
        if same and made["steps"] >= made["planned_steps"]:
            print(f"{name}: finished after {made['steps']:,} steps, passed over")
            return
    recipe = RECIPES[name](budget=budget, data=options["data"] or None)
    changes = {key: options[key] for key in ("steps", "seed") if options[key] is not None}
    recipe = dataclasses.replace(recipe, **changes)
    if recipe.steps < 1:
        raise ValueError(f"a training has at least 1 step, got {recipe.steps}")
    if options["rate"] is not None:
        recipe = dataclasses.replace(recipe, schedule=scaled(recipe.schedule, options["rate"]))
    validate = _validator(zoo.MODELS[name]())
    initial = None
    if not begun:
        if start is not None:
            torch.manual_seed(recipe.seed)
            model, source = recipe.model(), zoo.load(start)
            if isinstance(model, DnCNN) and isinstance(source, DnCNN | VDSR):
                if not model.batch_norm:
                    source = merged(source)
                elif isinstance(source, VDSR) or not source.batch_norm:
                    raise ValueError(f"{start} is without batch normalisation, {name}-{budget} trains with it")
            elif isinstance(model, VDSR) and isinstance(source, DnCNN):
                raise ValueError(f"{start} answers with what is too much, {name} with what is missing: another sign")
            fresh = zoo.load_matching(model, source.state_dict(), start)
            initial = model.state_dict()
            if fresh:
                layers = dict.fromkeys(each.rpartition(".")[0] for each in fresh)
                print(f"{name}: {', '.join(layers)} start at random: {start} has no such layers")
        if main_process:
            folder.mkdir(parents=True, exist_ok=True)
            _replace(noted, json.dumps(options | {"from": start}).encode())
    try:
        run = fit(
            recipe,
            folder=folder,
            resume=resume,
            initial=initial,
            validate=validate,
            seconds=seconds,
            device=device,
        )
    except KeyboardInterrupt:
        stands = (folder / "checkpoint.pt").exists()
        after = f"the last checkpoint stands, {go_on} goes on" if stands else "no checkpoint was written yet"
        sys.exit(_stopped(f"; {after}"))
    if main_process:
        origin = Path(start).name.removesuffix(".safetensors") if start else None
        weights = zoo.save(run, folder, initialised_from=origin)
        psnr = next((f", validation {entry['psnr']:.2f} dB" for entry in run.log[::-1] if "psnr" in entry), "")
        print(f"{name}: step {run.step:,} of {recipe.steps:,}{psnr}, weights in {weights}")
        if not run.finished:
            print(f"{go_on} goes on")


def _stopped(how: str = "") -> int:
    """Say so; the exit status of a program that Ctrl-C ended."""
    print(f"\nimtrans: stopped{how}", file=sys.stderr)
    return 130


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command.

    Args:
        arguments: In place of those of the process.
    """
    data = tyro.extras.SubcommandApp()
    for name, command in {"list": data_list, "fetch": data_fetch, "where": data_where}.items():
        data.command(command, name=name)
    app = tyro.extras.SubcommandApp()
    for command in (super_resolve, denoise, deblock, prior, evaluate, compare, train, models, publish):
        app.command(command)
    app.command(data, name="data", help="Benchmark sets: list, fetch, where.")
    try:
        app.cli(
            prog="imtrans",
            description="Image transformation: restore pictures, score networks, train them.",
            args=arguments,
            config=(tyro.conf.FlagCreatePairsOff,),
        )
        sys.stdout.flush()
    except BrokenPipeError:  # `imtrans models | head`: nobody reads on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (ValueError, OSError, FloatingPointError) as error:
        print(f"imtrans: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(_stopped())


if __name__ == "__main__":
    main()
