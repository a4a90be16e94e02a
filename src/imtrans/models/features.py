"""Features of VGG networks (Simonyan and Zisserman 2015): what perceptual losses, style transfer and metrics compare.

    network = load(("relu1_1", "relu4_1"))
    network(picture)["relu4_1"]  # (N, 128, H/8, W/8)
    network.about  # which trunk this is

The original VGG-19 is a file of 548 MB. Other trunks stand in for it here: the best one at hand is taken, VGG-16 only
by its name.

==========  ===========================================================================================  ======
trunk       what it is                                                                                   size
==========  ===========================================================================================  ======
``vgg19``   VGG-19 as torchvision distributes it, trained on ImageNet                                    548 MB
``vgg16``   VGG-16, likewise; the loss network of Johnson et al.                                         528 MB
``hybrid``  VGG-19 with normalised activations up to relu3_1; above it the student of Wang et al. 2020   6 MB
``small``   a network of our own with a quarter of the channels, distilled from the hybrid               2 MB
==========  ===========================================================================================  ======

Their numbers are on different scales. Losses that are divided by the energy of their target (`imtrans.losses`) have one
set of weights for all four; a number made with one trunk is never compared with a paper's that used another.
"""

import copy
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imtrans import assets

BLOCKS = {16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}  # convolutions per block; a 2×2 pooling lies between blocks
CHANNELS = (64, 128, 256, 512, 512)  # per block
POOLINGS = {"max": F.max_pool2d, "average": F.avg_pool2d}
IMAGENET_MEAN = (0.485, 0.456, 0.406)  # RGB
IMAGENET_STD = (0.229, 0.224, 0.225)
IDENTITY = (
    (0.0, 0.0, 0.0),
    (1.0, 1.0, 1.0),
)  # the mean and standard deviation of a trunk that prepares its input itself

TRUNKS = ("vgg19", "vgg16", "hybrid", "small")


def place(tap: str) -> tuple[int, int, bool]:
    """Block and number of the convolution that a tap belongs to, and whether the tap comes after its ReLU.

    Args:
        tap: A name such as ``relu3_1`` or ``conv4_2``: the papers' names.

    Raises:
        ValueError: If it is no such name.
    """
    kind, where = tap[:4], tap[4:]
    block, _, number = where.partition("_")
    if kind not in ("conv", "relu") or not (block.isdecimal() and number.isdecimal()):
        raise ValueError(f"a tap is called relu3_1 or conv4_2, for instance, not {tap!r}")
    return int(block), int(number), kind == "relu"


class VGG(nn.Module):
    """The convolutions of VGG up to the last tap; what lies above is not built.

    Args:
        taps: Names of the features to return: ``relu1_1`` after a ReLU, ``conv4_2`` before it.
        depth: 16 or 19: the number of layers with weights of the whole classifier.
        width: Fraction of the original channels.
        pooling: ``"max"`` as trained, or ``"average"`` as Gatys et al. prefer (section 2 of their paper).
        padding: ``"zeros"`` as trained, or ``"reflect"``, with which a picture's border leaves no trace in its style.
        mean: Subtracted from RGB first, per channel, on the scale of [0, 1].
        std: The divisor after that, per channel.

    Raises:
        ValueError: On another depth, pooling or padding, on no tap, or on a tap that the network does not have.
    """

    channels = 3

    def __init__(
        self,
        taps: Iterable[str],
        *,
        depth: int = 19,
        width: float = 1.0,
        pooling: str = "max",
        padding: str = "zeros",
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
    ) -> None:
        super().__init__()
        if depth not in BLOCKS:
            raise ValueError(f"VGG has {' or '.join(map(str, BLOCKS))} layers, not {depth}")
        if pooling not in POOLINGS or padding not in ("zeros", "reflect"):
            raise ValueError(f"pooling is max or average, padding zeros or reflect; got {pooling!r} and {padding!r}")
        self.taps, self.pooling = tuple(taps), pooling
        places = [place(tap) for tap in self.taps]
        if not places:
            raise ValueError("which features? at least one tap is wanted")
        for tap, (block, number, _) in zip(self.taps, places, strict=True):
            if not (1 <= block <= len(BLOCKS[depth]) and 1 <= number <= BLOCKS[depth][block - 1]):
                raise ValueError(f"VGG-{depth} has no {tap}")
        last = max((block, number) for block, number, _ in places)
        self.convolutions = nn.ModuleDict()
        before = 3
        for block, (count, channels) in enumerate(zip(BLOCKS[depth], CHANNELS, strict=True), start=1):
            after = round(width * channels)
            for number in range(1, count + 1):
                if (block, number) <= last:
                    self.convolutions[f"{block}_{number}"] = nn.Conv2d(
                        before, after, 3, padding=1, padding_mode=padding
                    )
                    before = after
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    def forward(self, picture: Tensor) -> dict[str, Tensor]:
        """The features of RGB pictures (N, 3, H, W) on the scale of [0, 1], by tap: (N, channels, H / 2^(block−1), …).

        Pixels under optimisation may leave the range. Odd sides lose a pixel in a pooling.

        Raises:
            ValueError: On another shape, or on levels from 0 to 255: integers, or, where it costs nothing to look (on
                the CPU, without gradients), values above 10.
        """
        if picture.ndim != 4 or picture.shape[1] != 3 or not picture.is_floating_point():
            raise ValueError(
                f"features are taken of RGB floats (N, 3, H, W) in [0, 1], got {picture.dtype} {tuple(picture.shape)}"
            )
        looked_at = picture.device.type == "cpu" and not picture.requires_grad and not torch.compiler.is_compiling()
        if looked_at and picture.numel() and picture.amax() > 10:
            raise ValueError(f"features are taken of pictures in [0, 1], got values up to {picture.amax():.0f}")
        x, found = (picture - self.mean) / self.std, {}
        for name, convolution in self.convolutions.items():
            if name.endswith("_1") and name != "1_1":
                x = POOLINGS[self.pooling](x, 2)
            x = convolution(x)
            if f"conv{name}" in self.taps:
                found[f"conv{name}"] = x
            x = F.relu(x)  # not in place: it would write into the tap before it
            if f"relu{name}" in self.taps:
                found[f"relu{name}"] = x
        return {tap: found[tap] for tap in self.taps}


class Hybrid(nn.Module):
    """Two trunks side by side: VGG-19 with normalised activations up to relu3_1, a student of it above.

    Args:
        taps: As for `VGG`.
        pooling: As for `VGG`.
    """

    channels = 3
    name = "hybrid"
    about = (
        "VGG-19 (normalised activations) up to relu3_1, above it the student of Wang et al. 2020 with a quarter of the "
        "channels; not VGG-19 as a whole"
    )

    def __init__(self, taps: Iterable[str], pooling: str = "max") -> None:
        super().__init__()
        self.taps = tuple(taps)
        options = {"pooling": pooling, "padding": "reflect", "mean": IDENTITY[0], "std": IDENTITY[1]}
        real = [tap for tap in self.taps if place(tap)[:2] <= (3, 1)]
        above = [tap for tap in self.taps if tap not in real]
        self.real = VGG(real, **options) if real else None
        self.student = VGG(above, width=1 / 4, **options) if above else None

    def forward(self, picture: Tensor) -> dict[str, Tensor]:
        """As `VGG.forward`; from relu3_2 on there are 64, then 128 channels."""
        found = (self.real(picture) if self.real else {}) | (self.student(picture) if self.student else {})
        return {tap: found[tap] for tap in self.taps}


HEADS = {  # of the small network: the taps that the lectures use, and the channels that the hybrid has there
    "relu1_1": 64,
    "relu1_2": 64,
    "relu2_1": 128,
    "relu2_2": 128,
    "relu3_1": 256,
    "relu3_3": 64,
    "relu4_1": 128,
    "relu4_2": 128,
    "relu4_3": 128,
    "relu5_1": 128,
}


class SmallVGG(nn.Module):
    """A network of our own: a quarter of VGG-19's channels, and 1×1 convolutions to its teacher's channels.

    Args:
        taps: Some of ``HEADS``.
        pooling: As for `VGG`.

    Raises:
        ValueError: On a tap without a head.
    """

    channels = 3
    name = "small"
    about = "a network of the course with a quarter of VGG-19's channels, distilled from the hybrid; not VGG-19"

    def __init__(self, taps: Iterable[str] = tuple(HEADS), pooling: str = "max") -> None:
        super().__init__()
        self.taps = tuple(taps)
        if unknown := [tap for tap in self.taps if tap not in HEADS]:
            raise ValueError(f"the small network has no {', '.join(unknown)}: there are {', '.join(HEADS)}")
        self.trunk = VGG(self.taps, width=1 / 4, pooling=pooling, padding="reflect")
        widths = {tap: self.trunk.convolutions[tap.removeprefix("relu")].out_channels for tap in self.taps}
        self.heads = nn.ModuleDict({tap: nn.Conv2d(widths[tap], HEADS[tap], 1) for tap in self.taps})

    def forward(self, picture: Tensor) -> dict[str, Tensor]:
        """As `VGG.forward`, with the channels of ``HEADS``."""
        return {tap: self.heads[tap](x) for tap, x in self.trunk(picture).items()}


# -- files --


@dataclass(frozen=True)
class WeightsFile:
    """A file of public weights, pinned.

    Attributes:
        path: Place below a folder of weights, ``IMTRANS_WEIGHTS`` or the cache.
        url: Address at a fixed commit.
        sha256: Digest of the bytes.
        licence: Licence as the repository states it.
    """

    path: str
    url: str
    sha256: str
    licence: str


NORMALISED = WeightsFile(
    "vgg19_normalised_relu3_1/vgg_normalised_conv3_1.pth",
    "https://raw.githubusercontent.com/pietrocarbo/deep-transfer/30b40b175d0d4afa19789fd57b5439aed125c1a5/"
    "models/autoencoder_vgg19/vgg19_3/vgg_normalised_conv3_1.pth",
    "ff8506173d3a17e7b0fbfbff242c00b6827cfbcd7c21852b46806ae6a3fd7b09",
    "Apache-2.0 by the repository; the weights come from the VGG group and the Gatys lab, for research",
)
STUDENT = WeightsFile(
    "vgg19_16x_student/5SE.pth",
    "https://raw.githubusercontent.com/MingSun-Tse/Collaborative-Distillation/75c1b81c1dbea11c96d3fb04e96f207dee16dcbb/"
    "trained_models/wct_se_16x_new/5SE.pth",
    "9417c34d0d8d621bc6af78be745f1b8d30f5f210efa01e50655c60eb3770816b",
    "MIT",
)
SHIPPED = Path(__file__).parents[1] / "zoo" / "features-small.safetensors"


def weights_folders() -> list[Path]:
    """The folders where public weights are looked for: the one that ``IMTRANS_WEIGHTS`` names, then the cache."""
    named = os.environ.get("IMTRANS_WEIGHTS", "")
    return ([Path(named).expanduser().absolute()] if named else []) + [assets.cache_dir() / "weights"]


def find(file: WeightsFile) -> Path | None:
    """The file with the right bytes on this machine, or None. Nothing is fetched."""
    paths = (folder / file.path for folder in weights_folders())
    return next((path for path in paths if path.is_file() and assets.sha256_file(path) == file.sha256), None)


@dataclass(frozen=True)
class Official:
    """A network's file as torchvision distributes it.

    Attributes:
        name: Name of the network.
        file: Name of the file; its last eight letters are the beginning of the sha256.
        size: Size in words.
        licence: Licence in words.
    """

    name: str
    file: str
    size: str
    licence: str = "BSD-3-Clause, torchvision; trained on ImageNet"

    @property
    def begins(self) -> str:
        """The beginning of the sha256."""
        return self.file.rpartition("-")[2].removesuffix(".pth")


OFFICIAL: dict[str, Official] = {
    "vgg19": Official("VGG-19", "vgg19-dcbb9e9d.pth", "548 MB", "CC BY 4.0, Visual Geometry Group, Oxford"),
    "alex": Official("AlexNet", "alexnet-owt-7be5be79.pth", "233 MB"),
    "vgg16": Official("VGG-16", "vgg16-397923af.pth", "528 MB", "CC BY 4.0, Visual Geometry Group, Oxford"),
    "squeeze": Official("SqueezeNet 1.1", "squeezenet1_1-b8a52dc0.pth", "5 MB"),
}


def find_official(name: str) -> Path | None:
    """torchvision's file in ``IMTRANS_WEIGHTS``, in our cache or in torch's, or None. Nothing is fetched.

    A file of that name with other bytes does not count.

    Args:
        name: A name in ``OFFICIAL``.
    """
    official = OFFICIAL[name]
    folders = [*weights_folders(), Path(torch.hub.get_dir()) / "checkpoints"]
    paths = [path for folder in folders if (path := folder / official.file).is_file()]
    return next((path for path in paths if _digest(path, path.stat().st_mtime_ns).startswith(official.begins)), None)


@cache
def _digest(path: Path, modified: int) -> str:
    """The sha256 of a file that was last modified at some time: half a gigabyte is read once, not at each loading."""
    return assets.sha256_file(path)


def fetch(file: WeightsFile) -> None:
    """Fetch a file into the cache, after a word about source and licence, unless it is on this machine.

    Raises:
        FileNotFoundError: If it could not be fetched.
    """
    if find(file) is None:
        print(f"fetching {file.url} (licence: {file.licence}; sha256 {file.sha256[:12]}…)")
        assets.fetch([file.url], assets.cache_dir() / "weights" / file.path, file.sha256)


def fetch_hybrid() -> None:
    """Fetch the two files of the hybrid, 6 MB, into the cache.

    Raises:
        FileNotFoundError: If they could not be fetched.
    """
    for file in (NORMALISED, STUDENT):
        fetch(file)


def fetch_official(name: str) -> None:
    """Fetch a file from PyTorch's server into torch's cache, after a word about its licence, unless it is here.

    Args:
        name: A name in ``OFFICIAL``.

    Raises:
        FileNotFoundError: If it could not be fetched, or came with other bytes.
        OSError: If the disk is full, or the folder cannot be written to.
    """
    file = OFFICIAL[name]
    if find_official(name) is None:
        print(f"fetching {file.name}, {file.size} (licence: {file.licence})")
        path = Path(torch.hub.get_dir()) / "checkpoints" / file.file
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Not load_state_dict_from_url: it takes a damaged file that lies there as it is.
            torch.hub.download_url_to_file(f"https://download.pytorch.org/models/{file.file}", str(path), file.begins)
        except (OSError, RuntimeError) as error:  # RuntimeError: other bytes came
            if assets.is_local(error):
                raise
            raise FileNotFoundError(f"{file.name} could not be fetched: {getattr(error, 'reason', error)}") from None


FETCH = {"hybrid": fetch_hybrid} | {name: partial(fetch_official, name) for name in ("vgg19", "vgg16")}


def has_hybrid() -> bool:
    """Whether the two files of the hybrid are on this machine."""
    return bool(find(NORMALISED) and find(STUDENT))


def best_trunk(*, fetch: bool = False) -> str:
    """The name of the best trunk at hand: ``vgg19``, else ``hybrid``, else ``small``.

    Args:
        fetch: Try to fetch the hybrid where neither it nor VGG-19 is on this machine.
    """
    if find_official("vgg19"):
        return "vgg19"
    if fetch and not has_hybrid():
        try:
            fetch_hybrid()
        except FileNotFoundError:  # no network: the small network is there
            return "small"
    return "hybrid" if has_hybrid() else "small"


def load(taps: Iterable[str], trunk: str | None = None, *, pooling: str = "max", fetch: bool = False) -> nn.Module:
    """A trained feature network in evaluation mode, without gradients of its own weights.

    Its attributes ``name`` and ``about`` say which trunk it is.

    Args:
        taps: Names of the features, such as ``relu3_1``.
        trunk: One of ``TRUNKS``; None takes `best_trunk`.
        pooling: ``"max"`` or ``"average"``.
        fetch: As for `best_trunk`.

    Raises:
        ValueError: On another trunk, or taps that it does not have.
        FileNotFoundError: If the weights of a named trunk are not on this machine; the sentence says how to get them.
    """
    trunk = trunk or best_trunk(fetch=fetch)
    if trunk not in TRUNKS:
        raise ValueError(f"no trunk is called {trunk!r}: there are {', '.join(TRUNKS)}")
    vgg = {f"vgg{depth}": partial(_vgg, depth) for depth in BLOCKS}
    network = (vgg | {"hybrid": _hybrid, "small": _small})[trunk](tuple(taps), pooling)
    return network.requires_grad_(False).eval()


def _vgg(depth: int, taps: Sequence[str], pooling: str) -> VGG:
    file = OFFICIAL[name := f"vgg{depth}"]
    if (path := find_official(name)) is None:
        raise FileNotFoundError(f"{file.name} is not on this machine: imtrans data fetch {name} ({file.size})")
    network = VGG(taps, depth=depth, pooling=pooling)
    network.name, network.about = name, f"{file.name} trained on ImageNet, as torchvision distributes it"
    network.convolutions.load_state_dict(
        from_torchvision(torch.load(path, map_location="cpu", weights_only=True), network)
    )
    return network


def _hybrid(taps: Sequence[str], pooling: str) -> Hybrid:
    found = find(NORMALISED), find(STUDENT)
    if None in found:
        raise FileNotFoundError("the hybrid is not on this machine: imtrans data fetch hybrid (6 MB)")
    real, student = (torch.load(path, map_location="cpu", weights_only=True) for path in found)
    network = Hybrid(taps, pooling)
    if network.real:
        network.real.convolutions.load_state_dict(from_normalized(real, network.real))
    if network.student:
        network.student.convolutions.load_state_dict(from_student(student["model"], network.student))
    return network


def _small(taps: Sequence[str], pooling: str) -> SmallVGG:
    network = SmallVGG(taps, pooling)
    if not SHIPPED.is_file():
        raise FileNotFoundError("the small feature network has no trained weights here yet: imtrans data fetch hybrid")
    weights = {name: tensor.float() for name, tensor in assets.load_weights(SHIPPED).items()}
    network.load_state_dict({name: weights[name] for name in network.state_dict()})
    return network


@torch.no_grad()
def normalize_activations(network: VGG, pictures: Iterable[Tensor]) -> VGG:
    """A copy whose channels have the mean activation one over positions and pictures (Gatys et al., section 2).

    Each filter and its bias are divided by the channel's mean after the ReLU, and the next layer's weights multiplied
    by it. ReLU and pooling pass positive factors on, so each tap is the old one, each channel divided by its mean. A
    channel that never fires stays as it is.

    Args:
        network: Network with zero padding or reflection, which pass factors on too.
        pictures: RGB pictures (N, 3, H, W) in [0, 1]; Gatys et al. took the validation set of ImageNet.

    Raises:
        ValueError: If there is no picture.
    """
    names = list(network.convolutions)
    probe, normalized = copy.deepcopy(network), copy.deepcopy(network)
    probe.taps = tuple(f"relu{name}" for name in names)
    found = [{tap: x.mean(dim=(2, 3)) for tap, x in probe(picture).items()} for picture in pictures]  # (N, C) each
    if not found:
        raise ValueError("activations are normalised over pictures, and there is none")
    before = None
    for name, convolution in normalized.convolutions.items():
        mean = torch.cat([x[f"relu{name}"] for x in found]).mean(dim=0)
        mean = torch.where(mean > 0, mean, 1.0)
        if before is not None:
            convolution.weight.mul_(before.view(1, -1, 1, 1))
        convolution.weight.div_(mean.view(-1, 1, 1, 1))
        convolution.bias.div_(mean)
        before = mean
    return normalized


# -- other people's names for the same weights --


def from_torchvision(weights: Mapping[str, Tensor], network: VGG) -> dict[str, Tensor]:
    """torchvision's ``features.N`` as our ``block_number``; what lies above the last tap is left out."""
    indices = sorted({int(name.split(".")[1]) for name in weights if name.startswith("features.")})
    pairs = zip(network.convolutions, indices, strict=False)  # both in the order of the layers
    return {
        f"{ours}.{kind}": weights[f"features.{theirs}.{kind}"] for ours, theirs in pairs for kind in ("weight", "bias")
    }


def from_normalized(weights: Mapping[str, Tensor], network: VGG) -> dict[str, Tensor]:
    """The layers of the normalised VGG-19 by index; layer 0, a 1×1 convolution, is folded into the first 3×3 one."""
    found = {
        f"{ours}.{kind}": weights[f"{theirs}.{kind}"]
        for ours, theirs in zip(network.convolutions, (2, 5, 9, 12, 16), strict=False)
        for kind in ("weight", "bias")
    }
    return _fold_input(found, weights["0.weight"], weights["0.bias"])


def from_student(weights: Mapping[str, Tensor], network: VGG) -> dict[str, Tensor]:
    """The student's ``convBN`` as our ``B_N``; its 1×1 convolution at the input is folded as in `from_normalized`."""
    found = {
        f"{ours}.{kind}": weights[f"conv{ours.replace('_', '')}.{kind}"]
        for ours in network.convolutions
        for kind in ("weight", "bias")
    }
    return _fold_input(found, weights["conv0.weight"], weights["conv0.bias"])


def _fold_input(weights: dict[str, Tensor], matrix: Tensor, offset: Tensor) -> dict[str, Tensor]:
    """W (M x + o) + b = (W M) x + (W o + b): exact at the border too, as reflection repeats prepared pixels.

    The 1×1 convolution turns RGB in [0, 1] into what these networks were trained on: BGR levels less their means.
    """
    first = weights["1_1.weight"]  # (channels, 3, 3, 3)
    folded = {
        "1_1.weight": torch.einsum("oikl,ij->ojkl", first, matrix[:, :, 0, 0]),
        "1_1.bias": weights["1_1.bias"] + first.sum(dim=(2, 3)) @ offset,
    }
    return weights | folded
