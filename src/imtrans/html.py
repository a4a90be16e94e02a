"""Pictures and tables as HTML: what figures and widgets are made of.

Notebooks show HTML alike in Jupyter, in Colab and in the built book, and an ``<img>`` has room for an
alternative text, which front ends drop from the ``image/png`` outputs of notebooks. Pictures travel inside as
data URIs, so nothing is fetched.
"""

import base64
import io
from dataclasses import dataclass
from html import escape

from torch import Tensor

from imtrans.images import to_pil

LIMIT = 60_000  # bytes: a page with twenty pictures is still light

# Shown at a whole multiple of its size, each pixel a square, whatever the screen; never wider than the page.
PIXELS = "image-rendering:pixelated;max-width:none;margin:0;display:block"


@dataclass(frozen=True)
class Html:
    """A piece of HTML; a notebook that ends a cell with it shows it.

    Attributes:
        markup: The HTML.
        words: What a terminal shows instead.
    """

    markup: str
    words: str

    def _repr_html_(self) -> str:
        return self.markup

    def __repr__(self) -> str:
        return self.words


def described(alt: str) -> str:
    """``alt`` ready for an attribute.

    Raises:
        ValueError: If it says nothing.
    """
    if not alt.strip():
        raise ValueError("a picture needs an alternative text that says what is seen")
    return escape(" ".join(alt.split()), quote=True)


def data_uri(picture: Tensor, *, limit: int | None = None) -> str:
    """A picture as data URI: lossless PNG, or the best JPEG that keeps to the limit.

    Args:
        picture: (1, C, H, W) or (C, H, W) in [0, 1], C = 1 or 3.
        limit: Bytes of the encoded picture.

    Raises:
        ValueError: On another shape or range, or if not even a JPEG of quality 50 keeps to the limit.
    """
    image = to_pil(picture)
    if image.mode not in ("L", "RGB"):
        raise ValueError(f"wanted one picture of 1 or 3 channels, got shape {tuple(picture.shape)}")
    attempts = [("PNG", {"optimize": True})]
    if limit is not None:
        attempts += [("JPEG", {"quality": quality, "subsampling": 0}) for quality in range(95, 45, -5)]
    for format_, options in attempts:
        file = io.BytesIO()
        image.save(file, format=format_, **options)
        if limit is None or file.tell() <= limit:
            return encoded(file.getvalue(), f"image/{format_.lower()}")
    size = f"{image.height}×{image.width}"
    raise ValueError(f"a picture of {size} pixels does not fit {limit} bytes: cut a part out of it")


def encoded(content: bytes, kind: str) -> str:
    """The bytes of a file as data URI; ``kind`` is its MIME type."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def pixels(picture: Tensor, *, alt: str, factor: int = 1, limit: int | None = None, style: str = "") -> str:
    """An ``<img>`` of a picture at a whole multiple of its size.

    Args:
        picture: (1, C, H, W) in [0, 1].
        alt: What is seen.
        factor: Screen pixels a picture pixel, at least 1.
        limit: Bytes, as in `data_uri`.
        style: More CSS.

    Raises:
        ValueError: On a factor that is not whole, an empty ``alt``, or as `data_uri`.
    """
    if factor != int(factor) or factor < 1:
        raise ValueError(f"the factor must be 1, 2, 3, …, got {factor}")
    height, width = (int(factor) * side for side in picture.shape[-2:])
    size = f'width="{width}" height="{height}"'
    source = data_uri(picture, limit=limit)
    return f'<img class="pixels" alt="{described(alt)}" {size} style="{PIXELS};{style}" src="{source}">'
