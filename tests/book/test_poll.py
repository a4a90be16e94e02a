"""The poll: which side a metric calls nearer, and what the markup holds before anybody has judged."""

import pytest
from bs4 import BeautifulSoup

from course import poll

ROW = {
    "round": "1",
    "seen": "a cat's eye",
    "left": "blurred",
    "left_looks": "out of focus",
    "right": "moved",
    "right_looks": "hardly different",
    "PSNR_left": "28.627",
    "PSNR_right": "28.625",
    "far_left": "2.6",
    "far_right": "0.5",
}
METRICS = {"PSNR": ("PSNR", True), "features": ("far", False)}


@pytest.fixture
def page() -> BeautifulSoup:
    return BeautifulSoup(poll.markup("votes", [ROW, ROW | {"round": "2"}], METRICS, "../"), "html.parser")


def test_the_lines_of_the_directive_name_columns_measures_and_orders():
    found = poll.read_metrics(["PSNR: PSNR, more is nearer", "trained features: squeezenet-caffe, less is nearer"])
    assert found == {"PSNR": ("PSNR", True), "trained features": ("squeezenet-caffe", False)}


@pytest.mark.parametrize("line", ["PSNR", "PSNR: PSNR", "PSNR: PSNR, high is good"])
def test_a_line_without_an_order_is_refused(line):
    with pytest.raises(ValueError, match="more is nearer"):
        poll.read_metrics([line])


def test_the_nearer_side_has_the_smaller_distance_or_the_larger_score():
    assert poll.answer(ROW, "far", more=False) == "right"
    assert poll.answer(ROW, "far", more=True) == "left"


def test_values_closer_than_a_percent_are_no_answer():
    assert poll.answer(ROW, "PSNR", more=True) == "equal"


def test_a_measure_that_the_table_lacks_is_named():
    with pytest.raises(ValueError, match="no column 'SSIM_left'"):
        poll.answer(ROW, "SSIM", more=True)


def test_the_answers_are_hidden_until_the_reader_has_judged(page):
    assert page.select_one(".answers").has_attr("hidden")
    assert [cell["data-answer"] for cell in page.select("tr[data-round='2'] [data-answer]")] == ["equal", "right"]


def test_each_round_has_two_choices_that_share_a_name_and_a_reference_that_is_none(page):
    for fieldset in page.select("fieldset"):
        inputs = fieldset.select("input[type=radio]")
        assert [i["value"] for i in inputs] == ["left", "right"]
        assert {i["name"] for i in inputs} == {f"votes-{fieldset['data-round']}"}
        assert fieldset.select_one(".reference input") is None


def test_every_picture_says_what_is_seen(page):
    alts = [image["alt"] for image in page.select("fieldset[data-round='1'] img")]
    assert alts == [
        "left: a cat's eye, out of focus",
        "reference: a cat's eye",
        "right: a cat's eye, hardly different",
    ]
