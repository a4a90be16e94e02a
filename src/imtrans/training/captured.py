"""Forward and backward pass of a network as CUDA graphs: one launch in place of one per layer."""

import sys
from contextlib import nullcontext

import torch
from torch import Tensor, nn


def captured(network: nn.Module, example: Tensor, dtype: torch.dtype | None) -> nn.Module:
    """A network whose training passes are replayed from CUDA graphs.

    The steps of a small network are short: without this a GPU waits for Python. In evaluation mode, and for batches in
    a network that cannot be captured, everything is as it was; the latter is reported in one line.

    Args:
        network: Network on a GPU, in training mode.
        example: A batch in the shape, type and memory layout of all later ones.
        dtype: Low precision of autocast, or None.

    Returns:
        The same network, captured if that is possible.
    """
    if not example.is_cuda:
        return network
    before = {name: value.clone() for name, value in network.state_dict().items()}
    forward = network.forward
    # The cache of autocast would keep tensors of the capture.
    autocast = torch.autocast("cuda", dtype, cache_enabled=False) if dtype else nullcontext()
    try:
        # Convolutions are tried out once and then stay as they are: the shapes never change. fp32 stays what it is.
        tf32 = torch.backends.cudnn.allow_tf32
        with torch.backends.cudnn.flags(enabled=True, benchmark=True, deterministic=False, allow_tf32=tf32), autocast:
            torch.cuda.make_graphed_callables(network, (example,), allow_unused_input=True)
    except Exception as error:  # whatever a network does that cannot be captured, it can be done step by step
        network.forward = forward
        print(f"without CUDA graphs: {' '.join(str(error).split())[:200]}", file=sys.stderr)
    network.zero_grad(set_to_none=True)
    network.load_state_dict(before)  # the passes before the capture moved the statistics of batch normalisation
    return network
