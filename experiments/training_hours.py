"""How long the networks of the zoo trained, on which processor, and what their last training gained: from the cards.

Writes results/training-hours.csv. Seconds are those of the steps alone, without pauses, summed over a network's last
training; what it started from is another row, or an earlier version of the same weights. A gain is on held-out
pictures, over the weights that it replaced; early cards did not keep it.
"""

from imtrans import experiments, metrics, zoo


def main() -> None:
    """One row per network whose weights are in the package."""
    rows = []
    for name in zoo.names():
        card, measure = zoo.card(name), zoo.entry(name).measure
        rows.append(
            {
                "network": name,
                "from": card["initialised_from"] or "random",
                "steps": card["steps"],
                "hours": f"{card['seconds'] / 3600:.2f}",
                "seconds per step": f"{card['seconds'] / card['steps']:.3f}",
                "measure": metrics.METRICS[measure].name if measure in metrics.METRICS else measure,
                "held out": f"{card['validation'][measure]:.3f}",
                "gain": "–" if card.get("gain") is None else f"{card['gain']:+.3f}",
                "machine": card["machine"],
            }
        )
    experiments.write("training-hours", rows)


if __name__ == "__main__":
    main()
