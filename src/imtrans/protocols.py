"""The protocols by which papers score: where pictures are rounded to 8 bits, and which channels are compared.

They lie up to 0.09 dB apart on the same pictures, so every score names its protocol. A picture with one channel is its
own luma.
"""

from dataclasses import dataclass

from torch import Tensor

from imtrans import metrics
from imtrans.degrade import Degradation
from imtrans.images import to_float, to_uint8


@dataclass(frozen=True)
class Protocol:
    """One row of the table `PROTOCOLS`.

    Args:
        name: Its name.
        used_by: Whose scores are made by it.
        tasks: Tasks that it is for, see `imtrans.degrade.Degradation`.
        degrades_luma: The luma of the clean picture, in 8 bits, is degraded; otherwise all of its channels.
        rounds_observed: The low resolution is computed from 8-bit pictures and rounded to 8 bits, as MATLAB does.
        rounds_result: The result is clipped and rounded to 8 bits before luma is computed.
        compares_luma: Luma is compared; otherwise all channels.
        rounds_luma: That luma is rounded to 8 bits once more.
    """

    name: str
    used_by: str
    tasks: tuple[str, ...]
    degrades_luma: bool = False
    rounds_observed: bool = False
    rounds_result: bool = True
    compares_luma: bool = False
    rounds_luma: bool = False

    @property
    def enlarges_8_bit(self) -> bool:
        """Plain interpolation stays in 8 bits, rounded after each of its two passes, as MATLAB enlarges a file."""
        return self.rounds_observed and self.rounds_result

    def observe(self, clean: Tensor, degradation: Degradation, seed: int = 0) -> Tensor:
        """The observation of a clean picture (1, C, H, W) in [0, 1].

        Args:
            clean: The clean picture, with sides that the degradation accepts.
            degradation: What it goes through.
            seed: Random seed of the degradation.
        """
        if self.degrades_luma:
            clean = self.comparable_channels(clean)
        if self.rounds_observed:
            return to_float(degradation(to_uint8(clean), seed))
        return degradation(clean, seed)

    def comparable_channels(self, picture: Tensor) -> Tensor:
        """The part of a picture that is compared, in [0, 1]: luma (N, 1, H, W), or all channels."""
        if self.rounds_result:
            picture = to_float(to_uint8(picture))
        if self.compares_luma:
            picture = metrics.luma(picture, rounded=self.rounds_luma)
        return picture.clamp(0, 1)


SUPER_RESOLUTION, DENOISING, DEBLOCKING = "super-resolution", "denoising", "deblocking"

PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        Protocol(
            "y8",
            "SRCNN, VDSR, bicubic; JPEG",
            (SUPER_RESOLUTION, DEBLOCKING),
            degrades_luma=True,
            compares_luma=True,
            rounds_luma=True,
        ),
        Protocol("rgb-y", "RDN, RCAN", (SUPER_RESOLUTION,), rounds_observed=True, compares_luma=True),
        Protocol("rgb-y8", "EDSR", (SUPER_RESOLUTION,), rounds_observed=True, compares_luma=True, rounds_luma=True),
        # The authors' script shrinks 8-bit RGB to 8 bits, enlarges that in double and rounds nothing after it.
        # Departure: it rounds the enlargement of a file with one channel (Set14's bridge) too, which is not done here.
        Protocol(
            "y-double", "DnCNN-3", (SUPER_RESOLUTION,), rounds_observed=True, rounds_result=False, compares_luma=True
        ),
        Protocol("gray", "DnCNN", (DENOISING,)),
        Protocol("rgb", "CDnCNN", (DENOISING,)),
    )
}


def protocols_for(task: str) -> list[str]:
    """The names of the protocols of a task."""
    return [name for name, protocol in PROTOCOLS.items() if task in protocol.tasks]


def default_protocol(task: str, channels: int) -> str:
    """The protocol of a task where none is asked for.

    Super-resolution is y8 for networks of luma and rgb-y for those of RGB, JPEG is y8, all else gray or rgb.

    Args:
        task: Name of a task.
        channels: Channels of the network, 1 or 3.
    """
    if task == DEBLOCKING:
        return "y8"
    luma, rgb = ("y8", "rgb-y") if task == SUPER_RESOLUTION else ("gray", "rgb")
    return luma if channels == 1 else rgb


def find_protocol(name: str, task: str | None = None) -> Protocol:
    """The protocol of a name, one of those of a task where that is given.

    Raises:
        ValueError: If there is none.
    """
    valid = list(PROTOCOLS) if task is None else protocols_for(task)
    if name not in valid:
        raise ValueError(f"no protocol {name!r}{f' for {task}' if task else ''}: one of {', '.join(valid)}")
    return PROTOCOLS[name]
