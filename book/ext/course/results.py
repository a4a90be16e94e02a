"""Measured numbers in the book: the directive `{results}`, the roles `{measured}`, `{experiment}` and `{published}`.

Measured scores are read from the cards beside the weights (`src/imtrans/zoo/*.json`), those of experiments from
`results/*.csv`, the papers' ones from `src/imtrans/published/*.csv`. Only the standard library is used and no page
holds a number of its own.
"""

import ast
import csv
import json
import re
import shlex
from functools import cache
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective, SphinxRole

from .playlist import ROOT, read

ZOO = ROOT / "src" / "imtrans" / "zoo"
PUBLISHED = ROOT / "src" / "imtrans" / "published"
EXPERIMENTS = ROOT / "results"
METRICS = ROOT / "src" / "imtrans" / "metrics.py"
# What a row of a card or of a paper's table is about; its other columns are measures.
COLUMNS = (
    "paper",
    "model",
    "set",
    "task",
    "degradation",
    "scale",
    "sigma",
    "quality",
    "protocol",
    "source",
    "verified",
)


@cache
def read_metrics(path: Path = METRICS) -> dict[str, tuple[str, int]]:
    """Name and decimals of each row of `imtrans.metrics.METRICS`, read from its source: a build has no torch."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assigned = {node.target.id: node.value for node in tree.body if isinstance(node, ast.AnnAssign)}
    table = assigned["METRICS"]
    return {
        key.value: (call.args[0].value, call.args[3].value) for key, call in zip(table.keys, table.values, strict=True)
    }


def read_cards(folder: Path = ZOO) -> dict[str, dict]:
    """All cards by name, in the order of the lectures."""
    cards = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    place = {lecture.slug: lecture.number for lecture in read().lectures}
    cards.sort(key=lambda card: place.get(card["paper"], len(place)))
    return {card["name"]: card for card in cards}


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
    """What has to agree before two scores may stand side by side: set, scale, noise level, JPEG quality."""
    return row["set"], *(number(row[key]) for key in ("scale", "sigma", "quality"))


def companions(card: dict, score: dict, published: list[dict]) -> list[dict]:
    """The paper's own rows on the same network, set, degradation and protocol as one measured score.

    Rows whose paper does not state its protocol are among them; `comparable` tells them apart.
    """
    wanted = card["paper"], card["model_in_paper"], setting(score)
    same = [row for row in published if (row["paper"], row["model"], setting(row)) == wanted]
    return [row for row in same if comparable(score, row) or row["protocol"] == "not stated"]


def comparable(score: dict, row: dict) -> bool:
    """Whether a measured score and a published one are by the same protocol."""
    return score["protocol"] == row["protocol"]


def daggered(text: str, row: dict) -> str:
    """A published number, with a dagger where nobody has compared it with the paper."""
    return f"{text}†" if row.get("verified") == "no" and text != "–" else text


def decimals(metric: str) -> int:
    """Decimals that a metric is printed with; `input_psnr` and `rerun_psnr` are PSNRs."""
    return read_metrics()[metric.removeprefix("input_").removeprefix("rerun_")][1]


def shown(value: float | None, metric: str) -> str:
    """A score with the decimals its metric is printed with."""
    return "–" if value is None else f"{value:.{decimals(metric)}f}"


def difference(measured: float | None, published: float | None, metric: str) -> str:
    """Measured minus published, signed."""
    if measured is None or published is None:
        return "–"
    return f"{measured - published:+.{decimals(metric)}f}".replace("-", "−")


def table(cards: dict[str, dict], published: list[dict]) -> str:
    """Markdown table: one row per measured score and paper's row.

    Each metric that a card has gets two columns, ours and the paper's; the first one a third, the difference.
    """
    found = {key for card in cards.values() for score in card["scores"] for key in score}
    metrics = {key: name for key, (name, _) in read_metrics().items() if key in found}
    header = ["network", "set"]
    for i, name in enumerate(metrics.values()):
        header += [name, "published"] + ["difference", "protocol"] * (i == 0)  # a narrow screen shows the first ones
    words = ("network", "set", "protocol")
    lines = [[*header, "source"], [*("---" if name in words else "---:" for name in header), "---"]]
    for name, card in cards.items():
        for score in card["scores"]:
            for row in companions(card, score, published) or [{"source": "–"}]:
                stated = row.get("protocol") != "not stated"
                cells = [f"`{name}`", f"{score['set']} {score['degradation']}"]
                for i, metric in enumerate(metrics):
                    ours, theirs = number(score.get(metric)), number(row.get(metric))
                    mine, paper = shown(ours, metric), daggered(shown(theirs, metric), row)
                    if i == 0:
                        gap = difference(ours, theirs, metric) if stated else "–"
                        cells += [f"**{mine}**", paper, gap, score["protocol"]]
                    else:
                        cells += [mine, paper]
                lines.append([*cells, row["source"] if stated else f"{row['source']}; protocol not stated"])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def measured(text: str, cards: dict[str, dict]) -> str:
    """One number of a card: `NAME SET LEVEL METRIC [PROTOCOL]`, or `NAME KEY` for a key or a held-out value.

    A source of the training data is a key, too: `"styles, paintings"` is the card's number of pictures of that name.

    LEVEL is a scale (`x3` or `3`), a noise level (`25`), a quality of JPEG (`q10`), or the degradation in its own words
    (`"×3"`). METRIC is one of `imtrans.metrics.METRICS`, or `input_psnr`, the PSNR of the JPEG itself.

    Raises:
        ValueError: The card, the score or the key does not exist.
    """
    name, *rest = shlex.split(text)
    if name not in cards:
        raise ValueError(f"no card {name!r}; there are {', '.join(cards) or 'none'}")
    card = cards[name]
    if len(rest) == 1:
        sources = dict(source.partition(": ")[::2] for source in card.get("data", ()))
        known = sources | card.get("validation", {}) | card
        if rest[0] not in known:
            raise ValueError(f"the card {name} has no {rest[0]!r}; it has {', '.join(known)}")
        value = known[rest[0]]
        return f"{value:,}" if isinstance(value, int) else str(value)
    return pick(rest, card["scores"], f"the card {name}")


def published(text: str, rows: list[dict]) -> str:
    """One number of a paper's table: `PAPER MODEL SET LEVEL METRIC [PROTOCOL]`.

    A name with blanks is quoted. The metrics `rerun_psnr` and `rerun_ssim` are those of the authors' weights run again.

    Raises:
        ValueError: No such row.
    """
    paper, model, *rest = shlex.split(text)
    return pick(rest, [r for r in rows if (r["paper"], r["model"]) == (paper, model)], f"{paper}, {model},")


def experiment(text: str, folder: Path = EXPERIMENTS) -> str:
    """One cell of an experiment's table, `FILE COLUMN [KEY=VALUE …]` of `results/FILE.csv`, by `in_print`.

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
    return in_print(found[0])


def in_print(cell: str) -> str:
    """A cell of a table as a page has it: 24,000, −0.19, and 8.03 K on one line."""
    whole, dot, rest = cell.partition(".")
    if re.fullmatch(r"\d{4,}", whole) and re.fullmatch(r"\d*", rest):
        cell = f"{int(whole):,}{dot}{rest}"
    return re.sub(r"(?<=\d) (?=[KMG]$)", "\u00a0", re.sub(r"(?<!\w)-(?=\d)", "−", cell))


def pick(query: list[str], rows: list[dict], owner: str) -> str:
    """The score that `SET LEVEL METRIC [PROTOCOL]` asks for; the first one where protocols differ."""
    metrics = read_metrics()
    valid = [*metrics, *(prefix + metric for prefix in ("input_", "rerun_") for metric in metrics)]
    own = {key for row in rows for key in row} - set(COLUMNS)  # measures of this paper alone, as printed
    if len(query) not in (3, 4) or query[2] not in {*valid, *own}:
        raise ValueError(f"wanted: SET LEVEL {'|'.join(metrics)} [PROTOCOL], not {' '.join(query)!r}")
    name, level, metric, *protocol = query
    for row in rows:
        value = number(row.get(metric))
        same = row["set"] == name and at_level(row, level) and protocol in ([], [row["protocol"]])
        if same and value is not None:
            return shown(value, metric) if metric in valid else in_print(row[metric])
    raise ValueError(f"{owner} has no score {' '.join(query)!r}")


def at_level(row: dict, level: str) -> bool:
    """Whether a row is of a level: `x3`, `q10`, `25` (noise or scale), or the words of its degradation or its task."""
    parts = re.fullmatch(r"([xq]?)(\d+(?:\.\d+)?)", level)
    if not parts:
        return level in (row.get("degradation"), row.get("task"))
    keys = {"x": ("scale",), "q": ("quality",), "": ("scale", "sigma")}[parts[1]]
    return float(parts[2]) in [number(row.get(key)) for key in keys]


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
