"""The world of shapes: colours come from the sets, and lightness tells nothing about them."""

import numpy as np
import pytest
import torch

from imtrans.color import lab_within_gamut
from imtrans.data.shapes import KINDS, ShapeWorld

SCENES = [ShapeWorld(seed=3).scene(i) for i in range(150)]


def test_a_scene_is_a_function_of_seed_and_number():
    once, again = ShapeWorld(seed=1).scene(5), ShapeWorld(seed=1).scene(5)
    assert torch.equal(once.lightness, again.lightness)
    assert not torch.equal(once.lightness, ShapeWorld(seed=2).scene(5).lightness)


def test_a_sample_is_lightness_and_every_fourth_colour():
    world = ShapeWorld(cells=2)
    light, ab = world[7]
    assert (light.shape, ab.shape) == ((1, 64, 64), (2, 16, 16))
    assert torch.equal(ab, world.scene(7).ab[:, 2::4, 2::4])


@pytest.mark.parametrize("kind", range(3))
def test_a_shape_has_the_colours_of_its_set_as_often_as_it_should(kind):
    colors = list(KINDS.values())[kind]
    found = [tuple(s.ab[:, s.kind == kind].unique(dim=1)[:, 0].tolist()) for s in SCENES if (s.kind == kind).any()]
    assert set(found) <= {*colors}
    shares = {color: found.count(color) / len(found) for color in colors}
    for color, share in colors.items():  # a scene may hold several: that of the first in order is counted
        assert shares[color] > 0.3 * share


def test_the_ground_is_gray():
    assert all((s.ab[:, s.kind < 0] == 0).all() for s in SCENES)


def test_the_lightness_of_a_shape_does_not_tell_its_colour():
    means = {}
    for scene in SCENES:
        inside = scene.kind == 0
        if inside.any():
            color = tuple(scene.ab[:, inside].mean(dim=1).tolist())
            means.setdefault(color, []).append(scene.lightness[0][inside].mean().item())
    middles = [np.mean(means[color]) for color in KINDS["disc"]]
    assert max(middles) - min(middles) < 4


def test_srgb_has_nearly_all_of_its_colours():
    scene = SCENES[0]
    lab = torch.cat([scene.lightness, scene.ab])[None]
    lost = (lab_within_gamut(lab) - lab).norm(dim=1)
    assert (lost > 15).float().mean() < 0.05
