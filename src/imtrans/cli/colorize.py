"""The command that gives a picture colours."""

from imtrans import colorize as methods
from imtrans import images, zoo
from imtrans.cli.files import In, Out, note, read_for, write
from imtrans.hardware import best_device


def colorize(
    source: In,
    target: Out,
    /,
    *,
    temperature: float = 0.38,
    model: str = "colorizer",
    shorter: int = methods.SHORTER,
    force: bool = False,
) -> None:
    """Give a picture colours.

    The result has the lightness of IN in every pixel; colours that IN may have are not looked at. They are a guess from
    about a thousand photographs: sky, leaves, skin and wood are often plausible, the rest is not known to the network.

    Args:
        source: Gray or colour picture.
        target: File to write; its suffix gives the format.
        temperature: From 1, the mean of the colours that are possible (dull), to 0, the most probable one (vivid, with
            spots).
        model: A name from `imtrans models`, or a .safetensors file with its card beside it.
        shorter: Shorter side in pixels of the copy that the network sees. Larger ones show it details, but less at a
            time.
        force: Overwrite an existing file, IN for instance.
    """
    if not 0 <= temperature <= 1:
        raise ValueError(f"--temperature lies between 0 (the mode) and 1 (the mean), got {temperature:g}")
    if shorter < 8:
        raise ValueError(f"--shorter is at least 8 pixels, got {shorter}")
    images.check_target(target, 3)
    picture, alpha = read_for(source, target, force)
    network = zoo.load(model)
    if not isinstance(network, methods.Colorizer):
        raise ValueError(f"{model} does not colorize pictures")
    note("the colours are the network's, not those of the scene")
    result = methods.colorize(network.to(best_device()), picture, temperature=temperature, shorter=shorter)
    write(target, result, alpha, source)
