"""The one loop: killed and resumed, on two processes, diverging, out of time."""

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from accelerate import PartialState
from safetensors.torch import load_file
from torch import nn

from imtrans import hardware
from imtrans.data.dead_leaves import dead_leaves
from imtrans.data.pairs import NoisePairs, OneScalePerBatch, SuperResolutionPairs
from imtrans.losses import half_sum_of_squares
from imtrans.models.edsr import MDSR
from imtrans.models.srcnn import SRCNN
from imtrans.muon import Muon
from imtrans.training import (
    Adam,
    Batches,
    MuonAndAdam,
    Recipe,
    clip_by_rate,
    constant,
    cosine,
    fit,
    halving,
    loop,
    staircase,
)


def srcnn_recipe(**changes) -> Recipe:
    """SRCNN as the quick budget trains it, small: dead leaves, augmentation, workers, clipping and EMA."""
    pictures = [picture[:, :1] for picture in dead_leaves(5, 40, seed=2).split(1)]
    recipe = Recipe(
        name="srcnn-small",
        model=lambda: SRCNN(n1=12, n2=6, padding="valid"),
        deployed=lambda: SRCNN(n1=12, n2=6),
        data=lambda seed: SuperResolutionPairs(pictures, (2, 3), 25, margin=6, seed=seed),
        loss=half_sum_of_squares,
        optimizer=MuonAndAdam(0.01, ends=True),
        steps=20,
        batch=4,
        schedule=cosine(warmup=5),
        clip=clip_by_rate(0.01),
        ema=0.9,
        workers=2,
    )
    return replace(recipe, **changes)


class Dropping(nn.Module):
    """A network with batch statistics and random numbers of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.Dropout(0.3), nn.Conv2d(8, 1, 3, padding=1)
        )

    def forward(self, x):
        return x + self.layers(x)


def dropping_recipe(**changes) -> Recipe:
    picture = dead_leaves(1, 32, seed=4)[:, :1]
    recipe = Recipe(
        name="dropping",
        model=Dropping,
        data=lambda seed: NoisePairs([picture], 12, (25, 25), seed=seed),
        loss=nn.functional.mse_loss,
        optimizer=Adam(1e-2),
        steps=12,
        batch=4,
        schedule=constant,
    )
    return replace(recipe, **changes)


def mdsr_recipe() -> Recipe:
    """A network of two scales, one per batch."""
    pictures = dead_leaves(1, 48, seed=5).split(1)
    pairs = [SuperResolutionPairs(pictures, (scale,), 8, upsamples=True) for scale in (2, 3)]
    return dropping_recipe(
        name="mdsr-small",
        model=lambda: MDSR(blocks=1, features=4, scales=(2, 3)),
        data=lambda seed: OneScalePerBatch(pairs, 4, seed),
        steps=6,
    )


def train(recipe, **options):
    return fit(recipe, progress=False, device="cpu", **options)


def same_weights(a: nn.Module, b: nn.Module) -> bool:
    a, b = a.state_dict(), b.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def losses(run) -> dict[int, float]:
    return {entry["step"]: entry["loss"] for entry in run.log}


def child(*arguments) -> subprocess.CompletedProcess:
    """Run this file as a program. No pipe: workers that outlive a killed parent would hold it open."""
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=120,
        check=False,
    )


# --- as on a GPU: the device makes the samples, and losses are read in groups ---------------------------------


@pytest.fixture
def gpu(monkeypatch):
    """A CPU that is treated as a GPU."""
    monkeypatch.setattr("imtrans.training.loop._is_gpu", lambda device: True)


def test_a_gpu_makes_its_samples_and_the_run_and_the_log_say_so(gpu):
    run = train(srcnn_recipe(workers=0))
    assert run.sampler == "device"
    assert run.log[0]["sampler"] == "device"


def test_a_cpu_takes_the_samples_of_the_host():
    run = train(srcnn_recipe(workers=0, steps=2))
    assert run.sampler == "host"
    assert "sampler" not in run.log[0]


def test_a_training_that_moves_from_gpu_to_cpu_and_back_says_which_steps_had_which_samples(tmp_path, monkeypatch):
    recipe = srcnn_recipe(workers=0, steps=4000)  # a long training logs every twentieth step alone
    run, steps = None, 0
    for gpu in (True, False, False, True):
        monkeypatch.setattr("imtrans.training.loop._is_gpu", lambda device, gpu=gpu: gpu)
        run = train(recipe, folder=tmp_path, resume=True, seconds=0.0)
        assert run.step > steps
        steps = run.step
    assert run.sampler == "device, then host, then device"
    named = [(entry["step"], entry["sampler"]) for entry in run.log if "sampler" in entry]
    assert [sampler for _, sampler in named] == ["device", "host", "device"]
    saved = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert saved["sampler"] == run.sampler


def test_an_old_checkpoint_tells_by_its_log_what_made_its_samples(gpu, tmp_path, monkeypatch):
    train(srcnn_recipe(workers=0), folder=tmp_path, seconds=0.0)
    saved = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    del saved["sampler"], saved["machine"]
    torch.save(saved, tmp_path / "checkpoint.pt")
    monkeypatch.setattr("imtrans.training.loop._is_gpu", lambda device: False)
    assert train(srcnn_recipe(workers=0), folder=tmp_path, resume=True).sampler == "device, then host"


def test_seconds_may_count_from_before_the_pictures_were_read():
    assert train(srcnn_recipe(workers=0), seconds=60.0, begun=time.monotonic() - 100).step == 1
    assert train(srcnn_recipe(workers=0, steps=3), seconds=60.0, begun=time.monotonic()).step == 3


def test_kinds_of_samples_that_no_device_makes_come_from_the_host(gpu):
    pairs = srcnn_recipe().data(0)
    run = train(srcnn_recipe(workers=0, steps=2, data=lambda seed: [pairs[i] for i in range(8)]))
    assert run.sampler == "host"


def test_on_a_gpu_each_step_is_reported_with_its_own_loss(gpu, monkeypatch):
    grouped, single = [], []
    train(srcnn_recipe(steps=27), on_step=lambda step, loss: grouped.append((step, loss)))
    monkeypatch.setattr("imtrans.training.loop.REPORT_EVERY", 1)
    train(srcnn_recipe(steps=27), on_step=lambda step, loss: single.append((step, loss)))
    assert [step for step, _ in grouped] == list(range(1, 28))
    assert grouped == single


def test_on_a_gpu_a_resumed_training_equals_an_uninterrupted_one(gpu, tmp_path):
    whole = train(srcnn_recipe(steps=40))
    part = train(srcnn_recipe(steps=40), folder=tmp_path, seconds=0.0)
    assert 0 < part.step < 40
    resumed = train(srcnn_recipe(steps=40), folder=tmp_path, resume=True)
    assert same_weights(whole.model, resumed.model)


def test_on_a_gpu_the_step_of_a_loss_that_is_not_finite_is_named(gpu):
    calls = []

    def loss(prediction, clean):
        calls.append(None)
        return half_sum_of_squares(prediction, clean) * (math.nan if len(calls) == 308 else 1)

    # A long training logs every second step alone, so that a loss waits for the next look.
    with pytest.raises(FloatingPointError, match="at step 308"):
        train(srcnn_recipe(steps=4000, loss=loss))


# --- resume ----------------------------------------------------------------------------------------------


def test_killed_and_resumed_equals_uninterrupted(tmp_path):
    killed = child(__file__, "killed", tmp_path / "run")
    assert killed.returncode == -signal.SIGKILL
    saved = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)
    assert saved["step"] == 12
    log = (tmp_path / "run" / "log.jsonl").read_text()
    assert log.count("\n") == 12

    # What a kill may leave beyond the checkpoint: a later entry, and half a line.
    (tmp_path / "run" / "log.jsonl").write_text(log + '{"step": 13, "loss": -1}\n{"step": 14, "lo')
    resumed = train(srcnn_recipe(), folder=tmp_path / "run", resume=True)
    whole = train(srcnn_recipe(), folder=tmp_path / "whole")

    assert resumed.finished
    assert resumed.step == whole.step == 20
    assert same_weights(resumed.model, whole.model)
    assert losses(resumed) == losses(whole)
    on_disk = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert on_disk == resumed.log
    assert [entry["step"] for entry in on_disk] == list(range(1, 21))
    both = [torch.load(tmp_path / name / "checkpoint.pt", weights_only=True) for name in ("run", "whole")]
    for name, weight in both[0]["model"].items():  # not the average alone: the weights under training too
        assert torch.equal(weight, both[1]["model"][name])
        assert not torch.equal(weight, both[0]["average"][name])
    fresh = train(replace(srcnn_recipe(), steps=1, workers=0))
    assert not same_weights(fresh.model, whole.model)


def test_a_resumed_training_continues_the_random_numbers_of_the_network(tmp_path):
    whole = train(dropping_recipe())
    parts = [train(dropping_recipe(), folder=tmp_path, resume=True, seconds=0)]
    while not parts[-1].finished:
        parts.append(train(dropping_recipe(), folder=tmp_path, resume=True, seconds=0))
    assert [part.step for part in parts] == list(range(1, 13))  # each part had the time for one step
    assert same_weights(parts[-1].model, whole.model)
    assert losses(parts[-1]) == losses(whole)
    again = train(dropping_recipe(), folder=tmp_path, resume=True)  # finished: nothing left to do
    assert again.finished
    assert same_weights(again.model, whole.model)


def test_workers_and_progress_bar_change_nothing(monkeypatch, capfd):
    monkeypatch.delenv("CI", raising=False)
    alone, together = dropping_recipe(), dropping_recipe(workers=2)
    quiet = train(alone)
    assert "dropping" not in capfd.readouterr().err
    loud = fit(together, device="cpu")
    assert "dropping" in capfd.readouterr().err
    assert same_weights(quiet.model, loud.model)


def test_the_seed_decides():
    a, b, c = (train(dropping_recipe(seed=seed)) for seed in (0, 0, 1))
    assert same_weights(a.model, b.model)
    assert losses(a) == losses(b)
    assert not same_weights(a.model, c.model)


def test_a_folder_is_not_overwritten_nor_mixed(tmp_path):
    train(dropping_recipe(), folder=tmp_path, seconds=0)
    with pytest.raises(ValueError, match="holds a training at step 1: resume it, or remove the folder"):
        train(dropping_recipe(), folder=tmp_path)
    for change in ({"name": "other"}, {"steps": 13}, {"batch": 8}, {"seed": 3}, {"version": 2}):
        with pytest.raises(ValueError, match="holds another training"):
            train(dropping_recipe(**change), folder=tmp_path, resume=True)
    assert train(dropping_recipe(), folder=tmp_path, resume=True).finished  # it is as it was


def test_initial_weights_start_a_fresh_schedule(tmp_path):
    first = train(dropping_recipe())
    rates = []
    second = train(
        dropping_recipe(optimizer=Adam(0.0)),
        initial=first.model.state_dict(),
        validate=lambda model: rates.append(same_weights(model, first.model)) or {},
    )
    for name, parameter in second.model.named_parameters():
        assert torch.equal(parameter, first.model.get_parameter(name))  # a rate of 0 leaves them where they began
    assert second.log[0]["step"] == 1
    assert rates == [False]  # the batch statistics did move


# --- stopping --------------------------------------------------------------------------------------------


def test_a_loss_that_is_not_finite_stops_and_the_checkpoint_stays(tmp_path):
    calls = []

    def loss(prediction, clean):
        calls.append(1)
        return (prediction - clean).square().mean() * (math.nan if len(calls) == 5 else 1)

    with pytest.raises(FloatingPointError, match="dropping: the loss is nan at step 5"):
        train(dropping_recipe(loss=loss), folder=tmp_path, checkpoint_seconds=0)
    saved = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert saved["step"] == 4
    assert all(weight.isfinite().all() for weight in saved["model"].values())
    assert [json.loads(line)["step"] for line in (tmp_path / "log.jsonl").read_text().splitlines()] == [
        1,
        2,
        3,
        4,
    ]


def test_time_up_stops_with_a_checkpoint_and_resume_finishes(tmp_path):
    part = train(dropping_recipe(), folder=tmp_path, seconds=0)
    assert not part.finished
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["step"] == part.step == 1
    rest = train(dropping_recipe(), folder=tmp_path, resume=True, seconds=600)
    assert rest.finished
    assert same_weights(rest.model, train(dropping_recipe()).model)


def test_a_checkpoint_that_cannot_be_written_leaves_the_one_before_and_no_other_file(tmp_path, monkeypatch):
    train(dropping_recipe(), folder=tmp_path, seconds=0)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.suffix == ".pt"}

    def full_disk(state, path):
        Path(path).write_bytes(b"half")
        raise RuntimeError("PytorchStreamWriter failed writing file")

    monkeypatch.setattr(torch, "save", full_disk)
    with pytest.raises(OSError, match=r"checkpoint\.pt could not be written: PytorchStreamWriter failed"):
        train(dropping_recipe(), folder=tmp_path, resume=True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.suffix != ".jsonl"} == before


def test_a_run_names_each_machine_that_trained_it(tmp_path, monkeypatch):
    for name in ("A, 2 cores", "B, 4 cores", "A, 2 cores"):
        monkeypatch.setattr(hardware, "processor_name", lambda device, name=name: name)
        run = train(dropping_recipe(), folder=tmp_path, resume=True, seconds=0)
    assert run.machine == "A, 2 cores, then B, 4 cores"


def test_on_step_is_called_for_each_step_and_validate_when_due():
    steps, validated = [], []

    def validate(model):
        assert not model.training
        validated.append(len(steps))
        return {"psnr": 30.0 + len(validated)}

    recipe = dropping_recipe(validate_every=5, steps=12)
    run = train(recipe, on_step=lambda step, loss: steps.append((step, loss)), validate=validate)
    assert [step for step, _ in steps] == list(range(1, 13))
    assert validated == [5, 10, 12]
    assert {entry["step"]: entry["psnr"] for entry in run.log if "psnr" in entry} == {
        5: 31.0,
        10: 32.0,
        12: 33.0,
    }
    assert dict(steps) == losses(run)
    assert not run.model.training


def test_a_long_training_logs_every_other_step():
    run = train(dropping_recipe(steps=401, batch=1, schedule=halving(100)))
    assert [entry["step"] for entry in run.log][:8] == [1, 2, 3, 4, 5, 6, 8, 10]
    assert [entry["step"] for entry in run.log][-2:] == [400, 401]
    assert {entry["step"]: entry["lr"] for entry in run.log}[102] == pytest.approx(0.5e-2)


def test_a_training_without_a_folder_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train(dropping_recipe())
    assert list(tmp_path.iterdir()) == []


def test_fit_validates_and_returns_the_running_average():
    """EMA by hand over the weights after each step, begun at the initial ones."""
    weights = []
    recipe = dropping_recipe(ema=0.7, steps=6)

    class RecordedAdam:
        def build(self, model):
            (adam,) = Adam(1e-2).build(model)
            weights.append(model.layers[0].weight)
            path.append(model.layers[0].weight.detach().clone())
            adam.register_step_post_hook(lambda *_: path.append(weights[0].detach().clone()))
            return [adam]

    path: list[torch.Tensor] = []
    run = train(replace(recipe, optimizer=RecordedAdam()))
    average = path[0]
    for weight in path[1:]:
        average = 0.7 * average + 0.3 * weight
    assert len(path) == 7
    assert torch.allclose(run.model.layers[0].weight, average, atol=1e-6)


# --- rates ------------------------------------------------------------------------------


def test_the_rate_follows_the_schedule_for_every_optimiser():
    recipe = srcnn_recipe(steps=6, schedule=staircase(0.5, at=(0.5,)), workers=0)
    optimizers = []

    class Kept:
        def build(self, model):
            optimizers.extend(MuonAndAdam(0.04, adam_lr=0.002).build(model))
            return optimizers

    run = train(replace(recipe, optimizer=Kept()))
    assert isinstance(optimizers[0], Muon)
    assert [entry["lr"] for entry in run.log] == pytest.approx([0.04] * 3 + [0.02] * 3)
    assert optimizers[1].param_groups[0]["lr"] == pytest.approx(0.001)


def test_the_clip_sees_the_current_rate():
    seen = []
    recipe = dropping_recipe(steps=4, schedule=staircase(0.1, at=(0.5,)), clip=lambda _, rate: seen.append(rate))
    train(recipe)
    assert seen == pytest.approx([1e-2, 1e-2, 1e-3, 1e-3])


# --- samples and processes -------------------------------------------------------------------------------


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_processes_share_each_batch(processes):
    parts = [list(Batches(2, 5, 6, process, processes)) for process in range(processes)]
    assert [len(part) for part in parts] == [len(Batches(2, 5, 6))] * processes == [3] * processes
    for step in range(3):
        together = [i for part in parts for i in part[step]]
        assert sorted(together) == list(range((step + 2) * 6, (step + 3) * 6))


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    """What each of two processes says of the same trainings."""
    folder = tmp_path_factory.mktemp("ranks")
    launched = child(
        *("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"),
        *(__file__, "process", folder),
    )
    assert launched.returncode == 0
    return [json.loads((folder / f"rank{rank}.json").read_text()) for rank in (0, 1)]


def test_two_processes_equal_one(tmp_path, ranks):
    assert [rank["world_size"] for rank in ranks] == [2, 2]
    one = recorded(tmp_path / "one")
    assert len(one["samples"]) == 20 * 4
    for step in range(20):
        halves = [rank["samples"][2 * step : 2 * step + 2] for rank in ranks]
        assert not set(halves[0]) & set(halves[1])
        assert sorted(halves[0] + halves[1]) == one["samples"][4 * step : 4 * step + 4]
    assert len(one["losses"]) == 20
    assert ranks[0]["losses"] == pytest.approx(one["losses"], rel=1e-5)
    assert one["losses"][-1] < one["losses"][0]
    assert ranks[1]["losses"] == []  # on_step is the main process's alone
    for name, weight in one["weights"].items():
        assert ranks[0]["weights"][name] == pytest.approx(weight, abs=1e-5)
        assert ranks[1]["weights"][name] == ranks[0]["weights"][name]
    assert [rank["late"] for rank in ranks] == [1, 1]  # the clock of one stops both


def test_two_processes_train_a_network_whose_batches_leave_layers_out(ranks):
    assert ranks[0]["several scales"] == pytest.approx(list(losses(train(mdsr_recipe())).values()), rel=1e-5)


def test_two_processes_that_move_to_gpus_report_together(ranks):
    assert [rank["moved"] for rank in ranks] == [[400, "host, then device"]] * 2


class Recorded:
    """Samples that remember which of them were asked for."""

    def __init__(self, samples) -> None:
        self.samples, self.asked = samples, []

    def __getitem__(self, index):
        self.asked.append(index)
        return self.samples[index]


def recorded(folder: Path) -> dict:
    """Train for 20 steps and say what was asked for, what was lost and where it ended."""
    recipe = srcnn_recipe(workers=0, ema=None)
    samples, steps = Recorded(recipe.data(0)), []
    recipe = replace(recipe, data=lambda seed: samples)
    run = train(recipe, folder=folder, on_step=lambda step, loss: steps.append(loss))
    weights = {name: weight.flatten().tolist() for name, weight in run.model.state_dict().items()}
    return {"samples": samples.asked, "losses": steps, "weights": weights}


def test_a_batch_that_cannot_be_shared_is_refused(monkeypatch):
    import accelerate

    monkeypatch.setattr(accelerate.Accelerator, "num_processes", 3)
    with pytest.raises(ValueError, match="3 processes cannot share a batch of 4"):
        train(dropping_recipe())


# --- precision -------------------------------------------------------------------------------------------


def test_each_training_chooses_its_device(monkeypatch):
    """Accelerate keeps the first device of a process; a notebook goes from the CPU to a GPU without a restart."""
    monkeypatch.setitem(PartialState(cpu=True)._shared_state, "device", torch.device("meta"))
    run = train(dropping_recipe(steps=2))
    assert run.device == "cpu"
    assert run.finished


def test_without_a_gpu_the_cpu_trains_whatever_else_the_machine_has(monkeypatch):
    import accelerate

    monkeypatch.setattr(hardware, "best_device", lambda: "cpu")
    monkeypatch.setattr(accelerate, "Accelerator", lambda **options: options)
    assert loop._new_accelerator(None) == {"cpu": True}


def test_a_device_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(hardware, "best_device", lambda: "cpu")
    with pytest.raises(ValueError, match="the device is cpu here, not 'cuda'"):
        fit(dropping_recipe(steps=1), device="cuda")


def test_low_precision_trains_and_weights_stay_float32():
    low, full = (train(srcnn_recipe(autocast=low, workers=0)) for low in (True, False))
    assert all(p.dtype == torch.float32 for p in low.model.parameters())
    assert list(losses(low).values()) == pytest.approx(list(losses(full).values()), rel=0.05)


@pytest.fixture
def machine(monkeypatch):
    """Make `fit` believe that the CPU computes in a low precision natively, or (None) that it does not."""

    def pretend(dtype: torch.dtype | None) -> None:
        monkeypatch.setattr(hardware, "autocast_dtype", lambda device: dtype)

    return pretend


class Watched(Dropping):
    """A network that notes the precision of its convolutions."""

    seen: ClassVar[list] = []

    def forward(self, x):
        residual = self.layers(x)
        self.seen.append(residual.dtype)
        return x + residual


@pytest.mark.parametrize("autocast", [True, False])
@pytest.mark.parametrize("native", [torch.bfloat16, None])
def test_precision_and_layout_go_by_capability(tmp_path, machine, native, autocast):
    """Low precision and channels_last on machines with bf16; what is compared between machines is plain everywhere."""
    machine(native)
    Watched.seen.clear()
    train(dropping_recipe(model=Watched, autocast=autocast, steps=1), folder=tmp_path)
    low = autocast and native is not None
    assert Watched.seen == [torch.bfloat16 if low else torch.float32]
    saved = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert saved["precision"] == ("bfloat16" if low else "float32")
    assert saved["layout"] == ("channels_last" if low else "contiguous_format")
    weight = saved["model"]["layers.3.weight"]  # (1, 8, 3, 3)
    assert weight.is_contiguous(memory_format=torch.channels_last) == low


def test_a_resume_on_a_machine_without_bf16_says_so_and_finishes(tmp_path, machine, capfd):
    machine(torch.bfloat16)
    train(dropping_recipe(autocast=True), folder=tmp_path, seconds=0)
    assert capfd.readouterr().err == ""
    machine(None)
    run = train(dropping_recipe(autocast=True), folder=tmp_path, resume=True)
    assert run.finished
    assert capfd.readouterr().err == (
        "dropping: the checkpoint was computed in bfloat16, channels_last; "
        "this cpu continues in float32, contiguous_format\n"
    )
    saved = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert (saved["precision"], saved["layout"]) == ("float32", "contiguous_format")


def test_a_resume_keeps_fp32_on_a_machine_with_bf16(tmp_path, machine, capfd):
    machine(None)
    whole = train(dropping_recipe(autocast=True))
    train(dropping_recipe(autocast=True), folder=tmp_path, seconds=0)
    machine(torch.bfloat16)
    resumed = train(dropping_recipe(autocast=True), folder=tmp_path, resume=True)
    assert same_weights(resumed.model, whole.model)
    assert capfd.readouterr().err == ""


# --- a checkpoint from before the refit ------------------------------------------------------------------

OLD = Path(__file__).parent / "data" / "old-checkpoint"


class Tiny(nn.Module):
    """Batch statistics, random numbers, a hidden convolution for Muon. It is the network of the old checkpoint."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(8, 8, 3, padding=1, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Conv2d(8, 1, 3, padding=1),
        )

    def forward(self, x):
        return x - self.layers(x)


class Stripes:
    """Stripes and noise from NumPy's frozen streams: nothing of the package is in them."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def __getitem__(self, index):
        random = np.random.default_rng([self.seed, index])
        clean = np.broadcast_to(random.random((1, 16, 1), dtype=np.float32), (1, 16, 16)).copy()
        noise = random.standard_normal(clean.shape, dtype=np.float32) * np.float32(0.1)
        return torch.from_numpy(clean + noise), torch.from_numpy(clean)


@pytest.fixture
def old_run(tmp_path):
    """The training of step 4 of 8 that the code before the refit left, and the resumed run."""
    for name in ("checkpoint.pt", "log.jsonl"):
        shutil.copy(OLD / name, tmp_path)
    recipe = Recipe(
        name="tiny",
        model=Tiny,
        data=Stripes,
        loss=nn.functional.mse_loss,
        optimizer=MuonAndAdam(0.005),
        steps=8,
        batch=4,
        schedule=cosine(warmup=2),
        clip=clip_by_rate(0.01),
        ema=0.9,
    )
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["step"] == 4
    return train(recipe, folder=tmp_path, resume=True)


def test_an_old_checkpoint_resumes_to_the_weights_of_the_uninterrupted_training(old_run):
    wanted = load_file(OLD / "uninterrupted.safetensors")
    machine = json.loads((OLD / "machine.json").read_text())
    same_kernels = (
        machine["torch"] == torch.__version__.split("+")[0]
        and machine["cpu_capability"] == torch.backends.cpu.get_cpu_capability()
        and hardware.processor_name().startswith(machine["processor"])
    )
    found = old_run.model.state_dict()
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value, rtol=0, atol=0 if same_kernels else 1e-5)


def test_an_old_checkpoint_resumes_with_its_log(old_run):
    kept = [json.loads(line) for line in (OLD / "log.jsonl").read_text().splitlines()]
    assert old_run.log[:4] == kept
    assert [entry["step"] for entry in old_run.log] == list(range(1, 9))


if __name__ == "__main__":
    what, folder = sys.argv[1], Path(sys.argv[2])
    if what == "killed":

        def kill(step: int, loss: float) -> None:
            if step == 13:
                os.kill(os.getpid(), signal.SIGKILL)

        train(srcnn_recipe(), folder=folder, on_step=kill, checkpoint_seconds=0)
    else:
        rank = int(os.environ["RANK"])
        found = recorded(folder / "two")
        found["world_size"] = torch.distributed.get_world_size()
        # The second process has no time, the first one an hour. Both must stop together.
        found["late"] = train(dropping_recipe(), folder=folder / "late", seconds=0 if rank else 3600).step
        found["several scales"] = list(losses(train(mdsr_recipe())).values())
        # A training that begins on CPUs continues on GPUs, whose processes talk in some of the steps alone.
        train(dropping_recipe(steps=400), folder=folder / "moved", seconds=0)
        torch.distributed.barrier()  # the checkpoint is written
        loop._is_gpu = lambda device: True
        moved = train(dropping_recipe(steps=400), folder=folder / "moved", resume=True)
        found["moved"] = [moved.step, moved.sampler]
        (folder / f"rank{rank}.json").write_text(json.dumps(found))
