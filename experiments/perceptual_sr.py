"""Lecture 2: ×4 by a loss in features against one in pixels, the second network trained on from the first.

Needs Set5, the hybrid, SqueezeNet, and the weights of johnson-sr-x4 and johnson-sr-pixel-x4. Writes
results/perceptual-sr.csv and perceptual-sr-*.png. Half a minute on two cores. The official trunks of LPIPS are not at
hand: its formula on the features of SqueezeNet's Caffe release, unweighted, stands in for it as ``squeezenet``.
"""

from statistics import fmean

import torch

from imtrans import experiments, images, metrics, zoo
from imtrans.data import benchmarks, photos
from imtrans.degrade import Downscale
from imtrans.losses import relative_error
from imtrans.models import features, lpips
from imtrans.models.baselines import Bicubic
from imtrans.recipes.johnson_sr import FeatureLoss
from imtrans.restore import super_resolve

SCALE = 4
NETWORKS = {"bicubic": None, "pixel": "johnson-sr-pixel-x4", "feature": "johnson-sr-x4"}
BOX = (168, 64, 128, 128)  # left, top, width, height of the astronaut's photograph: the face
OTHER_TAP = "relu4_1"  # a layer that no training looked at


@torch.inference_mode()
def main() -> None:
    """Measure, write."""
    shrink = Downscale(SCALE)
    set5 = [(name, images.modcrop(picture, SCALE)) for name, picture in benchmarks.load("Set5")]
    astronaut = photos.photo("astronaut").picture
    trained, other = FeatureLoss(), features.load((OTHER_TAP,), "hybrid")
    squeezenet = lpips.FeatureDistance(lpips.squeezenet_caffe())
    rows = []
    for name, weights in NETWORKS.items():
        network = Bicubic() if weights is None else zoo.load(weights)
        scores = []
        for _, high_res in set5:
            large = super_resolve(network, shrink(high_res), SCALE).clamp(0, 1)
            luma = [metrics.luma(picture, rounded=True) for picture in (large, high_res)]
            ours, target = other(large)[OTHER_TAP], other(high_res)[OTHER_TAP]
            scores.append(
                {
                    "psnr": metrics.psnr(*luma, border=SCALE).item(),
                    "ssim": metrics.ssim(*luma, border=SCALE).item(),
                    "features": trained(large, high_res).item(),
                    "other": relative_error(ours, target).item(),
                    "squeezenet": squeezenet(large, high_res).item(),
                }
            )
        mean = {key: fmean(score[key] for score in scores) for key in scores[0]}
        decimals = {"psnr": 2, "ssim": 4, "features": 3, "other": 3, "squeezenet": 3}
        rows.append({"network": name} | {key: f"{value:.{decimals[key]}f}" for key, value in mean.items()})
        print(rows[-1], flush=True)
        large = super_resolve(network, shrink(astronaut), SCALE).clamp(0, 1)
        images.write(experiments.FOLDERS[-1] / f"perceptual-sr-{name}.png", images.crop(large, BOX))
    images.write(experiments.FOLDERS[-1] / "perceptual-sr-original.png", images.crop(astronaut, BOX))
    experiments.write("perceptual-sr", [row | {"trunk": "hybrid"} for row in rows])


if __name__ == "__main__":
    main()
