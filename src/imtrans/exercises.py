"""Exercises that check themselves, and claims that hold on every machine.

    check(answer, expected, mistakes=[(20160, "those are the weights; the biases are missing")])

prints "not answered yet" while the answer is still the stub's ``...``, then "right" or "wrong" and why.

    claim("the network is more than 0.3 dB better than bicubic", psnr - bicubic, above=0.3)

prints the sentence after "yes" if the number is above the bound.
"""

import json
import os
from collections.abc import Sequence
from typing import Any

import torch

Answer = Any  # a number, a tensor, a text, or a tuple of them


def check(
    answer: Answer,
    expected: Answer,
    *,
    because: str = "",
    mistakes: Sequence[tuple[Answer, str]] = (),
    tolerance: float = 1e-5,
) -> None:
    """Compare an answer with what is right and print one line.

    Args:
        answer: A number, a text, a tensor, or a tuple of them. ``...`` or None mean that there is none yet.
        expected: What is right.
        because: Said when it is right.
        mistakes: (wrong answer, what leads to it) for those that people make.
        tolerance: How far a number may be off, relative to the larger of 1 and the expected one.
    """
    if _missing(answer):
        print("not answered yet")
    elif _same(answer, expected, tolerance):
        print(f"right: {because}" if because else "right")
    else:
        why = next((words for wrong, words in mistakes if _same(answer, wrong, tolerance)), None)
        print(f"wrong: {why or _difference(answer, expected, tolerance)}")


def claim(statement: str, value: float, *, above: float | None = None, below: float | None = None) -> None:
    """State a fact about a number that a training or an optimisation made, and print whether it holds.

    Such a number differs from machine to machine, so it is not printed where the claim holds: the bound is what the
    sentence may say. Where the environment variable ``IMTRANS_CLAIMS`` names a file, statement, value and bound are
    appended to it as a line of JSON; ``make test-machines`` compares them over several kinds of machine, and wants the
    distance between value and bound to be at least three times the range of the values.

    Args:
        statement: A whole sentence that is true if the value is on the right side of the bound.
        value: The number.
        above: The bound, if the value has to be larger.
        below: The bound, if the value has to be smaller.

    Raises:
        ValueError: Unless exactly one bound is given.
    """
    if (above is None) == (below is None):
        raise ValueError("a claim has one bound: above or below")
    value, bound = float(value), float(below if above is None else above)
    margin = bound - value if above is None else value - bound
    if margin > 0:
        print(f"yes: {statement}")
    else:
        print(
            f"not on this machine: {statement} ({value:.4g}, wanted {'below' if above is None else 'above'} {bound:g})"
        )
    if path := os.environ.get("IMTRANS_CLAIMS"):
        entry = {"statement": statement, "value": value, "bound": bound, "margin": margin}
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps(entry, ensure_ascii=False) + "\n")


def _missing(answer: Answer) -> bool:
    return answer is None or answer is ... or (isinstance(answer, tuple | list) and any(map(_missing, answer)))


def _same(answer: Answer, expected: Answer, tolerance: float) -> bool:
    if isinstance(expected, tuple | list):
        return (
            isinstance(answer, tuple | list)
            and len(answer) == len(expected)
            and all(_same(a, e, tolerance) for a, e in zip(answer, expected, strict=True))
        )
    if isinstance(expected, str) or isinstance(answer, str):
        return isinstance(answer, str) and isinstance(expected, str) and answer.strip() == expected.strip()
    a, e = _tensor(answer), _tensor(expected)
    if a is None or e is None or a.shape != e.shape:
        return False
    return bool(((a - e).abs() <= tolerance * e.abs().clamp(min=1)).all())


def _tensor(value: Answer) -> torch.Tensor | None:
    try:
        return torch.as_tensor(value).detach().cpu().double()
    except (TypeError, ValueError, RuntimeError):
        return None


def _difference(answer: Answer, expected: Answer, tolerance: float) -> str:
    """What is off, without giving the answer away."""
    if isinstance(expected, tuple | list):
        if not isinstance(answer, tuple | list) or len(answer) != len(expected):
            return f"{len(expected)} values are wanted"
        pairs = enumerate(zip(answer, expected, strict=True), 1)
        places = [str(i) for i, (a, e) in pairs if not _same(a, e, tolerance)]
        return f"look again at value {' and '.join(places)}"
    a, e = _tensor(answer), _tensor(expected)
    if isinstance(expected, str) or e is None:
        return f"{answer!r} is not it"
    if a is None:
        return f"a number or a tensor is wanted, {type(answer).__name__} came"
    if a.shape != e.shape:
        return f"shape {tuple(a.shape)} came, {tuple(e.shape)} is wanted"
    if a.numel() == 1:
        return f"{a.item():.6g} is too {'large' if a.item() > e.item() else 'small'}"
    return f"the largest difference is {(a - e).abs().max().item():.3g}"
