"""What ``on_gpu.sh`` runs: measure, train, score, run a notebook, save on the way, and end in time.

One process per network, so that a failure stays its own. Each reads its pictures, measures its speed while nobody else
uses the device, and waits until it may train. Large networks train one after the other, the most valuable first; small
ones, which leave most of a GPU idle, and the notebook run beside them.
"""

import contextlib
import csv
import dataclasses
import fcntl
import functools
import io
import json
import os
import signal
import subprocess
import sys
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
from imtrans.hardware import best_device, processor_name
from imtrans.models.blocks import start_from
from imtrans.models.edsr import EDSR
from imtrans.runs import validator
from imtrans.runs.shares import share
from imtrans.training import Recipe, fit

# The most valuable first; then networks that are new in the registry.
PRIORITY = ("vdsr", "edsr-baseline-x2", "dncnn-3", "dncnn-blind", "cdncnn-blind", "srcnn-955-x3", "espcn-x3")
LEFT_OUT = ("srcnn-x2", "srcnn-x3", "srcnn-x4", "dncnn-15", "dncnn-25", "dncnn-50", "mdsr-baseline")
SHARES = {"vdsr": 3, "edsr-baseline-x2": 3, "dncnn-3": 2}  # of the time of the large networks; 1 for the others
SMALL = 100_000  # parameters below which a network does not fill a GPU
LARGER = 4  # times the batch of the recipe, which was made for a CPU
LEAST = 20.0  # seconds that a training is worth starting for
TRIAL = 0.06  # part of a network's time that each of the two starts is tried for
MEASURING = 0.3  # part of the whole time after which no training waits for measurements any more
CLOSING = 10.0  # seconds at the end for tables and bundles
ZIP_BYTES, ZIPS = 15 * 2**20, 5  # beside the log and two tables: at most eight files
TRAINING_SETS = ("T91", "BSD200", "BSD500_test")

GPU = best_device() == "cuda"
DEVICE = None if GPU else "cpu"
WORK = Path(os.environ.get("WORK", "on-gpu/work"))
OUT = Path(os.environ.get("OUT", "on-gpu/out"))


# Networks that are not trained here: only the speed of their training is measured.
SPEED_ONLY = {"edsr-paper-x2": ("edsr-baseline-x2", partial(EDSR.paper, 2))}


# -- plans --


def order(known: Iterable[str], gpu: bool = True) -> list[str]:
    """The networks to train, the most valuable first; without a GPU, to try the script, the last and smallest first."""
    known = [name for name in known if name not in LEFT_OUT]
    listed = [name for name in PRIORITY if name in known]
    return (listed if gpu else listed[::-1]) + [name for name in known if name not in PRIORITY]


def allot(names: Sequence[str], seconds: float) -> dict[str, float]:
    """The time of each network by `SHARES`; the last ones get none where somebody would have less than `LEAST`."""
    names = list(names)
    while names:
        times = share(seconds, [SHARES.get(name, 1) for name in names])
        if min(times) >= LEAST or len(names) == 1:
            return dict(zip(names, times, strict=True))
        names.pop()
    return {}


def may_train(states: Mapping[str, str], small: Sequence[str], seconds: float) -> dict[str, float]:
    """The networks that may begin to train now, and for how long.

    Args:
        states: State of each network, the most valuable first: waiting, preparing, ready, training or over.
        small: Those that run beside others.
        seconds: Time until all trainings must be over.
    """
    begin = {name: seconds for name in small if states[name] == "ready"}
    large = [name for name in states if name not in small]
    if not any(states[name] == "training" for name in large):
        times = allot([name for name in large if states[name] in ("waiting", "preparing", "ready")], seconds)
        first = next((name for name in times if states[name] == "ready"), None)
        if first is not None:
            begin[first] = times[first]
    return {name: time for name, time in begin.items() if time >= LEAST / 2}


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
    """Links to the carried training pictures, one folder per set, without those that are held out."""
    folders = []
    for name in TRAINING_SETS:
        place = benchmarks.locate(name)
        if place is None:
            continue
        folder = WORK / "training" / name
        folder.mkdir(parents=True, exist_ok=True)
        for path in place.iterdir():
            if path.stem in benchmarks.SETS[name].pictures and path.stem not in benchmarks.HELD_OUT.get(name, ()):
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


def measured_speed(recipe: Recipe) -> dict[str, object]:
    """Steps per second of the plain loop in fp32 and of `fit`, and which part of the matmul rate `fit` reaches."""
    samples = recipe.data(recipe.seed)
    pairs = [samples[i] for i in range(recipe.batch)]
    observed, clean = (torch.stack(each).to(best_device()) for each in zip(*pairs, strict=True))
    model = recipe.model().to(best_device())
    flops = flops_per_sample(model, observed) * recipe.batch
    optimizers = recipe.optimizer.build(model)

    def plain_step() -> None:
        loss = recipe.loss(model(observed), clean)
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        loss.item()

    plain = 1 / seconds_per_call(plain_step, 0.7)
    ends: list[float] = []
    run = fit(
        dataclasses.replace(recipe, steps=10**6),
        seconds=2.5,
        progress=False,
        device=DEVICE,
        on_step=lambda step, loss: ends.append(time.perf_counter()),
    )
    half = len(ends) // 2
    fast = (len(ends) - 1 - half) / (ends[-1] - ends[half]) if len(ends) > 3 else plain
    rate = float(os.environ["MATMUL_RATE"])
    return {
        "network": recipe.name,
        "device": processor_name(best_device()),
        "torch": torch.__version__,
        "date": date.today().isoformat(),
        "batch": recipe.batch,
        "patch": observed.shape[-1],
        "sampler": run.sampler,
        "gflop_per_step": round(flops / 1e9, 2),
        "plain_fp32_steps_per_second": round(plain, 2),
        "steps_per_second": round(fast, 2),
        "tflops": round(flops * fast / 1e12, 3),
        "matmul_tflops": round(rate / 1e12, 1),
        "share_of_matmul": round(flops * fast / rate, 4),
    }


def speed(name: str) -> None:
    """Measure the training of a network that has no entry of its own, by the paper's batch and patch."""
    entry, model = SPEED_ONLY[name]
    recipe = zoo.entry(entry).recipe(budget="paper", data=training_folders() or None)
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
        before = None if trained is None else validate(trained)
        validation_seconds = 5.0 if trained is None else time.monotonic() - begun
    package = "no weights" if before is None else f"{measure} {before:.3f}"
    say(name, f"{in_words(measured)}; in the package: {package}")
    small = sum(p.numel() for p in recipe.model().parameters()) < SMALL
    write(WORK / f"{name}.speed", measured)
    write(WORK / f"{name}.ready", {"small": small})
    while not (WORK / f"{name}.go").exists():
        time.sleep(0.1)
    until = float(json.loads((WORK / f"{name}.go").read_text()))

    # A short training from either start, each with the schedule of its length; the better one gets the rest.
    rate, initial, origin = float(measured["steps_per_second"]), None, None
    weights = None if trained is None else weights_to_start(recipe, trained, name)
    if weights is not None:
        results = {}
        steps = max(4, int(TRIAL * (until - time.monotonic()) * rate))
        trial = dataclasses.replace(recipe, steps=steps, validate_every=0)
        for start, state in (("the package", weights), ("scratch", None)):
            ends: list[float] = []
            keep_time = lambda step, loss, ends=ends: ends.append(time.monotonic())  # noqa: E731
            run = fit(trial, initial=state, progress=False, device=DEVICE, on_step=keep_time)
            results[start] = validate(run.model)
            half = len(ends) // 2
            rate = (len(ends) - 1 - half) / max(1e-6, ends[-1] - ends[half])  # in the company that there is now
        say(
            name,
            f"after {steps} steps {results['the package']:.3f} from the package, {results['scratch']:.3f} from scratch",
        )
        if better * (results["the package"] - results["scratch"]) >= 0:
            initial, origin = weights, name

    seconds = until - time.monotonic() - 2 - 3 * validation_seconds  # to score it at the end
    steps = max(4, int(0.92 * rate * (seconds - 2 * validation_seconds)))
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
    for leftover in ("checkpoint.pt", "log.jsonl", "so-far.safetensors"):
        (folder / leftover).unlink(missing_ok=True)
    after = validate(run.model)
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


def bundle(runs: Path, out: Path) -> None:
    """Write what stands of all runs into archives: finished ones with card and log, of others the last weights."""
    groups: list[list[Path]] = []
    room = 0
    for folder in sorted(runs.iterdir()) if runs.is_dir() else []:
        files = sorted(p for p in folder.iterdir() if p.suffix in (".safetensors", ".json", ".jsonl"))
        if not any(path.suffix == ".safetensors" for path in files):
            continue
        size = sum(path.stat().st_size + 512 for path in files)
        if size > room:
            groups.append([])
            room = ZIP_BYTES
        groups[-1] += files
        room -= size
    for number, files in enumerate(groups[:ZIPS], start=1):
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            for path in files:
                archive.write(path, f"{path.parent.name}/{path.name}")
        assets.write_whole(out / f"trained-{number}.zip", content.getvalue())
    for files in groups[ZIPS:]:
        print("no room for", *sorted({path.parent.name for path in files}), flush=True)


def collect(names: Iterable[str]) -> None:
    """Write tables and archives of what there is by now."""
    names = list(names)
    speeds = [json.loads(p.read_text()) for n in names if (p := WORK / f"{n}.speed").exists()]
    scores = [row for n in names if (p := WORK / f"{n}.scores").exists() for row in json.loads(p.read_text())]
    write_table(OUT / f"{'gpu' if GPU else 'cpu'}-speed.csv", speeds)
    write_table(OUT / f"{'gpu' if GPU else 'cpu'}-scores.csv", scores)
    bundle(WORK / "runs", OUT)


def is_small(name: str) -> bool:
    """Whether a network that is ready leaves room beside it; on a CPU none does."""
    return GPU and json.loads((WORK / f"{name}.ready").read_text())["small"]


class Children:
    """The processes of all networks, and of the notebook."""

    def __init__(self) -> None:
        self.processes: dict[str, subprocess.Popen] = {}

    def start(self, name: str, task: str) -> None:
        """Start ``train`` or ``notebook`` in a process."""
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
    page = os.environ.get("NOTEBOOK", "01-srcnn" if GPU else "none")
    extras = list(SPEED_ONLY) if GPU else []
    children, ends, collected = Children(), {}, 0.0
    try:
        while (now := time.monotonic()) < last:
            states = {name: children.state(name) for name in names}
            preparing = {name: children.state(name) for name in [*names, *extras]}
            for name, state in preparing.items():
                if state == "waiting" and list(preparing.values()).count("preparing") < max(1, cores // 2):
                    children.start(name, "train" if name in states else "speed")
                    preparing[name] = "preparing"
                if state == "training" and now > ends[name] + CLOSING:
                    say(name, "out of time")
                    children.processes[name].kill()
            begin = {}
            if now > start + MEASURING * (last - start) or not {"waiting", "preparing"} & set(preparing.values()):
                if page != "none" and page not in children.processes:
                    children.start(page, "notebook")
                small = [name for name in names if states[name] in ("ready", "training") and is_small(name)]
                begin = may_train(states, small, last - CLOSING - now)
                for name, seconds in begin.items():
                    ends[name] = now + seconds
                    write(WORK / f"{name}.go", ends[name])
            working = {"waiting", "preparing", "training"} & set(preparing.values())
            if not (begin or working or (page != "none" and children.state(page) != "over")):
                break
            if now - collected > 20:
                collect([*names, *extras])
                collected = now
            time.sleep(0.2)
    finally:
        children.end()
        collect([*names, *extras])
    print(f"over after {time.monotonic() - start:.0f} s:", *sorted(path.name for path in OUT.iterdir()))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # collects what stands
    tasks = {"train": train, "speed": speed, "notebook": notebook}
    try:
        if len(sys.argv) > 1:
            tasks[sys.argv[1]](sys.argv[2])
        else:
            main()
    except Exception:
        traceback.print_exc()
        sys.exit(1)
