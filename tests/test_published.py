"""The papers' tables: well-formed, plausible, consistent with each other."""

import csv
from collections import Counter

import pytest

from imtrans import published
from imtrans.protocols import PROTOCOLS

COLUMNS = [
    "paper",
    "model",
    "set",
    "task",
    "scale",
    "sigma",
    "quality",
    "psnr",
    "ssim",
    "rerun_psnr",
    "rerun_ssim",
    "protocol",
    "source",
    "verified",
]
OWN_MEASURES = {  # paper → its columns after those
    "lpips": ["agreement", "correlation"],
    "colorization": ["value", "standard_error"],
    "perceptual-losses": ["speedup"],
    "adain": ["seconds"],
}
VALID_PROTOCOLS = {*PROTOCOLS, "rgb+6", "not stated"}


@pytest.mark.parametrize("paper", published.papers())
def test_well_formed(paper):
    with (published.FOLDER / f"{paper}.csv").open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        assert reader.fieldnames[: len(COLUMNS)] == COLUMNS
        assert reader.fieldnames[len(COLUMNS) :] == OWN_MEASURES.get(paper, [])
        for row in reader:
            assert row["paper"] == paper
            assert row["verified"] in ("yes", "no")
            assert row["protocol"] in VALID_PROTOCOLS
            assert row["model"]
            assert row["set"]
            assert row["source"]


def test_ranges():
    for row in published.rows():
        if any(row[key] is not None for key in OWN_MEASURES.get(row["paper"], [])):
            continue
        assert row["psnr"] is not None or row["rerun_psnr"] is not None, row
        for key in ("psnr", "rerun_psnr"):
            assert row[key] is None or 18 < row[key] < 45, row
        for key in ("ssim", "rerun_ssim"):
            assert row[key] is None or 0.4 < row[key] < 1, row
        if row["task"] == "super-resolution":
            assert row["scale"] in (2, 3, 4, 8), row
            assert row["sigma"] is None, row
        elif row["task"] == "deblocking":
            assert row["quality"] in (10, 20, 30, 40), row
            assert row["scale"] is None, row
            assert row["sigma"] is None, row
        elif row["task"] == "inpainting":
            assert row["scale"] is None, row
            assert row["sigma"] is None, row
        else:
            assert row["task"] == "denoising", row
            assert row["sigma"] in (15, 25, 50, 75), row
            assert row["scale"] is None, row


def test_no_row_stands_twice():
    keys = ("paper", "model", "set", "task", "scale", "sigma", "quality", "protocol", "source")
    counts = Counter(tuple(row[key] for key in keys) for row in published.rows())
    assert [key for key, count in counts.items() if count > 1] == []


def test_every_row_of_lpips_has_one_number_in_its_range():
    for row in published.rows("lpips"):
        if row["task"] == "2AFC":
            assert 50 < row["agreement"] < 90, row
            assert row["correlation"] is None
        else:
            assert 0 < row["correlation"] < 1, row
            assert row["agreement"] is None


def test_the_averages_of_lpips_are_those_of_its_rows():
    table = {(row["model"], row["set"]): row["agreement"] for row in published.rows("lpips", source="arXiv v2 table 5")}
    assert len(table) == 207
    distortions = ("traditional", "CNN")
    real = ("superresolution", "deblurring", "colorization", "interpolation")
    for model in {model for model, _ in table}:
        for average, parts in (("distortions", distortions), ("real algorithms", real), ("all", distortions + real)):
            mean = sum(table[model, part] for part in parts) / len(parts)
            assert abs(table[model, average] - mean) < 0.11, (model, average)


def test_every_row_of_colorization_has_one_number_in_its_range():
    for row in published.rows("colorization"):
        if row["task"] not in ("model MB", "features MB", "runtime ms"):
            assert 10 < row["value"] <= 100, row
        assert row["standard_error"] is None or 2 < row["standard_error"] < 5, row


def test_the_speed_up_of_one_pass_grows_with_the_iterations_that_it_replaces():
    sizes = {row["set"] for row in published.rows("perceptual-losses") if row["speedup"] is not None}
    assert len(sizes) == 3
    for size in sizes:
        by_iterations = {row["task"]: row["speedup"] for row in published.rows("perceptual-losses", set=size)}
        for n in (300, 500):
            expected = n / 100 * by_iterations["100 iterations"]
            assert by_iterations[f"{n} iterations"] == pytest.approx(expected, rel=0.005), (size, n)


def test_encoding_a_style_and_a_larger_picture_take_longer():
    seconds = {(row["model"], row["set"], row["task"]): row["seconds"] for row in published.rows("adain")}
    for (model, size, task), value in seconds.items():
        assert value > 0
        if task == "new style":
            assert value > seconds[model, size, "known style"], (model, size)
        if size == "512²":
            assert value > 3 * seconds[model, "256²", task], (model, task)


@pytest.mark.parametrize("model", ["Bicubic", "VDSR", "SRCNN 9-5-5", "SRCNN", "A+"])
def test_the_papers_agree_on_what_they_quote(model):
    quoted = {}
    for row in published.rows(model=model):
        if row["protocol"] not in ("y8", "not stated") or row["psnr"] is None or row["paper"] == "deep-image-prior":
            continue
        quoted.setdefault((row["set"], row["scale"]), []).append(row["psnr"])
    assert any(len(values) > 1 for values in quoted.values())
    for setting, values in quoted.items():
        tolerance = 0.04 if setting[0] == "Set14" and model == "SRCNN 9-5-5" else 0.02  # both circulate
        assert max(values) - min(values) <= tolerance, (setting, values)


def test_harder_is_worse():
    """At a larger scale or noise level, every method of a table has the lower PSNR."""
    for level in ("scale", "sigma"):
        series = {}
        for row in published.rows():
            if row[level] is not None and row["psnr"] is not None and not row["model"].startswith("VDSR trained on"):
                key = tuple(row[k] for k in ("paper", "model", "set", "protocol", "source"))
                series.setdefault(key, []).append((row[level], row["psnr"]))
        assert any(len(points) > 2 for points in series.values())
        for key, points in series.items():
            values = [psnr for _, psnr in sorted(points)]
            assert values == sorted(values, reverse=True), key


@pytest.mark.parametrize(
    ("paper", "wanted", "psnr", "ssim"),
    [
        ("srcnn", {"model": "SRCNN", "set": "Set5", "scale": 3}, 32.39, None),
        ("srcnn", {"model": "SRCNN", "set": "Set5", "scale": 4}, 30.09, None),
        ("srcnn", {"model": "SRCNN 9-3-5 ImageNet", "set": "Set5"}, 32.66, None),
        ("srcnn", {"model": "SRCNN 9-5-5", "set": "Set5", "scale": 4}, 30.49, 0.8628),
        ("dncnn", {"model": "DnCNN-3", "set": "BSD68", "sigma": 25, "source": "TIP 2017 table 5"}, 29.02, 0.8190),
        ("srcnn", {"model": "SRCNN 9-5-5", "set": "Set14", "scale": 2}, 32.45, 0.9067),
        ("vdsr", {"model": "VDSR", "set": "Set5", "scale": 4}, 31.35, 0.8838),
        ("espcn", {"model": "ESPCN", "set": "Set5", "scale": 3}, 33.13, None),
        ("dncnn", {"model": "DnCNN-S", "set": "BSD68", "sigma": 25}, 29.23, None),
        ("dncnn", {"model": "DnCNN-3", "set": "Set5", "scale": 2}, 37.58, 0.9590),
        ("edsr", {"model": "EDSR", "set": "Set5", "scale": 2, "protocol": "rgb-y8"}, 38.11, 0.9601),
        ("edsr", {"model": "EDSR baseline", "set": "Set5", "scale": 2, "protocol": "rgb-y"}, 37.99, 0.9604),
        ("deep-image-prior", {"model": "Deep image prior", "set": "Set5", "scale": 4}, 29.90, None),
        ("deep-image-prior", {"model": "Deep image prior", "set": "Barbara", "task": "inpainting"}, 32.22, None),
    ],
)
def test_known_cells(paper, wanted, psnr, ssim):
    [row] = published.rows(paper, **wanted)
    assert (row["psnr"], row["ssim"]) == (psnr, ssim)


@pytest.mark.parametrize(
    ("paper", "wanted", "printed", "again"),
    [
        ("srcnn", {"model": "SRCNN", "set": "Set5", "scale": 4}, 30.09, (30.08, 0.8530)),
        ("srcnn", {"model": "SRCNN 9-1-5 ImageNet", "set": "Set14"}, None, (29.13, 0.8165)),
        ("srcnn", {"model": "SRCNN 9-5-5", "set": "Set5", "scale": 4}, 30.49, (30.48, 0.8628)),
        ("dncnn", {"model": "DnCNN-3", "set": "Set5", "scale": 4}, 31.40, (31.41, None)),
        ("vdsr", {"model": "VDSR", "set": "Set5", "scale": 4}, 31.35, (31.34, None)),
    ],
)
def test_what_was_run_again_stands_apart_from_what_is_printed(paper, wanted, printed, again):
    [row] = published.rows(paper, **wanted)
    assert row["psnr"] == printed
    assert (row["rerun_psnr"], row["rerun_ssim"]) == again


def test_authors_weights_reach_what_is_printed():
    for row in published.rows():
        if row["psnr"] is not None and row["rerun_psnr"] is not None:
            # Noise of another generator moves the mean over a set a little more than another rounding does.
            tolerance = 0.03 if row["task"] == "denoising" else 0.015
            assert abs(row["psnr"] - row["rerun_psnr"]) < tolerance, row


def test_no_protocol_is_claimed_for_espcn():
    """Its text says neither how the test pictures were shrunk nor what border was left out."""
    assert {row["protocol"] for row in published.rows("espcn")} == {"not stated"}


def test_what_came_from_memory_says_so():
    assert all(row["verified"] for row in published.rows("vdsr", model="VDSR"))
    assert not any(row["verified"] for row in published.rows("espcn", model="TNRD"))
    assert not any(row["verified"] for row in published.rows("deep-image-prior", model="LapSRN"))


def test_wrong_questions():
    with pytest.raises(ValueError, match="no tables of 'resnet'"):
        published.rows("resnet")
    with pytest.raises(ValueError, match="no column colour"):
        published.rows("vdsr", colour=1)
