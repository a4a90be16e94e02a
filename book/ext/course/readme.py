"""Write the two tables of README.md, lectures and results, from the data files.

PYTHONPATH=book/ext .venv/bin/python -m course.readme
"""

import re

from . import results
from .playlist import ROOT, read, repository

README = ROOT / "README.md"


def lecture_table() -> str:
    """The lectures in playlist order, with a Colab link each once `_config.yml` names the repository."""
    rows = ["| | lecture | year | what it transforms | open |", "| --- | --- | --- | --- | --- |"]
    place = repository()
    for lecture in read().lectures:
        links = "to come"
        if lecture.published:
            notebook = f"notebooks/{lecture.stem}.ipynb"
            links = f"[page](lectures/{lecture.stem}.md) · [notebook]({notebook})"
            if place:
                owner_and_name, branch = place
                colab = f"https://colab.research.google.com/github/{owner_and_name}/blob/{branch}/{notebook}"
                links += f" · [Colab]({colab})"
        rows.append(f"| {lecture.number} | {lecture.title} | {lecture.year} | {lecture.transforms} | {links} |")
    return "\n".join(rows)


def result_table() -> str:
    """One row per network and degradation: measured PSNR, the paper's, and the protocol of both."""
    published = results.read_published()
    rows = [
        "| network | set | | measured | published | protocol |",
        "| --- | --- | --- | ---: | ---: | --- |",
    ]
    for name, card in results.read_cards().items():
        for score in card["scores"]:
            if score["set"] not in ("Set5", "BSD68", "CBSD68"):
                continue
            rows_of_paper = results.companions(card, score, published)
            paper = [row["psnr"] for row in rows_of_paper if row["psnr"] and results.comparable(score, row)]
            measured = results.shown(score["psnr"], "psnr")
            cells = [f"`{name}`", score["set"], score["degradation"], measured]
            rows.append("| " + " | ".join([*cells, ", ".join(paper) or "–", f"`{score['protocol']}`"]) + " |")
    return "\n".join(rows) if len(rows) > 2 else "No network has been measured yet."


def between(text: str, name: str, table: str) -> str:
    """The text with what stands between the comments `name` … `end of name` replaced by the table."""
    pattern = rf"(<!-- {name}: [^\n]*-->\n).*?(\n<!-- end of {name} -->)"
    return re.sub(pattern, lambda found: f"{found[1]}\n{table}\n{found[2]}", text, flags=re.DOTALL)


def updated(text: str) -> str:
    """README.md with both tables up to date."""
    return between(between(text, "lectures", lecture_table()), "results", result_table())


if __name__ == "__main__":
    README.write_text(updated(README.read_text(encoding="utf-8")), encoding="utf-8")
