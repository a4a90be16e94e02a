"""What ``on_gpu.sh`` runs: measure, train, score, run a notebook, save as it goes, and end in time.

One process a network, so that a failure stays its own. Each reads its pictures and waits for the device, measures its
speed alone on it, and waits until it may train. Large networks train one after the other, the most valuable first;
small ones, which leave most of a GPU idle, and the notebook beside them.
"""

import csv
import dataclasses
import fcntl
import io
import json
import os
import subprocess
import sys
import time
import traceback
import zipfile
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import torch
from torch import nn

# The most valuable first. Networks of the registry that are not named here come behind, those without weights first.
PRIORITY = (
    "vdsr", "edsr-baseline-x2", "dncnn-3", "dncnn-blind", "cdncnn-blind", "srcnn-955-x3", "espcn-x3",
)  # fmt: skip
WEIGHT = {"vdsr": 3, "edsr-baseline-x2": 3, "dncnn-3": 2}  # shares of the time, else 1
SMALL = 100_000  # parameters below which a network does not fill a GPU
LEAST = 20.0  # seconds that a training is worth starting for
FILE_BYTES, ZIPS = 15 * 2**20, 5  # beside the log and two tables: eight files

WORK = Path(os.environ.get("WORK", "on-gpu/work"))
OUT = Path(os.environ.get("OUT", "on-gpu/out"))


def order(known: Sequence[str], trained: Sequence[str]) -> list[str]:
    """The networks of the registry, the most valuable first."""
    listed = [name for name in PRIORITY if name in known]
    rest = [name for name in known if name not in PRIORITY]
    return listed + sorted(rest, key=lambda name: name in trained)


def allot(names: Sequence[str], seconds: float, least: float = LEAST) -> dict[str, float]:
    """The time of each network, by `WEIGHT`; the last ones get none where someone would have less than ``least``."""
    names = list(names)
    while names:
        total = sum(WEIGHT.get(name, 1) for name in names)
        shares = {name: seconds * WEIGHT.get(name, 1) / total for name in names}
        if min(shares.values()) >= least or len(names) == 1:
            return shares
        names.pop()
    return {}


# -- the device --


def device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def wait_for_device() -> None:
    if device() == "cuda":
        torch.cuda.synchronize()


def seconds_per_call(call: Callable[[], object], seconds: float) -> float:
    """The mean time of a call, over about so many seconds after three to warm up."""
    for _ in range(3):
        call()
    wait_for_device()
    started, calls = time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
        call()
        calls += 1
        if calls % 10 == 0:
            wait_for_device()
    wait_for_device()
    return (time.perf_counter() - started) / calls


def matmul_rate() -> float:
    """FLOP/s of a large product of bf16 matrices of random numbers."""
    side = 8192 if device() == "cuda" else 1024
    a, b = (torch.randn(side, side, device=device(), dtype=torch.bfloat16) for _ in range(2))
    return 2 * side**3 / seconds_per_call(lambda: a @ b, 0.5)


def flops_per_step(model: nn.Module, observed: torch.Tensor, batch: int) -> int:
    """Of forward and backward pass: multiplications and additions of the convolutions and products."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        model(observed[:1]).sum().backward()
    model.zero_grad(set_to_none=True)
    return counter.get_total_flops() * batch


# -- one network, in a process of its own --


def training_folders() -> list[Path]:
    """Links to the carried training pictures, a folder a set, less those that are held out."""
    from imtrans.data import benchmarks

    folders = []
    for name in ("T91", "BSD200", "BSD500_test"):
        place = benchmarks.locate(name)
        if place is None:
            continue
        folder = WORK / "training" / name
        folder.mkdir(parents=True, exist_ok=True)
        for path in place.iterdir():
            link = folder / path.name
            if path.stem in benchmarks.SETS[name].pictures and path.stem not in benchmarks.HELD_OUT.get(name, ()):
                link.unlink(missing_ok=True)
                link.symlink_to(path.resolve())
        folders.append(folder)
    return folders


def recipe_of(name: str, folders: list[Path]):
    """The recipe ``full`` with the batch of ``class``: a GPU has room for it."""
    from imtrans.recipes import RECIPES

    if not folders:  # what every clone has
        return RECIPES[name](budget="class")
    full, large = (RECIPES[name](budget=budget, data=folders) for budget in ("full", "class"))
    batch = max(full.batch, large.batch) if device() == "cuda" else full.batch
    return dataclasses.replace(full, batch=batch, workers=6 if device() == "cuda" else 0)


def say(name: str, text: str) -> None:
    print(f"{time.monotonic() - float(os.environ['STARTED']):6.1f} s  {name}: {text}", flush=True)


def measured_speed(name: str, recipe, seconds: float) -> dict:
    """Steps per second of the plain loop in fp32 and of `fit`, and what part of the matmul rate that is."""
    from imtrans.training import fit

    samples = recipe.data(recipe.seed)
    observed, clean = (
        torch.stack(x).to(device()) for x in zip(*(samples[i] for i in range(recipe.batch)), strict=True)
    )
    model = recipe.model().to(device())
    flops = flops_per_step(model, observed, recipe.batch)
    optimizers = recipe.optimizers(model)

    def plain() -> None:
        loss = recipe.loss(model(observed), clean)
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        loss.item()

    slow = 1 / seconds_per_call(plain, seconds)
    times: list[float] = []
    fit(
        dataclasses.replace(recipe, steps=10**6),
        seconds=2 * seconds + 2,
        progress=False,
        device="cpu" if device() == "cpu" else None,
        on_step=lambda step, loss: times.append(time.perf_counter()),
    )
    times = times[len(times) // 2 :] if len(times) > 3 else times
    fast = (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 else slow
    rate = float(os.environ["MATMUL_RATE"])
    return {
        "network": name,
        "device": os.environ["DEVICE_NAME"],
        "torch": torch.__version__,
        "date": date.today().isoformat(),
        "batch": recipe.batch,
        "patch": observed.shape[-1],
        "gflop_per_step": round(flops / 1e9, 2),
        "plain_fp32_steps_per_second": round(slow, 2),
        "steps_per_second": round(fast, 2),
        "tflops": round(flops * fast / 1e12, 3),
        "matmul_tflops": round(rate / 1e12, 1),
        "share_of_matmul": round(flops * fast / rate, 4),
    }


def score_rows(name: str, kind: str, scores: list[dict]) -> list[dict]:
    keys = ("set", "scale", "sigma", "quality", "protocol", "psnr", "ssim")
    return [{"network": name, "weights": kind} | {key: score.get(key) for key in keys} for score in scores]


def train_one(name: str) -> None:
    """Prepare, measure, wait, try both starts, train, score."""
    from imtrans import assets, evaluation, zoo
    from imtrans.training import fit

    folder = WORK / "runs" / f"{name}-full"
    folder.mkdir(parents=True, exist_ok=True)
    recipe = recipe_of(name, training_folders())
    trained = zoo.load(name).to(device()) if name in zoo.names() else None
    at = evaluation.levels(zoo.MODELS[name]())
    validate = evaluation.validator(scales=at["scale"], sigmas=at["sigma"], qualities=at["quality"])
    small = sum(p.numel() for p in recipe.model().parameters()) < SMALL

    with (WORK / "device.lock").open("w") as lock:  # one at a time on the device: speeds of each alone
        fcntl.flock(lock, fcntl.LOCK_EX)
        speed = measured_speed(name, recipe, 1.0)
        started = time.monotonic()
        before = validate(trained) if trained is not None else {}
        validation_seconds = time.monotonic() - started if before else 5.0
    say(name, f"{speed['steps_per_second']} steps/s (plain fp32 loop {speed['plain_fp32_steps_per_second']}), "
        f"{100 * speed['share_of_matmul']:.1f} % of the matmul rate; package: {before.get('psnr', 0):.2f} dB")  # fmt: skip
    write(WORK / f"{name}.ready", {"small": small, "speed": speed})
    while not (WORK / f"{name}.go").exists():
        time.sleep(0.1)
    until = float(json.loads((WORK / f"{name}.go").read_text()))

    def left() -> float:
        return until - time.monotonic()

    how = {"device": "cpu" if device() == "cpu" else None, "progress": False}

    def attempt(initial, steps: int) -> tuple[float, float]:
        times: list[float] = []
        run = fit(dataclasses.replace(recipe, steps=steps, validate_every=0), initial=initial,
                  on_step=lambda step, loss: times.append(time.monotonic()), **how)  # fmt: skip
        rate = (len(times) - 2) / (times[-1] - times[1]) if len(times) > 2 else speed["steps_per_second"]
        run.model.to(device())
        return validate(run.model)["psnr"], rate

    # A short training from either start; what is left is for the better one, at the speed that it had in this company.
    rate, initial, origin = speed["steps_per_second"], None, None
    steps = max(4, int(0.06 * left() * rate))
    if trained is not None:
        weights = started_from(recipe.model(), trained)
        from_weights, rate = attempt(weights, steps)
        from_scratch, rate = attempt(None, steps)
        say(
            name,
            f"after {steps} steps {from_weights:.2f} dB from the package's weights, {from_scratch:.2f} from scratch",
        )
        if from_weights >= from_scratch:
            initial, origin = weights, name
    reserve = 2 + 4 * validation_seconds
    steps = max(4, int(0.92 * rate * (left() - reserve)))
    recipe = dataclasses.replace(recipe, steps=steps, validate_every=max(1, steps // 2), seed=1)
    say(name, f"{steps} steps of {recipe.batch} from {origin or 'scratch'} in {left() - reserve:.0f} s")

    def keep(model: nn.Module) -> dict[str, float]:
        """Validate, on the device; what stands is kept in case that all ends here."""
        assets.save_weights(folder / "so-far.safetensors", model.state_dict())
        model.to(device())
        scores = validate(model)
        model.cpu()
        say(name, f"{scores['psnr']:.2f} dB")
        return scores

    run = fit(recipe, folder=folder, initial=initial, validate=keep, seconds=max(1.0, left() - reserve),
              checkpoint_seconds=1e9, resume=False, **how)  # fmt: skip
    path = zoo.save(run, folder, initialised_from=origin)
    (folder / "checkpoint.pt").unlink(missing_ok=True)
    (folder / "so-far.safetensors").unlink(missing_ok=True)
    after = validate(run.model.to(device()))
    gain = after["psnr"] - before.get("psnr", 0)
    say(
        name, f"{run.step} of {recipe.steps} steps in {run.seconds:.0f} s, held out {after['psnr']:.2f} dB, {gain:+.2f}"
    )
    held_out = {"set": "held out", "protocol": "", "psnr": round(after["psnr"], 3)}
    rows = score_rows(name, "new", [held_out])
    if before:
        rows += score_rows(name, "package", [held_out | {"psnr": round(before["psnr"], 3)}])
    write(WORK / f"{name}.scores", rows)
    rows += score_rows(name, "new", evaluation.card_scores(zoo.load(path).to(device())))
    if before:
        rows += score_rows(name, "package", zoo.card(name)["scores"])
    write(WORK / f"{name}.scores", rows)


def started_from(model: nn.Module, trained: nn.Module) -> dict:
    """The trained weights in the form that the recipe trains: without batch normalisation where it has none."""
    from imtrans import zoo
    from imtrans.models.dncnn import DnCNN, merged

    if isinstance(model, DnCNN) and not model.batch_norm and trained.batch_norm:
        trained = merged(trained)
    zoo.load_matching(model, {key: value.cpu() for key, value in trained.state_dict().items()}, "the package")
    return model.state_dict()


# -- a notebook --


def run_notebook(name: str) -> None:
    """The code cells of a notebook in IPython, without a kernel; the slow ones are named."""
    os.environ["IMTRANS_BUDGET"] = "class" if device() == "cuda" else "quick"
    os.environ["MPLBACKEND"] = "agg"
    try:
        from IPython.core.interactiveshell import InteractiveShell
    except ImportError as error:
        say(name, f"not run: {error}")
        return
    shell = InteractiveShell.instance(colors="NoColor")
    cells = json.loads(Path(f"notebooks/{name}.ipynb").read_text())["cells"]
    started = time.monotonic()
    for number, cell in enumerate(cells):
        if cell["cell_type"] != "code":
            continue
        begun = time.monotonic()
        printed, sys.stdout = sys.stdout, io.StringIO()
        try:
            result = shell.run_cell("".join(cell["source"]))
        finally:
            text, sys.stdout = sys.stdout.getvalue(), printed
        if time.monotonic() - begun > 5 or not result.success:
            say(name, f"cell {number}: {time.monotonic() - begun:.0f} s\n{text[-1500:]}")
        if not result.success:
            say(name, f"cell {number} failed: {result.error_before_exec or result.error_in_exec}")
            return
    say(name, f"all cells ran, {time.monotonic() - started:.0f} s at the budget {os.environ['IMTRANS_BUDGET']}")


# -- the whole --


def write(path: Path, content: object) -> None:
    aside = path.with_name(path.name + ".tmp")
    aside.write_text(json.dumps(content))
    os.replace(aside, path)


def write_table(path: Path, rows: list[dict]) -> None:
    if not rows:
        return
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def bundle(runs: Path, out: Path) -> None:
    """What stands of all runs, in at most `ZIPS` files: finished ones with card and log, else the last weights."""
    groups: list[list[Path]] = [[]]
    room = FILE_BYTES
    for folder in sorted(runs.iterdir()) if runs.is_dir() else []:
        files = [p for p in folder.iterdir() if p.suffix in (".safetensors", ".json", ".jsonl")]
        size = sum(p.stat().st_size for p in files) + 4096
        if not any(p.suffix == ".safetensors" for p in files):
            continue
        if size > room:
            groups.append([])
            room = FILE_BYTES
        groups[-1] += files
        room -= size
    for number, files in enumerate(groups[:ZIPS], start=1):
        if files:
            aside = WORK / "trained.tmp"
            with zipfile.ZipFile(aside, "w") as archive:
                for path in files:
                    archive.write(path, f"{path.parent.name}/{path.name}")
            (out / f"trained-{number}.zip").write_bytes(aside.read_bytes())
    if len(groups) > ZIPS:
        print("no room in the bundle:", *sorted({p.parent.name for files in groups[ZIPS:] for p in files}))


def collect(names: list[str]) -> None:
    """Write the tables and the bundles, of what there is by now."""
    speeds = [json.loads(p.read_text())["speed"] for n in names if (p := WORK / f"{n}.ready").exists()]
    scores = [row for n in names if (p := WORK / f"{n}.scores").exists() for row in json.loads(p.read_text())]
    write_table(OUT / ("gpu-speed.csv" if device() == "cuda" else "cpu-speed.csv"), speeds)
    write_table(OUT / "gpu-scores.csv", scores)
    bundle(WORK / "runs", OUT)


def main() -> None:
    from imtrans import zoo
    from imtrans.recipes import RECIPES

    start = time.monotonic()
    end = start + 60 * float(os.environ.get("MINUTES", "8"))
    WORK.mkdir(parents=True, exist_ok=True)
    OUT.mkdir(parents=True, exist_ok=True)
    cores = os.cpu_count() or 1
    os.environ["STARTED"] = str(start)
    os.environ["DEVICE_NAME"] = zoo.machine(device())
    os.environ["MATMUL_RATE"] = str(matmul_rate())
    print(f"{os.environ['DEVICE_NAME']}, torch {torch.__version__}, Python {sys.version.split()[0]}, {cores} cores")
    print(f"bf16 matmul: {float(os.environ['MATMUL_RATE']) / 1e12:.1f} TFLOP/s", flush=True)

    names = os.environ.get("NETWORKS", "").split() or order([n for n in zoo.MODELS if n in RECIPES], zoo.names())
    processes: dict[str, subprocess.Popen] = {}
    ends: dict[str, float] = {}

    def child(name: str, *arguments: str) -> None:
        environment = os.environ | {"OMP_NUM_THREADS": str(max(1, min(4, cores // 2)))}
        processes[name] = subprocess.Popen([sys.executable, "-u", __file__, *arguments], env=environment)

    def state(name: str) -> str:
        if name not in processes:
            return "waiting"
        if processes[name].poll() is not None:
            return "over"
        if (WORK / f"{name}.go").exists():
            return "training"
        return "ready" if (WORK / f"{name}.ready").exists() else "preparing"

    def is_small(name: str) -> bool:
        return device() == "cuda" and json.loads((WORK / f"{name}.ready").read_text())["small"]

    notebook = os.environ.get("NOTEBOOK", "01-srcnn")
    measuring_until = start + 0.3 * (end - start)
    last, collected = end - 10, 0.0
    try:
        while time.monotonic() < last:
            now = time.monotonic()
            states = {name: state(name) for name in names}
            for name in names:
                if states[name] == "waiting" and list(states.values()).count("preparing") < max(1, cores // 2):
                    child(name, "train", name)
                    states[name] = "preparing"
                if states[name] == "training" and now > ends[name] + 15:
                    say(name, "out of time, stopped")
                    processes[name].kill()
            if all(s == "over" for s in states.values()) and (
                notebook not in processes or processes[notebook].poll() is not None
            ):
                break
            measured = now > measuring_until or not {"waiting", "preparing"} & set(states.values())
            if measured:
                if device() == "cuda" and notebook != "none" and notebook not in processes:
                    child(notebook, "notebook", notebook)
                open_ = [n for n in names if states[n] == "ready" or (states[n] == "waiting" and device() == "cuda")]
                ready = [n for n in names if states[n] == "ready"]
                small = [n for n in ready if is_small(n)]
                for name in small:  # beside the large ones, for all of the time
                    ends[name] = last - 15
                    write(WORK / f"{name}.go", ends[name])
                large = [n for n in open_ if n not in small]
                busy = any(states[n] == "training" and not is_small(n) for n in names)
                if not busy and large and large[0] in ready:
                    ends[large[0]] = now + allot(large, last - 15 - now)[large[0]]
                    if ends[large[0]] - now >= LEAST / 2:
                        write(WORK / f"{large[0]}.go", ends[large[0]])
            if now - collected > 20:
                collect(names)
                collected = now
            time.sleep(0.2)
    finally:
        for process in processes.values():
            if process.poll() is None:
                process.kill()
        for process in processes.values():
            process.wait()
        collect(names)
    print(f"over after {time.monotonic() - start:.0f} s:", *sorted(p.name for p in OUT.iterdir()))


if __name__ == "__main__":
    try:
        {"train": train_one, "notebook": run_notebook}[sys.argv[1]](sys.argv[2]) if len(sys.argv) > 1 else main()
    except Exception:
        traceback.print_exc()
        sys.exit(1)
