import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio

from imtrans import degrade
from imtrans.data import photos
from imtrans.data.on_device import (
    AT_ONCE,
    LowResolution,
    Pictures,
    Random,
    jpeg,
    on_device,
    resize_matrices,
    symmetry,
)
from imtrans.data.pairs import NoisePairs, RestorationPairs, SuperResolutionPairs, dihedral
from imtrans.images import to_float, to_uint8
from imtrans.resize import imresize


def picture(height, width, channels=1, seed=0):
    """Random 8-bit levels, smooth enough to survive a shrink."""
    rough = torch.rand(1, channels, height // 4 + 1, width // 4 + 1, generator=torch.Generator().manual_seed(seed))
    return to_float(to_uint8(imresize(rough, 4)[..., :height, :width].clamp(0, 1).contiguous()))


@pytest.fixture(
    params=[
        "cpu",
        pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")),
    ]
)
def device(request):
    return request.param


def sampler(pairs, batch, device, **share):
    """A function of the step that returns what a device drew: on the CPU, clean pictures exactly at their levels."""
    draw = on_device(pairs, batch, device, **share)

    def drawn(step):
        observed, clean = (x.cpu() for x in draw(step))
        torch.testing.assert_close(clean, to_float(to_uint8(clean)), atol=1e-6, rtol=0)  # a GPU multiplies by 1 / 255
        return observed, to_float(to_uint8(clean))

    return drawn


def numbers(count, device="cpu", seed=0):
    return Random(torch.Generator(device).manual_seed(seed), count)


def places(patch, whole):
    """Where a patch (C, h, w) lies in a picture (1, C, H, W), one of its eight symmetries undone."""
    windows = whole[0].unfold(1, patch.shape[-2], 1).unfold(2, patch.shape[-1], 1)
    return [
        (which, *at)
        for which in range(8)
        for at in (windows == torch.from_numpy(dihedral(patch.numpy(), which).copy())[:, None, None])
        .all(dim=(0, 3, 4))
        .nonzero()
        .tolist()
    ]


PAIRS = {
    "enlargements": lambda: SuperResolutionPairs([picture(70, 80), picture(90, 61)], (2, 3, 4), 41, margin=6),
    "low resolution": lambda: SuperResolutionPairs([picture(70, 80, 3)], (3,), 17, upsamples=True),
    "noise": lambda: NoisePairs([picture(60, 50), picture(50, 70)], 40, (0, 55)),
    "restoration": lambda: RestorationPairs([picture(70, 90)], 50),
}


@pytest.fixture(params=PAIRS.values(), ids=PAIRS.keys())
def pairs(request):
    return request.param()


def test_shapes_and_types_are_those_of_the_host(pairs, device):
    observed, clean = sampler(pairs, 5, device)(0)
    on_host = pairs[0]
    assert observed.shape == (5, *on_host[0].shape)
    assert clean.shape == (5, *on_host[1].shape)
    assert observed.dtype == clean.dtype == torch.float32


def test_clean_patches_are_eight_bit_levels(pairs, device):
    clean = on_device(pairs, 8, device)(0)[1].cpu()
    torch.testing.assert_close(clean, to_float(to_uint8(clean)), atol=1e-6, rtol=0)


def test_samples_are_a_function_of_seed_and_step(pairs, device):
    first, second = sampler(pairs, 3, device), sampler(pairs, 3, device)
    steps = [0, 1, AT_ONCE - 1, AT_ONCE, 5 * AT_ONCE + 2]
    forth = [first(step) for step in steps]
    back = [second(step) for step in reversed(steps)][::-1]
    for a, b in zip(forth, back, strict=True):
        assert torch.equal(a[0], b[0])
        assert torch.equal(a[1], b[1])


def test_no_two_steps_have_the_same_samples(pairs, device):
    draw = sampler(pairs, 2, device)
    observed = [draw(step)[0] for step in range(2 * AT_ONCE)]
    assert all(not torch.equal(a, b) for i, a in enumerate(observed) for b in observed[:i])


def test_another_seed_gives_other_samples(device):
    def observed(seed):
        return sampler(NoisePairs([picture(60, 50)], 40, (0, 55), seed=seed), 2, device)(0)[0]

    assert not torch.equal(observed(0), observed(1))


def test_drawing_leaves_the_global_random_numbers_alone(pairs, device):
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    sampler(pairs, 2, device)(0)
    assert torch.equal(torch.rand(4), expected)


def test_processes_share_each_batch(pairs, device):
    whole = sampler(pairs, 6, device)(3)
    parts = [sampler(pairs, 6, device, process=p, processes=2)(3) for p in range(2)]
    for p, part in enumerate(parts):
        assert torch.equal(part[0], whole[0][p::2])
        assert torch.equal(part[1], whole[1][p::2])


def test_other_data_sets_are_left_to_the_host():
    assert on_device([(torch.zeros(1), torch.zeros(1))], 2, "cpu") is None


# -- pieces of pictures --


def test_a_piece_has_the_levels_of_its_picture(device):
    whole = [picture(20, 30, 3), picture(25, 18, 3, seed=1)]
    where = (torch.tensor(each, device=device) for each in ([1, 0], [7, 2], [3, 21]))
    pieces = to_float(to_uint8(Pictures(whole, 4, device).cut(*where, 9).cpu()))
    assert torch.equal(pieces[0], whole[1][0, :, 7:16, 3:12])
    assert torch.equal(pieces[1], whole[0][0, :, 2:11, 21:30])


def test_beyond_its_edge_a_picture_repeats(device):
    whole = picture(20, 30)
    where = (torch.tensor(each, device=device) for each in ([0], [-4], [23]))
    piece = to_float(to_uint8(Pictures([whole], 4, device).cut(*where, 11).cpu()))
    assert torch.equal(piece[0, 0, :5], whole[0, 0, 0, [23, 24, 25, 26, 27, 28, 29, 29, 29, 29, 29]].expand(5, 11))


def test_all_symmetries_are_those_of_the_host(device):
    patch = torch.rand(1, 3, 5, 5)
    turned = symmetry(patch.expand(8, -1, -1, -1).to(device), torch.arange(8, device=device)).cpu()
    for which in range(8):
        assert np.array_equal(turned[which].numpy(), dihedral(patch[0].numpy(), which))


def test_integers_reach_both_ends_and_no_further(device):
    drawn = numbers(4000, device).integers(2, 6)
    assert drawn.unique().tolist() == [2, 3, 4, 5]


def test_integers_stay_below_their_end_when_the_fraction_rounds_up(monkeypatch):
    monkeypatch.setattr(Random, "uniform", lambda self: torch.full((3,), 1 - 2**-24))
    assert numbers(3).integers(0, torch.tensor([3, 1000, 2**20])).tolist() == [2, 999, 2**20 - 1]


# -- low resolution --


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_matrices_enlarge_as_the_whole_picture_is_enlarged(scale):
    whole = picture(96, 96).double()
    expected = degrade.bicubic_down_up(whole, scale)
    reach, size = 5 * scale, 25
    for phase, matrix in enumerate(resize_matrices(scale, size, reach, upsamples=False).double()):
        top, left = 24 + phase, 36 + phase
        piece = whole[0, 0, top - reach : top + size + reach, left - reach : left + size + reach]
        ours = matrix @ piece @ matrix.T
        torch.testing.assert_close(ours, expected[0, 0, top : top + size, left : left + size], atol=1e-6, rtol=0)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_matrices_shrink_as_the_whole_picture_is_shrunk(scale):
    whole = picture(96, 96).double()
    expected = degrade.bicubic_down(whole, scale)
    reach, size = 5 * scale, 9
    (matrix,) = resize_matrices(scale, size, reach, upsamples=True).double()
    piece = whole[0, 0, 24 - reach : 24 + size * scale + reach, 24 - reach : 24 + size * scale + reach]
    at = 24 // scale
    torch.testing.assert_close(
        matrix @ piece @ matrix.T, expected[0, 0, at : at + size, at : at + size], atol=1e-6, rtol=0
    )


@pytest.mark.parametrize("upsamples", [False, True])
def test_observed_and_clean_patches_lie_at_the_same_place(upsamples, device):
    scale, size = 3, 11
    whole = picture(120, 132)
    degraded = (degrade.bicubic_down if upsamples else degrade.bicubic_down_up)(whole, scale)
    pairs = SuperResolutionPairs([whole], (scale,), size, upsamples=upsamples)
    inside = 0
    for observed, clean in zip(*sampler(pairs, 16, device)(0), strict=True):
        ((which, top, left),) = places(clean, whole)
        zoom = scale if upsamples else 1
        assert top % zoom == left % zoom == 0
        if min(top, left, 120 - top - size * zoom, 132 - left - size * zoom) < 5 * scale:
            continue  # there the whole picture repeats another edge
        inside += 1
        expected = degraded[0, :, top // zoom : top // zoom + size, left // zoom : left // zoom + size]
        turned = dihedral(observed.numpy(), which)
        np.testing.assert_allclose(turned, expected.numpy(), atol=1e-5)
    assert inside > 2


def test_at_the_edge_of_a_picture_the_enlargement_is_nearly_that_of_the_whole(device):
    whole = photos.photo("coffee").picture[:, :1, :120, :120].contiguous()
    pairs = SuperResolutionPairs([whole], (3,), 120)
    observed, clean = sampler(pairs, 1, device)(0)
    ((which, *_),) = places(clean[0], whole)
    expected = degrade.bicubic_down_up(whole, 3)[0].numpy()
    assert peak_signal_noise_ratio(expected, dihedral(observed[0].numpy(), which), data_range=1) > 50


def test_a_margin_is_cut_off_the_clean_patch_alone(device):
    whole = picture(75, 87)
    with_margin, without = (SuperResolutionPairs([whole], (3,), 21, margin=margin) for margin in (6, 0))
    small, large = sampler(with_margin, 4, device)(0), sampler(without, 4, device)(0)
    assert torch.equal(small[0], large[0])
    assert torch.equal(small[1], large[1][..., 6:-6, 6:-6])


def test_the_scales_are_mixed_evenly():
    kinds = numbers(3000).integers(0, 3)
    assert torch.bincount(kinds).min() > 900
    source = LowResolution(SuperResolutionPairs([picture(90, 80)], (2, 3, 4), 41), "cpu")
    observed, clean = source.draw(numbers(300))
    # The more a picture is shrunk, the less its enlargement has of it: three kinds of errors.
    errors = {
        scale: (degrade.bicubic_down_up(picture(90, 80)[..., :84, :72], scale) - picture(90, 80)[..., :84, :72]).std()
        for scale in (2, 3, 4)
    }
    bounds = [(errors[2] + errors[3]) / 2, (errors[3] + errors[4]) / 2]
    counts = torch.bincount(torch.bucketize((observed - clean).std(dim=(1, 2, 3)), torch.tensor(bounds)))
    assert counts.min() > 40


def test_low_resolution_patches_of_several_scales_are_refused():
    with pytest.raises(ValueError, match="one scale"):
        LowResolution(SuperResolutionPairs([picture(90, 80)], (2, 3), 9, upsamples=True), "cpu")


def test_all_eight_symmetries_occur(device):
    whole = picture(60, 60)
    clean = sampler(NoisePairs([whole], 20, (0, 0)), 64, device)(0)[1]
    assert {places(patch, whole)[0][0] for patch in clean} == set(range(8))


# -- noise and JPEG --


def test_noise_has_the_level_that_is_asked_for(device):
    observed, clean = sampler(NoisePairs([picture(80, 80)], 64, (25, 25)), 32, device)(0)
    noise = 255 * (observed - clean)
    assert noise.std() == pytest.approx(25, rel=0.01)
    assert noise.mean() == pytest.approx(0, abs=0.3)


def test_each_patch_has_its_own_noise_level(device):
    observed, clean = sampler(NoisePairs([picture(80, 80)], 64, (0, 55)), 64, device)(0)
    levels = 255 * (observed - clean).std(dim=(1, 2, 3))
    assert levels.min() < 8
    assert levels.max() > 47
    assert levels.mean() == pytest.approx(27.5, abs=6)


@pytest.mark.parametrize("quality", [5, 10, 40, 75])
def test_jpeg_is_that_of_the_encoder_but_for_coefficients_near_a_half(quality, device):
    whole = photos.photo("camera").picture[..., 100:212, 150:270]
    expected, ours = degrade.jpeg(whole, quality), jpeg(whole.to(device), torch.tensor([quality], device=device)).cpu()
    assert (ours - expected).square().mean() < 0.03 * (whole - expected).square().mean()


def test_the_best_jpeg_is_within_two_levels_of_the_encoders(device):
    whole = photos.photo("camera").picture[..., 100:212, 150:270]
    difference = 255 * (jpeg(whole.to(device), torch.tensor([99], device=device)).cpu() - degrade.jpeg(whole, 99))
    assert difference.abs().max() < 2.5


def test_jpeg_takes_sides_that_are_no_multiples_of_eight(device):
    whole = photos.photo("camera").picture[..., 100:166, 150:221]
    ours, expected = jpeg(whole.to(device), torch.tensor([20], device=device)).cpu(), degrade.jpeg(whole, 20)
    assert peak_signal_noise_ratio(expected.numpy(), ours.numpy(), data_range=1) > 45


def test_each_picture_of_a_batch_has_its_own_quality():
    whole = photos.photo("camera").picture[..., 100:164, 150:214]
    both = jpeg(whole.expand(2, -1, -1, -1), torch.tensor([10, 90]))
    assert torch.equal(both[:1], jpeg(whole, torch.tensor([10])))
    assert torch.equal(both[1:], jpeg(whole, torch.tensor([90])))


def test_restoration_draws_the_three_tasks_evenly(device):
    whole = picture(90, 110)
    observed, clean = sampler(RestorationPairs([whole], 50, sigma=(55, 55), quality=(30, 30)), 48, device)(0)
    rounded = torch.tensor([torch.allclose(x, to_float(to_uint8(x)), atol=1e-6) for x in observed])
    noisy = 255 * (observed - clean).std(dim=(1, 2, 3)) > 40
    counts = [int(rounded.sum()), int(noisy.sum()), int((~rounded & ~noisy).sum())]
    assert sum(counts) == 48
    assert min(counts) > 8
