"""The files of the built book: all there, nothing broken, nothing fetched from elsewhere."""

import ast
import json
import re
from collections import Counter
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from bs4 import BeautifulSoup

from course import lectures, playlist, readme, results
from pages import HTML, ROOT, documents

GENERATED = {"index", "genindex", "search", "py-modindex", "prf-prf"}
# Through what a browser fetches by itself: element, attributes. Links that a reader follows are not among it.
FETCHED = {
    "script": ("src",),
    "img": ("src", "srcset"),
    "iframe": ("src",),
    "source": ("src", "srcset"),
    "video": ("src", "poster"),
    "audio": ("src",),
    "embed": ("src",),
    "object": ("data",),
    "input": ("src",),
    "image": ("href", "xlink:href"),
    "use": ("href", "xlink:href"),
}
OUTSIDE = re.compile(r"^\s*(https?:)?//", re.IGNORECASE)


@cache
def soup(path: Path) -> BeautifulSoup:
    """A parsed page."""
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def article(path: Path) -> BeautifulSoup:
    """The page's own content, without the theme around it."""
    return soup(path).find("article") or pytest.fail(f"{path.name} has no content")


def test_the_book_holds_the_pages_of_its_table_of_contents_and_no_others():
    built = {str(path.relative_to(HTML).with_suffix("")) for path in HTML.rglob("*.html")}
    assert {name for name in built if not name.startswith("_")} - GENERATED == set(documents())


def test_the_table_of_contents_follows_the_playlist():
    published = [lecture.stem for lecture in playlist.read().lectures if lecture.published]
    listed = [name for name in documents() if not name.startswith("book/")]
    expected = [(f"lectures/{x}", f"notebooks/{x}", f"notebooks/solutions/{x}") for x in published]
    assert listed == [name for names in expected for name in names]


def test_no_traceback_and_no_sphinx_error(page):
    text = soup(page).get_text()
    assert "Traceback (most recent call last)" not in text
    assert not soup(page).select(".system-message, .problematic, .cell_output .traceback")
    assert soup(page).find("h1"), "a page has a title"


def test_nothing_is_fetched_from_elsewhere(page):
    for name, attributes in FETCHED.items():
        for element in soup(page).find_all(name):
            for attribute in attributes:
                assert not OUTSIDE.match(element.get(attribute, "")), str(element)[:200]
    for link in soup(page).find_all("link"):
        assert not OUTSIDE.match(link.get("href", "")), str(link)
    styles = " ".join(
        [e.get_text() for e in soup(page).find_all("style")] + [e["style"] for e in soup(page)(style=True)]
    )
    assert not re.search(r"(url\(|@import)\s*['\"]?(https?:)?//", styles)


def test_style_sheets_fetch_nothing_from_elsewhere():
    sheets = list((HTML / "_static").rglob("*.css"))
    assert sheets
    for sheet in sheets:
        text = sheet.read_text(encoding="utf-8", errors="replace")
        found = re.search(r"(url\(|@import)\s*['\"]?(https?:)?//[^)\s]*", text)
        assert not found, f"{sheet.name}: {found[0]}"


def test_every_picture_says_what_is_seen(page):
    alts = []
    for image in article(page).find_all("img"):
        alt = (image.get("alt") or "").strip()
        assert alt, f"no alternative text: {str(image)[:120]}"
        assert not re.fullmatch(r"\S+\.(png|jpe?g|svg|gif|webp)|_images/\S+", alt), (
            f"a file name is no description: {alt}"
        )
        alts.append(alt)
    doubled = [alt for alt, count in Counter(alts).items() if count > 1]
    assert not doubled, f"the same description twice on a page: {doubled}"


def test_links_inside_the_book_lead_somewhere(page):
    for link in article(page).find_all("a", href=True):
        target = urlsplit(link["href"])
        if target.scheme or target.netloc:
            continue
        path = (page.parent / unquote(target.path)).resolve() if target.path else page
        assert path.is_file(), f"dead link {link['href']}"
        if target.fragment and path.suffix == ".html":
            name = unquote(target.fragment)
            assert soup(path).find(id=name) or soup(path).find(attrs={"name": name}), f"no anchor {link['href']}"


def test_no_button_points_nowhere_while_the_repository_has_no_address():
    hosts = {"github.com", "colab.research.google.com"}
    for name in documents():
        header = soup(HTML / f"{name}.html").select_one(".bd-header-article")
        links = [a["href"] for a in header.find_all("a", href=True)] if header else []
        found = [link for link in links if urlsplit(link).netloc in hosts]
        if playlist.repository() is None:
            assert not found, f"{name}: {found}"
        else:
            assert all(playlist.repository()[0] in link for link in found)
            assert found


def test_landing_page_shows_all_lectures_and_links_only_those_that_exist():
    grid = soup(HTML / "book/index.html").select_one(".lecture-grid")
    cards = grid.select(".sd-card")
    course = playlist.read()
    assert len(cards) == len(course.lectures) == 13
    for card, lecture in zip(cards, course.lectures, strict=True):
        assert lecture.title in card.get_text()
        assert bool(card.find("a")) == lecture.published
        assert ("to come" in card.get_text()) == (not lecture.published)


def test_landing_page_credits_the_lecturer_and_links_the_playlist():
    landing = article(HTML / "book/index.html")
    course = playlist.read()
    assert course.lecturer in landing.get_text()
    assert "unofficial" in landing.get_text().lower()
    assert landing.find("a", href=course.url)


@pytest.mark.parametrize("lecture", [x for x in playlist.read().lectures if x.published], ids=lambda x: x.slug)
def test_lecture_page_has_its_player(lecture):
    players = article(HTML / f"lectures/{lecture.stem}.html").select(".lecture-video")
    assert len(players) == 1
    assert f"Lecture {lecture.number}" in players[0].get_text()
    assert not players[0].find("iframe"), "YouTube is asked for nothing before a click"
    expected = lecture.video or f"videoseries?list={playlist.read().playlist}"
    assert players[0]["data-embed"] == f"https://www.youtube-nocookie.com/embed/{expected}"


def test_player_with_a_video_id_opens_that_video():
    course = playlist.read()
    from dataclasses import replace

    markup = lectures.player(course, replace(course.lectures[0], video="abc_DEF-123"))
    assert 'data-embed="https://www.youtube-nocookie.com/embed/abc_DEF-123"' in markup
    assert "whole playlist" not in markup


def test_api_page_shows_the_real_constructor_of_srcnn():
    module = ast.parse((ROOT / "src/imtrans/models/srcnn.py").read_text(encoding="utf-8"))
    srcnn = next(node for node in module.body if isinstance(node, ast.ClassDef) and node.name == "SRCNN")
    init = next(n for n in srcnn.body if isinstance(n, ast.FunctionDef) and n.name == "__init__")
    arguments = [*init.args.posonlyargs, *init.args.args, *init.args.kwonlyargs][1:]
    signature = soup(HTML / "book/api.html").find(id="imtrans.models.srcnn.SRCNN")
    shown = [p.select_one(".n").get_text() for p in signature.select(".sig-param") if p.select_one(".n")]
    assert [name for name in shown if name != "*"] == [argument.arg for argument in arguments]
    assert {"n1", "n2", "f1", "f2", "f3", "padding"} <= set(shown)
    assert "replicate" in signature.get_text()


def test_results_page_shows_every_measured_score():
    cards = results.read_cards()
    shown = article(HTML / "book/results.html").get_text(" ")
    if not cards:
        assert "No network has been measured yet" in shown
    for name, card in cards.items():
        assert name in shown or not card["scores"]
        for score in card["scores"]:
            assert results.shown(score["psnr"], "psnr") in shown


def test_search_index_knows_the_lectures():
    text = (HTML / "searchindex.js").read_text(encoding="utf-8")
    index = json.loads(text[text.index("{") : text.rindex("}") + 1])
    assert set(documents()) <= set(index["docnames"])
    assert {"bicub", "psnr"} <= set(index["terms"])


def test_readme_tables_are_those_of_the_data_files():
    text = readme.README.read_text(encoding="utf-8")
    assert text == readme.updated(text), "PYTHONPATH=book/ext .venv/bin/python -m course.readme"


def test_readme_links_lead_somewhere():
    text = readme.README.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not OUTSIDE.match(target) and "://" not in target:
            assert (ROOT / target).exists(), target


def test_the_address_of_the_repository_stands_in_one_place():
    place = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["repository"]
    if not place["url"]:
        pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
        assert "[project.urls]" not in pyproject
    else:
        assert re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+", place["url"])
