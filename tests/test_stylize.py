"""Style transfer by optimisation and by AdaIN, on pictures of a few pixels and untrained networks."""

import copy

import pytest
import torch

from imtrans import stylize, zoo
from imtrans.data import styles
from imtrans.models.adain import AdaIN, mean_and_deviation
from imtrans.models.blocks import he_init
from imtrans.models.features import VGG
from imtrans.models.transform_network import StyleNetwork

TAPS = ("relu1_1", "relu2_1", "relu2_2")
LAYERS = {"content_layers": ("relu2_2",), "style_layers": TAPS[:2]}


@pytest.fixture
def network():
    return VGG(TAPS, width=1 / 8, padding="reflect", pooling="average").requires_grad_(False)


@pytest.fixture
def pictures():
    photograph = torch.nn.functional.interpolate(torch.rand(1, 3, 9, 11), (70, 83), mode="bicubic").clamp(0, 1)
    return photograph, styles.strokes(size=64)


def paint(pictures, network, **options):
    steps: list[stylize.Step] = []
    settings = {"steps": (10,), "progress": False, **LAYERS, **options}
    return stylize.gatys(*pictures, network=network, on_step=steps.append, **settings), steps


@pytest.mark.parametrize("optimizer", stylize.OPTIMIZERS)
def test_the_style_error_falls(pictures, network, optimizer):
    painted, steps = paint(pictures, network, optimizer=optimizer)
    assert painted.shape == pictures[0].shape
    assert torch.equal(painted, painted.clamp(0, 1))
    assert steps[0].content < 1e-9  # it starts from the photograph
    assert steps[-1].style < 0.5 * steps[0].style
    assert steps[-1].content > steps[0].content


def test_another_statistic_can_be_the_style(pictures, network):
    _, steps = paint(pictures, network, alpha=0.0, statistic=lambda x: x.mean(dim=(2, 3)), steps=(20,))
    assert steps[-1].style < 0.05 * steps[0].style


def test_more_weight_on_the_content_keeps_more_of_it(pictures, network):
    last = [paint(pictures, network, alpha=alpha)[1][-1] for alpha in (0.01, 10.0)]
    assert last[1].content < last[0].content
    assert last[1].style > last[0].style


def test_content_is_rebuilt_from_its_features_without_a_style(pictures, network):
    _, steps = paint(pictures, network, alpha=1.0, beta=0.0, style_layers=(), start="noise", steps=(30,))
    assert steps[-1].content < 0.2 * steps[0].content
    assert steps[-1].style == 0


def test_a_texture_of_the_lowest_layer_leaves_the_noise(pictures, network):
    """From faint noise the curvature of the style loss is negative, and L-BFGS has plain gradient steps only."""
    layers = {"style_layers": ("relu1_1",), "content_layers": ()}
    _, steps = paint(pictures, network, alpha=0.0, start="noise", steps=(20,), **layers)
    assert steps[-1].style < 0.5 * steps[0].style


def test_sizes_grow_to_that_of_the_photograph(pictures, network):
    painted, steps = paint(pictures, network, steps=(3, 2))
    assert [tuple(step.picture.shape[-2:]) for step in steps] == [(35, 42)] * 3 + [(70, 83)] * 2
    assert [step.step for step in steps] == [1, 2, 3, 4, 5]
    assert painted.shape[-2:] == (70, 83)


@pytest.mark.parametrize("start", stylize.STARTS)
def test_each_start_is_a_picture_of_the_right_size(pictures, network, start):
    _, steps = paint(pictures, network, start=start, steps=(1,))
    assert steps[0].picture.shape == pictures[0].shape
    assert (steps[0].content == 0) == (start == "content")


def test_a_picture_can_be_the_start(pictures, network):
    ours, _ = paint(pictures, network, start=pictures[0])
    named, _ = paint(pictures, network, start="content")
    assert torch.equal(ours, named)


def test_a_picture_of_another_size_can_be_the_start(pictures, network):
    _, steps = paint(pictures, network, start=pictures[1], steps=(1, 1))
    assert [tuple(step.picture.shape[-2:]) for step in steps] == [(35, 42), (70, 83)]


def test_equal_seeds_give_equal_pictures(pictures, network):
    a, b, other = (paint(pictures, network, start="noise", seed=seed)[0] for seed in (1, 1, 2))
    assert torch.equal(a, b)
    assert not torch.equal(a, other)


def test_a_transposed_photograph_is_no_trouble_for_lbfgs(pictures, network):
    photograph, artwork = pictures
    turned, _ = paint((photograph.transpose(-1, -2), artwork), network)
    assert turned.shape[-2:] == (83, 70)


def test_ctrl_c_carries_the_picture_so_far_at_the_size_of_the_photograph(pictures, network):
    def stop(step):
        if step.step == 4:
            raise KeyboardInterrupt

    settings = {"network": network, "steps": (5, 5), "on_step": stop, "progress": False, **LAYERS}
    with pytest.raises(stylize.Unfinished, match="after 4 of 10 steps") as stopped:
        stylize.gatys(*pictures, **settings)
    assert stopped.value.picture.shape == pictures[0].shape


def test_the_schedule_halves_the_steps_while_the_sides_double():
    large = torch.zeros(1, 3, 512, 400)
    assert stylize.schedule(torch.zeros(1, 3, 95, 400), large) == (160,)
    assert stylize.schedule(large, large, steps=100) == (100, 50, 25)


def test_the_schedule_leaves_a_small_artwork_enough_pixels():
    assert stylize.schedule(torch.zeros(1, 3, 512, 400), torch.zeros(1, 3, 100, 127), steps=100) == (100, 50)


@pytest.mark.parametrize("weight", [-1, float("nan")])
def test_a_weight_below_zero_is_refused(weight):
    picture = torch.rand(1, 3, 32, 32)
    with pytest.raises(ValueError, match="0 or more"):
        stylize.gatys(picture, picture, alpha=weight, steps=(1,))
    with pytest.raises(ValueError, match="alpha lies between"):
        stylize.adain(picture, picture, alpha=weight)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"optimizer": "sgd"}, "optimisers are lbfgs, adam"),
        ({"start": "white"}, "a start is content, style, noise"),
        ({"steps": ()}, "at least one step"),
        ({"steps": (5, 0)}, "at least one step"),
        ({"steps": (5, 5, 5)}, "too few: 128 at least, as there are 3 sizes"),
    ],
)
def test_wrong_options_are_refused(pictures, network, options, message):
    with pytest.raises(ValueError, match=message):
        paint(pictures, network, **options)


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (torch.rand(1, 1, 64, 64), "wanted one RGB picture"),
        (torch.rand(3, 64, 64), "wanted a tensor"),
        (torch.zeros(1, 3, 64, 64).byte(), "wanted floats"),
    ],
)
def test_what_is_no_rgb_picture_is_refused(pictures, network, picture, message):
    with pytest.raises(ValueError, match=f"content: {message}"):
        paint((picture, pictures[1]), network)
    with pytest.raises(ValueError, match=f"style: {message}"):
        paint((pictures[0], picture), network)


def test_the_device_is_by_default_the_one_of_the_network():
    assert stylize._device_of(torch.nn.Conv2d(3, 3, 1, device="meta")).type == "meta"


# --- a network per style -----------------------------------------------------------------------------------


@pytest.fixture
def painter(monkeypatch):
    """An untrained network in place of the one for a style; the names that were asked for."""
    asked = []

    def load(name):
        asked.append(name)
        torch.manual_seed(0)
        return StyleNetwork(1 / 8, norm="instance", layout="resize").eval()

    monkeypatch.setattr(zoo, "load", load)
    return asked


def test_johnson_paints_by_the_network_of_the_style(painter, pictures):
    painted = stylize.johnson(pictures[0], "strokes")
    assert painter == ["johnson-strokes"]
    assert painted.shape == pictures[0].shape
    assert torch.equal(painted, painted.clamp(0, 1))


def test_there_is_a_network_for_each_drawn_style_and_for_two_paintings():
    assert stylize.johnson_styles() == [*styles.STYLES, "starry-night", "shipwreck"]


@pytest.mark.parametrize(
    ("content", "name", "words"),
    [
        (torch.rand(1, 3, 64, 64), "sr-x4", "no network was trained for the style 'sr-x4': there are strokes"),
        (torch.rand(1, 1, 64, 64), "strokes", "wanted one RGB picture"),
        (torch.rand(2, 3, 64, 64), "strokes", "wanted one RGB picture"),
        (torch.zeros(1, 3, 64, 64).byte(), "strokes", "wanted floats"),
        (torch.full((1, 3, 64, 64), 255.0), "strokes", "wanted values in"),
        (torch.rand(1, 3, 64, 15), "strokes", "15×64 pixels are too few"),
    ],
)
def test_johnson_refuses_what_it_cannot_paint(content, name, words):
    with pytest.raises(ValueError, match=words):
        stylize.johnson(content, name)


# -- AdaIN --


@pytest.fixture
def decoder():
    torch.manual_seed(3)
    network = AdaIN(width=1 / 16)
    he_init(network)
    return network


def test_adain_returns_a_picture_of_the_photograph_s_size(pictures, decoder):
    painted = stylize.adain(*pictures, network=decoder)
    assert painted.shape == (1, 3, 70, 83)
    assert torch.equal(painted, painted.clamp(0, 1))


def test_adain_is_the_network_s_own_pass_where_sides_are_multiples_of_8(pictures, decoder):
    content = pictures[0][..., :64, :80]
    wanted = decoder(content, pictures[1], alpha=0.6).clamp(0, 1)
    torch.testing.assert_close(stylize.adain(content, pictures[1], network=decoder, alpha=0.6), wanted)


def test_adain_mixes_the_affine_maps_of_several_styles(pictures, decoder):
    """Σ w AdaIN(x, y) = x̂ Σ w σ(y) + Σ w μ(y)."""
    content, one = pictures[0][..., :64, :80], pictures[1]
    other = one.flip(1)[..., 10:60]
    mean, deviation = mean_and_deviation(x := decoder.encode(content))
    moments = [mean_and_deviation(decoder.encode(style)) for style in (one, other)]
    (mean_y, deviation_y) = (0.75 * a + 0.25 * b for a, b in zip(*moments, strict=True))
    wanted = decoder.decoder((x - mean) / deviation * deviation_y + mean_y).clamp(0, 1)
    mixed = stylize.adain(content, [one, other], network=decoder, weights=[3, 1])
    torch.testing.assert_close(mixed, wanted, atol=1e-4, rtol=1e-4)


def test_a_style_of_weight_0_leaves_no_trace(pictures, decoder):
    content, style = pictures
    both = stylize.adain(content, [style, style.flip(1)], network=decoder, weights=[1, 0])
    torch.testing.assert_close(both, stylize.adain(content, style, network=decoder))


def test_a_style_stays_inside_its_mask(pictures, decoder):
    content, style = pictures[0][..., :64, :80], pictures[1]
    left = torch.zeros(1, 1, 64, 80)
    left[..., :48] = 1
    two, three = (
        stylize.adain(content, [style, other], network=decoder, masks=[left, 1 - left])
        for other in (style.flip(1), style**3)
    )
    assert not torch.equal(two[..., 48:], three[..., 48:])
    torch.testing.assert_close(two[..., :16], three[..., :16])  # the decoder reaches 30 pixels across the border


def test_matched_colors_have_the_moments_of_the_content():
    generator = torch.Generator().manual_seed(1)
    style = 0.5 + 0.05 * torch.randn(1, 3, 40, 30, generator=generator)
    content = 0.4 + 0.1 * torch.einsum("ij,njhw->nihw", torch.tensor([[1, 0.5, 0], [0, 0.4, 0], [0.2, 0, 0.8]]), style)
    matched = stylize.match_colors(style, content)
    torch.testing.assert_close(matched.mean(dim=(2, 3)), content.mean(dim=(2, 3)), atol=1e-3, rtol=0)
    ours, theirs = (torch.cov(x[0].flatten(1)) for x in (matched, content))
    torch.testing.assert_close(ours, theirs, atol=2e-5, rtol=0.05)


def test_matching_a_picture_to_itself_changes_nothing(pictures):
    torch.testing.assert_close(stylize.match_colors(pictures[1], pictures[1]), pictures[1], atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": [1.0]}, "one weight per style, got 1 for 2"),
        ({"weights": [0.0, 0.0]}, "weights of 0 or more"),
        ({"masks": [torch.ones(1, 1, 70, 83)]}, "one mask per style"),
        ({"masks": [torch.ones(1, 1, 70, 80)] * 2}, "of the content's size"),
        ({"masks": [torch.zeros(1, 1, 70, 83)] * 2}, "without a style"),
    ],
)
def test_wrong_regions_are_refused(pictures, decoder, options, message):
    with pytest.raises(ValueError, match=message):
        stylize.adain(pictures[0], [pictures[1]] * 2, network=decoder, **options)


def test_adain_refuses_a_picture_of_a_few_pixels(pictures, decoder):
    with pytest.raises(ValueError, match="83×12 pixels are too few"):
        stylize.adain(pictures[0][..., :12, :], pictures[1], network=decoder)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_pictures_on_a_gpu_keep_their_colors(pictures, decoder):
    content, style = (picture.cuda() for picture in pictures)
    on_gpu = copy.deepcopy(decoder).cuda()
    painted = stylize.adain(content, style, network=on_gpu, keep_colors=True)
    assert painted.device.type == "cpu"
    assert next(on_gpu.parameters()).device.type == "cuda"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_johnson_paints_on_a_gpu(painter, pictures):
    assert stylize.johnson(pictures[0], "strokes", device="cuda").device.type == "cpu"
