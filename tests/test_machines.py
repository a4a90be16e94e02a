"""Which claims of the notebooks are sound over several kinds of machine (`notebooks/machines.py`)."""

import importlib.util
import sys
from pathlib import Path

import pytest

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


@pytest.fixture
def machines(monkeypatch):
    """The script as a module; it imports ``build``, which lies beside it."""
    monkeypatch.syspath_prepend(str(NOTEBOOKS))
    spec = importlib.util.spec_from_file_location("notebooks_machines", NOTEBOOKS / "machines.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.modules.pop("build", None)


def values(*pairs: tuple[float, float]) -> dict:
    """Claims of one sentence on some grounds: (value, margin) each."""
    return {
        f"ground {i}": {"it is better": {"value": value, "margin": margin}} for i, (value, margin) in enumerate(pairs)
    }


def test_a_margin_above_three_ranges_is_sound(machines):
    assert machines.weak(values((1.0, 0.31), (1.1, 0.41))) == []


def test_a_smaller_margin_is_weak(machines):
    (line,) = machines.weak(values((1.0, 0.29), (1.1, 0.39)))
    assert line.startswith("it is better: margin 0.29, range 0.1 (ground 0 1, ground 1 1.1)")


def test_a_claim_that_fails_everywhere_is_weak(machines):
    assert machines.weak(values((1.0, -0.1), (1.0, -0.1)))


def test_a_claim_that_one_ground_never_reached_is_compared_on_the_others(machines):
    assert machines.weak(values((1.0, 0.31), (1.1, 0.41)) | {"stopped": {}}) == []


def test_claims_of_equal_words_are_held_apart(machines, tmp_path):
    path = tmp_path / "claims.jsonl"
    assert machines.read_claims(path) == {}
    path.write_text('{"statement": "a", "value": 1}\n{"statement": "b", "value": 2}\n{"statement": "a", "value": 3}\n')
    assert {key: entry["value"] for key, entry in machines.read_claims(path).items()} == {"a": 1, "b": 2, "a (2)": 3}
