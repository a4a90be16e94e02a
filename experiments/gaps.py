"""How far our networks are from their papers, on the papers' first test set: from the cards and the published tables.

Writes results/gaps.csv: one row per network and degradation, scored by the protocol of the paper's row.
"""

from imtrans import experiments, published, zoo

SETS = ("Set5", "BSD68", "CBSD68")  # super-resolution and JPEG, noise, noise in colour


def main() -> None:
    """One row per score that the paper printed too."""
    rows = []
    for name in (name for name in zoo.names() if name in zoo.RESTORERS):
        card = zoo.card(name)
        for score in card["scores"]:
            if score["set"] not in SETS or card["model_in_paper"] is None:
                continue
            same = {key: score.get(key) for key in ("set", "scale", "sigma", "quality")}
            printed = published.rows(card["paper"], model=card["model_in_paper"], **same)
            printed = [row for row in printed if row["protocol"] in (score["protocol"], "not stated")]
            if not printed or printed[0]["psnr"] is None:
                continue
            rows.append(
                {
                    "network": name,
                    "test": f"{score['set']} {score['degradation']}",
                    "ours": f"{score['psnr']:.2f}",
                    "paper": f"{printed[0]['psnr']:.2f}",
                    "gap": f"{score['psnr'] - printed[0]['psnr']:+.2f}".replace("-", "−"),
                    "protocol": printed[0]["protocol"],
                    "pictures": sum(int(source.split(": ")[1].split()[0]) for source in card["data"]),
                    "patches": f"{card['steps'] * card['batch']:,}",
                }
            )
            print(*rows[-1].values())
    experiments.write("gaps", rows)


if __name__ == "__main__":
    main()
