"""What the networks of several papers share."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from torch import Tensor, nn


def conv(in_channels: int, out_channels: int, kernel_size: int = 3, *, bias: bool = True) -> nn.Conv2d:
    """A convolution of stride 1 that keeps the size: zero padding of half the (odd) kernel."""
    return nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2, bias=bias)


def he_init(model: nn.Module) -> None:
    """He et al. 2015 for networks with ReLU: weights N(0, 2/fan_in), biases 0."""
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Evaluation mode; afterwards each layer is in its own mode again, a frozen normalisation too."""
    modes = {layer: layer.training for layer in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for layer, training in modes.items():
            layer.training = training


def load_matching(model: nn.Module, weights: Mapping[str, Tensor]) -> list[str]:
    """Load the weights that have the same name and shape; the rest of ``model`` keeps its values.

    So a network can start from one of fewer layers, or of other channels.

    Args:
        model: Network to load into.
        weights: State dict of another network.

    Returns:
        Names of the parameters and buffers that kept their values.

    Raises:
        ValueError: If these are more than half of the network: the weights are of another architecture.
    """
    own = model.state_dict()
    fitting = {name: weights[name] for name in own if name in weights and weights[name].shape == own[name].shape}
    if 2 * len(fitting) < len(own):
        raise ValueError(f"its weights are those of another network than {type(model).__name__}")
    model.load_state_dict(own | fitting)
    return [name for name in own if name not in fitting]


def start_from(model: nn.Module, source: nn.Module) -> list[str]:
    """Start a training of ``model`` from another trained network.

    Two optional members of a network take part: ``adapt``, a method that brings its neighbours into its own form, and
    ``predicts``, what the last layer of a residual network stands for, in words.

    Args:
        model: Network to train, freshly initialised. It is changed in place.
        source: Trained network. It stays as it is.

    Returns:
        Names of the parameters and buffers that keep their initial values.

    Raises:
        ValueError: If the two do not fit together.
    """
    if hasattr(model, "adapt"):
        source = model.adapt(source)
    ours, theirs = getattr(model, "predicts", None), getattr(source, "predicts", None)
    if ours and theirs and ours != theirs:
        raise ValueError(f"the source predicts {theirs}, this network {ours}: their last layers differ in meaning")
    return load_matching(model, source.state_dict())
