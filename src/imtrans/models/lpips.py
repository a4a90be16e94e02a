"""LPIPS (Zhang, Isola, Efros, Shechtman and Wang 2018): how far apart two pictures look, by features of a network.

    distance = FeatureDistance(features.load(TAPS, "small"))
    distance(reference, distorted)  # (N,)
    LPIPS("alex")  # the published metric, where torchvision's AlexNet is on this machine

A number may be called LPIPS only if trunk and weights are the published ones: `LPIPS` opens no other. With any other
trunk the same formula gives a feature distance, which `FeatureDistance` names with its trunk.

All pictures are RGB in [0, 1] here; the authors' package expects [-1, 1] unless told ``normalize=True``.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imtrans.images import check_picture
from imtrans.models import features
from imtrans.models.features import IMAGENET_MEAN, IMAGENET_STD
from imtrans.models.transform_network import VGG_MEAN

TAPS = ("relu3_1", "relu3_3", "relu4_1", "relu4_3", "relu5_1")  # of the trunks of `features`: below, every pixel counts
EPS = 1e-12  # inside the root: a vector of zeros has a direction without it, and its gradient is not a number


# -- the three trunks of the paper --


class Tapped(nn.Module):
    """Layers in a row, some of whose outputs are features.

    Args:
        layers: The layers, named by their places in torchvision's ``features``.
        taps: Places after which a feature is taken.
        mean: Subtracted from RGB in [0, 1] first, per channel.
        std: The divisor after that.
    """

    channels = 3

    def __init__(
        self,
        layers: Iterable[nn.Module],
        taps: Sequence[int],
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
    ) -> None:
        super().__init__()
        self.features, self.taps = nn.Sequential(*layers), tuple(taps)
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    def forward(self, picture: Tensor) -> dict[int, Tensor]:
        """The features of RGB pictures (N, 3, H, W) on the scale of [0, 1], by place."""
        x, found = (picture - self.mean) / self.std, {}
        for place, layer in enumerate(self.features):
            x = layer(x)
            if place in self.taps:
                found[place] = x
        return found


def _pool() -> nn.MaxPool2d:
    return nn.MaxPool2d(3, stride=2)


def alexnet() -> Tapped:
    """AlexNet as torchvision has it (Krizhevsky 2014), tapped after each of its five ReLUs; freshly initialised."""
    shapes = [(3, 64, 11, 4, 2), (64, 192, 5, 1, 2), (192, 384, 3, 1, 1), (384, 256, 3, 1, 1), (256, 256, 3, 1, 1)]
    layers: list[nn.Module] = []
    for number, (before, after, kernel, stride, padding) in enumerate(shapes):
        pool = [_pool()] if number in (1, 2) else []
        layers += [*pool, nn.Conv2d(before, after, kernel, stride, padding), nn.ReLU()]
    return Tapped(layers, (1, 4, 7, 9, 11))


def vgg16() -> Tapped:
    """VGG-16, tapped after the last ReLU of each block: relu1_2, 2_2, 3_3, 4_3, 5_3; freshly initialised."""
    layers: list[nn.Module] = []
    before = 3
    for block, (count, after) in enumerate(zip(features.BLOCKS[16], features.CHANNELS, strict=True)):
        layers += [nn.MaxPool2d(2)] if block else []
        for _ in range(count):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU()]
            before = after
    return Tapped(layers, (3, 8, 15, 22, 29))


class Fire(nn.Module):
    """SqueezeNet's module (Iandola et al. 2016): 1×1 convolutions to few channels, then 1×1 and 3×3 ones side by side.

    Args:
        before: Channels of the input.
        squeezed: Channels between.
        after: Channels of the output, half of them from each side.
    """

    def __init__(self, before: int, squeezed: int, after: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(before, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, after // 2, 1)
        self.expand3x3 = nn.Conv2d(squeezed, after // 2, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, before, H, W) → (N, after, H, W)."""
        x = F.relu(self.squeeze(x))
        return torch.cat([F.relu(self.expand1x1(x)), F.relu(self.expand3x3(x))], dim=1)


def squeezenet(mean: Sequence[float] = IMAGENET_MEAN, std: Sequence[float] = IMAGENET_STD) -> Tapped:
    """SqueezeNet 1.1, tapped at seven places; freshly initialised.

    Args:
        mean: As for `Tapped`.
        std: As for `Tapped`.
    """

    def pool() -> nn.MaxPool2d:
        return nn.MaxPool2d(3, stride=2, ceil_mode=True)

    layers = [
        nn.Conv2d(3, 64, 3, stride=2), nn.ReLU(), pool(),
        Fire(64, 16, 128), Fire(128, 16, 128), pool(),
        Fire(128, 32, 256), Fire(256, 32, 256), pool(),
        Fire(256, 48, 384), Fire(384, 48, 384), Fire(384, 64, 512), Fire(512, 64, 512),
    ]  # fmt: skip
    return Tapped(layers, (1, 4, 7, 9, 10, 11, 12), mean, std)


TRUNKS: dict[str, Callable[[], Tapped]] = {"alex": alexnet, "vgg": vgg16, "squeeze": squeezenet}
"""The paper's trunks by the names of the authors' package."""


# -- the distance --


def unit_length(feature: Tensor) -> Tensor:
    """ŷ: the vector of channels at each position, divided by its length. (N, C, H, W) → the same."""
    feature = feature.to(torch.promote_types(feature.dtype, torch.float32))  # in fp16 EPS is 0, and squares overflow
    return feature / (feature.square().sum(dim=1, keepdim=True) + EPS).sqrt()


def norm_of_weighted(difference: Tensor, weight: Tensor) -> Tensor:
    """‖w ⊙ d‖² = Σ w² d² at each position, as the slides and the paper have it. (N, C, H, W), (C,) → (N, H, W)."""
    return (weight.view(1, -1, 1, 1) * difference).square().sum(dim=1)


def weighted_squares(difference: Tensor, weight: Tensor) -> Tensor:
    """Σ w d² at each position, as the authors' code has it: the slides' form with √w in place of w."""
    return (weight.view(1, -1, 1, 1) * difference.square()).sum(dim=1)


class FeatureDistance(nn.Module):
    """The distance in the form of the authors' code: weighted squared differences of unit-length features.

    They are summed over channels, averaged over positions, and summed over taps.

    Args:
        trunk: A module that returns features (N, C, H, W) by tap, as those of `imtrans.models.features` do.
        weights: One vector of non-negative weights (C,) per tap, on the *squared* differences; None weighs all alike.
        name: What the trunk is called; None takes its attribute ``name``, or the name of its class.

    Raises:
        ValueError: On negative weights.
    """

    channels = 3

    def __init__(self, trunk: nn.Module, weights: Sequence[Tensor] | None = None, *, name: str | None = None) -> None:
        super().__init__()
        self.trunk = trunk.eval().requires_grad_(False)
        self.weights = None
        self.name = name or getattr(trunk, "name", type(trunk).__name__)
        if weights is not None:
            FeatureDistance.set_weights(self, weights)  # of this class: `LPIPS` refuses other weights later on

    def set_weights(self, weights: Sequence[Tensor]) -> None:
        """Weigh the channels; they are copied.

        Raises:
            ValueError: If one is negative or not a number.
        """
        if not all((w >= 0).all() for w in weights):
            raise ValueError("the weights of a distance are not negative")
        self.weights = nn.ParameterList(nn.Parameter(w.detach().clone(), requires_grad=False) for w in weights)

    def directions(self, picture: Tensor) -> list[Tensor]:
        """ŷ: the unit-length features of RGB pictures (N, 3, H, W) in [0, 1], per tap (N, C, H, W).

        Raises:
            ValueError: On another shape, or values outside [0, 1].
        """
        check_picture(picture)
        if picture.shape[1] != 3:
            raise ValueError(f"wanted pictures in RGB, got shape {tuple(picture.shape)}")
        return [unit_length(feature) for feature in self.trunk(picture).values()]

    def differences(self, x: Tensor, y: Tensor) -> list[Tensor]:
        """ŷ − ŷ₀ of two batches of pictures, per tap (N, C, H, W).

        Raises:
            ValueError: On shapes that differ, and as `directions`.
        """
        if x.shape != y.shape:
            raise ValueError(f"wanted two batches of one shape, got {tuple(x.shape)} and {tuple(y.shape)}")
        return [a - b for a, b in zip(self.directions(x), self.directions(y), strict=True)]

    def channel_means(self, reference: Tensor, *distorted: Tensor) -> list[Tensor]:
        """The squared differences, averaged over positions, all channels of all taps in a row: (N, Σ C) per batch.

        The distance is linear in them, whatever the weights are: they are computed once, and weights learned from them.

        Args:
            reference: Pictures (N, 3, H, W) in [0, 1].
            *distorted: Batches of the same shape.
        """
        middle, found = self.directions(reference), []
        for batch in distorted:
            pairs = zip(middle, self.directions(batch), strict=True)
            found.append(torch.cat([(a - b).square().mean(dim=(2, 3)) for a, b in pairs], dim=1))
        return found

    def per_tap(self, x: Tensor, y: Tensor) -> Tensor:
        """The summands of the distance, (N, taps)."""
        differences = self.differences(x, y)
        weights = self.weights or [d.new_ones(d.shape[1]) for d in differences]
        maps = [weighted_squares(d, w) for d, w in zip(differences, weights, strict=True)]
        return torch.stack([m.mean(dim=(1, 2)) for m in maps], dim=1)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """The distance of two batches of RGB pictures (N, 3, H, W) in [0, 1]: (N,), from 0."""
        return self.per_tap(x, y).sum(dim=1)


class LPIPS(FeatureDistance):
    """The published metric, version 0.1: torchvision's trunk, the authors' weights of the channels, and no others.

    Args:
        net: ``"alex"``, ``"vgg"`` or ``"squeeze"``.

    Raises:
        ValueError: On another net.
        FileNotFoundError: If torchvision's file is not on this machine; the sentence says how to get it.
    """

    def __init__(self, net: str = "alex") -> None:
        if net not in TRUNKS:
            raise ValueError(f"LPIPS has no net {net!r}: there are {', '.join(TRUNKS)}")
        name = "vgg16" if net == "vgg" else net
        path = features.find_official(name)
        if path is None:
            file = features.OFFICIAL[name]
            raise FileNotFoundError(f"{file.name} is not on this machine: imtrans data fetch {name} ({file.size})")
        trunk = TRUNKS[net]()
        weights = torch.load(path, map_location="cpu", weights_only=True)
        trunk.load_state_dict({key: weights[key] for key in trunk.state_dict()})
        super().__init__(trunk, linear_weights(net), name=f"{net}, version 0.1")

    def set_weights(self, weights: Sequence[Tensor]) -> None:
        """Refuse other weights: the number would not be LPIPS.

        Raises:
            ValueError: Always.
        """
        raise ValueError("LPIPS has the authors' weights: a FeatureDistance takes others")


# -- from distances to a vote --


class Judge(nn.Module):
    """𝒢: the probability that the second picture is called nearer, from the two distances. 1,281 numbers.

    As in the authors' code: five inputs in place of the paper's two, leaky ReLUs.

    Args:
        width: Units of the two hidden layers.
    """

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(5, width), nn.LeakyReLU(0.2), nn.Linear(width, width), nn.LeakyReLU(0.2), nn.Linear(width, 1)
        )

    def forward(self, d0: Tensor, d1: Tensor) -> Tensor:
        """ĥ in (0, 1) for distances (N,)."""
        inputs = torch.stack([d0, d1, d0 - d1, d0 / (d1 + 0.1), d1 / (d0 + 0.1)], dim=-1)
        return self.layers(inputs).squeeze(-1).sigmoid()


# -- files --


@cache
@torch.inference_mode(False)  # kept for later calls, which may need gradients
def linear_weights(net: str = "alex", version: str = "0.1") -> tuple[Tensor, ...]:
    """The authors' weights of the channels, (C,) per tap, from their installed package; they suit its trunks alone.

    Args:
        net: ``"alex"``, ``"vgg"`` or ``"squeeze"``.
        version: ``"0.1"``, or ``"0.0"``, which made the paper's tables.

    Raises:
        FileNotFoundError: If the package is not installed, or has no such file.
    """
    package = find_spec("lpips")  # found, not imported: an import would take a second
    path = Path(package.origin).parent / "weights" / f"v{version}" / f"{net}.pth" if package else None
    if path is None or not path.is_file():
        raise FileNotFoundError(f"no weights {version} of {net}: pip install lpips")
    weights = torch.load(path, map_location="cpu", weights_only=True)
    return tuple(weights[f"lin{tap}.model.1.weight"].flatten() for tap in range(len(weights)))


def squeezenet_caffe() -> Tapped | None:
    """SqueezeNet 1.1 with the weights of its Caffe release, if they are in a folder of weights, else None.

    Real features, but not torchvision's: the authors' weights of the channels do not suit it.
    """
    name = Path("squeezenet1_1_caffe", "squeezenet1_1_features.npz")
    path = next((folder / name for folder in features.weights_folders() if (folder / name).is_file()), None)
    if path is None:
        return None
    # Caffe's input is BGR, levels from 0 to 255 less a mean.
    trunk = squeezenet(mean=[level / 255 for level in VGG_MEAN], std=[1 / 255] * 3)
    with np.load(path, allow_pickle=False) as file:
        weights: Mapping[str, Tensor] = {key: torch.from_numpy(file[key]) for key in file}
    trunk.load_state_dict(weights | {"features.0.weight": weights["features.0.weight"].flip(1)})
    trunk.name, trunk.about = "squeezenet-caffe", "SqueezeNet 1.1 as released for Caffe; not torchvision's"
    return trunk.eval().requires_grad_(False)


def feature_distance(trunk: str | None = None) -> FeatureDistance:
    """The unweighted distance on a VGG trunk of `imtrans.models.features`; its ``name`` is the trunk's.

    Args:
        trunk: One of `features.TRUNKS`; None takes the best at hand.

    Raises:
        FileNotFoundError: If the weights of a named trunk are not on this machine.
    """
    return FeatureDistance(features.load(TAPS, trunk))
