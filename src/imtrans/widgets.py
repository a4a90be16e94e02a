"""Things to move that need no kernel: they work in Jupyter, in Colab and in a page opened from a folder.

Each is plain HTML: a native range control, which mouse, finger and keyboard move and screen readers announce,
and one line of script in its ``oninput``. Pictures travel inside as data URIs of at most 60 kB each.
"""

from collections.abc import Sequence

from torch import Tensor

from imtrans.html import LIMIT, Html, described, escape, pixels


def before_after(
    before: Tensor, after: Tensor, *, labels: tuple[str, str] = ("before", "after"), alt: str, factor: int = 1
) -> Html:
    """Two pictures on top of each other with a divider to move: ``before`` left of it, ``after`` right of it.

    Args:
        before: (1, C, H, W) in [0, 1].
        after: The same size.
        labels: Of the two.
        alt: What is seen in both.
        factor: Screen pixels a picture pixel, 1, 2, 3, …

    Raises:
        ValueError: If the sizes differ, or a picture is too large: cut out the part that matters.
    """
    if before.shape[-2:] != after.shape[-2:]:
        raise ValueError(f"pictures of different sizes: {tuple(before.shape[-2:])} and {tuple(after.shape[-2:])}")
    height, width = (int(factor) * side for side in before.shape[-2:])
    under = pixels(after.clamp(0, 1), alt=f"{labels[1]}: {alt}", factor=factor, limit=LIMIT)
    cut = "position:absolute;left:0;top:0;clip-path:inset(0 calc(100% - var(--cut)) 0 0)"
    over = pixels(before.clamp(0, 1), alt=f"{labels[0]}: {alt}", factor=factor, limit=LIMIT, style=cut)
    line = (
        f"position:absolute;top:0;left:calc(var(--cut) - 1px);width:2px;height:{height}px;"
        "background:#fff;box-shadow:0 0 2px #000"
    )
    first, second = (escape(label, quote=True) for label in labels)
    move = "this.parentElement.style.setProperty('--cut',this.value+'%')"
    markup = (
        f'<div class="before-after" role="group" aria-label="{first} and {second} compared" '
        f'style="--cut:50%;width:{width}px;max-width:100%">'
        f'<div style="position:relative;overflow:hidden;width:{width}px;max-width:100%;height:{height}px">'
        f'{under}{over}<div style="{line}"></div></div>'
        f'<input type="range" min="0" max="100" value="50" step="1" '
        f'aria-label="Divider: {first} to the left, {second} to the right" '
        f'style="display:block;width:100%;margin:4px 0 0" oninput="{move}">'
        f'<div style="display:flex;justify-content:space-between;font-size:0.85em">'
        f"<span>{first}</span><span>{second}</span></div></div>"
    )
    return Html(markup, f"[slider between {labels[0]} and {labels[1]}: {alt}]")


def frames(pictures: Sequence[Tensor], *, labels: Sequence[str], alt: str, factor: int = 1) -> Html:
    """A row of pictures to scrub through, one at a time.

    Args:
        pictures: Each (1, C, H, W) in [0, 1], all of the same size.
        labels: One a picture.
        alt: What is seen in all of them.
        factor: Screen pixels a picture pixel.

    Raises:
        ValueError: Without pictures, if labels and pictures differ in number, or sizes differ.
    """
    if not pictures or len(pictures) != len(labels):
        raise ValueError(f"wanted a label a picture, got {len(labels)} labels and {len(pictures)} pictures")
    if len({tuple(picture.shape[-2:]) for picture in pictures}) != 1:
        raise ValueError("pictures of different sizes cannot follow one another")
    shown = "".join(
        f'<div class="frame"{" hidden" if i else ""}><div style="overflow-x:auto">'
        + pixels(picture.clamp(0, 1), alt=f"{label}: {alt}", factor=factor, limit=LIMIT)
        + f'</div><div class="label" style="font-size:0.85em">{escape(label)}</div></div>'
        for i, (picture, label) in enumerate(zip(pictures, labels, strict=True))
    )
    move = (
        "const f=[...this.parentElement.querySelectorAll('.frame')];"
        "f.forEach((e,i)=>{e.hidden=i!=this.value});"
        "this.setAttribute('aria-valuetext',f[this.value].querySelector('.label').textContent)"
    )
    width = int(factor) * pictures[0].shape[-1]
    markup = (
        f'<div class="frames" role="group" aria-label="{described(alt)}" '
        f'style="width:{width}px;max-width:100%">{shown}'
        f'<input type="range" min="0" max="{len(pictures) - 1}" value="0" step="1" aria-label="Frame" '
        f'aria-valuetext="{escape(labels[0], quote=True)}" style="display:block;width:100%;margin:4px 0 0" '
        f'oninput="{move}"></div>'
    )
    return Html(markup, f"[{len(pictures)} frames, {labels[0]} to {labels[-1]}: {alt}]")
