"""How SRCNN 9-5-5 is trained, the journal version's best network: seven times the weights of 9-1-5, half the steps."""

from dataclasses import replace

from imtrans.recipes import srcnn
from imtrans.recipes.budgets import by_budget
from imtrans.recipes.pictures import Folders
from imtrans.training import Recipe


def quick(scale: int = 3, *, data: Folders = None) -> Recipe:
    """Half a minute of CPU on the bundled photographs.

    Args:
        scale: Upscaling factor: 2, 3 or 4.
        data: Folders of pictures in place of the bundled ones.
    """
    return replace(srcnn.quick(scale, data=data, f2=5), name=f"srcnn-955-x{scale}", steps=750, validate_every=75)


def classroom(scale: int = 3, *, data: Folders = None) -> Recipe:
    """Some minutes of a small GPU on the bundled photographs.

    Args:
        scale: Upscaling factor: 2, 3 or 4.
        data: Folders of pictures in place of the bundled ones.
    """
    return replace(
        srcnn.classroom(scale, data=data, f2=5),
        name=f"srcnn-955-x{scale}",
        steps=15_000,
        validate_every=1_500,
        autocast=True,  # the layers of 9-1-5 are too small to gain by it
    )


def full(scale: int = 3, *, data: Folders = None) -> Recipe:
    """Our best schedule; 91 pictures are few for 57,184 weights, so BSD200 is added.

    Args:
        scale: Upscaling factor: 2, 3 or 4.
        data: Folders of pictures in place of T91 and BSD200.
    """
    return replace(
        srcnn.full(scale, data=data, f2=5, sets=("T91", "BSD200")),
        name=f"srcnn-955-x{scale}",
        version=2,
        steps=4_000,
        validate_every=400,
        autocast=True,
    )


def paper(scale: int = 3, *, data: Folders = None) -> Recipe:
    """The authors' Caffe solver. Departure: their 9-5-5 was trained on ImageNet, this one on T91 and BSD200.

    Args:
        scale: Upscaling factor: 2, 3 or 4.
        data: Folders of pictures in place of T91 and BSD200.
    """
    return replace(srcnn.paper(scale, data=data, f2=5, sets=("T91", "BSD200")), name=f"srcnn-955-x{scale}", version=2)


recipe = by_budget(quick, classroom, full, paper)
