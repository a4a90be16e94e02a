"""The directive `{poll}`: pictures that the reader judges before the metrics answer.

    ```{poll} lpips-poll
    PSNR: PSNR, more is nearer
    trained features: squeezenet-caffe, less is nearer
    ```

It reads `results/NAME.csv`, one row per round, and the pictures `NAME-ROUND-{left,reference,right}.png` among the
figures. Each line of its content is the head of a column, and the measure in the table that answers there. The votes
stay in the reader's browser; `course.js` counts them.
"""

import csv
from html import escape

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from .results import EXPERIMENTS, note_data

SIDES = ("left", "right")
EQUAL = 0.01  # two values closer than this, relative to the larger one, are no answer


def read_metrics(lines: list[str]) -> dict[str, tuple[str, bool]]:
    """Head of the column → the measure, and whether more of it is nearer.

    Raises:
        ValueError: On a line of another form.
    """
    found = {}
    for line in lines:
        head, colon, rest = line.partition(":")
        measure, _, order = (part.strip() for part in rest.rpartition(","))
        if not colon or order not in ("more is nearer", "less is nearer"):
            raise ValueError(f"wanted `HEAD: MEASURE, more is nearer` or `…, less is nearer`, got {line!r}")
        found[head.strip()] = measure, order == "more is nearer"
    return found


def answer(row: dict[str, str], measure: str, more: bool) -> str:
    """Which side a measure calls nearer: left, right, or equal.

    Raises:
        ValueError: If the table has no such measure.
    """
    try:
        left, right = (float(row[f"{measure}_{side}"]) for side in SIDES)
    except KeyError as error:
        raise ValueError(f"the table has no column {error}") from None
    if abs(left - right) <= EQUAL * max(abs(left), abs(right)):
        return "equal"
    return "left" if (left > right) == more else "right"


def markup(name: str, rows: list[dict[str, str]], metrics: dict[str, tuple[str, bool]], root: str) -> str:
    """HTML of a poll: the rounds, and a table of the answers that stays hidden until all are judged."""

    def picture(row: dict[str, str], side: str, words: str) -> str:
        source = f"{root}_static/figures/{name}-{row['round']}-{side}.png"
        alt = f"{side}: {row['seen']}" + (f", {words}" if words else "")
        return f'<img class="pixels" width="144" height="144" src="{escape(source)}" alt="{escape(alt)}">'

    rounds, answers = [], []
    for row in rows:
        number = row["round"]
        left, right = (
            f'<label class="{side}"><input type="radio" name="{escape(name)}-{number}" value="{side}">'
            f"{picture(row, side, row[f'{side}_looks'])}<span>{side}</span></label>"
            for side in SIDES
        )
        middle = f'<div class="reference">{picture(row, "reference", "")}<span>reference</span></div>'
        rounds.append(
            f'<fieldset data-round="{number}"><legend>{number}. Which one is closer to the reference?</legend>'
            f"{left}{middle}{right}</fieldset>"
        )
        cells = "".join(
            f'<td data-answer="{answer(row, *metric)}">{answer(row, *metric)}</td>' for metric in metrics.values()
        )
        made = f"{row['left']} | {row['right']}"
        answers.append(
            f'<tr data-round="{number}"><th scope="row">{number}</th><td>{escape(made)}</td>'
            f'<td class="own"></td>{cells}</tr>'
        )
    heads = "".join(f'<th scope="col">{escape(head)}</th>' for head in metrics)
    totals = '<td class="own"></td>' + '<td class="total"></td>' * len(metrics)
    table = (
        '<table><thead><tr><th scope="col">round</th><th scope="col">left | right</th><th scope="col">you</th>'
        f"{heads}</tr></thead><tbody>{''.join(answers)}</tbody>"
        f'<tfoot><tr><th scope="row" colspan="2">agree with you</th>{totals}</tr></tfoot></table>'
    )
    return (
        f'<div class="poll" id="{escape(name)}" role="group" aria-label="Judge the pictures">{"".join(rounds)}'
        f'<p class="count" aria-live="polite">0 of {len(rows)} judged.</p>'
        f'<div class="answers" hidden>{table}<button type="button" class="again">Judge again</button></div></div>'
    )


class Poll(SphinxDirective):
    """`{poll} NAME`: see the top of this module."""

    required_arguments = 1
    has_content = True

    def run(self):
        note_data(self.env)
        name = self.arguments[0]
        path = EXPERIMENTS / f"{name}.csv"
        if not path.is_file():
            raise self.error(f"no results/{path.name}")
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        try:
            text = markup(name, rows, read_metrics(list(self.content)), "../" * self.env.docname.count("/"))
        except ValueError as error:
            raise self.error(str(error)) from None
        return [nodes.raw("", text, format="html")]


def setup(app):
    """Register the directive."""
    app.add_directive("poll", Poll)
