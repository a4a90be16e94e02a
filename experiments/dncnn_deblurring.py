"""Lecture 7: a denoiser inside another algorithm. Deblurring, where the prior is DnCNN's residual (RED).

A photograph is blurred by a Gaussian of 1.6 pixels, with edges that wrap around, and gets noise of σ = 2. Wanted is the
picture at which the gradient of the data term and the residual cancel, Hᵀ(Hx − y) + λ R(x) = 0, with R(x) = x − D(x).
The fixed-point iteration is x ← (HᵀH + λ)⁻¹ (Hᵀy + λ D(x)), one division in the Fourier domain. λ and the constant of
Wiener's filter are the best of a grid on the bundled validation photographs; scores are on the test photographs.

Writes results/dncnn-deblurring.csv, the PSNR along the iteration, and results/dncnn-deblurring.png, a strip of one
detail. About five minutes of one core.
"""

from statistics import fmean

import torch
from torch import Tensor, nn
from torch.fft import fft2, ifft2

from imtrans import experiments, figures, images, metrics, zoo
from imtrans.data import photos
from imtrans.degrade import gaussian_noise
from imtrans.restore import denoise

BLUR, SIGMA = 1.6, 2
STEPS = 20
LAMBDAS = (0.01, 0.02, 0.04)
CONSTANTS = (0.001, 0.002, 0.004, 0.008, 0.016)
BOXES = {  # left, top, width, height
    "coins": (40, 40, 160, 160),
    "coffee": (160, 120, 160, 160),
    "camera": (150, 60, 192, 192),
    "astronaut": (130, 20, 192, 192),
    "chelsea": (120, 60, 192, 192),
}
DETAIL = (76, 52, 90, 84)  # of the camera's box


def transfer(size: int) -> Tensor:
    """What the blur does to each frequency of a square picture, (size, size)."""
    place = torch.arange(size)
    distance = torch.minimum(place, size - place)
    kernel = torch.exp(-0.5 * (distance / BLUR) ** 2)
    row = torch.fft.fft(kernel / kernel.sum()).real
    return row[:, None] * row


def wiener(blurred: Tensor, constant: float) -> Tensor:
    """The linear answer: divide by H where it is large, leave out what it has taken away."""
    h = transfer(blurred.shape[-1])
    return ifft2(h * fft2(blurred) / (h**2 + constant)).real


def red(denoiser: nn.Module, blurred: Tensor, weight: float) -> list[Tensor]:
    """All iterates of RED's fixed-point iteration."""
    h = transfer(blurred.shape[-1])
    x, iterates = blurred, []
    for _ in range(STEPS):
        x = ifft2((h * fft2(blurred) + weight * fft2(denoise(denoiser, x))) / (h**2 + weight)).real
        iterates.append(x)
    return iterates


def main() -> None:
    """Choose two constants on the validation photographs, score on the test photographs."""
    clean = {}
    for name, box in BOXES.items():
        clean[name] = figures.crop(metrics.luma(photos.photo(name).picture, rounded=True), box)
    blurred = {}
    for name, x in clean.items():
        blurred[name] = gaussian_noise(ifft2(transfer(x.shape[-1]) * fft2(x)).real, SIGMA, seed=0)

    def psnr(name: str, answer: Tensor) -> float:
        return metrics.psnr(answer.clamp(0, 1), clean[name]).item()

    chosen, known = ("coins", "coffee"), zoo.load("dncnn-25")
    constant = max(CONSTANTS, key=lambda c: fmean(psnr(n, wiener(blurred[n], c)) for n in chosen))
    weight = max(LAMBDAS, key=lambda w: fmean(psnr(n, red(known, blurred[n], w)[-1]) for n in chosen))

    rows, strip = [], []
    for name in ("camera", "astronaut", "chelsea"):
        answers = {("blurred", 0, ""): blurred[name], ("Wiener", 0, constant): wiener(blurred[name], constant)}
        for network in ("dncnn-25", "dncnn-blind"):
            iterates = red(zoo.load(network), blurred[name], weight)
            answers |= {(network, k, weight): iterates[k - 1] for k in (1, 5, 10, STEPS)}
        for (method, step, parameter), answer in answers.items():
            row = {"picture": name, "method": method, "step": step, "parameter": parameter}
            rows.append(row | {"psnr": f"{psnr(name, answer):.2f}"})
        if name == "camera":
            last = [("Wiener", 0, constant), ("dncnn-25", STEPS, weight)]
            strip = [blurred[name], *(answers[key] for key in last), clean[name]]
    folder = experiments.write("dncnn-deblurring", rows).parent
    parts = torch.cat([figures.crop(picture, DETAIL).clamp(0, 1) for picture in strip], dim=-1)
    images.write(folder / "dncnn-deblurring.png", parts)


if __name__ == "__main__":
    main()
