"""The four budgets, and the choice of one by its name."""

from collections.abc import Callable
from typing import Any

from imtrans.training import Recipe

BUDGETS = ("quick", "class", "full", "paper")


def by_budget(
    quick: Callable[..., Recipe],
    classroom: Callable[..., Recipe],
    full: Callable[..., Recipe],
    paper: Callable[..., Recipe],
) -> Callable[..., Recipe]:
    """The four recipes of a network as one function of the budget's name.

        recipe = by_budget(quick, classroom, full, paper)
        recipe("class", scale=3)  # = classroom(scale=3)

    The function has the budget as its first argument, "quick" if it is left out, passes the others on, and raises a
    ValueError on another budget.
    """
    functions = dict(zip(BUDGETS, (quick, classroom, full, paper), strict=True))

    def recipe(budget: str = "quick", **options: Any) -> Recipe:
        if budget not in functions:
            raise ValueError(f"budget must be one of {', '.join(BUDGETS)}, got {budget!r}")
        return functions[budget](**options)

    return recipe
