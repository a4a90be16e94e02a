"""What ``on_gpu.sh`` runs: measure, train, score, run a notebook, save on the way, and end in time.

One process per network, so that a failure stays its own. Each reads its pictures, measures its speed while nobody else
uses the device, and waits until it may train. They train one after the other, the most valuable first. The notebook
runs beside them; small networks, which leave most of a GPU idle, do so where the device computes for several processes
at once (CUDA's multi-process service, which on_gpu.sh starts), one at a time: elsewhere processes take turns, and a
small one would cost a large one half of its time.

    python experiments/on_gpu.py selftest

checks in half a minute that what only a GPU runs computes what a CPU does. It comes first in the whole as well.
"""

import contextlib
import csv
import dataclasses
import fcntl
import functools
import gc
import io
import itertools
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import partial
from pathlib import Path

import torch
from torch import nn

from imtrans import assets, metrics, suite, zoo
from imtrans.data import benchmarks
from imtrans.data.on_device import on_device
from imtrans.hardware import autocast_dtype, best_device, memory_format, processor_name
from imtrans.models.blocks import start_from
from imtrans.models.edsr import EDSR
from imtrans.models.rcan import RCAN
from imtrans.models.rdn import RDN
from imtrans.runs import validator
from imtrans.runs.shares import seconds_per_step, share, timed
from imtrans.training import Recipe, fit
from imtrans.training.captured import captured

# The most valuable first; then networks that are new in the registry. As many are prepared as there is time for.
PRIORITY = (
    "vdsr",
    "edsr-baseline-x2",
    "dncnn-3",
    "espcn-x3",
    "srcnn-955-x3",
    "rdn-small-x2",
    "rcan-medium-x2",
    "dncnn-blind",
    "cdncnn-blind",
)
LEFT_OUT = ("srcnn-x2", "srcnn-x3", "srcnn-x4", "dncnn-15", "dncnn-25", "dncnn-50", "mdsr-baseline")
SHARES = {"vdsr": 3, "edsr-baseline-x2": 3}  # of the time of the large networks; 2 for the others
SMALL = 100_000  # parameters below which a network does not fill a GPU
LARGER = 4  # times the batch of the recipe, which was made for a CPU
LEAST, LEAST_SMALL = 60.0, 20.0  # seconds that the training of a network, and of a small one, is worth starting for
MOST_SMALL = 25.0  # seconds after which a small network gains little
TRIAL = 0.06  # part of a network's time that each of the two starts is tried for
SURE, SURE_IN_COMPANY = 0.85, 0.80  # part of the steps measured that a schedule counts on, so that it ends in time
SPEED_SECONDS = 2.5  # for which each training's speed is measured
TESTING = 60.0  # seconds that the self-test may take
MEASURING = 0.3  # part of the whole time after which no training waits for measurements any more
CLOSING = 10.0  # seconds at the end for tables and bundles
ZIP_BYTES, ZIPS = 15 * 2**20, 5  # beside the log and two tables: at most eight files
TRAINING_SETS = ("T91", "BSD200", "BSD500_test")

GPU = best_device() == "cuda"
DEVICE = None if GPU else "cpu"
BESIDE = bool(os.environ.get("CUDA_MPS_PIPE_DIRECTORY"))  # whether small networks run beside large ones
WORK = Path(os.environ.get("WORK", "on-gpu/work"))
OUT = Path(os.environ.get("OUT", "on-gpu/out"))


# Networks that are not trained here: only the speed of their training is measured.
SPEED_ONLY = {
    "edsr-paper-x2": ("edsr-baseline-x2", partial(EDSR.paper, 2)),
    "rdn-paper-x2": ("rdn-small-x2", partial(RDN, 2)),
    "rcan-paper-x2": ("rcan-small-x2", partial(RCAN, 2)),
}


# -- plans --


def order(known: Iterable[str], gpu: bool = True) -> list[str]:
    """The networks to train, the most valuable first; without a GPU, to try the script, the smallest first."""
    known = [name for name in known if name not in LEFT_OUT]
    if not gpu:
        return sorted(known, key=parameters)
    return [name for name in PRIORITY if name in known] + [name for name in known if name not in PRIORITY]


def parameters(name: str) -> int:
    """Number of parameters of a network."""
    return sum(p.numel() for p in zoo.entry(name).build().parameters())


def allot(names: Sequence[str], seconds: float, small: Sequence[str] = ()) -> dict[str, float]:
    """The time of each network by `SHARES`, of small ones at most `MOST_SMALL`.

    The last ones get none where somebody would have less than is worth starting for.
    """
    names = list(names)
    while names:
        shares = {name: SHARES.get(name, 2) for name in names}
        times = dict(zip(names, share(seconds, list(shares.values())), strict=True))
        times |= {name: min(MOST_SMALL, times[name]) for name in names if name in small}
        if large := [name for name in names if name not in small]:
            left = seconds - sum(times[name] for name in names if name in small)
            times |= zip(large, share(left, [shares[name] for name in large]), strict=True)
        if len(names) == 1 or all(times[name] >= (LEAST_SMALL if name in small else LEAST) for name in names):
            return times
        names.pop()
    return {}


def may_train(
    states: Mapping[str, str], small: Sequence[str], seconds: float, beside: bool = False
) -> dict[str, float]:
    """The networks that may begin to train now, and for how long.

    Args:
        states: State of each network, the most valuable first: waiting, preparing, ready, training or over.
        small: Those that leave room beside them.
        seconds: Time until all trainings must be over.
        beside: Whether a small one may run beside a large one.
    """
    begin = {}
    large = [name for name in states if name not in small]
    for lane in [large, list(small)] if beside else [list(states)]:  # one at a time in each
        if any(states[name] == "training" for name in lane):
            continue
        times = allot([name for name in lane if states[name] in ("waiting", "preparing", "ready")], seconds, small)
        first = next((name for name in times if states[name] == "ready"), None)
        if first is not None:
            begin[first] = times[first]
    return {name: time for name, time in begin.items() if time >= LEAST_SMALL / 2}


# -- the device --


def synchronize() -> None:
    if GPU:
        torch.cuda.synchronize()


def seconds_per_call(call: Callable[[], object], seconds: float) -> float:
    """The mean time of a call, over about so many seconds after three to warm up."""
    for _ in range(3):
        call()
    synchronize()
    started, calls = time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
        call()
        calls += 1
        if calls % 10 == 0:
            synchronize()
    synchronize()
    return (time.perf_counter() - started) / calls


def matmul_rate() -> float:
    """FLOP/s of a large product of bf16 matrices of random numbers."""
    side = 8192 if GPU else 1024
    a, b = (torch.randn(side, side, device=best_device(), dtype=torch.bfloat16) for _ in range(2))
    return 2 * side**3 / seconds_per_call(lambda: a @ b, 0.5)


def flops_per_sample(model: nn.Module, observed: torch.Tensor) -> int:
    """Multiplications and additions of forward and backward pass."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        model(observed[:1]).sum().backward()
    model.zero_grad(set_to_none=True)
    return counter.get_total_flops()


# -- one network, in a process of its own --


def say(name: str, text: str) -> None:
    print(f"{time.monotonic() - float(os.environ['STARTED']):6.1f} s  {name}: {text}", flush=True)


def training_folders() -> list[Path]:
    """Links to the carried training pictures, one folder per set, without those held out and those of test sets."""
    folders = []
    for name in TRAINING_SETS:
        place = benchmarks.locate(name)
        if place is None:
            continue
        folder = WORK / "training" / name
        folder.mkdir(parents=True, exist_ok=True)
        aside = {*benchmarks.HELD_OUT.get(name, ()), *benchmarks.TEST_PICTURES.get(name, ())}
        for path in place.iterdir():
            if path.stem in set(benchmarks.SETS[name].pictures) - aside:
                with contextlib.suppress(FileExistsError):  # by another process
                    (folder / path.name).symlink_to(path.resolve())
        folders.append(folder)
    return folders


def gpu_recipe(name: str) -> Recipe:
    """Our best recipe, on the carried pictures and with larger batches; without pictures that of a classroom."""
    folders = training_folders()
    if not folders:
        return zoo.entry(name).recipe(budget="class")
    recipe = zoo.entry(name).recipe(budget="full", data=folders)
    recipe = dataclasses.replace(recipe, seed=1, data=functools.cache(recipe.data))  # prepared once for all of its runs
    return dataclasses.replace(recipe, batch=LARGER * recipe.batch, workers=4) if GPU else recipe


def plain_speed(recipe: Recipe) -> tuple[float, int]:
    """Steps per second of the plain loop in fp32 on one batch that is never changed, and FLOP per step."""
    samples = recipe.data(recipe.seed)
    pairs = [samples[i] for i in range(recipe.batch)]
    observed, clean = (torch.stack(each).to(best_device()) for each in zip(*pairs, strict=True))
    model = recipe.model().to(best_device())
    flops = flops_per_sample(model, observed) * recipe.batch
    optimizers = recipe.optimizer.build(model)

    def step() -> None:
        loss = recipe.loss(model(observed), clean)
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        loss.item()

    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):  # by default convolutions round to 10 bits
        return 1 / seconds_per_call(step, 0.7), flops


def sampler_seconds(recipe: Recipe) -> float:
    """Time to make the samples of one step: on a GPU there, where it can."""
    samples = recipe.data(recipe.seed)
    sampler = on_device(samples, recipe.batch, best_device()) if GPU else None
    if sampler is None:
        return seconds_per_call(lambda: [samples[i] for i in range(recipe.batch)], 0.3)
    steps = itertools.count()
    return seconds_per_call(lambda: sampler(next(steps)), 0.3)


def measured_speed(recipe: Recipe) -> dict[str, object]:
    """Steps per second of the plain loop in fp32 and of `fit`, and which part of the matmul rate `fit` reaches."""
    plain, flops = plain_speed(recipe)
    gc.collect()
    if GPU:
        torch.cuda.empty_cache()
    run, pace = timed(dataclasses.replace(recipe, steps=10**6), SPEED_SECONDS, device=DEVICE)
    rate = float(os.environ["MATMUL_RATE"])
    return {
        "network": recipe.name,
        "device": processor_name(best_device()),
        "torch": torch.__version__,
        "date": date.today().isoformat(),
        "batch": recipe.batch,
        "patch": recipe.data(recipe.seed)[0][0].shape[-1],
        "sampler": run.sampler,
        "gflop_per_step": round(flops / 1e9, 2),
        "plain_fp32_steps_per_second": round(plain, 2),
        "steps_per_second": round(1 / pace.step, 2),
        "tflops": round(flops / pace.step / 1e12, 3),
        "matmul_tflops": round(rate / 1e12, 1),
        "share_of_matmul": round(flops / pace.step / rate, 4),
        "share_of_sampler": round(sampler_seconds(recipe) / pace.step, 4),
    }


def speed(name: str) -> None:
    """Measure the training of a network that has no entry of its own, by the paper's batch and patch."""
    entry, model = zoo.entry(SPEED_ONLY[name][0]), SPEED_ONLY[name][1]
    folders = training_folders()
    recipe = entry.recipe(budget="paper", data=folders) if folders else entry.recipe(budget="class")
    recipe = dataclasses.replace(recipe, name=name, model=model, autocast=True, data=functools.cache(recipe.data))
    recipe.data(recipe.seed)
    with alone():
        measured = measured_speed(recipe)
    say(name, in_words(measured))
    write(WORK / f"{name}.speed", measured)


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Nobody else measures meanwhile."""
    with (WORK / "device.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def in_words(measured: Mapping) -> str:
    """A row of the table of speeds."""
    plain, part = measured["plain_fp32_steps_per_second"], measured["share_of_matmul"]
    return f"{measured['steps_per_second']} steps/s, plain fp32 loop {plain}, {part:.1%} of the matmul rate"


def train(name: str) -> None:
    """Prepare, measure, wait, try both starts, train, score."""
    entry, device = zoo.entry(name), best_device()
    folder = WORK / "runs" / f"{name}-full"
    folder.mkdir(parents=True, exist_ok=True)
    recipe = gpu_recipe(name)
    measure, better = entry.measure, 1 if metrics.METRICS[entry.measure].higher_is_better else -1
    held_out = validator(entry)
    trained = zoo.load(name).to(device) if name in zoo.names() else None

    def validate(model: nn.Module) -> float:
        return held_out(model.to(device))[measure]

    recipe.data(recipe.seed)
    with alone():
        measured = measured_speed(recipe)
        begun = time.monotonic()
        before = validate(trained or (recipe.deployed or recipe.model)().eval())  # untrained: for the time alone
        validation_seconds = time.monotonic() - begun
    before = None if trained is None else before
    package = "no weights" if before is None else f"{measure} {before:.3f}"
    say(name, f"{in_words(measured)}; in the package: {package}")
    write(WORK / f"{name}.speed", measured)
    write(WORK / f"{name}.ready", True)
    while not (WORK / f"{name}.go").exists():
        time.sleep(0.1)
    go = json.loads((WORK / f"{name}.go").read_text())
    until, sure = go["until"], SURE_IN_COMPANY if go["company"] else SURE

    # A short training from either start, each with the schedule of its length; the better one gets the rest.
    rate, initial, origin = float(measured["steps_per_second"]), None, None
    weights = None if trained is None else weights_to_start(recipe, trained, name)
    if weights is not None:
        results, limit = {}, TRIAL * (until - time.monotonic())
        steps = max(4, int(limit * rate))
        trial = dataclasses.replace(recipe, steps=steps, validate_every=0)
        for start, state in (("the package", weights), ("scratch", None)):
            ends: list[tuple[int, float]] = []
            run = fit(
                trial,
                initial=state,
                seconds=2 * limit,
                progress=False,
                device=DEVICE,
                on_step=lambda step, loss, ends=ends: ends.append((step, time.monotonic())),
            )
            results[start] = validate(run.model)
            if (step_seconds := seconds_per_step(ends)) is not None:
                rate = 1 / step_seconds  # in the company that there is now
        say(
            name,
            f"after {steps} steps {results['the package']:.3f} from the package, {results['scratch']:.3f} from scratch",
        )
        if better * (results["the package"] - results["scratch"]) >= 0:
            initial, origin = weights, name

    seconds = until - time.monotonic() - 2 - 3 * validation_seconds  # to score it at the end
    steps = max(4, int(sure * rate * (seconds - 2 * validation_seconds)))
    recipe = dataclasses.replace(recipe, steps=steps, validate_every=max(1, steps // 2))
    say(name, f"{steps} steps of {recipe.batch} from {origin or 'scratch'} in {seconds:.0f} s")

    def keep(model: nn.Module) -> dict[str, float]:
        """Validate, and keep what stands in case that all ends before the training does."""
        assets.save_weights(folder / "so-far.safetensors", model.state_dict())
        scores = held_out(model.to(device))
        say(name, f"{measure} {scores[measure]:.3f}")
        return scores

    run = fit(
        recipe,
        folder=folder,
        initial=initial,
        validate=keep,
        seconds=max(1.0, seconds),
        progress=False,
        device=DEVICE,
        checkpoint_seconds=1e9,
    )
    path = zoo.save(run, folder, initialised_from=origin)
    # A run that was cut off keeps what `fit` needs to continue it, by the same recipe.
    for leftover in ("so-far.safetensors", *(("checkpoint.pt", "log.jsonl") if run.finished else ())):
        (folder / leftover).unlink(missing_ok=True)
    after = run.log[-1][measure] if run.finished else validate(run.model)
    gain = "" if before is None else f", {better * (after - before):+.3f} better"
    say(name, f"{run.step} of {steps} steps in {run.seconds:.0f} s, {measure} {after:.3f}{gain}")
    rows = score_rows(name, "new", measure, [{"set": "held out", measure: after}])
    if before is not None:
        rows += score_rows(name, "package", measure, [{"set": "held out", measure: before}])
    write(WORK / f"{name}.scores", rows)
    scores = suite.card_scores(zoo.load(path).to(device), name)
    rows += score_rows(name, "new", measure, scores)
    at_hand = {score["set"] for score in scores}
    rows += score_rows(name, "package", measure, [score for score in old_scores(name) if score["set"] in at_hand])
    write(WORK / f"{name}.scores", rows)


def weights_to_start(recipe: Recipe, trained: nn.Module, name: str) -> dict | None:
    """The weights of the package in the form that the recipe trains; None where it has another one."""
    model = recipe.model()
    try:
        start_from(model, trained.cpu())
    except ValueError as error:
        say(name, f"cannot start from the package: {error}")
        return None
    return model.state_dict()


def old_scores(name: str) -> list[dict]:
    return zoo.card(name)["scores"] if name in zoo.names() else []


def score_rows(name: str, weights: str, measure: str, scores: Iterable[Mapping]) -> list[dict]:
    keys = ("set", "degradation", "protocol", "psnr", "ssim")
    about = {"network": name, "weights": weights, "measure": measure}
    return [about | {"value": score.get(measure)} | {key: score.get(key) for key in keys} for score in scores]


# -- a test of what only a GPU runs --

CHECKED = ("vdsr", "edsr-baseline-x2", "dncnn-3", "espcn-x3")


def short_recipe(name: str) -> Recipe:
    """Thirty steps on the pictures that every clone has, in low precision as all later trainings."""
    recipe = zoo.entry(name).recipe(budget="class")
    return dataclasses.replace(recipe, steps=30, validate_every=0, workers=0, data=functools.cache(recipe.data))


def trains(name: str) -> str:
    run = fit(short_recipe(name), progress=False, device=DEVICE)
    losses = [entry["loss"] for entry in run.log]
    assert all(math.isfinite(loss) for loss in losses), losses
    return f"samples by the {run.sampler}, loss {losses[0]:.4g} to {losses[-1]:.4g} in {run.seconds:.1f} s"


def resumes(name: str) -> str:
    """Cut off and continued, a training ends where it would have; where two runs of it agree, exactly."""
    recipe = short_recipe(name)
    ends = [fit(recipe, progress=False, device=DEVICE).model.state_dict() for _ in range(2)]
    with tempfile.TemporaryDirectory() as folder:
        assert fit(recipe, folder=folder, seconds=0.0, progress=False, device=DEVICE).step < recipe.steps
        resumed = fit(recipe, folder=folder, resume=True, progress=False, device=DEVICE).model.state_dict()
    again, apart = (max(float((ends[0][key] - end[key]).abs().max()) for key in resumed) for end in (ends[1], resumed))
    assert apart <= 10 * again + 1e-6, f"{apart:.1e} after a resume, {again:.1e} between two runs"
    return f"weights differ by {apart:.1e}, those of two uninterrupted runs by {again:.1e}"


def is_captured(name: str) -> str:
    """A network as CUDA graphs has the loss that it has without."""
    recipe, device = short_recipe(name), best_device()
    torch.manual_seed(0)
    model = recipe.model().to(device, memory_format=memory_format(device)).train()
    samples = recipe.data(recipe.seed)
    pairs = [samples[i] for i in range(recipe.batch)]
    observed, clean = (torch.stack(each).to(device) for each in zip(*pairs, strict=True))
    observed = observed.to(memory_format=memory_format(device))
    dtype = autocast_dtype(device)

    def loss(network: nn.Module) -> float:
        with torch.autocast(device, dtype) if dtype else contextlib.nullcontext():
            predicted = network(observed)
        return recipe.loss(predicted.float(), clean).item()

    plain = loss(model)
    graphed = loss(captured(model, observed.clone(memory_format=torch.preserve_format), dtype))
    assert abs(graphed - plain) <= 0.01 * abs(plain), f"loss {graphed:.6g}, {plain:.6g} without"
    return f"loss {graphed:.6g}, {plain:.6g} without"


def samples_again(name: str) -> str:
    """Samples are a function of seed and step."""
    recipe = short_recipe(name)
    first, second = (on_device(recipe.data(recipe.seed), recipe.batch, best_device()) for _ in range(2))
    first(0)
    assert all(torch.equal(a, b) for a, b in zip(first(20), second(20), strict=True))
    return "the same ones twice"


def selftest() -> int:
    """Run all checks, one line each; the number of those that failed."""
    os.environ.setdefault("STARTED", str(time.monotonic()))
    WORK.mkdir(parents=True, exist_ok=True)
    failed = 0
    with alone():
        for check in (trains, is_captured, samples_again, resumes):
            for name in CHECKED if check is not resumes else CHECKED[-1:]:
                try:
                    say(f"{check.__name__} {name}", check(name))
                except Exception as error:
                    failed += 1
                    say(f"{check.__name__} {name}", f"FAILED: {' '.join(str(error).split())[:500] or repr(error)}")
    return failed


# -- a notebook --


def notebook(name: str) -> None:
    """Run the code cells of a notebook in IPython, without a kernel; name the slow ones."""
    budget = os.environ["IMTRANS_BUDGET"] = "class" if GPU else "quick"
    os.environ["MPLBACKEND"] = "agg"
    try:
        from IPython.core.interactiveshell import InteractiveShell
    except ImportError as error:
        say(name, f"not run: {error}")
        return
    shell = InteractiveShell.instance(colors="nocolor")
    begun = time.monotonic()
    for number, cell in enumerate(json.loads(Path(f"notebooks/{name}.ipynb").read_text())["cells"]):
        if cell["cell_type"] != "code":
            continue
        started, printed = time.monotonic(), io.StringIO()
        with contextlib.redirect_stdout(printed):
            result = shell.run_cell("".join(cell["source"]))
        error = result.error_before_exec or result.error_in_exec
        if time.monotonic() - started > 5 or error:
            say(name, f"cell {number}: {time.monotonic() - started:.0f} s\n{printed.getvalue()[-1500:]}")
        if error:
            say(name, f"cell {number} failed: {error}")
            return
    say(name, f"all cells ran in {time.monotonic() - begun:.0f} s at the budget {budget}")


# -- the whole --


def write(path: Path, content: object) -> None:
    assets.write_whole(path, json.dumps(content).encode())


def write_table(path: Path, rows: list[dict]) -> None:
    if rows:
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
        assets.write_whole(path, text.getvalue().encode())


def contents(paths: Iterable[Path]) -> dict[Path, bytes]:
    """The files that are there, each read once: whoever trains may remove one at any time."""
    found = {}
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            found[path] = path.read_bytes()
    return found


def bundle(runs: Path, out: Path) -> None:
    """Write what stands of all runs into archives: finished ones with card and log, of others the last weights.

    Those that were cut off have their checkpoint as well, unless it is larger than an archive may be.
    """
    groups: list[dict[Path, bytes]] = []
    room = 0
    for folder in sorted(runs.iterdir()) if runs.is_dir() else []:
        kinds = (".safetensors", ".json", ".jsonl", ".pt")
        files = contents(sorted(path for path in folder.iterdir() if path.suffix in kinds))
        files = {path: data for path, data in files.items() if path.suffix != ".pt" or len(data) < ZIP_BYTES // 2}
        if not any(path.suffix == ".safetensors" for path in files):
            continue
        size = sum(len(data) + 512 for data in files.values())
        if size > room:
            groups.append({})
            room = ZIP_BYTES
        groups[-1] |= files
        room -= size
    for number, files in enumerate(groups[:ZIPS], start=1):
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            for path, data in files.items():
                archive.writestr(f"{path.parent.name}/{path.name}", data)
        assets.write_whole(out / f"trained-{number}.zip", content.getvalue())
    for files in groups[ZIPS:]:
        print("no room for", *sorted({path.parent.name for path in files}), flush=True)


def collect(names: Iterable[str]) -> None:
    """Write tables and archives of what there is by now."""
    names = list(names)
    speeds, scores = (
        [json.loads(data) for data in contents(WORK / f"{name}.{kind}" for name in names).values()]
        for kind in ("speed", "scores")
    )
    write_table(OUT / f"{'gpu' if GPU else 'cpu'}-speed.csv", speeds)
    write_table(OUT / f"{'gpu' if GPU else 'cpu'}-scores.csv", [row for rows in scores for row in rows])
    bundle(WORK / "runs", OUT)


class Children:
    """The processes of all networks, and of the notebook."""

    def __init__(self) -> None:
        self.processes: dict[str, subprocess.Popen] = {}

    def start(self, name: str, task: str) -> None:
        """Start one of the tasks in a process."""
        threads = str(max(1, min(4, (os.cpu_count() or 1) // 2)))
        command = [sys.executable, "-u", __file__, task, name]
        self.processes[name] = subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": threads})

    def state(self, name: str) -> str:
        """One of waiting, preparing, ready, training, over."""
        if name not in self.processes:
            return "waiting"
        if self.processes[name].poll() is not None:
            return "over"
        if (WORK / f"{name}.go").exists():
            return "training"
        return "ready" if (WORK / f"{name}.ready").exists() else "preparing"

    def stop(self, name: str) -> None:
        """Stop one, if it still runs."""
        if self.processes[name].poll() is None:
            say(name, "out of time")
            self.processes[name].kill()

    def end(self) -> None:
        """Stop all that still runs."""
        for process in self.processes.values():
            if process.poll() is None:
                process.kill()
            process.wait()


def main() -> None:
    start = time.monotonic()
    last = start + 60 * float(os.environ.get("MINUTES", "8")) - CLOSING
    for folder in (WORK, OUT):
        folder.mkdir(parents=True, exist_ok=True)
    os.environ |= {"STARTED": str(start), "MATMUL_RATE": str(matmul_rate())}
    cores = os.cpu_count() or 1
    print(f"{processor_name(best_device())}, torch {torch.__version__}, Python {sys.version.split()[0]}, {cores} cores")
    print(f"bf16 matmul: {float(os.environ['MATMUL_RATE']) / 1e12:.1f} TFLOP/s", flush=True)

    names = os.environ.get("NETWORKS", "").split() or order(zoo.RESTORERS, GPU)
    if strangers := [name for name in names if name not in zoo.RESTORERS]:
        sys.exit(f"NETWORKS: {', '.join(strangers)} cannot be trained here, but {', '.join(zoo.RESTORERS)} can")
    small = [name for name in names if parameters(name) < SMALL]
    names = list(allot(names, (1 - MEASURING) * (last - CLOSING - start), small))
    print("to train:", *names, flush=True)
    page = os.environ.get("NOTEBOOK", "01-srcnn" if GPU else "none")
    tasks = dict.fromkeys(["selftest"] if GPU else [], "selftest") | dict.fromkeys(names, "train")
    tasks |= dict.fromkeys(SPEED_ONLY if GPU else [], "speed")
    children, ends, collected = Children(), {}, 0.0
    try:
        while (now := time.monotonic()) < last:
            preparing = {name: children.state(name) for name in tasks}
            measured = now > start + MEASURING * (last - start)
            for name, task in tasks.items():
                if preparing[name] == "waiting" and list(preparing.values()).count("preparing") < max(1, cores // 2):
                    children.start(name, task)
                    preparing[name] = "preparing"
                # A process that shares the device by the service must not be killed lightly: it may take others along.
                late = (task == "speed" and measured and not BESIDE) or (task == "selftest" and now > start + TESTING)
                if (late and preparing[name] == "preparing") or now > ends.get(name, last) + CLOSING:
                    children.stop(name)
            begin = {}
            if measured or not {"waiting", "preparing"} & set(preparing.values()):
                if page != "none" and page not in children.processes:
                    children.start(page, "notebook")
                states = {name: preparing[name] for name in names}
                begin = may_train(states, [name for name in small if name in names], last - CLOSING - now, BESIDE)
                reads = page != "none" and children.state(page) != "over"
                others = BESIDE or reads or "preparing" in preparing.values()
                for name, seconds in begin.items():
                    ends[name] = now + seconds
                    write(WORK / f"{name}.go", {"until": ends[name], "company": others})
            working = {"waiting", "preparing", "training"} & set(preparing.values())
            if not (begin or working or (page != "none" and children.state(page) != "over")):
                break
            if now - collected > 20:
                with contextlib.suppress(OSError):
                    collect(tasks)
                collected = now
            time.sleep(0.2)
    finally:
        children.end()
        collect(tasks)
    print(f"over after {time.monotonic() - start:.0f} s:", *sorted(path.name for path in OUT.iterdir()))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # collects what stands
    tasks = {"train": train, "speed": speed, "notebook": notebook}
    try:
        if "selftest" in sys.argv[1:]:
            sys.exit(selftest())
        elif len(sys.argv) > 1:
            tasks[sys.argv[1]](sys.argv[2])
        else:
            main()
    except Exception:
        traceback.print_exc()
        sys.exit(1)
