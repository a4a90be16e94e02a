"""The losses of the papers, as functions of prediction and target (N, C, H, W).

PyTorch's ``mse_loss`` averages over pixels too. The papers sum over the pixels of a patch and average over patches
alone, so that a learning rate means something else: for 21×21 outputs of SRCNN the factor is 441.
"""

from torch import Tensor


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
