"""How a small RDN is trained: 8 blocks of 4 convolutions with growth rate 32.

``paper(size="paper")`` trains the paper's network; that takes days on a GPU.
"""

from functools import partial

import torch.nn.functional as F

from imtrans.models.rdn import RDN
from imtrans.recipes.budgets import by_budget
from imtrans.recipes.pictures import T91_AND_BSD, Folders, low_resolution_patches, training_pictures
from imtrans.recipes.starts import shrink_last_convolution
from imtrans.training import Adam, MuonAndAdam, Recipe, cosine, halving

SIZES = {"small": RDN.small, "paper": RDN}


def quick(scale: int = 2, *, data: Folders = None) -> Recipe:
    """Half a minute of CPU on the bundled photographs.

    Args:
        scale: Upscaling factor: 2, 3 or 4.
        data: Folders of pictures in place of the bundled ones.
    """
    pictures = training_pictures(folders=data).rgb()
    return Recipe(
        name=f"rdn-small-x{scale}",
        budget="quick",
        model=lambda: shrink_last_convolution(RDN.small(scale)),
        data=low_resolution_patches(pictures, scale, size=16),  # smaller than the paper's: more steps per minute
        sources=pictures.sources,
        loss=F.l1_loss,
        optimizer=MuonAndAdam(0.02),
        schedule=cosine(warmup=20),
        steps=80,
        batch=8,
        validate_every=16,
    )


def classroom(scale: int = 2, *, data: Folders = None) -> Recipe:
    """Some minutes of a small GPU on the bundled photographs.

    Args:
        scale: Upscaling factor: 2, 3 or 4.
        data: Folders of pictures in place of the bundled ones.
    """
    pictures = training_pictures(folders=data).rgb()
    return Recipe(
        name=f"rdn-small-x{scale}",
        budget="class",
        model=lambda: shrink_last_convolution(RDN.small(scale)),
        data=low_resolution_patches(pictures, scale, size=32),
        sources=pictures.sources,
        loss=F.l1_loss,
        optimizer=MuonAndAdam(0.02),
        schedule=cosine(warmup=100),
        steps=12_000,
        batch=16,
        validate_every=2_400,
        autocast=True,
    )


def full(scale: int = 2, *, data: Folders = None) -> Recipe:
    """Our best schedule, on pictures that may be passed on.

    Args:
        scale: Upscaling factor: 2, 3 or 4.
        data: Folders of pictures in place of T91, BSD200 and BSD500_test.
    """
    pictures = training_pictures(T91_AND_BSD, data).rgb()
    return Recipe(
        name=f"rdn-small-x{scale}",
        budget="full",
        version=2,
        model=lambda: shrink_last_convolution(RDN.small(scale)),
        data=low_resolution_patches(pictures, scale, size=32),
        sources=pictures.sources,
        loss=F.l1_loss,
        optimizer=MuonAndAdam(0.005, adam_lr=5e-4),
        schedule=cosine(warmup=100),
        steps=3_600,
        batch=16,
        validate_every=720,
        autocast=True,
    )


def paper(scale: int = 2, *, size: str = "small", data: Folders = None) -> Recipe:
    """The authors' solver and length, a million steps. Not run yet.

    Departures: their patches have 32² low-resolution pixels in the paper, 48² for the released network at ×2 (as here).
    The paper's 800 pictures of DIV2K may not be passed on; give their folder as ``data``. As floats in memory they take
    27 GB. At ×3 and ×4 they start from the weights of ×2.

    Args:
        scale: Upscaling factor: 2, 3 or 4.
        size: "small", or "paper" for the paper's 16 blocks of 8 convolutions with growth rate 64.
        data: Folders of pictures in place of T91, BSD200 and BSD500_test.
    """
    pictures = training_pictures(T91_AND_BSD, data).rgb()
    return Recipe(
        name=f"rdn-{size}-x{scale}",
        budget="paper",
        version=2,
        model=partial(SIZES[size], scale),
        data=low_resolution_patches(pictures, scale, size=48 if scale == 2 else 32),
        sources=pictures.sources,
        loss=F.l1_loss,
        optimizer=Adam(1e-4),
        schedule=halving(200_000),
        steps=1_000_000,
        batch=16,
    )


recipe = by_budget(quick, classroom, full, paper)
