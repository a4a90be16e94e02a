"""Lecture 9: when to stop the deep image prior. Noise σ = 25, three photographs × three seeds, all at one size.

Writes results/prior-stopping.csv, a row a run: PSNR of the mean of the outputs at its best iteration (which needs the
truth), where each of two rules stops (the variance also with a shorter and a longer patience), and at the end; and
results/prior-stopping-curves.csv, every tenth iteration.
"""

import time

from torch import Tensor

from imtrans import experiments, images
from imtrans.data import photos
from imtrans.degrade import gaussian_noise
from imtrans.metrics import psnr
from imtrans.prior import Discrepancy, LeastVariance, Settings, iterate, settings
from imtrans.resize import imresize

SIDE = 64
WIDTH = 64  # half of the paper's: nine runs are nine
SIGMA = 25
ITERATIONS = 1200
# (left, top) in the photographs at a quarter of their size.
CORNERS = {"astronaut": (22, 2), "chelsea": (22, 6), "camera": (24, 8)}
SEEDS = (0, 1, 2)
EVERY = 10


def part(name: str, corner: tuple[int, int], side: int, shrink: float = 0.5) -> Tensor:
    """A square part of a bundled photograph, shrunk first, (1, C, side, side) in [0, 1]."""
    small = imresize(photos.photo(name).picture, shrink).clamp(0, 1)
    return images.crop(small, (*corner, side, side))


def run(picture: Tensor, seed: int, chosen: Settings) -> tuple[dict, list[dict]]:
    """One optimisation to its end: where rules would have stopped it, and its curve."""
    # Not clipped, as everywhere in the course: clipped noise is weaker than σ, and `Discrepancy` would stop too early.
    noisy = gaussian_noise(picture, SIGMA, seed=0)
    rules = {"variance": LeastVariance(), "discrepancy": Discrepancy(SIGMA)}
    rules |= {f"variance_{patience}": LeastVariance(patience=patience) for patience in (100, 300)}
    ends: dict[str, int] = {}
    outputs, averages, curve = [], [], []
    start = time.process_time()
    for state in iterate(noisy, chosen, seed=seed, autocast=True):
        for name, rule in rules.items():
            if name not in ends:
                rule.update(state.iteration, state.output, state.loss)
                if rule.done:
                    ends[name] = state.iteration
        del outputs[state.iteration - 1 :], averages[state.iteration - 1 :]  # after a collapse it goes back
        outputs.append(psnr(state.output, picture).item())
        averages.append(psnr(state.average.clamp(0, 1), picture).item())
        if state.iteration % EVERY == 0:
            row = {"iteration": state.iteration, "loss": f"{state.loss:.6f}", "output": f"{outputs[-1]:.2f}"}
            curve.append(row | {"average": f"{averages[-1]:.2f}"})
        if state.iteration >= ITERATIONS:
            break
    best = max(range(ITERATIONS), key=averages.__getitem__)
    row = {"best": f"{averages[best]:.2f}", "best_iteration": best + 1, "best_output": f"{max(outputs):.2f}"}
    for name, rule in rules.items():
        row |= {name: f"{averages[rule.best - 1]:.2f}", f"{name}_iteration": rule.best}
        row |= {f"{name}_ends": ends.get(name, "")}  # empty: not before the last iteration
    row |= {"last": f"{averages[-1]:.2f}", "last_output": f"{outputs[-1]:.2f}", "collapses": state.collapses}
    return row | {"cpu_seconds": round(time.process_time() - start)}, curve


def main() -> None:
    """Measure, write after each run."""
    rows, curves = [], []
    for name, corner in CORNERS.items():
        picture = part(name, corner, SIDE, 0.25)
        for seed in SEEDS:
            row, curve = run(picture, seed, settings.denoising(SIGMA).narrow(*(WIDTH,) * 5))
            which = {"picture": name, "seed": seed}
            setting = {"side": SIDE, "width": WIDTH, "sigma": SIGMA, "iterations": ITERATIONS}
            rows.append(which | setting | row)
            curves += [which | point for point in curve]
            experiments.write("prior-stopping", rows)
            experiments.write("prior-stopping-curves", curves)
            print(rows[-1], flush=True)


if __name__ == "__main__":
    main()
