"""Widgets: plain HTML with labels, that a page can move without a kernel and without a file of script."""

import re
import sys

import pytest
import torch

from imtrans import figures, widgets
from imtrans.html import LIMIT
from test_figures import Parsed, decode, picture


def test_before_after_moves_with_a_native_control():
    html = widgets.before_after(
        picture(seed=1), picture(seed=2), labels=("bicubic", "SRCNN"), alt="a zebra's stripes", factor=2
    )
    parsed = Parsed(html)
    (outer,) = [div for div in parsed.all("div") if div.get("class") == "before-after"]
    assert "--cut:50%" in outer["style"]
    (control,) = parsed.all("input")
    assert control["type"] == "range"
    assert "bicubic" in control["aria-label"]
    assert "--cut" in control["oninput"]
    assert [image["alt"] for image in parsed.all("img")] == [
        "SRCNN: a zebra's stripes",
        "bicubic: a zebra's stripes",
    ]
    under, over = parsed.all("img")
    assert "clip-path" in over["style"]
    assert "clip-path" not in under["style"]
    assert (over["width"], over["height"]) == ("16", "12")
    assert not parsed.all("script")


def test_before_after_shows_the_pictures_that_came():
    x, y = picture(seed=1), picture(seed=2)
    under, over = Parsed(widgets.before_after(x, y, alt="noise")).all("img")
    for image, source in ((over, x), (under, y)):
        assert torch.equal(
            torch.from_numpy(decode(image["src"]).copy()),
            (source[0] * 255 + 0.5).floor().byte().permute(1, 2, 0),
        )


def test_before_after_of_different_sizes():
    with pytest.raises(ValueError, match="different sizes"):
        widgets.before_after(picture(6), picture(7), alt="noise")


def test_a_slider_without_ipywidgets_is_its_frames(monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    slider = widgets.slider(lambda value: figures.strip({"x": picture()}, alt="x"), [1, 2], label="n", alt="two")
    assert set(slider._repr_mimebundle_()) == {"text/html", "text/plain"}


def test_frames_show_one_at_a_time():
    html = widgets.frames(
        [picture(seed=i) for i in range(3)], labels=["step 1", "step 2", "step 3"], alt="a net learns"
    )
    parsed = Parsed(html)
    shown = [div for div in parsed.all("div") if div.get("class") == "frame"]
    assert ["hidden" in frame for frame in shown] == [False, True, True]
    (control,) = parsed.all("input")
    assert (control["min"], control["max"], control["value"]) == ("0", "2", "0")
    assert control["aria-valuetext"] == "step 1"
    assert len({image["alt"] for image in parsed.all("img")}) == 3


@pytest.mark.parametrize(
    ("pictures", "labels"),
    [([], []), ([picture()], ["one", "two"]), ([picture(6), picture(7)], ["one", "two"])],
)
def test_frames_refuse_what_does_not_fit(pictures, labels):
    with pytest.raises(ValueError, match=r"label|sizes"):
        widgets.frames(pictures, labels=labels, alt="noise")


@pytest.mark.parametrize("make", ["before_after", "frames"])
def test_widgets_are_light_and_fetch_nothing(make):
    x, y = picture(200, 200, seed=1), picture(200, 200, seed=2)  # noise: the worst case for PNG
    html = (
        widgets.before_after(x, y, alt="noise")
        if make == "before_after"
        else widgets.frames([x, y], labels=["x", "y"], alt="noise")
    )
    sources = re.findall(r'src="([^"]*)"', html.markup)
    assert len(sources) == 2
    assert all(source.startswith("data:image/") for source in sources)
    assert all(len(source) * 3 / 4 <= LIMIT + 50 for source in sources)
    assert "http" not in re.sub(r'src="[^"]*"', "", html.markup)


def test_pictures_become_lighter_where_a_limit_asks_for_it():
    noise = torch.rand(1, 3, 64, 64)
    for html in (
        widgets.frames([noise] * 2, labels=["a", "b"], alt="noise", limit=9_000),
        figures.strip({"a": noise}, alt="noise", limit=9_000),
    ):
        assert all(image["src"].startswith("data:image/jpeg") for image in Parsed(html).all("img"))
        assert all(len(image["src"]) * 3 / 4 < 9_100 for image in Parsed(html).all("img"))


def test_labels_are_escaped():
    html = widgets.before_after(picture(), picture(), labels=('<b>"x"', "y"), alt="noise")
    assert "<b>" not in html.markup
    Parsed(html)


def brightness(value):
    """A gray picture as bright as the value says."""
    return figures.strip({"gray": torch.full((1, 1, 4, 4), value / 10)}, alt=f"brightness {value}")


def test_a_stored_slider_shows_one_frame_per_value():
    shown = widgets.slider(brightness, [0, 5, 10], label="level", alt="a gray square", start=5)
    parsed = Parsed(shown.frames)
    frame = [div for div in parsed.all("div") if div.get("class") == "frame"]
    assert ["hidden" in each for each in frame] == [True, False, True]
    (control,) = parsed.all("input")
    assert (control["min"], control["max"], control["value"]) == ("0", "2", "1")
    assert (control["aria-label"], control["aria-valuetext"]) == ("level", "level = 5")
    assert [decode(image["src"])[0, 0] for image in parsed.all("img")] == [0, 128, 255]


def test_a_live_slider_computes_values_between_the_stored_ones():
    picture, control = widgets.slider(brightness, [0, 10], label="level", alt="a gray square").live().children
    assert (control.min, control.max, control.step, control.value) == (0, 10, 1, 0)
    control.value = 3
    assert picture.value == brightness(3).markup


def test_a_live_slider_of_fractions_moves_in_hundredths():
    control = widgets.slider(brightness, [0.0, 10.0], label="level", alt="a gray square").live().children[1]
    assert control.step == pytest.approx(0.1)


def test_one_output_holds_the_live_slider_and_the_stored_frames():
    shown = widgets.slider(brightness, [0, 10], label="level", alt="a gray square")
    bundle = shown._repr_mimebundle_()
    assert bundle["text/html"] == shown.frames.markup
    assert bundle["text/plain"] == "[slider, level = 0 to level = 10: a gray square]"
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"]


@pytest.mark.parametrize(("values", "start"), [([], None), ([1], None), ([1, 1], None), ([1, 2], 3)])
def test_a_slider_needs_two_values_and_a_start_among_them(values, start):
    with pytest.raises(ValueError, match="two values or more"):
        widgets.slider(brightness, values, label="level", alt="a gray square", start=start)
