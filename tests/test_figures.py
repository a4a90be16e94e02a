"""Figures: alternative texts, whole multiples, the same bytes twice."""

import base64
import io
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from PIL import Image

from imtrans import figures
from imtrans.html import Html, data_uri, pixels


class Parsed(HTMLParser):
    """Collects the tags of a piece of HTML, and fails on one that is not closed."""

    EMPTY = frozenset({"img", "input", "br"})

    def __init__(self, html: Html) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(html._repr_html_())
        self.close()
        assert not self._open, f"not closed: {self._open}"

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.EMPTY:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


def decode(uri: str) -> np.ndarray:
    head, content = uri.split(",", 1)
    assert head.startswith("data:image/")
    assert head.endswith(";base64")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content))))


def picture(height: int = 6, width: int = 8, channels: int = 3, seed: int = 0) -> torch.Tensor:
    return torch.rand(1, channels, height, width, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("channels", [1, 3])
def test_data_uri_is_lossless(channels):
    x = picture(channels=channels)
    levels = decode(data_uri(x)).reshape(6, 8, channels)
    wanted = (x[0] * 255 + 0.5).floor().permute(1, 2, 0).numpy()
    assert np.array_equal(levels, wanted)


def test_data_uri_keeps_to_its_limit():
    x = picture(120, 120)
    assert len(base64.b64decode(data_uri(x).split(",")[1])) > 30_000
    uri = data_uri(x, limit=30_000)
    assert uri.startswith("data:image/jpeg")
    assert len(base64.b64decode(uri.split(",")[1])) <= 30_000
    assert decode(uri).shape == (120, 120, 3)
    with pytest.raises(ValueError, match="does not fit 500 bytes"):
        data_uri(x, limit=500)


def test_data_uri_keeps_full_chroma_under_a_limit():
    """Red and blue columns in turn, too noisy for PNG: at half the chroma they would become purple."""
    stripes = torch.zeros(1, 3, 64, 64)
    stripes[:, 0, :, ::2] = stripes[:, 2, :, 1::2] = 0.8
    stripes = stripes + 0.1 * torch.rand(1, 1, 64, 64)
    uri = data_uri(stripes, limit=6_000)
    assert uri.startswith("data:image/jpeg")
    shown = decode(uri).reshape(64, 64, 3)
    assert (shown[:, ::2, 0].astype(int) - shown[:, ::2, 2]).min() > 100


def test_data_uri_refuses_what_is_no_picture():
    with pytest.raises(ValueError, match="one picture of 1"):
        data_uri(torch.rand(2, 3, 4, 4))
    with pytest.raises(ValueError, match=r"values in \[0, 1\]"):
        data_uri(torch.full((1, 1, 4, 4), 2.0))


def test_pixels_come_at_whole_multiples_and_with_words():
    (attributes,) = Parsed(Html(pixels(picture(), alt='a "quoted" <tag>', factor=3), "")).all("img")
    assert (attributes["width"], attributes["height"]) == ("24", "18")
    assert attributes["alt"] == 'a "quoted" <tag>'
    assert "image-rendering:pixelated" in attributes["style"]
    with pytest.raises(ValueError, match="factor"):
        pixels(picture(), alt="words", factor=1.5)
    with pytest.raises(ValueError, match="alternative text"):
        pixels(picture(), alt="  ")


def test_show_gives_the_same_bytes_twice_and_no_date():
    def draw():
        figure, ax = figures.canvas()
        ax.plot([0, 1], [1, 0])
        return figures.show(figure, alt="a falling line")

    first, second = draw(), draw()
    assert first == second
    (attributes,) = Parsed(first).all("img")
    assert attributes["alt"] == "a falling line"
    image = Image.open(io.BytesIO(base64.b64decode(attributes["src"].split(",")[1])))
    assert image.info.keys() <= {"transparency", "dpi"}
    assert image.width == 2 * int(attributes["width"])  # sharp on a screen with two dots a pixel
    assert image.convert("RGB").getpixel((1, 1)) == tuple(bytes.fromhex(figures.GROUND[1:]))  # a ground of its own


def test_show_closes_what_pyplot_made():
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, _ = plt.subplots()
    figures.show(figure, alt="empty axes")
    assert figure.number not in plt.get_fignums()


def test_curves_draw_every_series():
    x = [1, 2, 3]
    one = figures.curves(x, {"a": [1, 2, 3]}, xlabel="x", ylabel="y", alt="one line")
    two = figures.curves(x, {"a": [1, 2, 3], "b": [3, 2, 1]}, xlabel="x", ylabel="y", alt="one line")
    level = figures.curves(x, {"a": [1, 2, 3]}, xlabel="x", ylabel="y", alt="one line", levels={"bicubic": 2.5})
    assert len({one.markup, two.markup, level.markup}) == 3


def test_live_curve_updates_one_display(monkeypatch):
    class Handle:
        shown: list[Html]

        def __init__(self, first):
            self.shown = [first]

        def update(self, html):
            self.shown.append(html)

    handles = []

    def display(html, display_id):
        assert display_id is True
        handles.append(Handle(html))
        return handles[-1]

    monkeypatch.setattr("IPython.display.display", display)
    curve = figures.LiveCurve(20, alt="the loss falls", updates=4)
    for step in range(1, 21):
        curve(step, 1.0 / step)
    (handle,) = handles
    assert len(handle.shown) == 5  # empty, then after 5, 10, 15 and 20 steps
    assert {Parsed(html).all("img")[0]["alt"] for html in handle.shown} == {"the loss falls"}
    assert len({html.markup for html in handle.shown}) == 5
    assert curve.values[0] == 1.0
    assert len(curve.values) == 20


def test_a_resumed_training_is_drawn_where_it_goes_on(monkeypatch):
    monkeypatch.setattr("IPython.display.display", lambda html, display_id: None)
    monkeypatch.setattr(figures, "show", lambda figure, alt: figure)
    curve = figures.LiveCurve(20, alt="the loss falls")
    for step in (11, 12, 13):
        curve(step, 1.0)
    assert list(curve.figure().axes[0].lines[0].get_xdata()) == [11, 12, 13]


def test_zoom_cuts_the_same_box_out_of_each_picture():
    x, y = picture(seed=1), picture(seed=2)
    parsed = Parsed(figures.zoom({"first": x, "second": y}, (2, 1, 4, 3), alt="noise", factor=5))
    images = parsed.all("img")
    assert [image["alt"] for image in images] == ["first: noise", "second: noise"]
    assert {(image["width"], image["height"]) for image in images} == {("20", "15")}
    for image, source in zip(images, (x, y), strict=True):
        wanted = (source[0, :, 1:4, 2:6] * 255 + 0.5).floor().permute(1, 2, 0).numpy()
        assert np.array_equal(decode(image["src"]), wanted)
    assert {"first", "second"} <= set(parsed.text)


@pytest.mark.parametrize("box", [(5, 0, 4, 2), (0, 5, 2, 2), (-1, 0, 2, 2), (0, 0, 0, 2)])
def test_a_box_that_sticks_out_is_an_error(box):
    with pytest.raises(ValueError, match="box"):
        figures.zoom({"x": picture()}, box, alt="noise")
    with pytest.raises(ValueError, match="box"):
        figures.where(picture(), box, alt="noise")


def test_zoom_refuses_pictures_of_different_sizes():
    with pytest.raises(ValueError, match="different sizes"):
        figures.zoom({"a": picture(), "b": picture(7)}, (0, 0, 2, 2), alt="noise")


def test_where_frames_the_box():
    parsed = Parsed(figures.where(picture(), (2, 1, 4, 3), alt="noise", factor=2))
    assert parsed.all("img")[0]["alt"] == "noise"
    frame = parsed.all("div")[-1]["style"]
    assert "left:4px;top:2px;width:8px;height:6px" in frame


def test_filters_show_the_strongest_first_and_zero_as_gray():
    weight = torch.zeros(3, 1, 3, 3)
    weight[0, 0, 1, 1], weight[1, 0, 1, 1], weight[2, 0, 0, 0] = 1.0, -2.0, 0.5
    (attributes,) = Parsed(figures.filters(weight, alt="filters", columns=2, factor=2)).all("img")
    sheet = decode(attributes["src"])
    assert sheet.shape == (7, 7)  # two rows and columns of 3×3, a line between them
    assert sheet[0, 0] == 128
    assert sheet[1, 1] == 0  # the strongest: -2 is black
    assert sheet[1, 5] == 255  # then +1 is white
    assert sheet[4, 0] == 255  # then 0.5, with its own gain
    assert (sheet[4:, 4:] == 255).all()  # no fourth
    with pytest.raises(ValueError, match="shape"):
        figures.filters(torch.zeros(4, 2, 3, 3), alt="filters")


def test_table_has_heads_for_rows_and_columns():
    rows = [{"network": "a <b>", "PSNR": 32.394}, {"network": "c", "PSNR": None}]
    made = figures.table(rows, caption="Set5")
    parsed = Parsed(made)
    assert [head["scope"] for head in parsed.all("th")] == ["col", "col", "row", "row"]
    assert {"32.39", "–", "a <b>", "Set5"} <= set(parsed.text)
    assert repr(made).splitlines() == ["Set5", "network | PSNR", "a <b> | 32.39", "c | –"]
    with pytest.raises(ValueError, match="columns"):
        figures.table([{"a": 1}, {"b": 1}], caption="none")
    with pytest.raises(ValueError, match="rows"):
        figures.table([], caption="none")
