"""Distances against votes: 2AFC and JND as the authors score them, and weights learned from votes."""

import pytest
import torch

from imtrans import judgements
from imtrans.data.photos import photos
from imtrans.data.triplets import make
from imtrans.models.lpips import FeatureDistance


def l2(x, y):
    return (x - y).square().mean(dim=(1, 2, 3))


def test_credit_is_the_share_of_the_judges_that_agree():
    d0, d1 = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([2.0, 1.0, 3.0])
    found = judgements.credit(d0, d1, torch.tensor([0.2, 0.2, 0.2]))
    assert found.tolist() == pytest.approx([0.8, 0.2, 0.5])


def test_average_precision_equals_scikit_learns_where_precision_falls():
    from sklearn.metrics import average_precision_score

    distances, same = torch.tensor([0.1, 0.2, 0.3, 0.4, 0.5]), torch.tensor([1.0, 1, 0, 1, 0])
    assert judgements.average_precision(distances, same) == pytest.approx(
        100 * average_precision_score(same.numpy(), -distances.numpy())
    )


def test_average_precision_is_the_authors():
    import lpips

    torch.manual_seed(1)
    distances, same = torch.rand(50), torch.randint(0, 4, (50,)) / 3
    hits = same[distances.argsort()].double().cumsum(0)
    precision, recall = hits / torch.arange(1, 51), hits / hits[-1]
    wanted = lpips.voc_ap(recall.numpy(), precision.numpy())
    assert judgements.average_precision(distances, same) == pytest.approx(100 * wanted)


def test_a_perfect_order_has_the_average_precision_100():
    assert judgements.average_precision(torch.arange(4.0), torch.tensor([1.0, 1, 0, 0])) == pytest.approx(100)


def test_votes_of_coins_agree_with_each_other_half_of_the_time():
    votes = torch.distributions.Binomial(5, torch.full((200_000,), 0.5)).sample() / 5
    human = (votes**2 + (1 - votes) ** 2).mean().item()
    assert human == pytest.approx(0.6, abs=0.003)
    assert judgements.against_itself(human, 5) == pytest.approx(0.5, abs=0.004)


def test_l2_agrees_with_equal_errors_no_more_than_a_coin_does():
    made = make([photo.picture for photo in photos("train")], 100, seed=1, rules=("equal error",))
    assert 35 < judgements.two_afc(l2, made) < 65


class Colours(torch.nn.Module):
    """A trunk whose features are the picture and its horizontal differences."""

    name = "colours"

    def forward(self, picture):
        return {"rgb": picture, "edges": picture.diff(dim=-1).abs()}


def test_learned_weights_are_better_than_none_and_not_negative():
    made = make([photo.picture for photo in photos("train")], 100, seed=2)
    distance = FeatureDistance(Colours())
    means = judgements.channel_means(distance, made)
    weights, judge = judgements.fit(means, made.vote, steps=200)
    assert weights.shape == (6,)
    assert weights.min() >= 0
    before, after = (judgements.credit(means[0] @ w, means[1] @ w, made.vote).mean() for w in (torch.ones(6), weights))
    assert after > before
    with torch.no_grad():
        right = ((judge(means[0] @ weights, means[1] @ weights) > 0.5) == (made.vote > 0.5)).float().mean()
    assert right > 0.6


def test_the_global_random_state_is_left_alone():
    means, vote = (torch.rand(4, 3), torch.rand(4, 3)), torch.rand(4)
    state = torch.random.get_rng_state()
    judgements.fit(means, vote, steps=2)
    assert torch.equal(state, torch.random.get_rng_state())


def test_a_distance_that_is_not_a_number_earns_no_credit():
    d0, d1 = torch.tensor([torch.nan, 1.0]), torch.tensor([1.0, torch.nan])
    assert judgements.credit(d0, d1, torch.tensor([0.2, 0.2])).isnan().all()


def test_an_average_precision_wants_a_pair_that_was_called_the_same():
    with pytest.raises(ValueError, match="no pair was called the same"):
        judgements.average_precision(torch.rand(3), torch.zeros(3))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_an_average_precision_is_computed_on_a_gpu():
    assert judgements.average_precision(torch.arange(4.0).cuda(), torch.tensor([1.0, 1, 0, 0]).cuda()) == 100
