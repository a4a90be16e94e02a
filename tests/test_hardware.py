"""Device, precision and layout by capability; the processor's name; free memory."""

import math

import pytest
import torch

from imtrans import hardware


@pytest.mark.parametrize(("gpu", "device"), [(True, "cuda"), (False, "cpu")])
def test_the_best_device_is_a_gpu_if_there_is_one(monkeypatch, gpu, device):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    assert hardware.best_device() == device


@pytest.mark.parametrize(
    ("capability", "dtype"), [((7, 5), torch.float16), ((8, 0), torch.bfloat16), ((9, 0), torch.bfloat16)]
)
def test_a_gpu_computes_in_bf16_from_compute_capability_8(monkeypatch, capability, dtype):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert hardware.autocast_dtype("cuda") == dtype
    assert hardware.memory_format(torch.device("cuda")) == torch.channels_last


@pytest.mark.parametrize(
    ("native", "dtype", "layout"),
    [(True, torch.bfloat16, torch.channels_last), (False, None, torch.contiguous_format)],
)
def test_a_cpu_computes_in_bf16_where_that_is_native(monkeypatch, native, dtype, layout):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: native)
    assert hardware.autocast_dtype("cpu") == dtype
    assert hardware.memory_format("cpu") == layout


def test_other_devices_keep_the_defaults():
    assert hardware.autocast_dtype(torch.device("meta")) is None
    assert hardware.memory_format("meta") == torch.contiguous_format


@pytest.mark.parametrize(
    ("flags", "fastest"),
    [("sse4_1", ""), ("sse4_1 avx2", ", AVX2"), ("avx2 avx512f", ", AVX-512"), ("avx512f amx_bf16 avx2", ", AMX")],
)
def test_the_processor_is_named_with_its_cores_and_its_fastest_instructions(monkeypatch, flags, fastest):
    text = f"flags\t\t: {flags}\nmodel name\t: Some CPU @ 2 GHz\n"
    monkeypatch.setattr(hardware.os, "cpu_count", lambda: 6)
    monkeypatch.setattr(hardware.Path, "read_text", lambda path: text)
    assert hardware.processor_name() == f"Some CPU @ 2 GHz, 6 cores{fastest}"


def test_each_gpu_has_its_own_name(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", "name of {}".format)
    assert hardware.processor_name("cuda:1") == "name of cuda:1"


def test_the_free_memory_of_this_machine_is_plausible():
    assert 1e6 < hardware.free_bytes() < 1e15 or hardware.free_bytes() == math.inf


def test_free_memory_is_what_linux_calls_available(monkeypatch):
    text = "MemTotal: 9 kB\nMemFree: 8 kB\nMemAvailable:       7 kB\n"
    monkeypatch.setattr(hardware.Path, "read_text", lambda path: text)
    assert hardware.free_bytes("cpu") == 7 * 1024


def test_free_memory_is_infinite_where_the_system_does_not_say(monkeypatch):
    monkeypatch.setattr(hardware.Path, "read_text", lambda path: "MemTotal: 9 kB\n")
    assert hardware.free_bytes() == math.inf

    def nowhere(path):
        raise FileNotFoundError

    monkeypatch.setattr(hardware.Path, "read_text", nowhere)
    assert hardware.free_bytes() == math.inf
