"""Count the words of each page's main line: what a reader reads without opening a fold.

Left out are folds (`{dropdown}`, admonitions of class dropdown, `<details>`), tables, code, mathematics, exercises
and the options of directives. A caption, a proof and the text of a note count. Run it as
`python book/words.py [PAGE ...]`; without arguments it counts all lectures.
"""

import re
import sys
from pathlib import Path

# Directives whose body is prose. The body of any other (tables, folds, code, mathematics, exercises) is left out.
PROSE = re.compile(r"admonition|attention|caution|div|figure|hint|important|note|prf:.*|seealso|tip|warning")
FENCE = re.compile(r"\s*(?P<fence>`{3,}|:{3,}|~{3,})\s*(?:\{(?P<name>[^}]+)\})?(?P<title>.*)")
NOT_PROSE = [
    (r"\A---\n.*?^---$", re.DOTALL | re.MULTILINE),  # front matter
    (r"<!--.*?-->|<details.*?</details>", re.DOTALL),
    (r"\$\$.*?\$\$(?: *\([\w-]+\))?", re.DOTALL),
    (r"\$[^$]+\$", 0),
    (r"^\s*\|.*$|^\([\w-]+\)=$|^%.*$", re.MULTILINE),  # rows of tables, labels, comments
    (r"\]\([^)]*\)", 0),  # the address of a link
    (r"\{[\w:]+\}", 0),  # the name of a role
]


def without_options(body: list[str]) -> tuple[list[str], str]:
    """Split the body of a directive into its text and its options (`:key: value` lines or a YAML block)."""
    if body and body[0].strip() == "---":
        end = next(i for i, line in enumerate(body[1:], 1) if line.strip() == "---")
        return body[end + 1 :], "\n".join(body[1:end])
    end = next((i for i, line in enumerate(body) if not re.match(r"\s*:[\w-]+:", line)), len(body))
    return body[end:], "\n".join(body[:end])


def prose(lines: list[str]) -> list[str]:
    """Return the lines that stand outside directives, or inside one whose body is prose."""
    kept, rest = [], iter(lines)
    for line in rest:
        opened = FENCE.fullmatch(line)
        if not opened:
            kept.append(line)
            continue
        # The body ends at the first line that has nothing but a fence at least as long.
        close = re.compile(rf"\s*{opened['fence'][0]}{{{len(opened['fence'])},}}\s*")
        body = []
        for inner in rest:
            if close.fullmatch(inner):
                break
            body.append(inner)
        text, options = without_options(body)
        if PROSE.fullmatch(opened["name"] or "") and "dropdown" not in options:
            kept += ["" if opened["name"] == "figure" else opened["title"], *prose(text)]
    return kept


def words(page: str) -> int:
    """Count the words of a page's main line.

    Args:
        page: Text of the page, in MyST Markdown.

    Returns:
        The number of words. A formula in a line is none, a name in code is one.
    """
    text = "\n".join(prose(page.splitlines()))
    for pattern, flags in NOT_PROSE:
        text = re.sub(pattern, " ", text, flags=flags)
    return sum(any(letter.isalnum() for letter in word) for word in text.split())


if __name__ == "__main__":
    lectures = Path(__file__).parent.parent / "lectures"
    for path in [Path(name) for name in sys.argv[1:]] or sorted(lectures.glob("*.md")):
        print(f"{path.stem} {words(path.read_text(encoding='utf-8')):,}")
