"""ONNX files: what is refused. That they give the same pictures is in test_entries.py, for every network."""

import sys

import pytest
import torch

from imtrans.export import to_onnx
from imtrans.models.baselines import Bicubic
from imtrans.models.edsr import MDSR
from imtrans.models.espcn import ESPCN


def test_a_network_of_several_scales_needs_one(tmp_path):
    with pytest.raises(ValueError, match="which scale"):
        to_onnx(MDSR(blocks=1, features=4), tmp_path / "mdsr.onnx")


def test_a_file_in_no_folder_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such folder"):
        to_onnx(ESPCN(2), tmp_path / "nowhere" / "espcn.onnx")


def test_a_missing_exporter_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ValueError, match="pip install onnx onnxscript"):
        to_onnx(ESPCN(2), tmp_path / "espcn.onnx")


def test_an_interpolation_is_no_network_to_export(tmp_path):
    with pytest.raises(ValueError, match="Bicubic has no weights"):
        to_onnx(Bicubic(), tmp_path / "bicubic.onnx")


@pytest.mark.filterwarnings("ignore::Warning")  # the exporter's own
def test_an_exported_network_stays_in_training(tmp_path):
    network = ESPCN(2).train()
    state = torch.get_rng_state()
    to_onnx(network, tmp_path / "espcn.onnx")
    assert network.training
    assert torch.equal(torch.get_rng_state(), state)
