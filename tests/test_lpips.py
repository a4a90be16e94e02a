"""LPIPS against the authors' package on the same trunk, and what may be called LPIPS."""

import re
import warnings

import pytest
import torch

from imtrans import images
from imtrans.models import features
from imtrans.models import lpips as ours
from imtrans.models.features import SmallVGG
from imtrans.models.lpips import FeatureDistance, Judge, linear_weights


def authors(net: str, **options) -> torch.nn.Module:
    """The authors' metric with their weights of the channels, on a trunk with random weights: no download."""
    import lpips

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchvision's on an old argument
        return lpips.LPIPS(net=net, pnet_rand=True, verbose=False, **options).eval()


def trunk_of(theirs: torch.nn.Module, net: str) -> ours.Tapped:
    """Our trunk with the weights of theirs: ``slice2.3.weight`` is ``features.3.weight``."""
    trunk = ours.TRUNKS[net]()
    renamed = {re.sub(r"^slice\d+\.", "features.", key): value for key, value in theirs.net.state_dict().items()}
    trunk.load_state_dict({key: value for key, value in renamed.items() if key in trunk.state_dict()})
    return trunk


@pytest.fixture
def pair() -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.rand(2, 3, 64, 72)
    return x, (x + 0.1 * torch.randn(x.shape)).clamp(0, 1)


class Colours(torch.nn.Module):
    """A trunk whose single feature is the picture itself."""

    name = "colours"

    def forward(self, picture):
        return {"rgb": picture}


@pytest.mark.parametrize("net", ours.TRUNKS)
def test_the_weighted_distance_equals_the_authors_on_the_same_trunk(net, pair):
    theirs = authors(net)
    distance = FeatureDistance(trunk_of(theirs, net), linear_weights(net), name="random")
    with torch.no_grad():
        wanted, layers = theirs(*pair, normalize=True, retPerLayer=True)
        assert torch.allclose(distance(*pair), wanted.flatten(), rtol=0, atol=1e-6)
        assert torch.allclose(distance.per_tap(*pair), torch.cat(layers, dim=1).flatten(1), rtol=0, atol=1e-6)
    assert wanted.min() > 1e-4


@pytest.mark.parametrize("net", ours.TRUNKS)
def test_the_unweighted_distance_equals_the_authors_baseline(net, pair):
    theirs = authors(net, lpips=False)
    distance = FeatureDistance(trunk_of(theirs, net), name="random")
    with torch.no_grad():
        assert torch.allclose(distance(*pair), theirs(*pair, normalize=True).flatten(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("net", "count"), [("alex", 1152), ("vgg", 1472), ("squeeze", 2240)])
def test_there_are_as_many_weights_as_channels_and_none_is_negative(net, count):
    weights = linear_weights(net)
    assert sum(map(len, weights)) == count
    assert min(w.min() for w in weights) >= 0


def test_the_share_of_tiny_weights_in_the_paper_is_that_of_version_0_0():
    shares = [100 * (w <= 1e-3).float().mean().item() for w in linear_weights("alex", "0.0")]
    assert shares == pytest.approx([79.7, 71.4, 56.8, 46.5, 27.7], abs=0.05)


def test_the_slides_weights_are_the_roots_of_the_codes():
    difference, weight = torch.randn(2, 5, 3, 4), torch.rand(5)
    code = ours.weighted_squares(difference, weight)
    assert torch.allclose(ours.norm_of_weighted(difference, weight.sqrt()), code, rtol=1e-5)
    assert not torch.allclose(ours.norm_of_weighted(difference, weight), code, rtol=1e-2)


def test_the_distance_is_the_weights_times_the_channel_means(pair):
    distance = FeatureDistance(ours.alexnet(), linear_weights("alex"), name="random")
    same, other = distance.channel_means(pair[0], *pair)
    assert same.max() == 0
    assert torch.allclose(distance(*pair), other @ torch.cat(linear_weights("alex")), rtol=1e-5)


def test_without_weights_a_tap_is_twice_one_minus_the_cosine(pair):
    x, y = pair
    cosine = torch.cosine_similarity(x, y, dim=1).mean(dim=(1, 2))
    assert torch.allclose(FeatureDistance(Colours())(x, y), 2 - 2 * cosine, atol=1e-5)


def test_equal_pictures_have_the_distance_0(pair):
    assert FeatureDistance(ours.squeezenet(), name="random")(pair[0], pair[0]).abs().max() == 0


def test_the_gradient_of_a_black_picture_is_finite(pair):
    black = torch.zeros_like(pair[0], requires_grad=True)
    FeatureDistance(Colours())(black, pair[0]).sum().backward()
    assert black.grad.isfinite().all()


def test_a_position_without_features_has_no_length_in_half_precision():
    assert ours.unit_length(torch.zeros(1, 4, 2, 2, dtype=torch.float16)).abs().max() == 0


@pytest.mark.parametrize(
    "wrong",
    [
        torch.rand(2, 3, 64, 72) * 2 - 1,
        torch.full((2, 3, 64, 72), float("nan")),
        torch.randint(256, (2, 3, 64, 72), dtype=torch.uint8),
        torch.rand(2, 1, 64, 72),
        torch.rand(2, 3, 64, 64),
    ],
    ids=["-1 to 1", "nan", "levels", "gray", "another size"],
)
def test_other_input_than_two_equal_batches_of_rgb_is_refused(wrong, pair):
    for x, y in ((wrong, pair[1]), (pair[0], wrong)):
        with pytest.raises(ValueError, match="wanted"):
            FeatureDistance(Colours())(x, y)


def test_negative_weights_are_refused():
    with pytest.raises(ValueError, match="not negative"):
        FeatureDistance(Colours(), [torch.tensor([1.0, -0.1, 0.0])])


def test_a_trunk_of_ours_gives_its_name_to_the_number():
    assert FeatureDistance(SmallVGG(ours.TAPS)).name == "small"


def test_a_trunk_without_a_name_is_called_by_its_class():
    assert FeatureDistance(ours.squeezenet()).name == "Tapped"


def test_weights_first_read_in_inference_mode_leave_gradients_possible():
    linear_weights.cache_clear()
    with torch.inference_mode():
        weights = linear_weights("squeeze")
    difference = torch.rand(1, len(weights[0]), 2, 2, requires_grad=True)
    ours.weighted_squares(difference, weights[0]).sum().backward()
    assert difference.grad.isfinite().all()


@pytest.fixture
def no_weights(tmp_path, monkeypatch):
    """A machine without any trunk."""
    monkeypatch.setenv("IMTRANS_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    return tmp_path


def test_without_the_official_trunk_there_is_no_lpips(no_weights):
    with pytest.raises(FileNotFoundError, match="imtrans data fetch squeeze"):
        ours.LPIPS("squeeze")


def test_random_weights_under_the_official_name_are_no_lpips(no_weights):
    folder = no_weights / "weights"
    folder.mkdir()
    torch.save(ours.squeezenet().state_dict(), folder / features.OFFICIAL["squeeze"].file)
    with pytest.raises(FileNotFoundError):
        ours.LPIPS("squeeze")


def test_lpips_is_the_authors_metric_on_the_file_that_was_found(no_weights, monkeypatch, pair):
    theirs = authors("squeeze")
    file = no_weights / "trunk.pth"
    torch.save(trunk_of(theirs, "squeeze").state_dict(), file)
    monkeypatch.setattr(features, "find_official", lambda net: file)
    with torch.no_grad():
        wanted = theirs(*pair, normalize=True).flatten()
        assert torch.allclose(ours.LPIPS("squeeze")(*pair), wanted, rtol=0, atol=1e-6)
    with pytest.raises(ValueError, match="a FeatureDistance takes others"):
        ours.LPIPS("squeeze").set_weights(linear_weights("squeeze"))


def test_another_net_is_refused():
    with pytest.raises(ValueError, match="no net 'resnet'"):
        ours.LPIPS("resnet")


def test_the_judge_has_more_numbers_than_alexnets_distance():
    judge = Judge()
    assert sum(p.numel() for p in judge.parameters()) == 1281
    assert judge(torch.rand(7), torch.rand(7)).shape == (7,)


@pytest.mark.parametrize("trunk", ["squeezenet-caffe", "small", "hybrid"])
def test_the_example_of_the_authors_readme_is_ranked_rightly(data_root, trunk):
    reference, far, near = (images.read(data_root / "LPIPS_examples" / f"ex_{x}.png") for x in ("ref", "p0", "p1"))
    try:
        network = ours.squeezenet_caffe() if trunk == "squeezenet-caffe" else features.load(ours.TAPS, trunk)
    except FileNotFoundError:
        network = None
    if network is None:
        pytest.skip(f"the weights of {trunk} are not on this machine")
    distance = FeatureDistance(network)
    assert distance(reference, near) < distance(reference, far)
