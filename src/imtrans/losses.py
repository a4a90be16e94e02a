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
