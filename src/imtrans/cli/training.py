"""The command that trains networks."""

from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, UseAppendAction, arg

from imtrans import zoo
from imtrans.runs import Options, Training


def train(
    names: Positional[tuple[str, ...]],
    *,
    budget: str = "quick",
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
    (IMTRANS_RUNS).

    Args:
        names: Names of networks, srcnn-x3 for instance.
        budget: quick, class, full or paper.
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
    folders = tuple(str(folder.absolute()) for folder in data)
    options = Options(steps=steps, seed=seed, rate_factor=rate_factor, data=folders, start=from_)
    for name in names:
        training = Training(name, budget)
        command = f"imtrans train {name} --budget {budget} --resume"
        if resume and training.finished(options):
            print(f"{name}: finished after {zoo.card(training.weights)['steps']:,} steps, passed over")
            continue
        try:
            run = training.run(options, resume=resume, seconds=seconds, device=device)
        except KeyboardInterrupt:
            kept = f"; the last checkpoint is kept, {command} continues"
            missing = "; no checkpoint was written yet"
            raise KeyboardInterrupt(kept if training.has_checkpoint else missing) from None
        measure = zoo.entry(name).measure
        value = next((f", validation {entry[measure]:.2f}" for entry in run.log[::-1] if measure in entry), "")
        print(f"{name}: step {run.step:,} of {run.recipe.steps:,}{value}, weights in {training.weights}")
        if not run.finished:
            print(f"{command} continues")
