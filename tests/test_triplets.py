"""Triplets judged by rule: what the rules promise, and BAPPS in its own layout."""

import re

import numpy as np
import pytest
import torch

from imtrans import assets, images
from imtrans.data import bapps, triplets
from imtrans.data.distortions import FAMILIES
from imtrans.data.photos import photos
from imtrans.data.triplets import Triplets, make
from imtrans.judgements import two_afc


@pytest.fixture(scope="module")
def pictures() -> list[torch.Tensor]:
    return [photo.picture for photo in photos("train")]


@pytest.fixture(scope="module")
def made(pictures) -> Triplets:
    return make(pictures, 24, seed=3)


def errors(made: Triplets) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean squared errors of the nearer and of the farther patches."""
    first, second = ((x - made.reference).square().mean(dim=(1, 2, 3)) for x in (made.first, made.second))
    swapped = made.vote == 1
    return torch.where(swapped, second, first), torch.where(swapped, first, second)


def test_the_same_seed_gives_the_same_triplets(made, pictures):
    again = make(pictures, 24, seed=3)
    assert torch.equal(again.first, made.first)
    assert again.kind == made.kind
    assert not torch.equal(make(pictures, 24, seed=4).reference, made.reference)


def test_a_triplet_does_not_depend_on_how_many_are_made(made, pictures):
    assert torch.equal(make(pictures, 6, seed=3).second, made.second[:6])


def test_both_sides_win(made):
    assert set(made.vote.tolist()) == {0, 1}


def test_the_errors_are_equal_to_a_percent_where_the_rule_says_so(made):
    near, far = errors(made.where(lambda kind: kind.startswith("equal error")))
    assert ((far / near - 1).abs() < 0.01).all()


def test_the_farther_patch_went_through_a_second_distortion(made):
    added = made.where(lambda kind: kind.startswith("added"))
    assert len(added) == 12
    assert all(" then " in kind for kind in added.kind)
    assert not any(re.match("added: (noise|compression), then", kind) for kind in added.kind)
    assert (errors(added)[0] > 0).all()


def test_patches_are_eight_bit(made):
    assert torch.equal(triplets.eight_bit(made.first), made.first)


def test_an_unknown_rule_is_refused(pictures):
    with pytest.raises(ValueError, match="no rule taste"):
        make(pictures, 1, seed=0, rules=("taste",))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 2_000}, "sides of 2000 pixels or more"),
        ({"families": {"blur": FAMILIES["blur"]}}, "two families or more"),
        ({"families": {name: FAMILIES[name] for name in triplets.LIKE_INVISIBLE}}, "one of them not of"),
        ({"families": {name: FAMILIES[name] for name in triplets.GRAINY}}, "no patch of these pictures suits"),
    ],
)
def test_what_suits_no_rule_is_refused(pictures, options, message):
    with pytest.raises(ValueError, match=message):
        make(pictures, 1, seed=0, **options)


def test_flat_pictures_are_refused():
    with pytest.raises(ValueError, match="these pictures are flat"):
        make([torch.full((1, 3, 64, 64), 0.5)], 1, seed=0)


def test_pairs_hold_each_reference_twice_and_call_the_nearer_the_same(made):
    pairs = triplets.pairs(made)
    near = pairs.same == 1
    assert near.sum() == len(made)
    wanted = torch.where((made.vote == 1).view(-1, 1, 1, 1), made.second, made.first)
    order = [int(i) % len(made) for i in near.nonzero()]
    assert torch.equal(pairs.second[near], wanted[order])


def test_damage_that_cannot_reach_an_error_is_given_up():
    x = torch.full((1, 3, 8, 8), 0.5)
    assert triplets.at_error(x, x + 1 / 255, torch.tensor(0.1)) is None


# -- BAPPS --


@pytest.fixture
def folder(tmp_path):
    """Two triplets and two pairs in the layout of the archives."""
    for below, kinds, number in (("2afc", ("ref", "p0", "p1"), "judge"), ("jnd", ("p0", "p1"), "same")):
        for kind in (*kinds, number):
            (tmp_path / below / kind).mkdir(parents=True)
        for index, share in enumerate((0.2, 1.0)):
            for level, kind in enumerate(kinds):
                images.write(
                    tmp_path / below / kind / f"{index:06d}.png", torch.full((1, 3, 256, 256), level / 5 + index / 2)
                )
            np.save(tmp_path / below / number / f"{index:06d}.npy", np.array([share], dtype=np.float32))
    return tmp_path


def test_triplets_of_bapps_are_shrunk_and_carry_the_share_of_votes(folder):
    found = bapps.TwoAFC(folder / "2afc")
    assert len(found) == 2
    assert found[1].first.shape == (1, 3, 64, 64)
    assert found[1].first.mean().item() == pytest.approx(0.7, abs=0.003)
    assert [found[i].vote.item() for i in range(2)] == pytest.approx([0.2, 1.0])


def test_joined_triplets_of_bapps_are_scored_together(folder):
    joined = Triplets.joined(bapps.TwoAFC(folder / "2afc"))
    assert joined.kind == ("2afc", "2afc")
    nearer = two_afc(lambda x, y: (x - y).square().mean(dim=(1, 2, 3)), joined)
    assert nearer == pytest.approx(100 * (0.8 + 0.0) / 2)  # the first patch is always the nearer one


def test_pairs_of_bapps(folder):
    found = bapps.JND(folder / "jnd")
    assert found[0].second.mean().item() == pytest.approx(0.2, abs=1e-6)
    assert found[0].same.item() == pytest.approx(0.2)


@pytest.mark.parametrize(("kind", "archive"), [(bapps.TwoAFC, "bapps-val"), (bapps.JND, "bapps-jnd")])
def test_a_folder_without_votes_is_refused(kind, archive, tmp_path):
    with pytest.raises(FileNotFoundError, match=archive):
        kind(tmp_path)


def test_licence_and_size_are_said_before_anything_is_fetched(monkeypatch, capsys, tmp_path):
    said = []

    def no_network(urls, path, *_):
        said.append(capsys.readouterr().out)
        raise FileNotFoundError(urls[0])

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(assets, "fetch", no_network)
    with pytest.raises(FileNotFoundError, match=r"twoafc_val\.tar\.gz"):
        bapps.fetch("bapps-val")
    assert "1.1 GB" in said[0]
    assert "licence" in said[0]


def test_an_archive_that_is_unpacked_already_is_not_fetched_again(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("IMTRANS_DATA", raising=False)
    monkeypatch.setattr(assets, "fetch", None)
    (bapps.folder() / "2afc" / "val").mkdir(parents=True)
    assert bapps.fetch("bapps-val") == bapps.folder()


def test_an_archive_in_the_cache_counts_beside_a_folder_of_the_users(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("IMTRANS_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(assets, "fetch", None)
    (tmp_path / "data" / "BAPPS" / "jnd").mkdir(parents=True)
    unpacked = assets.cache_dir() / "BAPPS"
    (unpacked / "2afc" / "val").mkdir(parents=True)
    assert bapps.fetch("bapps-val") == unpacked


def test_an_archive_that_was_half_unpacked_is_unpacked_again(monkeypatch, tmp_path):
    def no_network(urls, path, *_):
        raise FileNotFoundError(urls[0])

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("IMTRANS_DATA", raising=False)
    monkeypatch.setattr(assets, "fetch", no_network)
    (bapps.folder() / "2afc" / "val").mkdir(parents=True)
    (bapps.folder() / "twoafc_val.tar.gz").write_bytes(b"")
    with pytest.raises(FileNotFoundError):
        bapps.fetch("bapps-val")
