"""How long the networks of the zoo trained, on which processor, and what their last training gained: from the cards.

Writes results/training-hours.csv. Seconds are those of the steps alone, without pauses, summed over a network's last
training; what it started from is another row, or an earlier version of the same weights. Before and after are the
measure on held-out pictures of the weights that were replaced and of those that replaced them; early cards did not
keep the first.
"""

from imtrans import experiments, metrics, zoo


def main() -> None:
    """One row per network whose weights are in the package."""
    rows = []
    for name in zoo.names():
        card, measure = zoo.card(name), zoo.entry(name).measure
        after, gain = card["validation"][measure], card.get("gain")
        metric = metrics.METRICS.get(measure)
        sign = 1 if metric and metric.higher_is_better else -1
        before = None if gain is None else after - sign * gain
        rows.append(
            {
                "network": name,
                "steps": f"{card['steps']:,}",
                "hours": f"{card['seconds'] / 3600:.2f}",
                "seconds per step": f"{card['seconds'] / card['steps']:.3f}",
                "measure": metric.name if metric else measure,
                "before": "–" if before is None else f"{before:.3f}",
                "after": f"{after:.3f}",
                "from": card["initialised_from"] or "random",
                "machine": card["machine"],
            }
        )
    experiments.write("training-hours", rows)


if __name__ == "__main__":
    main()
