"""Johnson's networks: sizes and layers of the paper, what each layout does to the border, what the norms remove."""

import pytest
import torch
import torch.nn.functional as F

from imtrans.models.transform_network import ResidualBlock, ScaledTanh, StyleNetwork, SuperResolutionNetwork


def count(model: torch.nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("layout", ["published", "resize"])
@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_the_style_network_has_the_papers_parameters_in_either_layout(norm, layout):
    assert count(StyleNetwork(norm=norm, layout=layout)) == 1_679_235


def test_the_small_style_network_has_a_quarter_of_them():
    assert count(StyleNetwork.small()) == 424_899


@pytest.mark.parametrize(("scale", "parameters"), [(4, 401_859), (8, 438_915)])
def test_the_super_resolution_network_has_the_papers_parameters(scale, parameters):
    assert count(SuperResolutionNetwork(scale)) == parameters


@pytest.mark.parametrize("layout", ["published", "resize"])
@pytest.mark.parametrize("size", [(64, 64), (65, 71), (62, 50)])
def test_a_stylised_picture_has_the_size_of_its_content(layout, size):
    assert StyleNetwork(1 / 16, layout=layout)(torch.rand(1, 3, *size)).shape == (1, 3, *size)


@pytest.mark.parametrize("layout", ["published", "resize"])
@pytest.mark.parametrize("scale", [4, 8])
def test_an_enlargement_has_the_size_of_its_scale(scale, layout):
    network = SuperResolutionNetwork(scale, 1 / 8, layout=layout)
    assert network(torch.rand(2, 3, 9, 11)).shape == (2, 3, 9 * scale, 11 * scale)


def test_the_published_layout_has_the_sizes_of_the_papers_table():
    network, x, heights = StyleNetwork(1 / 16), torch.rand(1, 3, 256, 256), []
    for layer in network.layers:
        x = layer(x)
        heights.append(x.shape[-1])
    assert heights[:10] == [336, 336, 168, 84, 80, 76, 72, 68, 64, 128]
    assert heights[10:] == [256, 256, 256]


def test_an_unpadded_block_adds_the_middle_of_its_input():
    block, x = ResidualBlock(4, "batch"), torch.rand(1, 4, 12, 10)
    for parameter in block.parameters():
        torch.nn.init.zeros_(parameter)
    assert torch.equal(block(x), x[..., 2:-2, 2:-2])


def test_the_output_spans_150_levels_around_the_mean():
    levels = 255 * ScaledTanh()(torch.tensor([-1e3, 1e3]).view(2, 1, 1, 1).expand(2, 3, 1, 1))
    assert levels[0, :, 0, 0].tolist() == pytest.approx([-26.32, -33.221, -46.061], abs=1e-3)
    assert levels[1, :, 0, 0].tolist() == pytest.approx([273.68, 266.779, 253.939], abs=1e-3)


def test_instance_normalisation_removes_a_change_of_exposure():
    """0.4 x + 0.1: the same picture, darker and flatter. Padding by reflection keeps the relation at the border."""
    torch.manual_seed(0)
    network, content = StyleNetwork(1 / 4, norm="instance", layout="resize").eval(), torch.rand(1, 3, 64, 64)
    bright, dark = network(content), network(0.4 * content + 0.1)
    assert (bright - dark).abs().max() < 0.01 * bright.std()


def test_batch_normalisation_with_stored_statistics_does_not():
    torch.manual_seed(0)
    network, content = StyleNetwork(1 / 4, layout="resize").eval(), torch.rand(1, 3, 64, 64)
    assert (network(content) - network(0.4 * content + 0.1)).std() > 0.1 * network(content).std()


def test_batch_and_instance_normalisation_are_one_for_a_batch_of_one_in_training():
    torch.manual_seed(0)
    batch, instance = StyleNetwork(1 / 8), StyleNetwork(1 / 8, norm="instance")
    weights = {name: value for name, value in batch.state_dict().items() if name in instance.state_dict()}
    instance.load_state_dict(weights)
    content = torch.rand(1, 3, 64, 64)
    assert torch.allclose(batch(content), instance(content), atol=1e-4)


def test_sides_of_odd_lengths_are_completed_by_reflection():
    torch.manual_seed(0)
    network, content = StyleNetwork(1 / 8, layout="resize").eval(), torch.rand(1, 3, 61, 64)
    whole = network(F.pad(content, (0, 0, 0, 3), mode="reflect"))
    assert torch.allclose(network(content), whole[..., :61, :], atol=1e-5)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: StyleNetwork(norm="layer"), "norm is batch or instance"),
        (lambda: StyleNetwork(layout="valid"), "layout published or resize"),
        (lambda: SuperResolutionNetwork(3), "scale is 4 or 8"),
    ],
)
def test_other_norms_layouts_and_scales_are_refused(build, words):
    with pytest.raises(ValueError, match=words):
        build()


@pytest.mark.parametrize("network", [StyleNetwork(1 / 16), SuperResolutionNetwork(4, 1 / 16)])
def test_the_means_move_with_the_network_and_are_no_weights(network):
    assert "mean" not in network.state_dict()
    assert network.to("meta").mean.device.type == "meta"
    assert network(torch.rand(1, 3, 48, 48, device="meta")).device.type == "meta"
