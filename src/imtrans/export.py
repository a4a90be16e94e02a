"""Networks in ONNX, the format that other programs run them from, ONNX Runtime for instance.

    to_onnx(zoo.load("espcn-x3"), "espcn-x3.onnx")

The file holds the network alone, in its form for inference. What `imtrans.restore` does around it (luma, bicubic
enlargement, tiles) is for the program that runs it; ``channels`` and ``upsamples`` of the network say what is expected.
"""

import copy
import os
from pathlib import Path

import torch
from torch import Tensor, nn

from imtrans import restore


class AtOneScale(nn.Module):
    """A network of several scales, at one of them: ONNX has no argument beside the picture."""

    def __init__(self, network: nn.Module, scale: int) -> None:
        super().__init__()
        self.network, self.scale = network, scale

    def forward(self, picture: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, scale·H, scale·W)."""
        return self.network(picture, self.scale)


def to_onnx(model: nn.Module, path: str | os.PathLike, *, scale: int | None = None) -> None:
    """Write a network as ONNX. Its input ``picture`` and its output ``result`` are (N, C, H, W), N, H and W free.

    Args:
        model: A network that restores pictures, trained or not.
        path: File to write; an existing one is replaced.
        scale: Upscaling factor, for a network that enlarges by several.

    Raises:
        ValueError: If such a network gets no scale, or one that it does not have; if there are no
            weights; if onnx or onnxscript is missing.
        FileNotFoundError: If the folder does not exist.
    """
    try:
        import onnxscript  # noqa: F401  torch's exporter asks for it late, and not in one line
    except ImportError:
        raise ValueError("ONNX files need onnx and onnxscript: pip install onnx onnxscript") from None
    if not Path(path).absolute().parent.is_dir():
        raise FileNotFoundError(f"no such folder: {Path(path).parent}")
    network = copy.deepcopy(restore.for_inference(model)).eval()  # the caller's network stays in its mode
    if getattr(network, "takes_scale", False):
        network = AtOneScale(network, restore.resolve_scale(model, scale))
    if (weight := next(network.parameters(), None)) is None:
        raise ValueError(f"{type(model).__name__} has no weights: there is no network to write")
    example = torch.zeros(2, model.channels, 24, 32, device=weight.device)
    free = {0: torch.export.Dim("N"), 2: torch.export.Dim("H", min=16), 3: torch.export.Dim("W", min=16)}
    torch.onnx.export(
        network,
        (example,),
        str(path),
        input_names=["picture"],
        output_names=["result"],
        dynamic_shapes=(free,),
        external_data=False,
        verbose=False,
    )
