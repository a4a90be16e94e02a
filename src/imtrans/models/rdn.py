"""RDN: Zhang, Tian, Kong, Zhong and Fu, "Residual Dense Network for Image Super-Resolution", CVPR 2018."""

import torch
from torch import Tensor, nn

from imtrans.models.blocks import conv
from imtrans.models.edsr import DIV2K_MEAN, tail


class ResidualDenseBlock(nn.Module):
    """Convolutions that see all earlier maps of the block, fused by a 1×1 convolution, under a skip (RDB).

    Args:
        features: Number of channels that enter and leave the block, G0 in the paper.
        growth: Number of channels that each convolution adds, the growth rate G.
        layers: Number of 3×3 convolutions, C.
        contiguous_memory: Whether all convolutions and the fusion see the block's input; otherwise only the first
            convolution sees it (CM in the paper's ablation).
        local_residual: Whether the block's input is added to its output (LRL).
    """

    def __init__(
        self,
        features: int = 64,
        growth: int = 64,
        layers: int = 8,
        contiguous_memory: bool = True,
        local_residual: bool = True,
    ) -> None:
        super().__init__()
        self.contiguous_memory, self.local_residual = contiguous_memory, local_residual
        kept = features if contiguous_memory else 0
        inputs = [features] + [kept + c * growth for c in range(1, layers)]
        self.layers = nn.ModuleList(conv(channels, growth) for channels in inputs)
        self.fusion = conv(kept + layers * growth, features, 1)  # H_LFF

    def forward(self, x: Tensor) -> Tensor:
        """The same shape (N, G0, H, W)."""
        added = [self.layers[0](x).relu()]
        memory = [x] if self.contiguous_memory else []
        for layer in self.layers[1:]:
            added.append(layer(torch.cat(memory + added, dim=1)).relu())  # (N, G, H, W)
        fused = self.fusion(torch.cat(memory + added, dim=1))  # F_{d,LF}, (N, G0, H, W)
        return x + fused if self.local_residual else fused


class RDN(nn.Module):
    """Residual dense blocks whose outputs are all fused, under a global skip, with sub-pixel enlargement.

    Defaults are those of the released networks, the paper's "22M": 22.1 M parameters at ×2. Dense connections stay
    inside a block; between blocks there are skips and the global fusion.

    Args:
        scale: Upscaling factor: 2, 3 or 4.
        blocks: Number of blocks, D in the paper.
        layers: Number of convolutions per block, C.
        growth: Number of channels that each convolution adds, the growth rate G.
        features: Number of channels between the blocks, G0.
        contiguous_memory: Whether all layers of a block see the block's input (CM in the paper's ablation).
        local_residual: Whether a block's input is added to its output (LRL).
        global_fusion: Whether the outputs of all blocks are fused; otherwise the last block's output goes on alone
            (GFF). The global skip stays.
    """

    channels = 3
    upsamples = True

    def __init__(
        self,
        scale: int = 2,
        blocks: int = 16,
        layers: int = 8,
        growth: int = 64,
        features: int = 64,
        contiguous_memory: bool = True,
        local_residual: bool = True,
        global_fusion: bool = True,
    ) -> None:
        super().__init__()
        self.scales = (scale,)
        self.global_fusion = global_fusion
        self.head = conv(3, features)  # H_SFE1
        self.second = conv(features, features)  # H_SFE2
        self.blocks = nn.ModuleList(
            ResidualDenseBlock(features, growth, layers, contiguous_memory, local_residual) for _ in range(blocks)
        )
        fused = blocks * features if global_fusion else features
        self.fusion = nn.Sequential(conv(fused, features, 1), conv(features, features))  # H_GFF
        self.tail = tail(features, scale)
        self.register_buffer("mean", torch.tensor(DIV2K_MEAN).view(1, 3, 1, 1), persistent=False)

    @classmethod
    def ablation(cls, scale: int = 2, **switches: bool) -> "RDN":
        """20 blocks of 6 convolutions with growth rate 32, the size of the paper's ablation: 5.6 M parameters at ×2."""
        return cls(scale, blocks=20, layers=6, growth=32, **switches)

    @classmethod
    def small(cls, scale: int = 2) -> "RDN":
        """8 blocks of 4 convolutions, growth rate 32: 1.39 M parameters at ×2, as EDSR's baseline. Not the paper's."""
        return cls(scale, blocks=8, layers=4, growth=32)

    def forward(self, low_res: Tensor) -> Tensor:
        """RGB (N, 3, scale·H, scale·W) of a low resolution (N, 3, H, W), both on the scale of [0, 1].

        Departure from the paper, whose network works on levels 0 … 255: inputs and outputs here are (x − mean), without
        the factor, and can represent the same functions.
        """
        shallow = self.head(low_res - self.mean)  # F_{-1}, (N, G0, H, W)
        outputs, x = [], self.second(shallow)  # F_0
        for block in self.blocks:
            x = block(x)  # F_d
            outputs.append(x)
        fused = self.fusion(torch.cat(outputs, dim=1) if self.global_fusion else x)  # F_GF
        return self.tail(shallow + fused) + self.mean
