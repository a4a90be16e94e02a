"""Training pairs: what decides a sample, and that observed and clean show the same place."""

import hashlib
from functools import partial

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from imtrans.data.pairs import Crops, NoisePairs, OneScalePerBatch, RestorationPairs, SuperResolutionPairs, dihedral
from imtrans.degrade import BlurDown, Jpeg, bicubic_down, bicubic_down_up, blur_down, jpeg
from imtrans.images import modcrop
from imtrans.training import Batches


def pictures(count=3, channels=1, height=44, width=53, seed=0):
    random = np.random.default_rng(seed)
    return [torch.from_numpy(random.random((1, channels, height, width), dtype=np.float32)) for _ in range(count)]


SAMPLES = {
    "enlarged": lambda seed: SuperResolutionPairs(pictures(), (2, 3), 17, margin=4, seed=seed),
    "low resolution": lambda seed: SuperResolutionPairs(pictures(channels=3), (2,), 9, upsamples=True, seed=seed),
    "noise": lambda seed: NoisePairs(pictures(), 16, (0, 55), seed=seed),
    "three tasks": lambda seed: RestorationPairs(pictures(), 16, seed=seed),
}


def equal(a, b):
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("kind", SAMPLES)
def test_a_sample_depends_on_seed_and_number_alone(kind):
    samples, again = SAMPLES[kind](5), SAMPLES[kind](5)
    in_turn = [samples[i] for i in range(12)]
    np.random.seed(1)  # noqa: NPY002 (global states must not matter)
    torch.manual_seed(1)
    backwards = [again[i] for i in reversed(range(12))][::-1]
    assert all(equal(a, b) for a, b in zip(in_turn, backwards, strict=True))
    assert not any(equal(in_turn[i], in_turn[j]) for i in range(12) for j in range(i))
    other = SAMPLES[kind](6)
    assert not any(equal(in_turn[i], other[i]) for i in range(12))
    assert all(x.dtype == torch.float32 and x.is_contiguous() for pair in in_turn for x in pair)


# What every processor computes to the last bit: pieces of pictures, and noise. Resizing and JPEG are not among it.
PINNED = {
    "enlarged, clean": (lambda: SAMPLES["enlarged"](5), 1, "ee5f69efc5e03279"),
    "low resolution, clean": (lambda: SAMPLES["low resolution"](5), 1, "939689df98c78ada"),
    "noise, clean": (lambda: SAMPLES["noise"](5), 1, "cec3c92ee4ffa4e7"),
    "noise, observed": (lambda: SAMPLES["noise"](5), 0, "d3ab1d4e694aae03"),
    "three tasks, clean": (lambda: SAMPLES["three tasks"](5), 1, "9fb0dab98b1905f6"),
    "one scale per batch, clean": (
        lambda: OneScalePerBatch([SuperResolutionPairs(pictures(), (s,), 9, True, seed=5) for s in (2, 3)], 2, 5),
        1,
        "a9a74797a128f2bc",
    ),
    "crops": (lambda: Crops(pictures(channels=3), 16, zoom=1.0, seed=5), 0, "399be49bd376104a"),
}


@pytest.mark.parametrize("kind", PINNED)
def test_the_samples_of_a_seed_stay_what_they_are(kind):
    """Logs and checkpoints count on them: a change here is a new version of every recipe."""
    build, part, wanted = PINNED[kind]
    samples, digest = build(), hashlib.sha256()
    for i in range(4):
        digest.update(samples[i][part].numpy().tobytes())
    assert digest.hexdigest()[:16] == wanted


@pytest.mark.parametrize("kind", SAMPLES)
def test_workers_change_nothing(kind):
    here, there = (
        list(DataLoader(SAMPLES[kind](2), batch_sampler=Batches(3, 7, 4), num_workers=workers)) for workers in (0, 2)
    )
    assert len(here) == len(there) == 4
    assert all(equal(a, b) for a, b in zip(here, there, strict=True))


def place(patch: np.ndarray, picture: np.ndarray) -> list[tuple[int, int, int]]:
    """Where (top, left) in a picture (C, H, W) a square patch was cut, and how it was turned."""
    size = patch.shape[1]
    windows = np.lib.stride_tricks.sliding_window_view(picture, (size, size), axis=(1, 2))
    found = []
    for which in range(8):
        for top, left in np.argwhere(windows[0, :, :, 0, 0] == back(patch, which)[0, 0, 0]):
            if np.array_equal(windows[:, top, left], back(patch, which)):
                found.append((int(top), int(left), which))
    return found


def back(patch: np.ndarray, which: int) -> np.ndarray:
    """Undoes `dihedral`: its transposition was last, so it goes first."""
    patch = patch.transpose(0, 2, 1) if which & 4 else patch
    patch = patch[:, ::-1] if which & 2 else patch
    return patch[:, :, ::-1] if which & 1 else patch


@pytest.mark.parametrize("scale", [2, 3])
@pytest.mark.parametrize("upsamples", [False, True])
@pytest.mark.parametrize("margin", [0, 2])
def test_observed_and_clean_are_of_one_place(scale, upsamples, margin):
    """The clean patch is looked up in the picture; the observed one must lie there in the degraded one."""
    picture = pictures(1)[0]
    size = 10
    samples = SuperResolutionPairs([picture], (scale,), size, upsamples=upsamples, margin=margin, seed=1)
    whole = modcrop(picture, scale)
    degraded = (bicubic_down if upsamples else bicubic_down_up)(whole, scale)[0].numpy()
    zoom = scale if upsamples else 1
    seen = set()
    for i in range(40):
        observed, clean = (x.numpy() for x in samples[i])
        assert observed.shape == (1, size, size)
        assert clean.shape == (1, size * zoom - 2 * margin, size * zoom - 2 * margin)
        ((top, left, which),) = place(clean, whole[0].numpy())
        assert (top - margin) % zoom == (left - margin) % zoom == 0
        top, left = (top - margin) // zoom, (left - margin) // zoom
        cut = degraded[:, top : top + size, left : left + size]
        assert np.array_equal(observed, dihedral(cut, which))
        seen.add(which)
    assert seen == set(range(8))


def test_low_resolution_is_that_of_the_whole_picture():
    """Within, away from the patch's own border, it is the clean patch made small."""
    samples = SuperResolutionPairs(pictures(), (3,), 9, upsamples=True)
    for i in range(10):
        observed, clean = samples[i]
        small = bicubic_down(clean[None], 3)[0]
        assert torch.allclose(small[:, 2:-2, 2:-2], observed[:, 2:-2, 2:-2], atol=1e-5)
        assert not torch.allclose(small, observed, atol=1e-3)  # at the border the true neighbours count


def test_every_picture_scale_and_corner_is_reached():
    tiny = pictures(4, height=7, width=8)
    samples = SuperResolutionPairs(tiny, (2, 3), 6)
    clean = [samples[i][1].numpy() for i in range(300)]
    positions = {(k, *p[:2]) for c in clean for k, picture in enumerate(tiny) for p in place(c, picture[0].numpy())}
    assert positions == {(k, 0, left) for k in range(4) for left in range(3)}  # ×3 has 6×6 pixels: one place
    shapes_by_scale = SuperResolutionPairs(pictures(1), (2, 3), 6, upsamples=True)
    assert {shapes_by_scale[i][1].shape[-1] for i in range(20)} == {12, 18}


def test_dihedral_group():
    patch = np.arange(12, dtype=np.float32).reshape(1, 3, 4)
    eight = [dihedral(patch, which) for which in range(8)]
    assert np.array_equal(eight[0], patch)
    for i in range(8):
        assert np.array_equal(back(eight[i], i), patch)
        assert not any(np.array_equal(eight[i], eight[j]) for j in range(i))
    square = np.random.default_rng(0).random((2, 5, 5))
    images = [dihedral(square, which).tobytes() for which in range(8)]
    for i in range(8):  # closed: a flip of a flip is again one of the eight, the inverse among them
        twice = [dihedral(dihedral(square, i), j).tobytes() for j in range(8)]
        assert sorted(twice) == sorted(images)


def test_noise_level():
    samples = NoisePairs(pictures(2, height=60, width=60), 40, (25, 25))
    noise = torch.stack([observed - clean for observed, clean in (samples[i] for i in range(120))]) * 255
    n = noise.numel()
    assert noise.std().item() == pytest.approx(25, abs=4 * 25 / (2 * n) ** 0.5)
    assert noise.mean().item() == pytest.approx(0, abs=4 * 25 / n**0.5)
    assert (noise.abs() < 25).float().mean().item() == pytest.approx(0.6827, abs=0.005)  # Gaussian
    assert abs((noise[..., 1:] * noise[..., :-1]).mean().item()) < 4 * 625 / n**0.5  # white
    assert samples[0][0].min() < 0  # not clipped


def test_blind_noise_levels_fill_their_range():
    samples = NoisePairs(pictures(2, height=60, width=60), 40, (0, 55))
    levels = sorted((observed - clean).std().item() * 255 for observed, clean in (samples[i] for i in range(200)))
    assert levels[0] < 3
    assert 52 < levels[-1] < 58
    assert levels[100] == pytest.approx(27.5, abs=5)


def test_noise_is_that_of_the_degradation_in_levels_of_255():
    """σ = 255 on a black picture leaves the random numbers as they are: a single patch, so nothing else is drawn."""
    samples = NoisePairs([torch.zeros(1, 1, 8, 8)], 8, (255, 255), seed=6)
    observed, clean = samples[2]
    random = np.random.default_rng([6, 2])
    for limit in (1, 1, 1, 8):  # picture, top, left, symmetry
        random.integers(limit)
    random.uniform(255, 255)
    wanted = random.standard_normal((1, 8, 8), dtype=np.float32)
    np.testing.assert_allclose((observed - clean).numpy(), wanted, atol=1e-6)


def test_another_degradation_makes_the_noise():
    samples = NoisePairs(pictures(), 16, (10, 10), seed=1, noise=lambda level: Jpeg(round(level)))
    for i in range(5):
        observed, clean = samples[i]
        assert torch.equal(observed, jpeg(clean[None], 10)[0])
        assert torch.equal(clean, NoisePairs(pictures(), 16, (10, 10), seed=1)[i][1])


def test_another_degradation_makes_the_low_resolution():
    picture = pictures(1, height=30, width=36)[0]
    samples = SuperResolutionPairs([picture], (3,), 5, upsamples=True, degradation=partial(BlurDown, sigma=1.2))
    small = blur_down(picture, 3, 1.2)[0].numpy()
    assert all(len(place(samples[i][0].numpy(), small)) == 1 for i in range(10))


def test_clean_patches_are_the_picture():
    picture = pictures(1)[0]
    samples = NoisePairs([picture], 12, (25, 25))
    for i in range(10):
        assert len(place(samples[i][1].numpy(), picture[0].numpy())) == 1
    assert torch.equal(picture, pictures(1)[0])  # and the picture is left as it was


def test_pictures_that_are_too_small_are_left_out():
    small, large = pictures(1, height=20, width=60)[0], pictures(1)[0]
    samples = SuperResolutionPairs([small, large], (2,), 30)
    assert all(place(samples[i][1].numpy(), large[0].numpy()) for i in range(10))
    with pytest.raises(ValueError, match="no training picture has 60 pixels on each side"):
        SuperResolutionPairs([small, large], (2,), 30, upsamples=True)
    with pytest.raises(ValueError, match="no training picture has 21 pixels"):
        NoisePairs([small], 21, (25, 25))


# --- three tasks at once ---------------------------------------------------------------------------------


def by_task(samples: RestorationPairs, count: int) -> dict[str, list[int]]:
    """The numbers of the samples of each task; those of noise and low resolution are those of the other classes."""
    noisy = NoisePairs(samples.pictures, samples.size, samples.sigma, seed=samples.seed)
    low_res = SuperResolutionPairs(samples.pictures, samples.scales, samples.size, seed=samples.seed)
    found = {"noise": [], "low resolution": [], "JPEG": []}
    for i in range(count):
        is_noisy, is_low_res = equal(samples[i], noisy[i]), equal(samples[i], low_res[i])
        assert not (is_noisy and is_low_res)
        found["noise" if is_noisy else "low resolution" if is_low_res else "JPEG"].append(i)
    return found


def test_each_task_has_a_third():
    count = 600
    found = by_task(RestorationPairs(pictures(), 16, seed=4), count)
    for numbers in found.values():
        assert len(numbers) == pytest.approx(count / 3, abs=4 * (count * 2 / 9) ** 0.5)
    # The task is drawn apart from the sample: noise of a third of the samples still fills its range.
    samples = RestorationPairs(pictures(2, height=60, width=60), 40, seed=4)
    levels = sorted((samples[i][0] - samples[i][1]).std().item() * 255 for i in by_task(samples, 300)["noise"])
    assert levels[0] < 6
    assert 49 < levels[-1] < 58
    assert levels[len(levels) // 2] == pytest.approx(27.5, abs=7)


def test_jpeg_patches_are_cut_out_of_a_jpeg():
    """Their clean patches are looked up in the picture; for some place of the 8×8 grid, and none but one, a JPEG of
    a piece around them holds the observed patch."""
    picture, size = pictures(1, height=60, width=63)[0], 16
    samples = RestorationPairs([picture], size, quality=(30, 30), seed=2)
    phases = []
    for i in by_task(samples, 100)["JPEG"]:
        observed, clean = samples[i]
        assert observed.shape == clean.shape == (1, size, size)
        ((_, _, which),) = place(clean.numpy(), picture[0].numpy())
        turned = dihedral(picture[0].numpy(), which)  # as the sample turned the picture, before its JPEG
        ((top, left, _),) = [found for found in place(clean.numpy(), turned) if found[2] == 0]
        fits = []
        for y, x in np.ndindex(8, 8):
            # Then the patch begins at (y + 4, x + 4) of a piece of size + 16.
            above, before = top - y - 4, left - x - 4
            piece = torch.from_numpy(turned[None, :, max(0, above) :, max(0, before) :].copy())
            piece = piece[..., : size + 16, : size + 16]
            if min(above, before) >= 0 and piece.shape[-2:] == (size + 16, size + 16):
                part = jpeg(piece, 30)[0, :, y + 4 : y + 4 + size, x + 4 : x + 4 + size]
                fits += [(y, x)] if torch.equal(part, observed) else []
        assert len(fits) == 1
        phases += fits
    assert len(phases) > 20
    for axis in (0, 1):
        assert {phase[axis] for phase in phases} == set(range(8))


def test_jpeg_qualities_fill_their_range():
    """Of a picture made of noise, each quality has an error of its own."""
    picture, size = pictures(1, height=40, width=40)[0], 24
    samples = RestorationPairs([picture], size, quality=(5, 99), seed=1)
    errors = sorted((samples[i][0] - samples[i][1]).std().item() for i in by_task(samples, 200)["JPEG"])
    at = {q: (jpeg(picture, q) - picture).std().item() for q in (5, 52)}
    assert errors[0] < 0.3 * at[52]
    assert errors[-1] == pytest.approx(at[5], rel=0.2)
    assert errors[len(errors) // 2] == pytest.approx(at[52], rel=0.25)


def test_three_tasks_need_room_around_a_patch():
    small, large = pictures(1, height=31, width=60)[0], pictures(1)[0]
    samples = RestorationPairs([small, large], 16)
    assert all(place(samples[i][1].numpy(), large[0].numpy()) for i in range(20))
    assert RestorationPairs(pictures(1, height=32, width=32), 16)[0][0].shape == (1, 16, 16)
    with pytest.raises(ValueError, match="no training picture has 32 pixels on each side"):
        RestorationPairs([small], 16)
