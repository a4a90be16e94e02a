"""Commands on trained weights: models, publish, export."""

import sys

from tyro.conf import Positional

from imtrans import metrics, runs, zoo
from imtrans.cli.files import Out, check_place, open_network


def models() -> None:
    """List the networks, how they were trained, and their scores."""
    for name in zoo.ENTRIES:
        try:
            card = zoo.card(name)
        except FileNotFoundError:
            print(f"{name:18} not trained here yet: imtrans train {name}")
            continue
        print(f"{name:18} {card['parameters']:>11,} parameters, {'; '.join(card['data'])}")
        if "note" in card:
            print(f"{'':18} {card['note']}")
        for what, value in card.get("measured", {}).items():
            print(f"{'':18} {what}: {value}")
        if name in zoo.OTHERS:
            measure = zoo.entry(name).measure
            print(f"{'':18} {metrics.measure_in_words(measure, card['validation'][measure])} on held-out pictures")
        for score in card["scores"]:
            protocol = f"protocol {score['protocol']}, border {score['border']}"
            print(f"{'':18} {score['set']:>8} {score['degradation']:7} {metrics.in_words(score)}, {protocol}")


def publish(name: Positional[str], *, budget: str = "full", force: bool = False, note: str | None = None) -> None:
    """Evaluate a finished training and, if it beats the shipped weights, replace them.

    The decision uses held-out validation pictures. The card lists the scores on every test set found on disk.

    Args:
        name: Name of the network.
        budget: Budget that it was trained with.
        force: Replace the shipped weights even if the gain is too small.
        note: What a user of the weights should know, for the card: that they miss a goal, for instance.
    """
    entry = zoo.entry(name)
    training = runs.Training(name, budget)
    published = runs.publish(training, force=force, note=note, progress=sys.stderr.isatty())
    gain = "" if published.gain is None else f", a gain of {published.gain:.3f}"
    print(f"{name}: validation {metrics.measure_in_words(published.measure, published.value)}{gain}")
    if not published.taken:
        print(f"kept the shipped weights: a gain of {entry.min_gain} in {published.measure} is required (or --force)")
    for score in published.scores:
        print(f"{name}: {score['set']} {score['degradation']}, {metrics.in_words(score)}, {score['protocol']}")


def export(name: Positional[str], target: Out, /, *, scale: int | None = None, force: bool = False) -> None:
    """Write a network as ONNX, the format that other programs run it from. It needs onnx and onnxscript.

    The file holds the network alone: luma, bicubic enlargement and tiles are for the program that runs it.

    Args:
        name: Name of a network that restores pictures, espcn-x3 for instance, or a .safetensors file with its card
            beside it.
        target: File to write, such as espcn-x3.onnx.
        scale: Upscaling factor, for a network that enlarges by several.
        force: Overwrite an existing file.
    """
    from imtrans.export import to_onnx

    network = open_network(name)
    check_place(target, force)
    if target.suffix != ".onnx":
        raise ValueError(f"{target}: the name of an ONNX file ends in .onnx")
    to_onnx(network.cpu(), target, scale=scale)
    expected = "low resolution" if network.upsamples else "the bicubic enlargement" if network.scales else "the picture"
    channels = "luma (N, 1, H, W)" if network.channels == 1 else "RGB (N, 3, H, W)"
    print(f"{target}: {target.stat().st_size / 1e6:.1f} MB; it expects {expected}, {channels} in [0, 1], as 'picture'")
