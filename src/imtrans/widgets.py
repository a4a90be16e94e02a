"""Interactive widgets: they move in Jupyter, in Colab, and without a kernel in a page opened from a folder.

Without a kernel each is plain HTML: a native range control, which mouse, finger and keyboard move and screen
readers announce, and one line of script in its ``oninput``. Pictures travel inside as data URIs of at most 60 kB
each. With a kernel, `slider` computes what it shows.
"""

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from imtrans.html import LIMIT, Html, described, escape, pixels


def before_after(
    before: Tensor, after: Tensor, *, labels: tuple[str, str] = ("before", "after"), alt: str, factor: int = 1
) -> Html:
    """Two pictures on top of each other with a divider to move: ``before`` left of it, ``after`` right of it.

    Args:
        before: A picture (1, C, H, W) in [0, 1].
        after: A picture of the same size.
        labels: Labels of the two.
        alt: What is seen in both.
        factor: Screen pixels per picture pixel: 1, 2, 3, …

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


def frames(pictures: Sequence[Tensor], *, labels: Sequence[str], alt: str, factor: int = 1, limit: int = LIMIT) -> Html:
    """Pictures behind a slider that shows one of them at a time.

    Args:
        pictures: Pictures (1, C, H, W) in [0, 1], all of the same size.
        labels: One label per picture.
        alt: What is seen in all of them.
        factor: Screen pixels per picture pixel.
        limit: Largest size of a picture in bytes: beyond it JPEG takes the place of PNG.

    Raises:
        ValueError: Without pictures, if labels and pictures differ in number, or sizes differ.
    """
    if not pictures or len(pictures) != len(labels):
        raise ValueError(f"wanted one label per picture, got {len(labels)} labels and {len(pictures)} pictures")
    if len({tuple(picture.shape[-2:]) for picture in pictures}) != 1:
        raise ValueError("pictures of different sizes cannot follow one another")
    shown = [
        '<div style="overflow-x:auto">'
        + pixels(picture.clamp(0, 1), alt=f"{label}: {alt}", factor=factor, limit=limit)
        + "</div>"
        for picture, label in zip(pictures, labels, strict=True)
    ]
    width = f"{int(factor) * pictures[0].shape[-1]}px"
    markup = _one_at_a_time(shown, labels, name="Frame", alt=alt, width=width)
    return Html(markup, f"[{len(pictures)} frames, {labels[0]} to {labels[-1]}: {alt}]")


class Slider:
    """A value that moves, and what belongs to it: computed live with a kernel, stored frames without; see `slider`.

    Attributes:
        frames: The stored frames as HTML.
    """

    def __init__(
        self, compute: Callable[[Any], Html], values: Sequence[float], *, label: str, alt: str, start: float | None
    ) -> None:
        self.values = list(values)
        if len(set(self.values)) < 2 or start not in (None, *self.values):
            raise ValueError(f"wanted two values or more, the start among them; got {self.values}, start {start}")
        self.start = self.values[0] if start is None else start
        self._compute, self._label = compute, label
        self._shown = [compute(value) for value in self.values]
        labels = [f"{label} = {value:g}" for value in self.values]
        first = self.values.index(self.start)
        markup = [html.markup for html in self._shown]
        self.frames = Html(
            _one_at_a_time(markup, labels, name=label, alt=alt, width="100%", first=first),
            f"[slider, {labels[0]} to {labels[-1]}: {alt}]",
        )

    def live(self) -> Any:
        """The slider of ipywidgets: it reaches every value from the smallest to the largest and computes anew."""
        import ipywidgets

        whole = all(isinstance(value, int) for value in self.values)
        low, high = min(self.values), max(self.values)
        kind = ipywidgets.IntSlider if whole else ipywidgets.FloatSlider
        control = kind(
            value=self.start,
            min=low,
            max=high,
            step=1 if whole else (high - low) / 100,
            description=self._label,
            continuous_update=False,  # one computation when the handle is released, not one per pixel of its way
            layout={"width": "480px", "max_width": "100%"},
        )
        picture = ipywidgets.HTML(self._shown[self.values.index(self.start)].markup)
        control.observe(lambda change: setattr(picture, "value", self._compute(change["new"]).markup), names="value")
        return ipywidgets.VBox([picture, control])

    def __repr__(self) -> str:
        return self.frames.words

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        # A front end with a kernel takes the first of these that it knows; a stored page, the HTML.
        frames = {"text/html": self.frames.markup, "text/plain": self.frames.words}
        try:
            view = {"version_major": 2, "version_minor": 0, "model_id": self.live().model_id}
        except ImportError:  # without ipywidgets the frames move all the same
            return frames
        return {"application/vnd.jupyter.widget-view+json": view} | frames


def slider(
    compute: Callable[[Any], Html],
    values: Sequence[float],
    *,
    label: str,
    alt: str,
    start: float | None = None,
) -> Slider:
    """A slider for one number and the picture or chart that is computed from it.

    With a kernel and ipywidgets the slider reaches every value between the smallest and the largest of ``values``
    (whole numbers if they are whole, else hundredths of the way) and calls ``compute`` for each. In a stored page,
    without a kernel, it steps through ``values``, whose pictures are computed when it is made::

        def restored(sigma):
            noisy = gaussian_noise(clean, sigma, seed=0)
            return figures.strip({"noisy": noisy, "restored": network(noisy)}, alt=f"a boat, σ = {sigma}")


        widgets.slider(restored, range(5, 55, 5), label="σ", alt="a boat, noisy and restored")

    Args:
        compute: Function from a value to what is shown, as `imtrans.figures` returns it. Its alternative text
            should name the value, so that no two frames have the same.
        values: Values of the stored frames, at least two.
        label: What the number is.
        alt: What is seen in all frames.
        start: The value shown at first, one of ``values``; None is the first of them.

    Raises:
        ValueError: With fewer than two values, or a start that is not among them.
    """
    return Slider(compute, values, label=label, alt=alt, start=start)


def _one_at_a_time(
    shown: Sequence[str], labels: Sequence[str], *, name: str, alt: str, width: str, first: int = 0
) -> str:
    """Pieces of HTML, of which a range control shows one together with its label."""
    pieces = "".join(
        f'<div class="frame"{"" if i == first else " hidden"}>{piece}'
        f'<div class="label" style="font-size:0.85em">{escape(label)}</div></div>'
        for i, (piece, label) in enumerate(zip(shown, labels, strict=True))
    )
    move = (
        "const f=[...this.parentElement.querySelectorAll('.frame')];"
        "f.forEach((e,i)=>{e.hidden=i!=this.value});"
        "this.setAttribute('aria-valuetext',f[this.value].querySelector('.label').textContent)"
    )
    return (
        f'<div class="frames" role="group" aria-label="{described(alt)}" style="width:{width};max-width:100%">{pieces}'
        f'<input type="range" min="0" max="{len(shown) - 1}" value="{first}" step="1" '
        f'aria-label="{escape(name, quote=True)}" aria-valuetext="{escape(labels[first], quote=True)}" '
        f'style="display:block;width:100%;max-width:480px;margin:4px 0 0" oninput="{move}"></div>'
    )
