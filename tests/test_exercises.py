"""The self-check of exercises: not answered, right, wrong and why. Claims: what they print and what they record."""

import json

import pytest
import torch

from imtrans.exercises import check, claim


def said(capsys, *args, **kwargs) -> str:
    check(*args, **kwargs)
    return capsys.readouterr().out.strip()


@pytest.mark.parametrize("stub", [..., None, (1, ...), [None]])
def test_a_stub_is_no_answer(capsys, stub):
    assert said(capsys, stub, 1) == "not answered yet"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (3, 3),
        (3.0000001, 3),
        (torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.0])),
        ((1, 2), (1, 2)),
        ([1, 2.0], (1, 2)),
        ("valid", "valid"),
        (True, True),
        (torch.tensor(2), 2.0),
    ],
)
def test_right(capsys, answer, expected):
    assert said(capsys, answer, expected) == "right"
    assert said(capsys, answer, expected, because="it is so") == "right: it is so"


@pytest.mark.parametrize(
    ("answer", "expected", "why"),
    [
        (4, 3, "too large"),
        (-4, 3, "too small"),
        ("zeros", "valid", "'zeros' is not it"),
        (3, "valid", "3 is not it"),
        ((1, 3), (1, 2), "look again at value 2"),
        (1, (1, 2), "2 values are wanted"),
        (torch.zeros(2), torch.zeros(3), "shape (2,) came, (3,) is wanted"),
        (torch.zeros(2), torch.tensor([0.0, 0.5]), "largest difference is 0.5"),
        (print, 3, "a number or a tensor is wanted"),
        (float("nan"), 3, "wrong"),
    ],
)
def test_wrong_and_why(capsys, answer, expected, why):
    line = said(capsys, answer, expected)
    assert line.startswith("wrong: ")
    assert why in line


def test_a_value_within_the_tolerance_is_not_named(capsys):
    line = said(capsys, (3.14, 5), (3.14159, 6), tolerance=1e-2)
    assert line == "wrong: look again at value 2"


def test_a_known_mistake_is_named(capsys):
    line = said(capsys, 8032, 8129, mistakes=[(1, "no"), (8032, "the biases are missing")])
    assert line == "wrong: the biases are missing"


@pytest.mark.parametrize(("value", "bound"), [(0.5, {"above": 0.3}), (torch.tensor(0.1), {"below": 0.3})])
def test_a_claim_that_holds_prints_its_statement_and_no_value(capsys, value, bound):
    claim("it is better", value, **bound)
    assert capsys.readouterr().out == "yes: it is better\n"


@pytest.mark.parametrize(
    ("value", "bound"), [(0.3, {"above": 0.3}), (0.4, {"below": 0.3}), (float("nan"), {"above": 0})]
)
def test_a_claim_that_fails_is_not_said_to_hold(capsys, value, bound):
    claim("it is better", value, **bound)
    assert capsys.readouterr().out.startswith("not on this machine: it is better (")


@pytest.mark.parametrize("bounds", [{}, {"above": 1, "below": 2}])
def test_a_claim_has_exactly_one_bound(bounds):
    with pytest.raises(ValueError, match="one bound"):
        claim("it is better", 1, **bounds)


def test_a_claim_is_recorded_where_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.setenv("IMTRANS_CLAIMS", str(tmp_path / "claims.jsonl"))
    claim("σ is small", 0.1, below=0.3)
    claim("it is better", 0.5, above=0.3)
    first, second = map(json.loads, (tmp_path / "claims.jsonl").read_text(encoding="utf-8").splitlines())
    assert first == {"statement": "σ is small", "value": 0.1, "bound": 0.3, "margin": pytest.approx(0.2)}
    assert second["margin"] == pytest.approx(0.2)
