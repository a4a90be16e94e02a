"""Features: VGG against torchvision, the hybrid against its own files, the small network's shapes."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from imtrans.models import features
from imtrans.models.features import VGG, Hybrid, SmallVGG, place

ALL_TAPS = tuple(f"relu{block}_1" for block in range(1, 6))


@pytest.fixture
def picture() -> torch.Tensor:
    return torch.rand(1, 3, 32, 48)


@pytest.mark.parametrize(("depth", "count"), [(16, 14_714_688), (19, 20_024_384)])
def test_vgg_has_the_parameters_of_the_convolutional_part(depth, count):
    last = {16: "relu5_3", 19: "relu5_4"}[depth]
    assert sum(p.numel() for p in VGG([last], depth=depth).parameters()) == count


@pytest.mark.parametrize("depth", [16, 19])
def test_vgg_equals_torchvision_at_every_relu(depth, picture):
    from torchvision import models

    theirs = getattr(models, f"vgg{depth}")(weights=None).eval()
    taps = [f"relu{b}_{n}" for b, count in enumerate(features.BLOCKS[depth], 1) for n in range(1, count + 1)]
    ours = VGG(taps, depth=depth)
    ours.convolutions.load_state_dict(features.from_torchvision(theirs.state_dict(), ours))
    x = (picture - torch.tensor(features.IMAGENET_MEAN).view(3, 1, 1)) / torch.tensor(features.IMAGENET_STD).view(
        3, 1, 1
    )
    wanted = []
    for layer in theirs.features:
        x = layer(x)
        if isinstance(layer, nn.ReLU):
            wanted.append(x.clone())
    for tap, feature in zip(taps, ours(picture).values(), strict=True):
        assert torch.allclose(feature, wanted[taps.index(tap)], atol=1e-5), tap


def test_a_conv_tap_is_what_the_relu_tap_is_made_of(picture):
    found = VGG(["conv4_2", "relu4_2"], width=1 / 8)(picture)
    assert found["conv4_2"].min() < 0
    assert torch.equal(found["conv4_2"].relu(), found["relu4_2"])


def test_nothing_is_built_above_the_last_tap():
    assert list(VGG(["relu2_1", "relu1_2"]).convolutions) == ["1_1", "1_2", "2_1"]


def test_taps_come_back_in_the_order_they_were_asked_in(picture):
    assert list(VGG(["relu3_1", "relu1_1"], width=1 / 8)(picture)) == ["relu3_1", "relu1_1"]


@pytest.mark.parametrize(("pooling", "reduce"), [("max", F.max_pool2d), ("average", F.avg_pool2d)])
def test_the_pooling_is_the_one_named(pooling, reduce, picture):
    network = VGG(["relu1_2", "conv2_1"], width=1 / 8, pooling=pooling)
    found = network(picture)
    assert torch.allclose(found["conv2_1"], network.convolutions["2_1"](reduce(found["relu1_2"], 2)), atol=1e-6)


@pytest.mark.parametrize("tap", ["relu6_1", "relu3_5", "relu1_3", "relu0_1"])
def test_a_tap_that_vgg_does_not_have_is_refused(tap):
    with pytest.raises(ValueError, match=f"VGG-19 has no {tap}"):
        VGG([tap])


@pytest.mark.parametrize("tap", ["pool4", "relu3", "conv_1", "3_1", "relu-1_1"])
def test_a_name_that_is_no_tap_is_refused(tap):
    with pytest.raises(ValueError, match="a tap is called"):
        place(tap)


@pytest.mark.parametrize("wrong", [torch.zeros(1, 1, 32, 32), torch.zeros(3, 32, 32), torch.zeros(1, 3, 32, 32).byte()])
def test_other_pictures_than_rgb_floats_are_refused(wrong):
    with pytest.raises(ValueError, match="features are taken of RGB floats"):
        VGG(["relu1_1"])(wrong)


def test_the_hybrid_takes_taps_up_to_relu3_1_from_the_real_network(picture):
    found = Hybrid(("relu1_1", "relu3_1", "relu3_3", "relu5_1"))(picture)
    assert [feature.shape[1] for feature in found.values()] == [64, 256, 64, 128]


def test_the_small_network_has_the_channels_of_the_hybrid_at_every_tap(picture):
    taps = tuple(features.HEADS)
    ours, teacher = SmallVGG(taps)(picture), Hybrid(taps)(picture)
    assert {tap: x.shape for tap, x in ours.items()} == {tap: x.shape for tap, x in teacher.items()}


def test_the_small_network_fits_into_two_megabytes_of_half_precision():
    assert 2 * sum(p.numel() for p in SmallVGG().parameters()) <= 2_000_000


def test_the_small_network_refuses_a_tap_without_a_head():
    with pytest.raises(ValueError, match="the small network has no relu5_4"):
        SmallVGG(("relu1_1", "relu5_4"))


def test_folding_the_input_convolution_changes_nothing_even_at_the_border(picture):
    plain = {f"{i}.{kind}": torch.rand(shape) for i, kind, shape in _NORMALISED_SHAPES}
    network = VGG(["relu1_1"], padding="reflect", mean=(0, 0, 0), std=(1, 1, 1))
    network.convolutions.load_state_dict(
        {k: v for k, v in features.from_normalized(plain, network).items() if k.startswith("1_1")}
    )
    prepared = F.conv2d(picture, plain["0.weight"], plain["0.bias"])
    wanted = F.conv2d(F.pad(prepared, (1,) * 4, "reflect"), plain["2.weight"], plain["2.bias"]).relu()
    assert torch.allclose(network(picture)["relu1_1"], wanted, rtol=1e-5)


_NORMALISED_SHAPES = [
    (i, kind, shape if kind == "weight" else shape[:1])
    for i, shape in {0: (3, 3, 1, 1), 2: (64, 3, 3, 3), 5: (64, 64, 3, 3)}.items()
    for kind in ("weight", "bias")
]


@pytest.mark.parametrize("pooling", features.POOLINGS)
def test_normalised_channels_fire_with_mean_one_and_keep_their_pattern(pooling, picture):
    network = VGG(["relu1_1", "relu1_2", "relu2_1"], width=1 / 8, pooling=pooling)
    normalized = features.normalize_activations(network, [picture])
    for old, new in zip(network(picture).values(), normalized(picture).values(), strict=True):
        mean = old.mean(dim=(2, 3), keepdim=True)
        fires = mean > 0
        assert torch.allclose(new.mean(dim=(2, 3))[fires[..., 0, 0]], torch.ones(int(fires.sum())), rtol=1e-4)
        assert torch.allclose(new * torch.where(fires, mean, 1), old, rtol=1e-4, atol=1e-6)


def test_levels_from_0_to_255_are_refused_as_floats_too(picture):
    with pytest.raises(ValueError, match=r"pictures in \[0, 1\], got values up to 2\d\d"):
        VGG(["relu1_1"], width=1 / 16)(255 * picture)


# -- files --


@pytest.fixture
def nothing_at_hand(tmp_path, monkeypatch):
    """A machine without any public weights and without a network."""
    monkeypatch.delenv("IMTRANS_WEIGHTS", raising=False)
    monkeypatch.setattr(features.assets, "cache_dir", lambda: tmp_path / "cache")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))

    def no_network(urls, path, sha256=None):
        raise FileNotFoundError("no network")

    monkeypatch.setattr(features.assets, "fetch", no_network)


def test_a_damaged_file_in_torch_s_cache_is_replaced(nothing_at_hand, tmp_path, monkeypatch):
    file = tmp_path / "hub" / "checkpoints" / features.OFFICIAL["squeeze"].file
    file.parent.mkdir(parents=True)
    file.write_bytes(b"damaged")
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda url, path, digest: Path(path).write_text(digest))
    features.fetch_official("squeeze")
    assert file.read_text() == "b8a52dc0"


def test_a_download_of_other_bytes_counts_as_none(nothing_at_hand, monkeypatch):
    def other_bytes(*_, **__):
        raise RuntimeError("invalid hash value")

    monkeypatch.setattr(torch.hub, "download_url_to_file", other_bytes)
    with pytest.raises(FileNotFoundError, match=r"SqueezeNet 1\.1 could not be fetched: invalid hash value"):
        features.fetch_official("squeeze")


@pytest.mark.parametrize("fetch", [False, True])
def test_the_small_network_is_the_best_trunk_where_nothing_is_at_hand(fetch, nothing_at_hand):
    assert features.best_trunk(fetch=fetch) == "small"


@pytest.mark.parametrize(
    ("at_hand", "best"), [(("vgg19", "hybrid"), "vgg19"), (("vgg19",), "vgg19"), (("hybrid",), "hybrid")]
)
def test_vgg19_is_taken_before_the_hybrid_and_the_hybrid_before_the_small_network(at_hand, best, monkeypatch):
    monkeypatch.setattr(features, "find_official", lambda name: name in at_hand)
    monkeypatch.setattr(features, "has_hybrid", lambda: "hybrid" in at_hand)
    monkeypatch.setattr(features, "fetch_hybrid", lambda: pytest.fail("fetched what is at hand"))
    assert features.best_trunk(fetch=True) == best


def test_a_fetch_brings_the_hybrid_where_nothing_is_at_hand(nothing_at_hand, monkeypatch):
    fetched: list[str] = []
    monkeypatch.setattr(features, "fetch_hybrid", lambda: fetched.append("hybrid"))
    monkeypatch.setattr(features, "has_hybrid", lambda: bool(fetched))
    assert features.best_trunk(fetch=True) == "hybrid"


@pytest.mark.parametrize("trunk", ["vgg19", "vgg16", "hybrid"])
def test_a_named_trunk_that_is_missing_says_how_to_get_it(trunk, nothing_at_hand):
    with pytest.raises(FileNotFoundError, match=f"imtrans data fetch {trunk}"):
        features.load(["relu1_1"], trunk)


def test_the_small_network_without_weights_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(features, "SHIPPED", tmp_path / "none.safetensors")
    with pytest.raises(FileNotFoundError, match="no trained weights here yet"):
        features.load(["relu1_1"], "small")


def test_the_small_network_is_loaded_from_half_precision(monkeypatch, tmp_path):
    network = SmallVGG()
    features.assets.save_weights(tmp_path / "small.safetensors", {k: v.half() for k, v in network.state_dict().items()})
    monkeypatch.setattr(features, "SHIPPED", tmp_path / "small.safetensors")
    loaded = features.load(["relu2_1"], "small")
    wanted = network.trunk.convolutions["2_1"].weight.half().float()
    assert torch.equal(loaded.trunk.convolutions["2_1"].weight, wanted)


def test_a_file_with_other_bytes_is_not_taken(tmp_path, monkeypatch, nothing_at_hand):
    monkeypatch.setenv("IMTRANS_WEIGHTS", str(tmp_path))
    path = tmp_path / features.STUDENT.path
    path.parent.mkdir()
    path.write_bytes(b"something else")
    assert features.find(features.STUDENT) is None


def test_an_unknown_trunk_is_refused():
    with pytest.raises(ValueError, match="no trunk is called 'resnet'"):
        features.load(["relu1_1"], "resnet")


@pytest.fixture
def hybrid(data_root, monkeypatch):
    """The real hybrid; its files lie beside the picture sets."""
    monkeypatch.setenv("IMTRANS_WEIGHTS", str(data_root.parent / "weights"))
    return features.load(ALL_TAPS, "hybrid")


def test_the_normalised_network_has_activations_of_about_one_on_photographs(hybrid, data_root):
    from imtrans import images

    photograph = images.read(data_root / "Set5" / "baby.png")[..., :256, :256]
    means = [x.mean().item() for tap, x in hybrid(photograph).items() if tap <= "relu3_1"]
    assert all(0.5 < mean < 2 for mean in means)


def test_features_carry_no_gradient_of_their_weights_and_one_of_the_picture(hybrid):
    picture = torch.rand(1, 3, 32, 32, requires_grad=True)
    hybrid(picture)["relu5_1"].sum().backward()
    assert picture.grad.abs().sum() > 0
    assert not any(p.requires_grad for p in hybrid.parameters())


def test_a_file_of_vgg19_with_other_bytes_is_not_taken(tmp_path, monkeypatch, nothing_at_hand):
    monkeypatch.setenv("IMTRANS_WEIGHTS", str(tmp_path))
    (tmp_path / features.OFFICIAL["vgg19"].file).write_bytes(b"something else")
    assert features.find_official("vgg19") is None


def test_the_files_are_those_that_torchvision_names():
    from torchvision import models

    weights = (models.VGG19_Weights, models.AlexNet_Weights, models.VGG16_Weights, models.SqueezeNet1_1_Weights)
    theirs = [each.IMAGENET1K_V1.url.rpartition("/")[2] for each in weights]
    assert [file.file for file in features.OFFICIAL.values()] == theirs
