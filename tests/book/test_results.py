"""The directives on data made up here: matching, differences, quoting, and what happens without any card."""

import pytest

from course import results

CARD = {
    "name": "net-x3",
    "parameters": 8129,
    "scores": [
        {"set": "Set5", "scale": 3, "sigma": None, "protocol": "y8", "psnr": 32.456, "ssim": 0.90874},
        {"set": "Set5", "scale": 3, "sigma": None, "protocol": "rgb-y", "psnr": 32.5, "ssim": 0.909},
        {"set": "BSD68", "scale": None, "sigma": 25, "protocol": "gray", "psnr": 29.2, "ssim": None},
    ],
}
ROW = {
    "paper": "net",
    "model": "Net",
    "set": "Set5",
    "task": "sr",
    "scale": "3",
    "sigma": "",
    "protocol": "y8",
}
ROWS = [
    ROW | {"psnr": "32.39", "ssim": "0.9090", "source": "Table 2"},
    ROW | {"model": "Other", "psnr": "31.00", "ssim": "", "source": "Table 2"},
    ROW | {"set": "Set14", "psnr": "29.00", "ssim": "", "source": "Table 2"},
]


def test_only_the_same_network_set_degradation_and_protocol_are_compared():
    y8, rgb_y, _ = CARD["scores"]
    assert results.companions(CARD, y8, ROWS) == ROWS[:1]
    assert results.companions(CARD, rgb_y, ROWS) == []


def test_names_of_cards_and_papers_meet():
    score = CARD["scores"][0]
    for name, paper, model in [
        ("srcnn-955-x3", "srcnn", "SRCNN 9-5-5"),
        ("edsr-baseline-x2", "edsr", "EDSR baseline"),
        ("dncnn-25", "dncnn", "DnCNN-S"),
        ("vdsr", "vdsr", "VDSR"),
    ]:
        rows = [ROWS[0] | {"paper": paper, "model": model}, ROWS[0] | {"paper": "other", "model": model}]
        assert results.companions({"name": name}, score, rows) == rows[:1]


def test_a_number_that_was_not_verified_has_a_dagger():
    assert "32.39†" in results.table({"net-x3": CARD}, [ROWS[0] | {"verified": "no"}])


def test_the_table_names_protocol_and_signed_difference():
    lines = results.table({"net-x3": CARD}, ROWS).splitlines()
    assert len(lines) == 2 + len(CARD["scores"])
    assert "| Set5 ×3 | y8 | **32.46** | 32.39 | +0.07 | 0.9087 | 0.9090 | Table 2 |" in lines[2]
    assert results.difference(32.10, 32.39, "psnr") == "−0.29"
    assert "| BSD68 σ = 25 | gray | **29.20** | – | – | – | – | – |" in lines[4]
    assert len({line.count("|") for line in lines}) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("net-x3 Set5 3 psnr", "32.46"),
        ("net-x3 Set5 3 psnr rgb-y", "32.50"),
        ("net-x3 Set5 3 ssim", "0.9087"),
        ("net-x3 BSD68 25 psnr", "29.20"),
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


def test_quoting_a_published_number():
    assert results.published("net Net Set5 3 psnr", ROWS) == "32.39"
    with pytest.raises(ValueError, match="no score"):
        results.published("net Net Set5 4 psnr", ROWS)


def test_quoting_an_experiment(tmp_path):
    (tmp_path / "runs.csv").write_text("picture,seed,psnr\ncat,0,27.10\ncat,1,26.90\n")
    assert results.experiment("runs psnr picture=cat seed=1", tmp_path) == "26.90"
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
