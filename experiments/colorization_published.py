"""Lecture 13: what the paper's first table says when it is read as errors, and how sure its votes are.

Writes results/colorization-published.csv: mean errors in units of Lab, 150 · (1 − AuC), and differences of the votes in
standard errors. No data, no network.
"""

from imtrans import experiments, published


def cell(model: str, task: str) -> dict:
    """One cell of Table 1."""
    [row] = published.rows("colorization", model=model, task=task, set="ImageNet validation")
    return row


def main() -> None:
    """Compute and write."""
    models = {"gray": "Gray", "L2": "Ours (L2)", "classes": "Ours (class)", "full": "Ours (full)"}
    rows = [
        {"what": f"error of {name}", "value": f"{1.5 * (100 - cell(model, 'AuC')['value']):.1f}"}
        for name, model in models.items()
    ]
    models["Larsson"] = "Larsson et al."
    for better, worse in (("classes", "L2"), ("full", "classes"), ("full", "L2"), ("full", "Larsson")):
        a, b = (cell(models[name], "fooled") for name in (better, worse))
        spread = (a["standard_error"] ** 2 + b["standard_error"] ** 2) ** 0.5
        rows.append({"what": f"{better} over {worse}", "value": f"{(a['value'] - b['value']) / spread:.1f}"})
    experiments.write("colorization-published", rows)


if __name__ == "__main__":
    main()
