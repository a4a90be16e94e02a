"""Measured numbers in the book: the directive `{results}`, the roles `{measured}`, `{experiment}` and `{published}`.

Measured scores are read from the cards beside the weights (`src/imtrans/zoo/*.json`), those of experiments from
`results/*.csv`, the papers' ones from `src/imtrans/published/*.csv`. Only the standard library is used and no page
holds a number of its own.
"""

import csv
import json
import re
import shlex
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective, SphinxRole

from .playlist import ROOT, read

ZOO = ROOT / "src" / "imtrans" / "zoo"
PUBLISHED = ROOT / "src" / "imtrans" / "published"
EXPERIMENTS = ROOT / "results"
# Where a card's name, without its scale, is not the name that the paper gives the network.
PAPER_NAMES = {
    **dict.fromkeys(("dncnn15", "dncnn25", "dncnn50"), "dncnns"),  # DnCNN-S: one network a noise level
    "dncnnblind": "dncnnb",
    "espcn": "espcn91images",  # the paper's other rows were trained on 50,000 pictures of ImageNet
}
DECIMALS = {"psnr": 2, "input_psnr": 2, "ssim": 4}


def read_cards(folder: Path = ZOO) -> dict[str, dict]:
    """All cards by name, in the order of the lectures."""
    cards = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    place = {lecture.slug: lecture.number for lecture in read().lectures}
    cards.sort(key=lambda card: place.get(paper_of(card), len(place)))
    return {card["name"]: card for card in cards}


def paper_of(card: dict) -> str:
    """The short name of the paper that a card's network is from: `srcnn-x3` → `srcnn`."""
    network = card["name"].split("-")[0]
    return {"cdncnn": "dncnn"}.get(network, network)


def read_published(folder: Path = PUBLISHED) -> list[dict]:
    """All rows of the papers' tables, numbers as the paper prints them (strings)."""
    rows = []
    for path in sorted(folder.glob("*.csv")):
        with path.open(newline="", encoding="utf-8") as file:
            rows += csv.DictReader(file)
    return rows


def note_data(env) -> None:
    """Have the page read again in each build: a folder is no file, so Sphinx takes it as changed.

    Naming the files would miss a card that is new.
    """
    env.note_dependency(str(ZOO))


def number(text) -> float | None:
    """The number in a cell, None for an empty one."""
    return None if text in (None, "") else float(text)


def setting(row: dict) -> tuple:
    """What has to agree before two scores may be compared: set, scale, noise level, JPEG quality, protocol."""
    return row["set"], number(row["scale"]), number(row["sigma"]), number(row.get("quality")), row["protocol"]


def base_name(model: str) -> str:
    """`SRCNN`, `srcnn-x3` → `srcnn`: letters and digits in lower case, a card's scale cut off."""
    return re.sub(r"[^a-z0-9]", "", re.sub(r"-x\d$", "", model.lower()))


def companions(card: dict, score: dict, published: list[dict]) -> list[dict]:
    """The paper's own rows on the same network, set, degradation and protocol as one measured score."""
    network = base_name(card["name"])
    wanted = paper_of(card), PAPER_NAMES.get(network, network), setting(score)
    return [row for row in published if (row["paper"], base_name(row["model"]), setting(row)) == wanted]


def daggered(text: str, row: dict) -> str:
    """A published number, with a dagger where nobody has compared it with the paper."""
    return f"{text}†" if row.get("verified") == "no" and text != "–" else text


def shown(value: float | None, metric: str) -> str:
    """A score with the decimals its metric is printed with."""
    return "–" if value is None else f"{value:.{DECIMALS[metric]}f}"


def difference(measured: float | None, published: float | None, metric: str) -> str:
    """Measured minus published, signed."""
    if measured is None or published is None:
        return "–"
    return f"{measured - published:+.{DECIMALS[metric]}f}".replace("-", "−")


def degradation(score: dict) -> str:
    """What the pictures of a score went through: `×3`, `σ = 25` or `JPEG 10`."""
    if score["scale"]:
        return f"×{score['scale']}"
    return f"JPEG {score['quality']}" if score.get("quality") else f"σ = {score['sigma']:g}"


HEADER = ("network", "set", "protocol", "PSNR", "published", "difference", "SSIM", "published", "source")


def table(cards: dict[str, dict], published: list[dict]) -> str:
    """Markdown table: a row a measured score and paper's row, the difference beside them."""
    lines = ["| " + " | ".join(HEADER) + " |", "| --- " * 3 + "| ---: " * 5 + "| --- |"]
    for name, card in cards.items():
        for score in card["scores"]:
            for row in companions(card, score, published) or [{"psnr": "", "ssim": "", "source": "–"}]:
                psnr, ssim = number(row["psnr"]), number(row["ssim"])
                cells = [
                    f"`{name}`",
                    f"{score['set']} {degradation(score)}",
                    score["protocol"],
                    f"**{shown(score['psnr'], 'psnr')}**",
                    daggered(shown(psnr, "psnr"), row),
                    difference(score["psnr"], psnr, "psnr"),
                    shown(score["ssim"], "ssim"),
                    daggered(shown(ssim, "ssim"), row),
                    row["source"],
                ]
                lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def measured(text: str, cards: dict[str, dict]) -> str:
    """One number of a card: `NAME SET LEVEL psnr|ssim [PROTOCOL]`, or `NAME KEY` for a key of the card.

    LEVEL is a scale (`x3` or `3`), a noise level (`25`) or a quality of JPEG (`q10`). The metric `input_psnr` is that
    of the JPEG itself.

    Raises:
        ValueError: The card, the score or the key does not exist.
    """
    name, *rest = shlex.split(text)
    if name not in cards:
        raise ValueError(f"no card {name!r}; there are {', '.join(cards) or 'none'}")
    card = cards[name]
    if len(rest) == 1:
        if rest[0] not in card:
            raise ValueError(f"the card {name} has no {rest[0]!r}; it has {', '.join(card)}")
        value = card[rest[0]]
        return f"{value:,}" if isinstance(value, int) else str(value)
    return pick(rest, card["scores"], f"the card {name}")


def published(text: str, rows: list[dict]) -> str:
    """One number of a paper's table: `PAPER MODEL SET LEVEL psnr|ssim [PROTOCOL]`.

    A name with blanks is quoted.

    Raises:
        ValueError: No such row.
    """
    paper, model, *rest = shlex.split(text)
    return pick(rest, [r for r in rows if (r["paper"], r["model"]) == (paper, model)], f"{paper}, {model},")


def experiment(text: str, folder: Path = EXPERIMENTS) -> str:
    """One cell of an experiment's table: `FILE COLUMN [KEY=VALUE …]`, as it stands in `results/FILE.csv`.

    Raises:
        ValueError: No such table or column, or not exactly one such row.
    """
    name, column, *conditions = shlex.split(text)
    path = folder / f"{name}.csv"
    if not path.is_file():
        raise ValueError(f"no results/{path.name}")
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    wanted = dict(condition.split("=", 1) for condition in conditions)
    for key in (column, *wanted):
        if key not in rows[0]:
            raise ValueError(f"results/{path.name} has no column {key!r}; it has {', '.join(rows[0])}")
    found = [row[column] for row in rows if all(row[key] == value for key, value in wanted.items())]
    if len(found) != 1:
        raise ValueError(f"results/{path.name} has {len(found)} rows with {' '.join(conditions)}, wanted one")
    return found[0]


def pick(query: list[str], rows: list[dict], owner: str) -> str:
    """The score that `SET LEVEL METRIC [PROTOCOL]` asks for; the first one where protocols differ."""
    level = re.fullmatch(r"([xq]?)(\d+(?:\.\d+)?)", query[1]) if len(query) in (3, 4) else None
    if not level or query[2] not in DECIMALS:
        raise ValueError(f"wanted: SET LEVEL psnr|ssim [PROTOCOL], not {' '.join(query)!r}")
    name, _, metric, *protocol = query
    keys = {"x": ("scale",), "q": ("quality",), "": ("scale", "sigma")}[level[1]]
    for row in rows:
        value = number(row.get(metric))
        at_level = float(level[2]) in [number(row.get(key)) for key in keys]
        same = row["set"] == name and at_level and protocol in ([], [row["protocol"]])
        if same and value is not None:
            return shown(value, metric)
    raise ValueError(f"{owner} has no score {' '.join(query)!r}")


class Results(SphinxDirective):
    """`{results} [NAME…]`: the table of all cards, or of the named ones."""

    optional_arguments = 1
    final_argument_whitespace = True

    def run(self):
        note_data(self.env)
        cards = read_cards()
        names = self.arguments[0].split() if self.arguments else list(cards)
        if missing := [name for name in names if name not in cards]:
            text = f"Not measured yet: {', '.join(missing)}." if cards else "No network has been measured yet."
            return [nodes.paragraph("", text)]
        if not names:
            return [nodes.paragraph("", "No network has been measured yet.")]
        container = nodes.container(classes=["results-table"])
        text = table({name: cards[name] for name in names}, read_published())
        self.state.nested_parse(StringList(text.splitlines(), source=str(ZOO)), self.content_offset, container)
        return [container]


class Number(SphinxRole):
    """A role that puts one number of a data file into the text."""

    def __init__(self, find):
        super().__init__()
        self.find = find

    def run(self):
        note_data(self.env)
        try:
            return [nodes.Text(self.find(self.text))], []
        except ValueError as error:
            message = self.inliner.reporter.error(f"{self.name}: {error}", line=self.lineno)
            return [nodes.problematic(self.rawtext, self.rawtext)], [message]


def setup(app):
    """Register the directive and the roles."""
    app.add_directive("results", Results)
    app.add_role("measured", Number(lambda text: measured(text, read_cards())))
    app.add_role("experiment", Number(experiment))
    app.add_role("published", Number(lambda text: published(text, read_published())))
