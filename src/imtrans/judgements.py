"""Distances against votes: two-alternative forced choice, just noticeable differences, and weights learned from votes.

    credit(d0, d1, triplets.vote).mean()  # 2AFC: which of two is nearer
    average_precision(d, pairs.same)  # JND: are they the same

By the definitions of LPIPS (Zhang et al. 2018) and its code.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from imtrans.data.triplets import Triplets
from imtrans.models.lpips import FeatureDistance, Judge

Distance = Callable[[Tensor, Tensor], Tensor]


def credit(d0: Tensor, d1: Tensor, vote: Tensor) -> Tensor:
    """The share of the judges who agree with two distances, (N,); half where the distances are equal.

    It is not a number where a distance is none.

    Args:
        d0: Distances of the reference to the first patch, (N,).
        d1: Distances to the second patch.
        vote: Share of the judges who call the second one nearer.
    """
    nearer = torch.where(d0 < d1, 1 - vote, torch.where(d1 < d0, vote, 0.5))
    return torch.where(d0.isnan() | d1.isnan(), torch.nan, nearer)


def two_afc(distance: Distance, triplets: Triplets, *, batch: int = 50) -> float:
    """The mean `credit` of a distance, in percent.

    Args:
        distance: Function of two batches of pictures that returns (N,).
        triplets: What was judged.
        batch: Number of triplets at a time.
    """
    d0, d1 = both(distance, triplets, batch=batch)
    return 100 * credit(d0, d1, triplets.vote).mean().item()


def both(distance: Distance, triplets: Triplets, *, batch: int = 50) -> tuple[Tensor, Tensor]:
    """The distances of the references to their first and to their second patches: (N,) each."""
    found = []
    with torch.inference_mode():
        for patches in (triplets.first, triplets.second):
            batches = zip(triplets.reference.split(batch), patches.split(batch), strict=True)
            found.append(torch.cat([distance(x, y) for x, y in batches]))
    return found[0], found[1]


def against_itself(agreement: float, judges: int) -> float:
    """How often two different judges agree, from the "human" score of a set in which each has ``judges`` votes.

    The score p² + (1 − p)² compares the votes with themselves, and so counts each judge as agreeing with himself.

    Args:
        agreement: The mean of p² + (1 − p)², between 0 and 1.
        judges: Number of votes per triplet, from 2.
    """
    return (judges * agreement - 1) / (judges - 1)


def average_precision(distances: Tensor, same: Tensor) -> float:
    """The area under precision over recall, in percent, when pairs are called the same in the order of their distances.

    Args:
        distances: (N,).
        same: (N,), the share of the judges who saw no difference; it counts as that much of a pair.

    Raises:
        ValueError: If no judge took a pair for the same.
    """
    if not same.any():
        raise ValueError("no pair was called the same: there is no recall")
    hits = same[distances.argsort()].double().cumsum(0)
    precision = hits / torch.arange(1, len(hits) + 1, device=hits.device)
    recall = hits / hits[-1]
    envelope = precision.flip(0).cummax(0).values.flip(0)  # the best precision at this recall or more, as in PASCAL VOC
    steps = recall.diff(prepend=recall.new_zeros(1))
    return 100 * (steps * envelope).sum().item()


def fit(
    means: tuple[Tensor, Tensor],
    vote: Tensor,
    *,
    steps: int = 1500,
    batch: int = 50,
    rate: float = 1e-2,
    seed: int = 0,
    on_step: Callable[[int, float], None] | None = None,
) -> tuple[Tensor, Judge]:
    """Weights w ≥ 0 of the channels and a judge 𝒢, from votes; the trunk stays as it is (the paper's variant *lin*).

    The distance is linear in the channel means, so these are computed once. No dropout (the authors have half of the
    channels dropped), and a higher rate than theirs (10⁻⁴) for fewer steps, falling linearly to 0.

    Args:
        means: `FeatureDistance.channel_means` to the first and to the second patches, (N, Σ C) each.
        vote: Share of the judges who call the second one nearer, (N,).
        steps: Number of steps.
        batch: Number of triplets per step.
        rate: Learning rate of Adam at the start.
        seed: Random seed of the judge and of the order.
        on_step: Called with the number of the step and the loss.

    Returns:
        The weights, (Σ C,), and the judge.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        judge = Judge()
        order = [torch.randint(len(vote), (batch,)) for _ in range(steps)]
    weights = torch.ones(means[0].shape[1], requires_grad=True)
    optimizer = torch.optim.Adam([weights, *judge.parameters()], lr=rate, betas=(0.5, 0.999))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
    for step, chosen in enumerate(order, start=1):
        d0, d1 = (m[chosen] @ weights for m in means)
        loss = F.binary_cross_entropy(judge(d0, d1), vote[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            weights.clamp_(min=0)  # after each step, and these weights alone
        if on_step is not None:
            on_step(step, loss.item())
    return weights.detach(), judge


def channel_means(distance: FeatureDistance, triplets: Triplets, *, batch: int = 50) -> tuple[Tensor, Tensor]:
    """What `fit` learns from: the channel means to the first and to the second patches, (N, Σ C) each."""
    batches = zip(*(x.split(batch) for x in (triplets.reference, triplets.first, triplets.second)), strict=True)
    with torch.inference_mode():
        found = [distance.channel_means(*three) for three in batches]
    first, second = zip(*found, strict=True)
    return torch.cat(first).clone(), torch.cat(second).clone()
