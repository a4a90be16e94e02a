"""Where the built book lies, and which pages it has."""

from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
HTML = ROOT / "_build" / "html"


def documents() -> list[str]:
    """Every page of the table of contents, in its order, without suffix."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))

    def below(entry):
        if "file" in entry:
            yield entry["file"]
        for key in ("chapters", "sections"):
            for child in entry.get(key, ()):
                yield from below(child)

    return [toc["root"], *(name for part in toc["parts"] for name in below(part))]
