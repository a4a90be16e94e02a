"""The directives on data made up here: matching, differences, quoting, and what happens without any card."""

import pytest

from course import results

X3 = {"degradation": "×3", "scale": 3, "sigma": None, "quality": None}
NOISY = {"degradation": "σ = 25", "scale": None, "sigma": 25, "quality": None}
POISSON = {"degradation": "peak 30", "scale": None, "sigma": None, "quality": None}
CARD = {
    "name": "net-x3",
    "paper": "net",
    "model_in_paper": "Net",
    "parameters": 8129,
    "scores": [
        {"set": "Set5", **X3, "protocol": "y8", "psnr": 32.456, "ssim": 0.90874},
        {"set": "Set5", **X3, "protocol": "rgb-y", "psnr": 32.5, "ssim": 0.909},
        {"set": "BSD68", **NOISY, "protocol": "gray", "psnr": 29.2, "ssim": None},
        {"set": "BSD68", **POISSON, "protocol": "gray", "psnr": 27.1, "ssim": 0.8},
    ],
}
ROW = {
    "paper": "net",
    "model": "Net",
    "set": "Set5",
    "task": "sr",
    "scale": "3",
    "sigma": "",
    "quality": "",
    "protocol": "y8",
}
ROWS = [
    ROW | {"psnr": "32.39", "ssim": "0.9090", "source": "Table 2"},
    ROW | {"model": "Other", "psnr": "31.00", "ssim": "", "source": "Table 2"},
    ROW | {"set": "Set14", "psnr": "29.00", "ssim": "", "source": "Table 2"},
]


def test_only_the_same_network_set_degradation_and_protocol_are_compared():
    y8, rgb_y, *_ = CARD["scores"]
    assert results.companions(CARD, y8, ROWS) == ROWS[:1]
    assert results.companions(CARD, rgb_y, ROWS) == []


def test_a_card_names_its_paper_and_its_network_there():
    score, other = CARD["scores"][0], ROWS[0] | {"paper": "other"}
    assert results.companions(CARD, score, [other, ROWS[0]]) == ROWS[:1]
    assert results.companions(CARD | {"model_in_paper": "Other"}, score, ROWS) == [ROWS[1]]


def test_a_row_without_a_stated_protocol_is_shown_and_not_compared():
    row = ROWS[0] | {"protocol": "not stated"}
    assert results.companions(CARD, CARD["scores"][0], [row]) == [row]
    assert not results.comparable(CARD["scores"][0], row)
    line = results.table({"net-x3": CARD}, [row]).splitlines()[2]
    assert "| **32.46** | 32.39 | – |" in line
    assert line.endswith("| Table 2; protocol not stated |")


def test_names_and_decimals_of_metrics_are_those_of_the_package():
    metrics = pytest.importorskip("imtrans.metrics").METRICS
    assert results.read_metrics() == {key: (metric.name, metric.decimals) for key, metric in metrics.items()}


def test_a_new_metric_is_a_new_column(tmp_path, monkeypatch):
    source = results.METRICS.read_text(encoding="utf-8")
    row = 'METRICS: dict[str, Metric] = {\n    "mae": Metric("MAE", mae, "levels", 1, False),'
    path = tmp_path / "metrics.py"
    path.write_text(source.replace("METRICS: dict[str, Metric] = {", row), encoding="utf-8")
    metrics = results.read_metrics(path)
    assert metrics["mae"] == ("MAE", 1)
    monkeypatch.setattr(results, "read_metrics", lambda: metrics)
    card = CARD | {"scores": [CARD["scores"][0] | {"mae": 3.14}]}
    header, _, line = results.table({"net-x3": card}, ROWS[:1]).splitlines()
    assert header.startswith("| network | set | MAE | published | difference | protocol | PSNR | published | SSIM |")
    assert "| **3.1** | – | – | y8 | 32.46 | 32.39 | 0.9087 | 0.9090 |" in line
    assert results.measured("net-x3 Set5 x3 mae", {"net-x3": card}) == "3.1"


def test_a_number_that_was_not_verified_has_a_dagger():
    assert "32.39†" in results.table({"net-x3": CARD}, [ROWS[0] | {"verified": "no"}])


def test_the_table_names_protocol_and_signed_difference():
    lines = results.table({"net-x3": CARD}, ROWS).splitlines()
    assert len(lines) == 2 + len(CARD["scores"])
    assert "| Set5 ×3 | **32.46** | 32.39 | +0.07 | y8 | 0.9087 | 0.9090 | Table 2 |" in lines[2]
    assert results.difference(32.10, 32.39, "psnr") == "−0.29"
    assert "| BSD68 σ = 25 | **29.20** | – | – | gray | – | – | – |" in lines[4]
    assert len({line.count("|") for line in lines}) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("net-x3 Set5 3 psnr", "32.46"),
        ("net-x3 Set5 3 psnr rgb-y", "32.50"),
        ("net-x3 Set5 3 ssim", "0.9087"),
        ("net-x3 BSD68 25 psnr", "29.20"),
        ("net-x3 BSD68 'peak 30' psnr", "27.10"),
        ("net-x3 parameters", "8,129"),
    ],
)
def test_quoting_a_measured_number(text, expected):
    assert results.measured(text, {"net-x3": CARD}) == expected


@pytest.mark.parametrize(
    "text",
    [
        "none-x3 Set5 3 psnr",
        "net-x3 Set5 2 psnr",
        "net-x3 Set5 3 lpips",
        "net-x3 colour",
        "net-x3 BSD68 25 ssim",
    ],
)
def test_a_number_that_is_not_there_is_an_error(text):
    with pytest.raises(ValueError, match=r"card|wanted|no score"):
        results.measured(text, {"net-x3": CARD})


def test_a_held_out_value_is_quoted_like_a_key_of_the_card():
    assert results.measured("net-x3 error", {"net-x3": CARD | {"validation": {"error": 0.186}}}) == "0.186"


def test_a_source_of_the_training_data_is_quoted_by_its_name():
    card = CARD | {"data": ["styles, drawings: 8 pictures", "styles, paintings: 18 pictures"]}
    assert results.measured('net-x3 "styles, paintings"', {"net-x3": card}) == "18 pictures"


def test_a_published_number_without_a_level_is_named_by_its_task():
    half_the_pixels = ROW | {"set": "Barbara", "task": "inpainting", "scale": "", "psnr": "32.22", "ssim": ""}
    assert results.published("net Net Barbara inpainting psnr", [*ROWS, half_the_pixels]) == "32.22"


def test_a_measure_of_one_paper_alone_is_quoted_as_printed():
    row = {
        "paper": "net",
        "model": "Net",
        "set": "votes",
        "task": "2AFC",
        "protocol": "not stated",
        "agreement": "70.0",
    }
    assert results.published("net Net votes 2AFC agreement", [*ROWS, row]) == "70.0"
    with pytest.raises(ValueError, match="wanted: SET LEVEL"):
        results.published("net Net votes 2AFC agreemint", [*ROWS, row])


def test_quoting_a_published_number():
    assert results.published("net Net Set5 3 psnr", ROWS) == "32.39"
    assert results.published("net Net Set5 3 rerun_psnr", [ROWS[0] | {"rerun_psnr": "32.4"}]) == "32.40"
    with pytest.raises(ValueError, match="no score"):
        results.published("net Net Set5 4 psnr", ROWS)


def test_quoting_an_experiment(tmp_path):
    (tmp_path / "runs.csv").write_text("picture,seed,psnr\ncat,0,27.10\ncat,1,26.90\n")
    assert results.experiment("runs psnr picture=cat seed=1", tmp_path) == "26.90"
    (tmp_path / "change.csv").write_text("network,gain\nnet-x3,-0.12\n")
    assert results.experiment("change gain network=net-x3", tmp_path) == "−0.12"
    for text, message in (
        ("walks psnr", r"no results/walks\.csv"),
        ("runs ssim seed=0", "no column 'ssim'"),
        ("runs psnr side=64", "no column 'side'"),
        ("runs psnr seed=2", "0 rows"),
        ("runs psnr picture=cat", "2 rows"),
    ):
        with pytest.raises(ValueError, match=message):
            results.experiment(text, tmp_path)


def test_no_cards_are_no_error(tmp_path):
    assert results.read_cards(tmp_path) == {}
    assert results.read_published(tmp_path) == []


@pytest.mark.parametrize(
    ("cell", "printed"),
    [
        ("24000", "24,000"),
        ("9384.7", "9,384.7"),
        ("999", "999"),
        ("-0.19", "−0.19"),
        ("8.03 K", "8.03\u00a0K"),
        ("2026-11-28", "2026-11-28"),
        ("edsr-baseline-x2", "edsr-baseline-x2"),
        ("–", "–"),
    ],
)
def test_a_cell_is_printed_as_numbers_are(cell, printed):
    assert results.in_print(cell) == printed
