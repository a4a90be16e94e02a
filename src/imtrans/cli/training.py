"""The command that trains networks."""

import math
import sys
import time
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, UseAppendAction, arg

from imtrans import metrics, zoo
from imtrans.cli.files import REFUSED
from imtrans.runs import Options, Training
from imtrans.runs.shares import in_turn, plan


def train(
    names: Positional[tuple[str, ...]],
    *,
    budget: str = "quick",
    minutes: float | None = None,
    shares: str | None = None,
    seconds: float | None = None,
    steps: int | None = None,
    rate_factor: float | None = None,
    data: Annotated[UseAppendAction[tuple[Path, ...]], arg(metavar="DIR")] = (),
    resume: bool = False,
    from_: Annotated[str | None, arg(name="from", metavar="NAME|FILE")] = None,
    seed: int | None = None,
    device: Literal["cpu"] | None = None,
) -> None:
    """Train networks by their recipes, one after the other.

    A training keeps its checkpoint, and at its end weights, card and log, in the folder NAME-BUDGET among the runs
    (IMTRANS_RUNS). One that fails leaves its time to those after it; the command then ends with status 2.

    Args:
        names: Names of networks, srcnn-x3 for instance.
        budget: quick, class, full or paper.
        minutes: Time for all networks together: each one's speed is measured, and its schedule made as long as fits.
            A training that is continued by --resume keeps its schedule.
        shares: How the minutes are shared out, 3:2:1 for instance; equally by default.
        seconds: Time after which to stop each training, with a checkpoint; --resume continues.
        steps: Another length of the schedule.
        rate_factor: Factor on all learning rates: below 1 to polish weights that --from names.
        data: Folder of pictures in place of the recipe's own. May be repeated.
        resume: Continue from the checkpoint, with the same options; start where there is none. A finished training of
            the same steps and seed is passed over.
        from_: Start from these weights with a new schedule. With --resume, an existing checkpoint takes precedence.
        seed: Random seed of initialisation, samples and noise.
        device: cpu, or the best device available.
    """
    if not names:
        raise ValueError(f"which network? {', '.join(zoo.ENTRIES)}")
    for name in names:
        zoo.entry(name)
    parts = _parts(names, minutes, shares)
    if minutes is not None and (seconds is not None or steps is not None):
        raise ValueError("--minutes sets the length of all trainings: leave --seconds and --steps out")
    folders = tuple(str(folder.absolute()) for folder in data)
    if from_ and from_.endswith(".safetensors"):  # absolute, as the folders: --resume may come from elsewhere
        from_ = str(Path(from_).absolute())
    options = Options(steps=steps, seed=seed, rate_factor=rate_factor, data=folders, start=from_)
    begun = time.monotonic()
    trainings = [Training(name, budget) for name in names]
    for training in trainings[1:]:  # what cannot begin is refused before the first one has trained
        if not (resume and training.finished(options)):
            training.recipe(training.options(options) if resume else options)
    failed = []

    def one(number: int, share: float | None) -> None:
        try:
            _train(trainings[number], options, share, plans=minutes is not None, resume=resume, device=device)
        except REFUSED as error:
            if len(names) == 1:
                raise
            print(f"imtrans: {' '.join(str(error).split())}", file=sys.stderr)
            failed.append(names[number])

    if minutes is None:
        for number in range(len(names)):
            one(number, seconds)
    else:
        in_turn(60 * minutes - (time.monotonic() - begun), parts, one)
    if failed:
        raise ValueError(f"{len(failed)} of {len(names)} trainings failed: {', '.join(failed)}")


def _parts(names: tuple[str, ...], minutes: float | None, shares: str | None) -> list[float]:
    """The shares of the networks, equal ones if none are given."""
    if minutes is not None and not 0 < minutes < math.inf:
        raise ValueError(f"--minutes is above 0, got {minutes:g}")
    if shares is None:
        return [1.0] * len(names)
    if minutes is None:
        raise ValueError("--shares are parts of --minutes")
    try:
        parts = [float(part) for part in shares.split(":")]
    except ValueError:
        raise ValueError(f"--shares are numbers such as 3:2:1, got {shares!r}") from None
    if len(parts) != len(names) or not all(0 < part < math.inf for part in parts):
        raise ValueError(f"--shares are {len(names)} numbers above 0, one per network, got {shares!r}")
    return parts


def _train(
    training: Training,
    options: Options,
    seconds: float | None,
    *,
    plans: bool,
    resume: bool,
    device: str | None,
) -> None:
    """Run a training and print its result; with ``plans`` its schedule is made as long as fits into ``seconds``."""
    name = training.name
    command = f"imtrans train {name} --budget {training.budget} --resume"
    if resume and training.finished(options):
        print(f"{name}: finished after {zoo.card(training.weights)['steps']:,} steps, passed over")
        return
    if plans and not training.has_checkpoint:
        options = training.options(options) if resume else options
        options, seconds = plan(training, options, seconds, device=device)
        print(f"{name}: {options.steps:,} steps in {seconds / 60:.1f} minutes")
    try:
        run = training.run(options, resume=resume, seconds=seconds, device=device)
    except KeyboardInterrupt:
        kept = f"; the last checkpoint is kept, {command} continues"
        missing = "; no checkpoint was written yet"
        raise KeyboardInterrupt(kept if training.has_checkpoint else missing) from None
    measure = zoo.entry(name).measure
    last = next((entry[measure] for entry in run.log[::-1] if measure in entry), None)
    value = "" if last is None else f", validation {metrics.measure_in_words(measure, last)}"
    print(f"{name}: step {run.step:,} of {run.recipe.steps:,}{value}, weights in {training.weights}")
    if not run.finished:
        print(f"{command} continues")
