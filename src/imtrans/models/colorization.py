"""Colorization as classification: Zhang, Isola, Efros, "Colorful Image Colorization", ECCV 2016.

The network returns, for every fourth pixel, one logit per colour of `imtrans.color.ab_bins`. Around it: what turns
colours into distributions (`encode`), what counts how often colours occur (`bin_frequencies`, `mean_code`,
`rebalancing_weights`), and what turns a distribution into one colour again (`annealed_mean`).
"""

from functools import cache
from itertools import pairwise

import torch
from torch import Tensor, nn

from imtrans.color import ab_bins

UNSEEN = 1e-8  # share of a colour that never occurs: of 0 the weight is infinite, and the logarithm
AB_RANGE = 110.0  # what a regression network's output is multiplied with, as in the authors' PyTorch code


def block(channels: tuple[int, ...], *, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    """3×3 convolutions, each with ReLU, then batch normalisation without factors, after the last ReLU as in the paper.

    Args:
        channels: Channels of the input, then of each convolution's output.
        stride: Stride of the last convolution.
        dilation: Distance in pixels between the taps of each kernel.
    """
    layers: list[nn.Module] = []
    for number, (before, after) in enumerate(pairwise(channels), start=2):
        step = stride if number == len(channels) else 1
        layers += [nn.Conv2d(before, after, 3, step, padding=dilation, dilation=dilation), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, nn.BatchNorm2d(channels[-1], affine=False))


class Colorizer(nn.Module):
    """The paper's network: lightness in, a distribution over 313 colours out, at a quarter of the resolution.

    Args:
        width: Fraction of the paper's channels: 64, 128, 256 and 512.
        skip: Whether one 3×3 convolution leads from block 2, which has the resolution of the output, into block 8. The
            paper has none: all that it knows passes a resolution of one eighth. The authors' network of 2017 has such
            skips, and in short trainings a pixel's own lightness is half of what can be learned.
        outputs: Channels of the output: 313 logits, or 2 for a network that regresses a and b.
    """

    channels = 1

    def __init__(self, *, width: float = 1.0, skip: bool = False, outputs: int = 313) -> None:
        super().__init__()
        c1, c2, c3, c4 = (round(width * c) for c in (64, 128, 256, 512))
        self.start = nn.Sequential(block((1, c1, c1), stride=2), block((c1, c2, c2), stride=2))  # blocks 1 and 2
        self.skip = nn.Conv2d(c2, c3, 3, padding=1) if skip else None
        self.middle = nn.Sequential(
            block((c2, c3, c3, c3), stride=2),
            block((c3, c4, c4, c4)),
            block((c4, c4, c4, c4), dilation=2),  # in place of more pooling: blocks 5 and 6 see far, at one eighth
            block((c4, c4, c4, c4), dilation=2),
            block((c4, c4, c4, c4)),
        )
        self.up = nn.ConvTranspose2d(c4, c3, 4, stride=2, padding=1)  # block 8
        self.end = nn.Sequential(
            nn.ReLU(),
            *(nn.Conv2d(c3, c3, 3, padding=1), nn.ReLU(inplace=True)),
            *(nn.Conv2d(c3, c3, 3, padding=1), nn.ReLU(inplace=True)),
        )
        self.head = nn.Conv2d(c3, outputs, 1)
        if not self.regresses:
            # p̃ travels with the weights, as they are of no use without it. Its logarithm survives half precision.
            self.register_buffer("log_prior", torch.full((outputs,), 1 / outputs).log())

    @classmethod
    def small(cls, *, outputs: int = 313) -> "Colorizer":
        """Three sixteenths of the channels and the skip: 1,157,341 parameters, 2.3 MB in half precision."""
        return cls(width=3 / 16, skip=True, outputs=outputs)

    @property
    def regresses(self) -> bool:
        """Whether the network returns a and b themselves."""
        return self.head.out_channels == 2

    def features(self, lightness: Tensor) -> Tensor:
        """The features before the last layer, (N, 256 · width, H / 4, W / 4).

        Args:
            lightness: L of Lab, (N, 1, H, W) in [0, 100], with sides that divide by 8.

        Raises:
            ValueError: On another shape.
        """
        if lightness.ndim != 4 or lightness.shape[1] != 1 or lightness.shape[2] % 8 or lightness.shape[3] % 8:
            raise ValueError(f"wanted L (N, 1, H, W) with sides divisible by 8, got shape {tuple(lightness.shape)}")
        early = self.start((lightness - 50) / 100)
        x = self.up(self.middle(early))
        return self.end(x if self.skip is None else x + self.skip(early))

    def forward(self, lightness: Tensor) -> Tensor:
        """Logits (N, 313, H / 4, W / 4), or a and b (N, 2, H / 4, W / 4), of lightness as `features` expects it."""
        out = self.head(self.features(lightness))
        return AB_RANGE * out if self.regresses else out

    @torch.no_grad()
    def initialize(self, prior: Tensor | None = None) -> "Colorizer":
        """He's initialisation; with a prior p̃ (Q,), every pixel's first distribution is about that.

        Colours that the prior has never seen get the share ``UNSEEN``. Without one, a regression begins near gray.
        """
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.zeros_(layer.bias)
                taps = layer.weight[0].numel()
                if isinstance(layer, nn.ConvTranspose2d):  # 2 × 2 of the 4 × 4 taps meet at a pixel
                    taps = layer.in_channels * 4
                nn.init.normal_(layer.weight, std=(2 / taps) ** 0.5)
        self.head.weight.mul_(0.1)
        if prior is not None:
            self.log_prior.copy_(prior.clamp(min=UNSEEN).log())
            self.head.bias.copy_(self.log_prior)
        return self


# -- colours as distributions --


def nearest_bins(ab: Tensor, neighbours: int = 5, sigma: float = 5.0) -> tuple[Tensor, Tensor]:
    """Which colours share a pixel's weight, and how: H⁻¹_gt of the paper in its sparse form.

    Args:
        ab: (N, 2, H, W).
        neighbours: Number of colours that share it: 5 in the paper, 10 in the authors' code. In the middle between
            four of them eight tie for the fifth place; which one gets the 0.005 that is left is not defined.
        sigma: Standard deviation of the Gaussian, in units of Lab.

    Returns:
        Their indices, nearest first, and their shares, which sum to 1: (N, neighbours, H, W) each.
    """
    points = ab.movedim(1, -1)  # (N, H, W, 2)
    distances = torch.cdist(points.reshape(-1, 2), ab_bins().to(ab), compute_mode="donot_use_mm_for_euclid_dist")
    near, indices = distances.topk(neighbours, largest=False)
    shares = torch.softmax(-near.square() / (2 * sigma**2), dim=1)
    shape = (*points.shape[:3], neighbours)
    return indices.view(shape).movedim(-1, 1), shares.view(shape).movedim(-1, 1)


def encode(ab: Tensor, neighbours: int = 5, sigma: float = 5.0) -> Tensor:
    """The soft code Z = H⁻¹_gt(Y) of colours (N, 2, H, W): a distribution over the 313, (N, 313, H, W).

    Args:
        ab: a and b of Lab.
        neighbours: As for `nearest_bins`.
        sigma: As for `nearest_bins`.
    """
    indices, shares = nearest_bins(ab, neighbours, sigma)
    code = ab.new_zeros(ab.shape[0], len(ab_bins()), *ab.shape[2:])
    return code.scatter_(1, indices, shares)


def annealed_mean(logits: Tensor, temperature: float = 0.38) -> Tensor:
    """Ŷ = H(Ẑ), the mean of the distribution f_T(z) ∝ z^(1/T): one colour (N, 2, H, W) per pixel.

    At T = 1 it is the mean, at T = 0 the mode. The logits are divided by T: log(softmax) would compute it twice.

    Args:
        logits: (N, 313, H, W).
        temperature: T, from 0 to 1.

    Raises:
        ValueError: If T lies outside.
    """
    if not 0 <= temperature <= 1:
        raise ValueError(f"the temperature lies between 0 (the mode) and 1 (the mean), got {temperature:g}")
    bins = ab_bins().to(logits)
    if temperature == 0:
        return bins[logits.argmax(dim=1)].movedim(-1, 1)
    return torch.einsum("nqhw,qc->nchw", torch.softmax(logits / temperature, dim=1), bins)


# -- how often colours occur --


def nearest_bin(ab: Tensor) -> Tensor:
    """The index of the nearest of the 313 colours for each pixel of (N, 2, H, W), by rounding: (N, H, W).

    Exact for all colours of sRGB. Others get the colour that is nearest to the point of the lattice next to them.
    """
    a, b = (ab / 10).round().clamp(-11, 11).long().unbind(1)
    return _lattice().to(ab.device)[a + 11, b + 11]


@cache
def _lattice() -> Tensor:
    """The nearest of the 313 colours for each point of the whole lattice, (23, 23)."""
    ticks = torch.arange(-110.0, 111.0, 10.0)
    return torch.cdist(torch.cartesian_prod(ticks, ticks), ab_bins()).argmin(dim=1).view(23, 23)


def bin_frequencies(ab: Tensor) -> Tensor:
    """p ∈ Δ^Q of the slides: how often each of the 313 colours is the nearest to a pixel of (N, 2, H, W)."""
    indices = nearest_bin(ab)
    return torch.bincount(indices.flatten(), minlength=len(ab_bins())).float() / indices.numel()


def smoothed(frequencies: Tensor, sigma: float = 5.0) -> Tensor:
    """p̃ of the slides: frequencies (Q,), spread over the neighbouring colours by a Gaussian, with the sum 1.

    Args:
        frequencies: p.
        sigma: Standard deviation in units of Lab.
    """
    bins = ab_bins().to(frequencies)
    kernel = torch.softmax(-torch.cdist(bins, bins).square() / (2 * sigma**2), dim=1)  # a row is what one colour gives
    return frequencies @ kernel


def mean_code(ab: Tensor, neighbours: int = 5, sigma: float = 5.0) -> Tensor:
    """p̃ as the authors' file has it: the mean soft code of pixels (N, 2, H, W), smooth without a second step, (Q,)."""
    indices, shares = nearest_bins(ab, neighbours, sigma)
    total = torch.zeros(len(ab_bins()), dtype=torch.float64, device=ab.device)
    total.index_add_(0, indices.flatten(), shares.flatten().double())
    return (total / total.sum()).to(ab)


def rebalancing_weights(prior: Tensor, mix: float = 0.5) -> Tensor:
    """w ∝ ((1 − λ) p̃ + λ/Q)⁻¹ with E[w] = Σ p̃_q w_q = 1: (Q,).

    Args:
        prior: p̃, (Q,).
        mix: λ, from 0 (the inverse frequencies) to 1 (no rebalancing).

    Raises:
        ValueError: If λ lies outside of [0, 1].
    """
    if not 0 <= mix <= 1:
        raise ValueError(f"the mix lies between 0 (the inverse frequencies) and 1 (no rebalancing), got {mix:g}")
    weights = 1 / ((1 - mix) * prior + mix / len(prior)).clamp(min=UNSEEN)
    return weights / (prior * weights).sum()
