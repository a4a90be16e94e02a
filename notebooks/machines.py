"""Run every notebook as several kinds of machine compute, and look at the margins of the claims.

A training or an optimisation ends a little elsewhere on each processor. Outputs have to agree with the stored ones on
all grounds of ``build.GROUNDS``. A claim (`imtrans.exercises.claim`) is sound if the smallest distance of its values
from its bound is at least three times the range of the values.

Usage::

    python notebooks/machines.py [GROUND ...]
"""

import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import build

ENOUGH = 3  # times the range of the values over the grounds


def run(ground: str, claims: Path) -> bool:
    """Compare the outputs of all notebooks on one ground; claims are appended to the file ``claims``."""
    options = ["--nbval", "--ground", ground, "--claims", str(claims), "--durations=0", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run([sys.executable, "-m", "pytest", *options, str(build.NOTEBOOKS)], cwd=build.ROOT)
    return done.returncode == 0


def read_claims(path: Path) -> dict[str, dict[str, float]]:
    """The claims in a file by their statements; one that was stated before has its number behind."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    found, times = {}, Counter()
    for entry in map(json.loads, lines):
        times[statement := entry["statement"]] += 1
        found[statement if times[statement] == 1 else f"{statement} ({times[statement]})"] = entry
    return found


def weak(claims: dict[str, dict[str, dict[str, float]]]) -> list[str]:
    """The claims whose margin is too small, a line each.

    Args:
        claims: Ground → statement → entry with ``value``, ``bound`` and ``margin``.
    """
    found = []
    for statement in dict.fromkeys(statement for entries in claims.values() for statement in entries):
        entries = {ground: each[statement] for ground, each in claims.items() if statement in each}
        values = [entry["value"] for entry in entries.values()]
        spread, margin = max(values) - min(values), min(entry["margin"] for entry in entries.values())
        if margin <= 0 or margin < ENOUGH * spread:
            listed = ", ".join(f"{ground} {entry['value']:.4g}" for ground, entry in entries.items())
            found.append(f"{statement}: margin {margin:.3g}, range {spread:.3g} ({listed})")
    return found


def main(grounds: list[str]) -> int:
    """Run the grounds; the exit status is 1 if outputs differ on one of them or a claim is weak."""
    failed, claims = [], {}
    with tempfile.TemporaryDirectory() as folder:
        for ground in grounds:
            print(f"== {ground}", flush=True)
            file = Path(folder) / f"{ground}.jsonl"
            if not run(ground, file):
                failed.append(ground)
            claims[ground] = read_claims(file)
    lines = weak(claims)
    print(f"== {len(set().union(*claims.values()))} claims on {len(grounds)} grounds, {len(lines)} of them weak")
    for line in lines:
        print(f"- {line}")
    if failed:
        print(f"outputs differ on: {', '.join(failed)}")
    return 1 if failed or lines else 0


if __name__ == "__main__":
    chosen = sys.argv[1:] or list(build.GROUNDS)
    if unknown := [ground for ground in chosen if ground not in build.GROUNDS]:
        sys.exit(f"no ground is called {', '.join(unknown)}: there are {', '.join(build.GROUNDS)}")
    sys.exit(main(chosen))
