"""The plans of experiments/on_gpu.py, on a clock that the test holds; no training."""

import csv
import importlib.util
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imtrans import assets, images, zoo
from imtrans.data import benchmarks, photos
from imtrans.data.benchmarks import HELD_OUT, SETS, TEST_PICTURES, BenchmarkSet


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
    assert on_gpu.order(["vdsr", "srcnn-955-x3", "espcn-x3"], gpu=False) == ["espcn-x3", "srcnn-955-x3", "vdsr"]


def test_time_is_shared_by_value(on_gpu):
    times = on_gpu.allot(["vdsr", "dncnn-3", "dncnn-blind"], 280)
    assert times == {"vdsr": 120, "dncnn-3": 80, "dncnn-blind": 80}


def test_the_last_ones_get_no_time_where_somebody_would_have_too_little(on_gpu):
    times = on_gpu.allot(["vdsr", "dncnn-3", "dncnn-blind"], 150)
    assert times == {"vdsr": 90, "dncnn-3": 60}


def test_a_small_network_gets_little_and_leaves_the_rest_to_the_large_ones(on_gpu):
    times = on_gpu.allot(["vdsr", "espcn-x3", "dncnn-3"], 225, small=["espcn-x3"])
    assert times == {"vdsr": 120, "espcn-x3": 25, "dncnn-3": 80}


def test_somebody_gets_all_of_a_short_time(on_gpu):
    assert on_gpu.allot(["vdsr", "dncnn-3"], 12) == {"vdsr": 12}


def test_networks_are_small_by_their_parameters(on_gpu):
    small = [name for name in on_gpu.PRIORITY if on_gpu.parameters(name) < on_gpu.SMALL]
    assert small == ["espcn-x3", "srcnn-955-x3"]


def test_in_eight_minutes_the_most_valuable_networks_have_a_minute_or_more(on_gpu):
    small = ["espcn-x3", "srcnn-955-x3"]
    times = on_gpu.allot(on_gpu.order(zoo.RESTORERS), (1 - on_gpu.MEASURING) * (480 - 2 * on_gpu.CLOSING), small)
    assert list(times) == ["vdsr", "edsr-baseline-x2", "dncnn-3", *small]
    assert min(times[name] for name in times if name not in small) >= 60


def test_networks_train_one_after_the_other(on_gpu):
    states = {"vdsr": "ready", "dncnn-3": "ready", "espcn-x3": "ready"}
    begin = on_gpu.may_train(states, ["espcn-x3"], 225)
    assert begin == {"vdsr": 120}
    states |= dict.fromkeys(begin, "training")
    assert on_gpu.may_train(states, ["espcn-x3"], 224) == {}
    states["vdsr"] = "over"
    assert on_gpu.may_train(states, ["espcn-x3"], 105) == {"dncnn-3": 80}


def test_where_processes_compute_at_once_one_small_network_runs_beside_a_large_one(on_gpu):
    states = {"vdsr": "ready", "espcn-x3": "ready", "srcnn-955-x3": "ready"}
    small = ["espcn-x3", "srcnn-955-x3"]
    begin = on_gpu.may_train(states, small, 300, beside=True)
    assert begin == {"vdsr": 300, "espcn-x3": 25}
    states |= dict.fromkeys(begin, "training")
    assert on_gpu.may_train(states, small, 290, beside=True) == {}
    states["espcn-x3"] = "over"
    assert on_gpu.may_train(states, small, 275, beside=True) == {"srcnn-955-x3": 25}


def test_a_network_that_failed_leaves_its_time_to_the_others(on_gpu):
    states = {"vdsr": "over", "dncnn-3": "ready", "dncnn-blind": "ready"}
    assert on_gpu.may_train(states, [], 300) == {"dncnn-3": 150}


def test_who_is_not_prepared_is_overtaken_and_keeps_its_share(on_gpu):
    states = {"vdsr": "preparing", "dncnn-3": "ready"}
    assert on_gpu.may_train(states, [], 300) == {"dncnn-3": 120}


def test_no_training_begins_too_late(on_gpu):
    assert on_gpu.may_train({"vdsr": "ready", "espcn-x3": "ready"}, ["espcn-x3"], 5) == {}


@pytest.mark.parametrize("beside", [False, True])
def test_a_whole_plan_ends_in_time(on_gpu, beside):
    names = ["vdsr", "edsr-baseline-x2", "dncnn-3", "espcn-x3"]
    states, now, ends, trained = dict.fromkeys(names, "ready"), 0.0, {}, []
    while now < 330:
        for name, seconds in on_gpu.may_train(states, ["espcn-x3"], 330 - now, beside).items():
            states[name], ends[name] = "training", now + seconds
            trained.append(name)
        now += 0.5
        for name, end in ends.items():
            if now >= end:
                states[name] = "over"
    assert sorted(trained) == sorted(names)
    assert max(ends.values()) <= 330


def test_a_network_that_cannot_be_trained_here_is_refused(on_gpu, monkeypatch):
    monkeypatch.setattr(on_gpu, "matmul_rate", lambda: 1e12)
    monkeypatch.setenv("NETWORKS", "vdsr adain")
    monkeypatch.setenv("STARTED", "0")  # both are set by the script, and restored after the test
    monkeypatch.setenv("MATMUL_RATE", "0")
    with pytest.raises(SystemExit, match="NETWORKS: adain cannot be trained here, but srcnn-x2"):
        on_gpu.main()


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
    assert {"dncnn-3-full/so-far.safetensors", "dncnn-3-full/checkpoint.pt"} < set(found)
    assert not any("tmp" in name for name in found)


def test_a_checkpoint_too_large_for_its_archive_is_left_out(on_gpu, monkeypatch):
    monkeypatch.setattr(on_gpu, "ZIP_BYTES", 10_000)
    run_of(on_gpu.WORK / "runs" / "vdsr-full", 6_000, "checkpoint.pt")
    (on_gpu.WORK / "runs" / "vdsr-full" / "so-far.safetensors").write_bytes(b"weights")
    on_gpu.bundle(on_gpu.WORK / "runs", on_gpu.OUT)
    found = zipfile.ZipFile(on_gpu.OUT / "trained-1.zip").namelist()
    assert found == ["vdsr-full/so-far.safetensors"]


def test_a_file_that_is_removed_while_others_are_read_is_left_out(on_gpu, monkeypatch):
    runs = on_gpu.WORK / "runs"
    run_of(runs / "vdsr-full", 10, "log.jsonl", "so-far.safetensors", "vdsr.safetensors")
    read = Path.read_bytes

    def vanishing(path):
        if path.name == "so-far.safetensors":
            path.unlink()
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", vanishing)
    on_gpu.bundle(runs, on_gpu.OUT)
    found = zipfile.ZipFile(on_gpu.OUT / "trained-1.zip").namelist()
    assert found == ["vdsr-full/log.jsonl", "vdsr-full/vdsr.safetensors"]


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


def test_pictures_held_out_and_those_of_test_sets_are_not_among_the_training_folders(on_gpu, tmp_path, monkeypatch):
    monkeypatch.setattr(assets, "cache_dir", lambda: tmp_path / "cache")
    monkeypatch.setenv("IMTRANS_DATA", str(tmp_path / "sets"))
    folder = tmp_path / "sets" / "BSD500_test"
    folder.mkdir(parents=True)
    for stem in ("four", "one", "three", "two", "stranger"):
        Image.fromarray(np.zeros((4, 4), np.uint8)).save(folder / f"{stem}.png")
    known = BenchmarkSet("BSD500_test", "", ("four", "one", "three", "two"), "", "", (), "")
    monkeypatch.setitem(SETS, "BSD500_test", known)
    monkeypatch.setitem(HELD_OUT, "BSD500_test", ("three",))
    monkeypatch.setitem(TEST_PICTURES, "BSD500_test", ("four",))
    for _ in range(2):  # as a second process finds it
        (links,) = on_gpu.training_folders()
    assert links.name == "BSD500_test"
    assert [name for name, _ in benchmarks.load_folder(links)] == ["one", "two"]


def test_a_network_is_measured_trained_and_scored(on_gpu, tmp_path, monkeypatch, capsys):
    """The smallest one, for seconds, on a photograph; without GPU and without picture sets."""
    monkeypatch.delenv("IMTRANS_DATA", raising=False)
    monkeypatch.setattr(assets, "cache_dir", lambda: tmp_path / "cache")
    (tmp_path / "photographs").mkdir()
    images.write(tmp_path / "photographs" / "cat.png", photos.photo("chelsea").picture[..., :150, :150])
    monkeypatch.setattr(on_gpu, "training_folders", lambda: [tmp_path / "photographs"])
    for name, value in {"GPU": False, "DEVICE": "cpu", "SPEED_SECONDS": 0.5}.items():
        monkeypatch.setattr(on_gpu, name, value)
    monkeypatch.setattr(on_gpu, "best_device", lambda: "cpu")
    monkeypatch.setenv("STARTED", str(time.monotonic()))
    monkeypatch.setenv("MATMUL_RATE", "1e12")
    on_gpu.write(on_gpu.WORK / "espcn-x3.go", {"until": time.monotonic() + 12, "company": False})
    on_gpu.train("espcn-x3")
    on_gpu.collect(["espcn-x3"])
    (speed,) = csv.DictReader((on_gpu.OUT / "cpu-speed.csv").open())
    assert float(speed["steps_per_second"]) > 0
    assert float(speed["share_of_sampler"]) > 0
    scores = list(csv.DictReader((on_gpu.OUT / "cpu-scores.csv").open()))
    assert [(row["network"], row["weights"]) for row in scores[:2]] == [("espcn-x3", "new"), ("espcn-x3", "package")]
    card = zoo.card(on_gpu.WORK / "runs" / "espcn-x3-full" / "espcn-x3.safetensors")
    assert card["budget"] == "full"
    assert 0 < card["steps"] <= card["planned_steps"]
    said = capsys.readouterr().out
    assert "from the package," in said
    assert "from scratch" in said


def test_the_self_test_passes_on_a_cpu(on_gpu, monkeypatch, capsys):
    monkeypatch.setattr(on_gpu, "CHECKED", ("espcn-x3",))
    monkeypatch.setattr(on_gpu, "DEVICE", "cpu")
    monkeypatch.setattr(on_gpu, "best_device", lambda: "cpu")
    monkeypatch.setenv("STARTED", str(time.monotonic()))
    assert on_gpu.selftest() == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[0].split("  ")[-1] for line in lines] == [
        f"{check} espcn-x3" for check in ("trains", "is_captured", "samples_again", "resumes")
    ]


def test_the_self_test_counts_what_fails_and_goes_on(on_gpu, monkeypatch, capsys):
    def broken(name):
        raise ValueError("two\nlines")

    def works(name):
        return "as it should"

    for name, check in {"trains": broken, "is_captured": works, "samples_again": broken, "resumes": works}.items():
        monkeypatch.setattr(on_gpu, name, check)
    monkeypatch.setattr(on_gpu, "CHECKED", ("espcn-x3",))
    monkeypatch.setenv("STARTED", "0")
    assert on_gpu.selftest() == 2
    out = capsys.readouterr().out
    assert out.count("broken espcn-x3: FAILED: two lines") == 2
    assert out.count("works espcn-x3: as it should") == 2


# -- the folder that is sent to a GPU --


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """The script that packs, as a module, and the folder that it makes, without pictures and wheels."""
    path = Path(__file__).parents[1] / "experiments" / "on_gpu_pack.py"
    spec = importlib.util.spec_from_file_location("on_gpu_pack", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    folder = tmp_path_factory.mktemp("packed") / "pack"
    module.copy_tree(folder)
    return module, folder


def test_the_packed_repository_leaves_room_for_pictures_and_wheels(packed):
    module, folder = packed
    assert module.size(folder) <= module.LIMIT - 35 * 2**20  # 30 MB of pictures, 3 of wheels


def test_the_packed_package_has_the_weights_of_all_networks_that_are_trained(packed):
    _, folder = packed
    code = "from imtrans import zoo; print(*zoo.names())"
    environment = os.environ | {"PYTHONPATH": str(folder / "src")}
    found = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    here = set(zoo.names()) & set(zoo.RESTORERS)
    assert set(found.stdout.split()) == here - {"dncnn-15", "dncnn-25", "dncnn-50"}


def test_a_pack_that_is_too_large_is_refused(packed, tmp_path, monkeypatch):
    module, folder = packed
    monkeypatch.setattr(module, "copy_tree", lambda target: target.mkdir())
    monkeypatch.setattr(module, "pack", lambda sets, target: target.write_bytes(bytes(2000)))
    monkeypatch.setattr(module, "LIMIT", 1000)
    with pytest.raises(SystemExit, match="more than"):
        module.main(tmp_path / "pack")
    with pytest.raises(SystemExit, match="is there already"):
        module.main(folder)


STUB = """
import json, os, sys, time
from pathlib import Path
task, name, work = sys.argv[1], sys.argv[2], Path(sys.argv[3])
if task == "train" and name == "dncnn-3":
    sys.exit("this one fails")
if task in ("train", "speed"):
    (work / f"{name}.speed").write_text(json.dumps({"network": name}))
if task == "train":
    (work / f"{name}.ready").write_text("true")
    while not (work / f"{name}.go").exists():
        time.sleep(0.02)
    begun = time.monotonic()
    time.sleep(max(0, json.loads((work / f"{name}.go").read_text())["until"] - begun - 0.3))
    folder = work / "runs" / f"{name}-full"
    folder.mkdir(parents=True)
    (folder / f"{name}.safetensors").write_bytes(b"weights")
    (work / f"{name}.scores").write_text(json.dumps([{"network": name, "begun": begun, "ended": time.monotonic()}]))
    if name == "dncnn-blind":
        time.sleep(60)
"""


def test_a_dry_run_trains_all_that_can_train_and_ends_in_time(on_gpu, monkeypatch, capfd):
    """The whole script on stubs in place of trainings, as on a GPU: one fails, one never ends, one runs beside."""

    def start(self, name, task):
        self.processes[name] = subprocess.Popen([sys.executable, "-c", STUB, task, name, str(on_gpu.WORK)])

    monkeypatch.setattr(on_gpu.Children, "start", start)
    monkeypatch.setattr(on_gpu, "matmul_rate", lambda: 1e12)
    for name, value in {"GPU": True, "BESIDE": True, "LEAST": 0.5, "LEAST_SMALL": 0.5, "CLOSING": 1.0}.items():
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
