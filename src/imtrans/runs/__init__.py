"""A training as a thing on disk: its options, its checkpoint, and the weights it ends with.

    training = Training("srcnn-x3", budget="full")
    training.run(Options(seed=1))
    training.run(resume=True)  # continues after a stop, with the same options
    publish(training)

Each training has a folder NAME-BUDGET among the runs (`imtrans.assets.runs_dir`): ``options.json``, ``checkpoint.pt``
and ``log.jsonl`` while it runs, then weights, card and log under its name.
"""

import copy
import dataclasses
import json
import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from imtrans import assets, metrics, suite, zoo
from imtrans.models.blocks import start_from
from imtrans.training import Recipe, Run, fit, scaled

HALF_MAY_COST = 0.1  # of the least gain of new weights: below it, a network's file holds 16-bit floats

# Options under the names that they have on disk.
_KEYS = {"steps": "steps", "seed": "seed", "rate_factor": "rate", "data": "data", "start": "from"}


@dataclass(frozen=True)
class Options:
    """What a training may be asked for beyond its recipe; None leaves it to the recipe.

    Attributes:
        steps: Number of updates, the length of the schedule.
        seed: Random seed of initialisation, samples and noise.
        rate_factor: Factor on all learning rates.
        data: Folders of pictures in place of the recipe's own.
        start: Name or file of the weights to start from.
    """

    steps: int | None = None
    seed: int | None = None
    rate_factor: float | None = None
    data: tuple[str, ...] = ()
    start: str | None = None

    def completed(self, earlier: "Options") -> "Options":
        """A copy in which ``earlier`` fills what is not set here."""
        own = dataclasses.asdict(self)
        return Options(**{key: getattr(earlier, key) if value in (None, ()) else value for key, value in own.items()})

    def applied_to(self, recipe: Recipe) -> Recipe:
        """The recipe with another length, seed and rate, as far as they are set; it is validated as often as before.

        Raises:
            ValueError: On a length below one step, or a factor that is not above 0.
        """
        if self.seed is not None:
            recipe = replace(recipe, seed=self.seed)
        if self.steps is not None:
            recipe = recipe.lasting(self.steps)
        if self.rate_factor is None:
            return recipe
        return replace(recipe, schedule=scaled(recipe.schedule, self.rate_factor))

    def write(self, path: Path) -> None:
        """Write the options as JSON; an existing file is replaced at once."""
        content = {key: getattr(self, name) for name, key in _KEYS.items()}
        assets.write_whole(path, json.dumps(content).encode())

    @classmethod
    def read(cls, path: Path) -> "Options":
        """The options in a file that `write` has written.

        Raises:
            ValueError: If the file is damaged.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            options = {name: content[key] for name, key in _KEYS.items()}
        except (ValueError, TypeError, KeyError):
            raise ValueError(f"{path} is damaged: remove it, and repeat the options of this training") from None
        return cls(**options | {"data": tuple(options["data"])})


@dataclass(frozen=True)
class Training:
    """A training of one network by one budget, at its place on disk. It need not exist yet.

    Attributes:
        name: Name of the network in the registry, see `imtrans.zoo.ENTRIES`.
        budget: Budget: quick, class, full or paper.
    """

    name: str
    budget: str = "quick"

    @property
    def folder(self) -> Path:
        """The folder of the training."""
        return assets.runs_dir() / f"{self.name}-{self.budget}"

    @property
    def checkpoint(self) -> Path:
        """The file of the checkpoint."""
        return self.folder / "checkpoint.pt"

    @property
    def weights(self) -> Path:
        """The file of the weights, with card and log beside it."""
        return self.folder / f"{self.name}.safetensors"

    @property
    def has_checkpoint(self) -> bool:
        """Whether there is a checkpoint to continue from."""
        return self.checkpoint.exists()

    def finished(self, options: Options = Options()) -> bool:
        """Whether a training of this length and seed, as far as they are given, has come to its end."""
        if not self.weights.exists():
            return False
        card = zoo.card(self.weights)
        asked = {"planned_steps": options.steps, "seed": options.seed}
        same = all(card[key] == value for key, value in asked.items() if value is not None)
        return same and card["steps"] >= card["planned_steps"]

    def options(self, given: Options = Options()) -> Options:
        """The options to continue with: those given, completed by those that the training was started with.

        A training that has a checkpoint keeps its start.

        Raises:
            ValueError: If ``options.json`` is damaged, or a training that has a checkpoint is given another rate or
                other pictures.
        """
        path = self.folder / "options.json"
        if not path.exists():
            return given
        earlier = Options.read(path)
        options = given.completed(earlier)
        if not self.has_checkpoint:
            return options
        if (options.rate_factor or 1, options.data) != (earlier.rate_factor or 1, earlier.data):
            raise ValueError(f"{self.folder} holds a training with another rate or other pictures, move it away")
        return replace(options, start=earlier.start)

    def recipe(self, options: Options = Options()) -> Recipe:
        """The recipe that a training with these options follows.

        Raises:
            ValueError: On an unknown name, budget or option.
            FileNotFoundError: If pictures are missing.
        """
        return options.applied_to(zoo.entry(self.name).recipe(budget=self.budget, data=options.data or None))

    def run(
        self,
        options: Options = Options(),
        *,
        resume: bool = False,
        seconds: float | None = None,
        device: str | None = None,
        report: Callable[[str], None] = print,
    ) -> Run:
        """Train, and save what it ends with: weights, card and log.

        Args:
            options: What is asked for beyond the recipe.
            resume: Continue from the checkpoint, with the options of the start; without a checkpoint, start.
            seconds: Time after which to stop, with a checkpoint; the time of reading the pictures counts.
            device: "cpu", or None for the best device available.
            report: Called with each sentence that a user should read.

        Returns:
            The run, finished or stopped.

        Raises:
            ValueError: On an unknown name, budget or option, weights that cannot start this network, a damaged file
                of the training, or a checkpoint of other options.
            FileNotFoundError: If pictures or weights are missing.
            FloatingPointError: When the loss is no longer finite. The last checkpoint is kept.
        """
        begun = time.monotonic()
        if resume:
            options = self.options(options)
        recipe = self.recipe(options)
        initial = None
        main_process = os.environ.get("RANK", "0") == "0"  # torchrun sets it
        if not self.has_checkpoint:
            if options.start is not None:
                initial, fresh = initial_state(recipe, options.start)
                if fresh:
                    layers = dict.fromkeys(name.rpartition(".")[0] for name in fresh)
                    report(f"{self.name}: {', '.join(layers)} start at random: {options.start} has no such layers")
            if main_process:
                self.folder.mkdir(parents=True, exist_ok=True)
                options.write(self.folder / "options.json")
        run = fit(
            recipe,
            folder=self.folder,
            resume=resume,
            initial=initial,
            validate=validator(zoo.entry(self.name)),
            seconds=seconds,
            begun=begun,
            device=device,
        )
        if main_process:
            start = Path(options.start).name.removesuffix(".safetensors") if options.start else None
            zoo.save(run, self.folder, initialised_from=start)
        return run


def initial_state(recipe: Recipe, start: str) -> tuple[dict[str, Tensor], list[str]]:
    """The weights that a training begins with when it starts from another network.

    Args:
        recipe: Recipe of the training; its seed draws what the other network lacks.
        start: Name or file of the other network's weights.

    Returns:
        The state dict, and the names in it that start at random.

    Raises:
        ValueError: If the two networks do not fit together.
        FileNotFoundError: If there are no such weights.
    """
    torch.manual_seed(recipe.seed)
    model, source = recipe.model(), zoo.load(start)
    try:
        fresh = start_from(model, source)
    except ValueError as error:
        raise ValueError(f"{recipe.name} cannot start from {start}: {error}") from None
    return model.state_dict(), fresh


@dataclass(frozen=True)
class Published:
    """The decision of `publish`.

    Attributes:
        taken: Whether the weights went into the package.
        measure: Metric that decided, on held-out pictures.
        value: Value of the new weights.
        gain: Improvement over the weights in the package, above 0 for better; None if there were none.
        scores: Scores of the new card, if the weights were taken.
    """

    taken: bool
    measure: str
    value: float
    gain: float | None
    scores: tuple[Mapping[str, Any], ...] = ()


def publish(training: Training, *, force: bool = False, note: str | None = None, progress: bool = False) -> Published:
    """Evaluate a finished run and, if it beats the shipped weights, replace them.

    The decision uses held-out validation pictures, by the measure and the least gain of the network's entry. The card
    lists the scores on every test set found on disk.

    Args:
        training: The training.
        force: Take the weights even if they gain less, or if the training was stopped before its end.
        note: What a user of the weights should know, for the card.
        progress: Show bars.

    Raises:
        FileNotFoundError: If the training has no weights.
        ValueError: If the name is unknown, the weights are damaged or have no finite error, or the training is not
            finished.
    """
    name, weights, entry = training.name, training.weights, zoo.entry(training.name)
    if not weights.exists():
        command = f"imtrans train {name} --budget {training.budget}"
        raise FileNotFoundError(f"{training.folder} holds no weights: {command} makes them")
    if not (force or training.finished()):
        command = f"imtrans train {name} --budget {training.budget} --resume"
        raise ValueError(f"{name} was stopped before the end of its training: {command} continues (or --force)")
    network = zoo.load(weights)
    validate = validator(entry)
    validation, gain = validate(network), None
    value = validation[entry.measure]
    metric = metrics.METRICS.get(entry.measure)
    sign = 1 if metric and metric.higher_is_better else -1  # a validator's own measure is an error
    # Half the size where it costs nothing: the rounded network is what is measured, compared and kept.
    bits, rounded = 32, in_half_precision(network)
    rounded_validation = validate(rounded)
    cost = sign * (value - rounded_validation[entry.measure])
    if cost < HALF_MAY_COST * entry.min_gain:
        bits, network, validation = 16, rounded, rounded_validation
        value = validation[entry.measure]
    if not math.isfinite(value):
        raise ValueError(f"{weights}: {entry.measure} on held-out pictures is {value}")
    if name in zoo.names():
        gain = sign * (value - validate(zoo.load(name))[entry.measure])
        if gain < entry.min_gain and not force:
            return Published(False, entry.measure, value, gain)
    scores = [] if entry.validator else suite.card_scores(network, name, progress=progress)
    card = zoo.card(weights) | {"validation": {key: round(number, 3) for key, number in validation.items()}}
    card |= {"scores": scores, "bits": bits, "half_costs": round(cost, 5)}
    card |= {"gain": None if gain is None else round(gain, 4)} | ({"note": note} if note else {})
    # Runs that began before the registry wrote the name under three keys, and no paper.
    names = {"name": name, "paper": entry.paper, "model_in_paper": entry.model_in_paper, "recipe_version": 1}
    card["sha256"] = card.pop("sha256")  # last
    card = names | {key: card[key] for key in card if key not in ("model", "recipe")}
    # The card comes last: until then the package holds the old one, which refuses weights of another digest.
    assets.write_whole(zoo.FOLDER / f"{name}.jsonl", weights.with_suffix(".jsonl").read_bytes())
    state = assets.load_weights(weights)
    card["sha256"] = assets.save_weights(zoo.FOLDER / f"{name}.safetensors", _halved(state) if bits == 16 else state)
    assets.write_whole(zoo.FOLDER / f"{name}.json", (json.dumps(card, indent=1) + "\n").encode())
    return Published(True, entry.measure, value, gain, tuple(scores))


def in_half_precision(network: nn.Module) -> nn.Module:
    """A copy of a network that computes in fp32 with weights rounded to 16 bits."""
    rounded = copy.deepcopy(network)
    rounded.load_state_dict(_halved(network.state_dict()))  # into parameters that stay fp32
    return rounded


def _halved(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict with its floats in 16 bits; counters, and tensors with a value beyond 65,504, stay as they are."""
    halves = {name: value.half() for name, value in state.items() if value.is_floating_point()}
    return dict(state) | {name: half for name, half in halves.items() if half.isfinite().all()}


def validator(entry: zoo.Entry) -> Callable[[nn.Module], dict[str, float]]:
    """What a training of this network is watched by, and what decides when it is published."""
    if entry.validator:
        return entry.validator()
    return suite.validator(suite.standard_degradations(entry.build()), metric=entry.measure)
