"""What this machine computes on: device, precision, memory layout, processor, free memory.

Everything here goes by capability, never by timing: the same machine always chooses the same.
"""

import os
import platform
from pathlib import Path

import torch

# Flags of /proc/cpuinfo that decide how long a training takes, the fastest first: a factor of four lies between them.
INSTRUCTIONS = {"amx_bf16": "AMX", "avx512_bf16": "AVX-512 with bf16", "avx512f": "AVX-512", "avx2": "AVX2"}


def best_device() -> str:
    """The device to compute on: "cuda" where PyTorch sees such a GPU, else "cpu"."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def autocast_dtype(device: str | torch.device) -> torch.dtype | None:
    """The low precision that a device computes natively: bf16, fp16, or None.

    Args:
        device: Device, or its name.
    """
    device = torch.device(device)
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.get_device_capability(device) >= (8, 0) else torch.float16
    if device.type == "cpu" and torch.cpu._is_avx512_bf16_supported():
        return torch.bfloat16
    return None


def memory_format(device: str | torch.device) -> torch.memory_format:
    """The memory layout in which a device trains convolutions fastest.

    That is channels_last where low precision is native, and the default layout elsewhere: there the convolutions of a
    CPU are slower in channels_last.

    Args:
        device: Device, or its name.
    """
    return torch.contiguous_format if autocast_dtype(device) is None else torch.channels_last


def processor_name(device: str | torch.device = "cpu") -> str:
    """Name of the processor, number of its cores, its fastest instructions if known; for a GPU its name."""
    if torch.device(device).type == "cuda":
        return torch.cuda.get_device_name(device)
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
        flags = next((line.split(":", 1)[1].split() for line in lines if line.startswith("flags")), [])
    except (OSError, StopIteration):
        model, flags = platform.processor() or platform.machine(), []
    fastest = next((f", {name}" for flag, name in INSTRUCTIONS.items() if flag in flags), "")
    return f"{model}, {os.cpu_count()} cores{fastest}"


def free_bytes(device: str | torch.device = "cpu") -> float:
    """Free memory of a device in bytes; infinite where the system does not report it."""
    if torch.device(device).type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        return float("inf")
