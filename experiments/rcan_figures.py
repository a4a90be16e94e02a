"""Lecture 11: the charts of the gates and of the years after RCAN, from measured and published tables.

Writes book/static/figures/rcan-gates.png and rcan-lives-on.png. Needs neither data nor network; the same bytes each
time.
"""

from pathlib import Path

import numpy as np

from imtrans import experiments, figures, published

FIGURES = Path(__file__).parents[1] / "book" / "static" / "figures"


def gates() -> None:
    """Every gate of every block, one line per picture, the channels in the order of their mean."""
    rows = experiments.rows("rcan-gates")
    pictures = list(dict.fromkeys(row["picture"] for row in rows))
    blocks = sorted({row["block"] for row in rows})
    channels = [key for key in rows[0] if key.startswith("c") and key[1:].isdigit()]
    table = {(row["picture"], row["block"]): [row[key] for key in channels] for row in rows}
    figure, axes = figures.canvas(width=6.4, height=4.2, columns=len(blocks))
    for ax, block in zip(axes, blocks, strict=True):
        values = np.array([table[name, block] for name in pictures])  # (pictures, channels)
        order = values.mean(axis=0).argsort()[::-1]
        image = ax.imshow(
            values[:, order].T, aspect="auto", vmin=0.3, vmax=0.7, cmap="viridis", interpolation="nearest"
        )
        ax.grid(visible=False)
        ax.set_title(f"block {block}", fontsize=9)
        ax.set_xticks(range(len(pictures)), pictures, rotation=90)
        ax.set_yticks([])
    axes[0].set_ylabel("channels, the most open at the top")
    figure.colorbar(image, ax=axes, label="gate s", fraction=0.05)
    (FIGURES / "rcan-gates.png").write_bytes(figures.png(figure))


def lives_on() -> None:
    """PSNR on Set5 ×4 as printed, over the years."""
    methods = (  # paper whose table is read, method, year, whether it was trained on DIV2K alone
        ("vdsr", "VDSR", 2016, None),
        ("edsr", "EDSR", 2017, True),
        ("rcan", "RDN", 2018, True),
        ("rcan", "RCAN", 2018, True),
        ("rcan", "RRDB", 2018, False),
        ("rcan", "SwinIR", 2021, False),
        ("rcan", "HAT", 2023, False),
    )
    figure, ax = figures.canvas(width=5.6, height=3.0)
    for paper, model, year, div2k in methods:
        psnr = published.rows(paper, model=model, set="Set5", scale=4)[0]["psnr"]
        ax.plot(year, psnr, "s" if div2k is False else "o", color=figures.COLORS[1 if div2k is False else 0])
        place, side = ((-7, -4), "right") if model in ("EDSR", "RCAN") else ((7, -4), "left")
        ax.annotate(model, (year, psnr), xytext=place, textcoords="offset points", ha=side, fontsize=9)
    ax.set(xlim=(2015, 2025), ylim=(31.2, 33.3), xlabel="year", ylabel="PSNR on Set5, ×4, in dB")
    (FIGURES / "rcan-lives-on.png").write_bytes(figures.png(figure))


def main() -> None:
    """Draw both."""
    gates()
    lives_on()


if __name__ == "__main__":
    main()
