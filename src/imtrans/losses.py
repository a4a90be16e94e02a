"""The losses of the papers, as functions of prediction and target (N, C, H, W).

PyTorch's ``mse_loss`` averages over pixels too. The papers sum over the pixels of a patch and average over patches
alone, so that a learning rate means something else: for 21×21 outputs of SRCNN the factor is 441.
"""

import torch
from torch import Tensor

from imtrans.models.adain import mean_and_deviation


def sum_of_squares(prediction: Tensor, target: Tensor) -> Tensor:
    """L(Θ) = 1/n Σᵢ ‖F(Yᵢ; Θ) − Xᵢ‖²: summed over a patch, averaged over the n patches (SRCNN, slide and eq. 5)."""
    return (prediction - target).square().sum() / prediction.shape[0]


def half_sum_of_squares(prediction: Tensor, target: Tensor) -> Tensor:
    """ℓ(θ) = 1/(2N) Σᵢ ‖R(yᵢ; θ) − (yᵢ − xᵢ)‖² (DnCNN, eq. 1; VDSR, section 3.2; Caffe's EuclideanLoss).

    With a residual network the difference of the residuals is the difference of the pictures: pass the pictures.
    """
    return sum_of_squares(prediction, target) / 2


def gram(features: Tensor) -> Tensor:
    """Gᵢⱼ = Σₖ Fᵢₖ Fⱼₖ (Gatys et al. 2016, section 2.2): which feature maps are active together, wherever that is.

    Args:
        features: One tap of a feature network, (N, C, H, W); a row of F is a map, flattened.

    Returns:
        (N, C, C), a sum over the H·W positions.
    """
    flat = features.flatten(2)
    return flat @ flat.transpose(1, 2)


def content_loss(features: Tensor, target: Tensor) -> Tensor:
    """L_content = ½ Σᵢⱼ (Fᵢⱼ − Pᵢⱼ)² (Gatys et al. 2016, eq. 1): which feature is where.

    Args:
        features: F, one tap for the generated picture, (1, C, H, W).
        target: P, the same tap for the photograph, of the same shape.
    """
    return half_sum_of_squares(features, target)


def style_loss(features: Tensor, target: Tensor) -> Tensor:
    """E_l = 1 / (4 N² M²) Σᵢⱼ (Gᵢⱼ − Aᵢⱼ)² (Gatys et al. 2016, eq. 4): which features occur together.

    N is the number of feature maps, M = H·W that of their positions. The formula takes it that both pictures have the
    same size; here each Gram matrix is divided by its own M, which then is the same.

    Args:
        features: One tap for the generated picture, (1, C, H, W); its Gram matrix is G.
        target: The same tap for the artwork, (1, C, H', W'); its Gram matrix is A.
    """
    difference = gram_per_position(features) - gram_per_position(target)
    return difference.square().sum() / (4 * features.shape[1] ** 2)


def gram_per_position(features: Tensor) -> Tensor:
    """G / M: the Gram matrix averaged over positions, so that pictures of different sizes can be compared.

    Args:
        features: One tap of a feature network, (N, C, H, W).
    """
    return gram(features) / features[0, 0].numel()


def total_variation(picture: Tensor) -> Tensor:
    """Mean squared difference of neighbouring pixels, down and to the right: small for smooth pictures.

    Args:
        picture: (N, C, H, W).
    """
    down, right = picture.diff(dim=-2), picture.diff(dim=-1)
    return down.square().mean() + right.square().mean()


def out_of_range(picture: Tensor) -> Tensor:
    """Mean squared distance of the values from [0, 1]: 0 for a picture that a screen can show.

    Args:
        picture: (N, C, H, W).
    """
    return (picture - picture.clamp(0, 1)).square().mean()


def relative_error(prediction: Tensor, target: Tensor) -> Tensor:
    """‖prediction − target‖² / ‖target‖² per sample, averaged over the samples.

    Networks that stand in for one another have features on different scales. Divided by the energy of its target, a
    loss has one set of weights for all of them: 0 is perfect, 1 is as good as returning nothing.

    Args:
        prediction: (N, …).
        target: The same shape.
    """
    difference, energy = (x.square().flatten(1).sum(dim=1) for x in (prediction - target, target))
    return (difference / energy.clamp(min=1e-12)).mean()


def statistics_norms(prediction: Tensor, target: Tensor) -> Tensor:
    """‖μ(φ(g(t))) − μ(φ(s))‖₂ + ‖σ(φ(g(t))) − σ(φ(s))‖₂ of one tap, mean over the samples (AdaIN, slide, eq. 13).

    Args:
        prediction: Features of the picture, (N, C, H, W).
        target: Features of the style, (N, C, any height and width).
    """
    return sum(difference.flatten(1).norm(dim=1).mean() for difference in _statistics_apart(prediction, target))


def statistics_squares(prediction: Tensor, target: Tensor) -> Tensor:
    """The same two norms squared: what the authors' code minimises. Arguments as for `statistics_norms`."""
    return sum(difference.square().flatten(1).sum(dim=1).mean() for difference in _statistics_apart(prediction, target))


def statistics_error(prediction: Tensor, target: Tensor) -> Tensor:
    """The same two norms squared, divided by those of the style's statistics; see `relative_error`."""
    ours, theirs = (torch.cat(mean_and_deviation(x), dim=1) for x in (prediction, target))
    return relative_error(ours, theirs)


def _statistics_apart(prediction: Tensor, target: Tensor) -> list[Tensor]:
    """Differences of the means and of the standard deviations, (N, C, 1, 1) each."""
    pairs = zip(mean_and_deviation(prediction), mean_and_deviation(target), strict=True)
    return [ours - theirs for ours, theirs in pairs]


def cross_entropy(logits: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
    """L_cl(Ẑ, Z) = −Σ_hw v(Z_hw) Σ_q Z_hwq log Ẑ_hwq, averaged over the positions in place of summed (Zhang et al.).

    v(Z) = w_q*, the weight of the most probable class of the target. It belongs to the loss here, so that its
    gradient has it; the authors' Caffe layer weights the gradient and prints the loss without.

    Args:
        logits: Ẑ = softmax over the classes of these, (N, Q, H, W).
        target: Z, distributions of the same shape.
        weights: w, (Q,). None weights all classes alike.
    """
    entropy = -(target * logits.log_softmax(dim=1)).sum(dim=1)  # (N, H, W)
    return entropy.mean() if weights is None else (weights[target.argmax(dim=1)] * entropy).mean()


def feature_reconstruction(prediction: Tensor, target: Tensor) -> Tensor:
    """1/(C·H·W) ‖φ(ŷ) − φ(y)‖² of two feature maps, averaged over the samples (Johnson et al. 2016, eq. 2)."""
    return (prediction - target).square().mean()


def normalized_gram(features: Tensor) -> Tensor:
    """G / (C·H·W): the Gram matrix as Johnson et al. 2016 scale it (eq. 3); `gram_per_position` divided by C.

    Args:
        features: One tap of a feature network, (N, C, H, W).

    Returns:
        (N, C, C).
    """
    return gram(features / features[0].numel() ** 0.5)  # divided before the sum, which may be too large for fp16


def style_reconstruction(prediction: Tensor, target: Tensor) -> Tensor:
    """‖G(ŷ) − G(y)‖² of two feature maps, averaged over the samples (Johnson et al. 2016, eq. 4).

    Args:
        prediction: Features (N, C, H, W).
        target: Features (N or 1, C, H′, W′): the picture of the style may have another size.
    """
    difference = normalized_gram(prediction) - normalized_gram(target)
    return difference.square().sum(dim=(1, 2)).mean()
