"""Lecture 8: the geometric self-ensemble of the shipped EDSR baseline (needs Set5).

Writes results/edsr-ensemble.csv: per picture of Set5 at ×2 the PSNR of one output and of the mean of eight (protocol
rgb-y), and, on the luma of the raw outputs within the same border, in squared levels: the mean squared error of one on
average, that of the mean, and the spread of the eight around their mean. results/edsr-photograph.csv: the page's
photographs by two methods.
"""

from statistics import fmean

import torch

from imtrans import experiments, zoo
from imtrans.color import rgb_to_y
from imtrans.data import benchmarks, photos
from imtrans.degrade import Downscale
from imtrans.evaluation import evaluate, score_picture
from imtrans.images import modcrop, shave
from imtrans.protocols import PROTOCOLS

SCALE = 2


def eight(network, low_res: torch.Tensor) -> torch.Tensor:
    """The outputs (8, 3, H, W) for the eight flips and rotations of a picture, turned back."""
    outputs = []
    for turns in range(4):
        outputs.append(network(low_res.rot90(turns, (-2, -1))).rot90(-turns, (-2, -1)))
        outputs.append(network(low_res.flip(-1).rot90(turns, (-2, -1))).rot90(-turns, (-2, -1)).flip(-1))
    return torch.cat(outputs)


def main() -> None:
    """Measure, write."""
    network, rows = zoo.load("edsr-baseline-x2"), []
    for name, picture in benchmarks.load("Set5"):
        truth = modcrop(picture, SCALE)
        with torch.inference_mode():
            outputs = eight(network, PROTOCOLS["rgb-y"].observe(truth, Downscale(SCALE), 0))
        mean = outputs.mean(dim=0, keepdim=True)
        each = [  # the first one is the identity's
            score_picture(name, output, truth, protocol="rgb-y", border=SCALE).scores for output in (outputs[:1], mean)
        ]
        luma, luma_of_truth = (255 * shave(rgb_to_y(x), SCALE) for x in (outputs, truth))
        middle = luma.mean(dim=0, keepdim=True)
        rows.append(
            {
                "picture": name,
                "psnr": each[0]["psnr"],
                "psnr_plus": each[1]["psnr"],
                "mse_of_one": (luma - luma_of_truth).square().mean().item(),
                "mse_of_mean": (middle - luma_of_truth).square().mean().item(),
                "spread": (luma - middle).square().mean().item(),
            }
        )
    rows.append({"picture": "mean", **{key: fmean(row[key] for row in rows) for key in rows[0] if key != "picture"}})
    for row in rows:
        row["gain"] = row["psnr_plus"] - row["psnr"]
    digits = {"psnr": 2, "psnr_plus": 2, "gain": 2, "mse_of_one": 3, "mse_of_mean": 3, "spread": 3}
    experiments.write("edsr-ensemble", [row | {k: f"{row[k]:.{n}f}" for k, n in digits.items()} for row in rows])

    found = []
    for photo in photos.photos("test"):
        for method, model in {"bicubic": "bicubic", "edsr-baseline-x2": network}.items():
            result = evaluate(model, [(photo.name, photo.picture)], Downscale(SCALE), protocol="rgb-y")
            found.append(
                {"photograph": photo.name, "method": method, "psnr": f"{result.psnr:.2f}", "protocol": "rgb-y"}
            )
    experiments.write("edsr-photograph", found)


if __name__ == "__main__":
    main()
