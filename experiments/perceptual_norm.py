"""Lecture 2: one trained network with two kinds of statistics: of the picture itself, and stored averages.

Instance normalisation takes mean and variance from the picture. Batch normalisation, at inference, has stored ones.
Here the stored ones are averages over photographs, in the same network, so that nothing else differs. Needs the weights
of johnson-strokes and the hybrid. Writes results/perceptual-norm.csv and perceptual-norm-*.png. Some seconds.
"""

import copy
from functools import partial
from statistics import fmean

import torch
from torch import Tensor, nn

from imtrans import experiments, images, zoo
from imtrans.data import photos
from imtrans.recipes.johnson import PerceptualLoss, style_picture
from imtrans.recipes.pictures import validation_pictures

STYLE = "strokes"
EXPOSURES = {"bright": 1.0, "dark": 0.4}  # factors on the levels
BOX = (110, 40, 192, 192)  # of Chelsea's photograph


def with_stored_statistics(network: nn.Module, pictures: list[Tensor]) -> nn.Module:
    """A copy whose norms use mean and variance averaged over pictures, as batch normalisation does at inference."""
    stored = copy.deepcopy(network)
    found: dict[str, list[Tensor]] = {}
    norms = {name: layer for name, layer in network.named_modules() if isinstance(layer, nn.InstanceNorm2d)}

    def note(name: str, layer: nn.Module, inputs: tuple[Tensor]) -> None:
        variance, mean = torch.var_mean(inputs[0], dim=(0, 2, 3))
        found.setdefault(name, []).append(torch.stack([mean, variance]))

    hooks = [layer.register_forward_pre_hook(partial(note, name)) for name, layer in norms.items()]
    for picture in pictures:
        network(picture)
    for hook in hooks:
        hook.remove()
    for name, layer in norms.items():
        batch = nn.BatchNorm2d(layer.num_features).eval()
        batch.running_mean, batch.running_var = torch.stack(found[name]).mean(dim=0).unbind()
        batch.weight, batch.bias = layer.weight, layer.bias
        parent, _, place = name.rpartition(".")
        stored.get_submodule(parent)[int(place)] = batch
    return stored


@torch.no_grad()
def main() -> None:
    """Measure, write."""
    loss = PerceptualLoss(partial(style_picture, STYLE))
    held_out = [picture for _, picture in validation_pictures(160)]
    chelsea, rows = images.crop(photos.photo("chelsea").picture, BOX), []
    instance = zoo.load(f"johnson-{STYLE}")
    for light, exposure in EXPOSURES.items():
        images.write(experiments.FOLDERS[-1] / f"perceptual-norm-input-{light}.png", exposure * chelsea)
    for name, network in {"instance": instance, "stored": with_stored_statistics(instance, held_out)}.items():
        bright = [network(picture) for picture in held_out]
        for light, exposure in EXPOSURES.items():
            outputs = [network(exposure * picture) for picture in held_out]
            style = fmean(loss.parts(o, p)[1].item() for o, p in zip(outputs, held_out, strict=True))
            moved = fmean(
                ((o - b).square().mean() / b.var()).sqrt().item() for o, b in zip(outputs, bright, strict=True)
            )
            row = {"statistics": name, "exposure": exposure, "style": f"{style:.3f}", "moved": f"{100 * moved:.1f}"}
            rows.append(row)
            print(row, flush=True)
            picture = network(exposure * chelsea).clamp(0, 1)
            images.write(experiments.FOLDERS[-1] / f"perceptual-norm-{name}-{light}.png", picture)
    experiments.write("perceptual-norm", [row | {"features": "hybrid"} for row in rows])


if __name__ == "__main__":
    main()
