"""The plans of experiments/on_gpu.py, on a clock that the test holds; no training."""

import csv
import importlib.util
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imtrans import assets, zoo
from imtrans.data import benchmarks
from imtrans.data.benchmarks import HELD_OUT, SETS, BenchmarkSet


@pytest.fixture
def on_gpu(tmp_path, monkeypatch):
    """The script as a module, with folders of this test."""
    path = Path(__file__).parents[1] / "experiments" / "on_gpu.py"
    spec = importlib.util.spec_from_file_location("on_gpu", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "WORK", tmp_path / "work")
    monkeypatch.setattr(module, "OUT", tmp_path / "out")
    for folder in (module.WORK, module.OUT):
        folder.mkdir()
    return module


def test_the_list_names_networks_of_the_registry(on_gpu):
    speeds = {entry for entry, _ in on_gpu.SPEED_ONLY.values()}
    assert {*on_gpu.PRIORITY, *on_gpu.LEFT_OUT, *on_gpu.SHARES, *speeds} <= set(zoo.RESTORERS)


def test_newcomers_of_the_registry_come_in_by_themselves(on_gpu):
    assert on_gpu.order(["newcomer", "srcnn-x2", "espcn-x3", "vdsr"]) == ["vdsr", "espcn-x3", "newcomer"]


def test_without_a_gpu_the_smallest_come_first(on_gpu):
    assert on_gpu.order(["vdsr", "espcn-x3"], gpu=False) == ["espcn-x3", "vdsr"]


def test_time_is_shared_by_value(on_gpu):
    times = on_gpu.allot(["vdsr", "dncnn-3", "dncnn-blind"], 300)
    assert times == {"vdsr": 150, "dncnn-3": 100, "dncnn-blind": 50}


def test_the_last_ones_get_no_time_where_somebody_would_have_too_little(on_gpu):
    times = on_gpu.allot(["vdsr", "dncnn-3", "dncnn-blind"], 100)
    assert set(times) == {"vdsr", "dncnn-3"}
    assert sum(times.values()) == pytest.approx(100)


def test_somebody_gets_all_of_a_short_time(on_gpu):
    assert on_gpu.allot(["vdsr", "dncnn-3"], 12) == {"vdsr": 12}


def test_large_networks_train_one_after_the_other_and_small_ones_beside_them(on_gpu):
    states = {"vdsr": "ready", "dncnn-3": "ready", "espcn-x3": "ready"}
    begin = on_gpu.may_train(states, ["espcn-x3"], 300)
    assert begin == {"vdsr": 180, "espcn-x3": 300}
    states |= dict.fromkeys(begin, "training")
    assert on_gpu.may_train(states, ["espcn-x3"], 299) == {}
    states["vdsr"] = "over"
    assert on_gpu.may_train(states, ["espcn-x3"], 120) == {"dncnn-3": 120}


def test_a_network_that_failed_leaves_its_time_to_the_others(on_gpu):
    states = {"vdsr": "over", "dncnn-3": "ready", "dncnn-blind": "ready"}
    assert on_gpu.may_train(states, [], 300) == {"dncnn-3": 200}


def test_who_is_not_prepared_is_overtaken_and_keeps_its_share(on_gpu):
    states = {"vdsr": "preparing", "dncnn-3": "ready"}
    assert on_gpu.may_train(states, [], 300) == {"dncnn-3": 120}


def test_no_training_begins_too_late(on_gpu):
    assert on_gpu.may_train({"vdsr": "ready", "espcn-x3": "ready"}, ["espcn-x3"], 5) == {}


def test_a_whole_plan_ends_in_time(on_gpu):
    names = ["vdsr", "edsr-baseline-x2", "dncnn-3", "dncnn-blind", "cdncnn-blind", "espcn-x3"]
    states, now, ends, trained = dict.fromkeys(names, "ready"), 0.0, {}, []
    while now < 330:
        for name, seconds in on_gpu.may_train(states, ["espcn-x3"], 330 - now).items():
            states[name], ends[name] = "training", now + seconds
            trained.append(name)
        now += 0.5
        for name, end in ends.items():
            if now >= end:
                states[name] = "over"
    assert sorted(trained) == sorted(names)
    assert max(ends.values()) <= 330


def run_of(folder, size, *names):
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_bytes(bytes(size))


def test_finished_runs_are_bundled_with_card_and_log(on_gpu):
    runs = on_gpu.WORK / "runs"
    run_of(runs / "vdsr-full", 10, "vdsr.safetensors", "vdsr.json", "vdsr.jsonl", "options.tmp")
    run_of(runs / "dncnn-3-full", 10, "so-far.safetensors", "log.jsonl", "checkpoint.pt")
    run_of(runs / "espcn-x3-full", 10, "log.jsonl")
    on_gpu.bundle(runs, on_gpu.OUT)
    found = zipfile.ZipFile(on_gpu.OUT / "trained-1.zip").namelist()
    assert {Path(name).parent.name for name in found} == {"vdsr-full", "dncnn-3-full"}
    assert {"vdsr-full/vdsr.safetensors", "vdsr-full/vdsr.json", "vdsr-full/vdsr.jsonl"} < set(found)
    assert "dncnn-3-full/so-far.safetensors" in found
    assert not any("checkpoint" in name or "tmp" in name for name in found)


def test_no_bundle_is_larger_than_a_file_may_be_and_there_are_not_too_many(on_gpu, monkeypatch, capsys):
    monkeypatch.setattr(on_gpu, "ZIP_BYTES", 10_000)
    runs = on_gpu.WORK / "runs"
    for number in range(12):
        run_of(runs / f"n{number:02}-full", 4_000, "n.safetensors")
    on_gpu.bundle(runs, on_gpu.OUT)
    bundles = list(on_gpu.OUT.iterdir())
    assert len(bundles) == on_gpu.ZIPS == 5
    assert max(path.stat().st_size for path in bundles) < 10_500
    assert "no room for n10-full n11-full" in capsys.readouterr().out


def test_tables_are_written_of_what_there_is(on_gpu):
    on_gpu.write(on_gpu.WORK / "vdsr.speed", {"network": "vdsr", "steps_per_second": 3.0})
    rows = on_gpu.score_rows("vdsr", "new", "psnr", [{"set": "Set5", "degradation": "×3", "psnr": 33.1}])
    on_gpu.write(on_gpu.WORK / "vdsr.scores", rows)
    on_gpu.collect(["vdsr", "dncnn-3"])
    speed, scores = (
        list(csv.DictReader(next(on_gpu.OUT.glob(f"*-{kind}.csv")).open())) for kind in ("speed", "scores")
    )
    assert speed == [{"network": "vdsr", "steps_per_second": "3.0"}]
    assert [(row["network"], row["set"], row["psnr"], row["value"]) for row in scores] == [
        ("vdsr", "Set5", "33.1", "33.1")
    ]


def test_pictures_held_out_are_not_among_the_training_folders(on_gpu, tmp_path, monkeypatch):
    monkeypatch.setattr(assets, "cache_dir", lambda: tmp_path / "cache")
    monkeypatch.setenv("IMTRANS_DATA", str(tmp_path / "sets"))
    folder = tmp_path / "sets" / "BSD500_test"
    folder.mkdir(parents=True)
    for stem in ("one", "three", "two", "stranger"):
        Image.fromarray(np.zeros((4, 4), np.uint8)).save(folder / f"{stem}.png")
    known = BenchmarkSet("BSD500_test", "", ("one", "three", "two"), "", "", (), "")
    monkeypatch.setitem(SETS, "BSD500_test", known)
    monkeypatch.setitem(HELD_OUT, "BSD500_test", ("three",))
    for _ in range(2):  # as a second process finds it
        (links,) = on_gpu.training_folders()
    assert links.name == "BSD500_test"
    assert [name for name, _ in benchmarks.load_folder(links)] == ["one", "two"]


STUB = """
import json, os, sys, time
from pathlib import Path
task, name, work = sys.argv[1], sys.argv[2], Path(sys.argv[3])
if task == "train" and name == "dncnn-3":
    sys.exit("this one fails")
if task in ("train", "speed"):
    (work / f"{name}.speed").write_text(json.dumps({"network": name}))
if task == "train":
    (work / f"{name}.ready").write_text(json.dumps({"small": name == "espcn-x3"}))
    while not (work / f"{name}.go").exists():
        time.sleep(0.02)
    begun = time.monotonic()
    time.sleep(max(0, float((work / f"{name}.go").read_text()) - begun - 0.3))
    folder = work / "runs" / f"{name}-full"
    folder.mkdir(parents=True)
    (folder / f"{name}.safetensors").write_bytes(b"weights")
    (work / f"{name}.scores").write_text(json.dumps([{"network": name, "begun": begun, "ended": time.monotonic()}]))
    if name == "dncnn-blind":
        time.sleep(60)
"""


def test_a_dry_run_trains_all_that_can_train_and_ends_in_time(on_gpu, monkeypatch, capfd):
    """The whole script on stubs in place of trainings, as on a GPU: one fails, one never ends, one is small."""

    def start(self, name, task):
        self.processes[name] = subprocess.Popen([sys.executable, "-c", STUB, task, name, str(on_gpu.WORK)])

    monkeypatch.setattr(on_gpu.Children, "start", start)
    monkeypatch.setattr(on_gpu, "matmul_rate", lambda: 1e12)
    for name, value in {"GPU": True, "LEAST": 0.5, "CLOSING": 1.0}.items():
        monkeypatch.setattr(on_gpu, name, value)
    monkeypatch.setenv("MINUTES", "0.15")
    monkeypatch.setenv("NETWORKS", "vdsr dncnn-3 dncnn-blind espcn-x3")
    monkeypatch.setenv("NOTEBOOK", "01-srcnn")
    monkeypatch.setenv("STARTED", "0")  # both are set by the script, and restored after the test
    monkeypatch.setenv("MATMUL_RATE", "0")
    started = time.monotonic()
    on_gpu.main()
    assert time.monotonic() - started < 9 + 1
    with (on_gpu.OUT / "gpu-speed.csv").open() as file:
        measured = {row["network"] for row in csv.DictReader(file)}
    assert measured == {"vdsr", "dncnn-blind", "espcn-x3", *on_gpu.SPEED_ONLY}
    with (on_gpu.OUT / "gpu-scores.csv").open() as file:
        times = {row["network"]: (float(row["begun"]), float(row["ended"])) for row in csv.DictReader(file)}
    assert set(times) == {"vdsr", "dncnn-blind", "espcn-x3"}
    assert times["vdsr"][1] <= times["dncnn-blind"][0]  # the large ones in turn
    assert times["espcn-x3"][0] < times["vdsr"][1]  # the small one beside them
    names = zipfile.ZipFile(on_gpu.OUT / "trained-1.zip").namelist()
    assert sorted(names) == [f"{name}-full/{name}.safetensors" for name in sorted(times)]
    assert "over after" in capfd.readouterr().out
