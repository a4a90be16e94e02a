"""Commands on trained weights: models, publish."""

import sys

from tyro.conf import Positional

from imtrans import metrics, runs, zoo


def models() -> None:
    """List the networks, how they were trained, and their scores."""
    for name in zoo.ENTRIES:
        try:
            card = zoo.card(name)
        except FileNotFoundError:
            print(f"{name:18} not trained here yet: imtrans train {name}")
            continue
        print(f"{name:18} {card['parameters']:>11,} parameters, {'; '.join(card['data'])}")
        if "note" in card:
            print(f"{'':18} {card['note']}")
        for score in card["scores"]:
            protocol = f"protocol {score['protocol']}, border {score['border']}"
            print(f"{'':18} {score['set']:>8} {score['degradation']:7} {metrics.in_words(score)}, {protocol}")


def publish(name: Positional[str], *, budget: str = "full", force: bool = False, note: str | None = None) -> None:
    """Evaluate a finished training and, if it beats the shipped weights, replace them.

    The decision uses held-out validation pictures. The card lists the scores on every test set found on disk.

    Args:
        name: Name of the network.
        budget: Budget that it was trained with.
        force: Replace the shipped weights even if the gain is too small.
        note: What a user of the weights should know, for the card: that they miss a goal, for instance.
    """
    entry = zoo.entry(name)
    training = runs.Training(name, budget)
    published = runs.publish(training, force=force, note=note, progress=sys.stderr.isatty())
    measure = metrics.METRICS[published.measure]
    gain = "" if published.gain is None else f", a gain of {published.gain:.{measure.decimals}f}"
    print(f"{name}: validation {metrics.in_words({published.measure: published.value})}{gain}")
    if not published.taken:
        print(
            f"kept the shipped weights: a gain of {f'{entry.min_gain} {measure.unit}'.strip()} is required (or --force)"
        )
    for score in published.scores:
        print(f"{name}: {score['set']} {score['degradation']}, {metrics.in_words(score)}, {score['protocol']}")
