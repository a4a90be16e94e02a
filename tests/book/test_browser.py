"""Each page opened as a file in Chromium: no request leaves, no script fails, math and sliders work."""

from urllib.parse import urlsplit

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from browser import requests
from pages import HTML

LOCAL = {"file", "data", "blob", "about", "chrome", "chrome-untrusted"}
TYPESET = """
const sources = [...document.querySelectorAll('.bd-article .math')];
return sources.length === 0 || (!!window.MathJax?.startup?.promise && sources.every(
  (e) => e.querySelector('mjx-container') && !e.querySelector('mjx-merror, [data-mjx-error]')));
"""


def opened(chrome, path):
    """Open a built page as a file, with the logs of earlier pages thrown away."""
    chrome.get("about:blank")
    chrome.get_log("browser")
    requests(chrome)
    chrome.get(path.as_uri())
    WebDriverWait(chrome, 30).until(lambda c: c.execute_script("return document.readyState") == "complete")
    return chrome


def test_page_opens_from_a_folder(chrome, page):
    opened(chrome, page)
    WebDriverWait(chrome, 60).until(lambda c: c.execute_script(TYPESET), "math is not typeset")
    asked = requests(chrome)
    assert page.as_uri() in asked, "the log of requests does not work"
    assert [url for url in asked if urlsplit(url).scheme not in LOCAL] == []
    assert [entry for entry in chrome.get_log("browser") if entry["level"] == "SEVERE"] == []


BARS = """return [...document.querySelectorAll('.bd-article span.math')]
  .filter((e) => e.offsetHeight > e.clientHeight + 2).map((e) => e.textContent)"""


def test_no_formula_of_a_sentence_has_a_scroll_bar(chrome, page):
    opened(chrome, page)
    WebDriverWait(chrome, 60).until(lambda c: c.execute_script(TYPESET), "math is not typeset")
    assert chrome.execute_script(BARS) == []


def looks(chrome, theme):
    """What a theme makes of each picture: its filter and the size of its content."""
    chrome.execute_script("document.documentElement.dataset.theme = arguments[0]", theme)
    return chrome.execute_script(
        """return [...document.querySelectorAll('.bd-article img')].map((e) => {
            const s = getComputedStyle(e);
            return [s.filter, s.padding, s.borderRadius, e.clientWidth, e.clientHeight];
        })"""
    )


def test_pictures_are_the_same_in_dark_mode(chrome, page):
    opened(chrome, page)
    light = looks(chrome, "light")
    assert {look[0] for look in light} <= {"none"}
    assert looks(chrome, "dark") == light


def test_text_of_outputs_can_be_read_in_dark_mode(chrome, slider):
    frame, _ = slider
    chrome.execute_script("document.documentElement.dataset.theme = 'dark'")
    text, ground = chrome.execute_script(
        """const grey = (e, property) => getComputedStyle(e)[property].match(/\\d+/g).slice(0, 3)
            .reduce((sum, channel) => sum + channel / 3, 0);
        return [grey(arguments[0], 'color'), grey(document.body, 'backgroundColor')];""",
        frame.find_element(By.CSS_SELECTOR, "span"),
    )
    assert text - ground > 100


@pytest.fixture
def phone(chrome):
    """The browser with a screen 390 pixels wide."""
    screen = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    yield chrome
    chrome.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_page_fits_a_phone(phone, page):
    opened(phone, page)
    widths = "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    wide, screen = phone.execute_script(widths)
    assert wide <= screen, "the page scrolls sideways"


WIDE = """
document.querySelectorAll('details').forEach((e) => { e.open = true; });
return [...document.querySelectorAll('.bd-article div.math mjx-container')]
  .filter((e) => e.scrollWidth > e.clientWidth + 1)
  .map((e) => [e.scrollWidth, e.clientWidth, e.parentElement.querySelector('.eqno')?.textContent])
"""


def test_no_formula_is_wider_than_a_phone(phone, page):
    opened(phone, page)
    WebDriverWait(phone, 60).until(lambda c: c.execute_script(TYPESET), "math is not typeset")
    assert phone.execute_script(WIDE) == []


@pytest.fixture
def slider(chrome):
    """The first before/after comparison of lecture 1's notebook page: its frame and its control."""
    opened(chrome, HTML / "notebooks" / "01-srcnn.html")
    frame = chrome.find_element(By.CSS_SELECTOR, ".before-after")
    control = frame.find_element(By.CSS_SELECTOR, "input[type=range]")
    chrome.execute_script("arguments[0].scrollIntoView({block: 'center'})", control)
    return frame, control


def cut(chrome, frame) -> str:
    """Where the divider stands, as the style sheet sees it."""
    return chrome.execute_script("return getComputedStyle(arguments[0]).getPropertyValue('--cut').trim()", frame)


def test_slider_moves_by_mouse(chrome, slider):
    frame, control = slider
    for share in (0.25, 0.8):
        offset = int((share - 0.5) * control.size["width"])
        ActionChains(chrome).move_to_element_with_offset(control, offset, 0).click().perform()
        value = float(control.get_property("value"))
        assert abs(value - 100 * share) < 6
        assert float(cut(chrome, frame).rstrip("%")) == value


def test_slider_moves_by_key(chrome, slider):
    frame, control = slider
    before = float(control.get_property("value"))
    control.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert float(control.get_property("value")) == before + 3
    assert float(cut(chrome, frame).rstrip("%")) == before + 3
    control.send_keys(Keys.HOME)
    assert cut(chrome, frame) == "0%"


def test_slider_shows_what_it_says(chrome, slider):
    """At 0 % the upper picture is cut away as a whole, at 100 % it covers the other."""
    frame, control = slider
    shown = []
    for key in (Keys.HOME, Keys.END):
        control.send_keys(key)
        shown.append(frame.find_element(By.CSS_SELECTOR, "div").screenshot_as_png)
    assert shown[0] != shown[1]


def test_search_works_from_a_folder(chrome):
    opened(chrome, HTML / "search.html")
    chrome.get((HTML / "search.html").as_uri() + "?q=bicubic")
    found = "#search-results li a[href*='lectures/01-srcnn.html']"
    WebDriverWait(chrome, 30).until(lambda c: c.find_elements(By.CSS_SELECTOR, found), "lecture 1 is not found")


def test_player_asks_for_nothing_and_keeps_its_link(chrome):
    opened(chrome, HTML / "lectures" / "01-srcnn.html")
    button = chrome.find_element(By.CSS_SELECTOR, ".lecture-video button")
    assert "YouTube" in button.get_attribute("aria-label")
    link = chrome.find_element(By.CSS_SELECTOR, ".lecture-video figcaption a")
    assert link.get_attribute("href").startswith("https://www.youtube.com/")
    assert not chrome.find_elements(By.TAG_NAME, "iframe")


def test_a_link_into_a_closed_fold_opens_it(chrome):
    opened(chrome, HTML / "lectures" / "01-srcnn.html")
    link = chrome.find_element(By.CSS_SELECTOR, "p > a[href='#equation-eq-srcnn-lr']")
    fold = chrome.execute_script("return document.getElementById('equation-eq-srcnn-lr').closest('details')")
    for _ in range(2):  # the second click changes no address
        chrome.execute_script("arguments[0].open = false; arguments[1].click()", fold, link)
        WebDriverWait(chrome, 10).until(lambda c: fold.get_property("open"), "the fold stays closed")


def test_a_page_opened_at_a_place_in_a_fold_opens_the_fold(chrome):
    opened(chrome, HTML / "lectures" / "01-srcnn.html")
    chrome.get((HTML / "lectures" / "01-srcnn.html").as_uri() + "#tab-srcnn-colour")
    inside = "return document.getElementById('tab-srcnn-colour').closest('details').open"
    WebDriverWait(chrome, 10).until(lambda c: c.execute_script(inside), "the fold stays closed")


@pytest.fixture
def poll(chrome):
    """Lecture 12's poll, without votes of an earlier test."""
    opened(chrome, HTML / "lectures" / "12-lpips.html")
    chrome.execute_script("localStorage.clear()")
    opened(chrome, HTML / "lectures" / "12-lpips.html")
    return chrome.find_element(By.CSS_SELECTOR, ".poll")


def test_the_metrics_answer_after_the_last_vote_and_the_votes_stay(chrome, poll):
    answers, rounds = poll.find_element(By.CSS_SELECTOR, ".answers"), poll.find_elements(By.TAG_NAME, "fieldset")
    for index, each in enumerate(rounds):
        assert not answers.is_displayed()
        each.find_element(By.CSS_SELECTOR, f".{('left', 'right')[index % 2]}").click()
    assert answers.is_displayed()
    own = [cell.text for cell in answers.find_elements(By.CSS_SELECTOR, "tbody .own")]
    assert own == ["left", "right"] * (len(rounds) // 2)
    opened(chrome, HTML / "lectures" / "12-lpips.html")
    assert chrome.find_element(By.CSS_SELECTOR, ".poll .answers").is_displayed()


def test_the_poll_is_judged_by_keyboard_and_counts(chrome, poll):
    rounds = poll.find_elements(By.TAG_NAME, "fieldset")
    for each in rounds:
        each.find_element(By.CSS_SELECTOR, ".left input").send_keys(Keys.SPACE)
    row = poll.find_elements(By.CSS_SELECTOR, "tbody tr")
    says = [each.find_elements(By.CSS_SELECTOR, "[data-answer]")[1].get_attribute("data-answer") for each in row]
    total = poll.find_elements(By.CSS_SELECTOR, ".total")[1].text
    worth = sum(0.5 if answer == "equal" else float(answer == "left") for answer in says)
    assert total == f"{worth:g} of {len(rounds)}"
