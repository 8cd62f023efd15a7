"""Han et al. 2017, Deep pyramidal residual networks: units of Fig. 6, widths of eq. 2 and 3."""

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional as F

from .notation import Weights, classifier, conv, norm

UnitFunction = Callable[[Tensor, Weights, str, int, int], Tensor]


def pyramid(
    x: Tensor, w: Weights, *, widths: list[int], unit: UnitFunction | None = None
) -> Tensor:
    """conv-BN, a unit for each width, BN-ReLU; the first of stages 2 and 3 halves the size."""
    num_units = len(widths)
    x = norm(conv(x, w, "stem.conv1"), w, "stem.norm1")
    for index, width in enumerate(widths):
        stride = 2 if index in {num_units // 3, 2 * num_units // 3} else 1
        x = (unit or basic_unit)(x, w, f"units.{index}", width, stride)
    x = F.relu(norm(x, w, "head.norm1"))
    return classifier(x, w)


def additive(alpha: float, num_units: int) -> list[int]:
    """Each of N units is α/N wider than the one before; widths are rounded where they are used."""
    width, widths = 16.0, []
    for _ in range(num_units):
        width += alpha / num_units
        widths.append(round(width))
    return widths


def multiplicative(alpha: float, num_units: int) -> list[int]:
    """Each of N units is α^(1/N) times as wide as the one before."""
    width, widths = 16.0, []
    for _ in range(num_units):
        width *= alpha ** (1 / num_units)
        widths.append(round(width))
    return widths


def pyramid_of_the_post(x: Tensor, w: Weights) -> Tensor:
    """A post's PyramidNet of "110 layers", α = 48, as the loop of its code builds it.

    ``num_layers = 18`` sets the step, but ``range(num_layers - 1)`` makes the units: 17 a stage.
    """
    num_layers = (110 - 2) // 6
    add_rate = 48 / (3 * num_layers * 1.0)
    in_channels: float = 16
    unit = 0
    x = norm(conv(x, w, "stem.conv1"), w, "stem.norm1")
    for stride in (1, 2, 2):
        for i in range(num_layers - 1):
            out_channels = in_channels + add_rate
            x = basic_unit(
                x,
                w,
                f"units.{unit}",
                int(round(out_channels)),  # noqa: RUF046 - the post's own words
                stride if i == 0 else 1,
            )
            in_channels = out_channels
            unit += 1
    x = F.relu(norm(x, w, "head.norm1"))
    return classifier(x, w)


def basic_unit(x: Tensor, w: Weights, unit: str, width: int, stride: int) -> Tensor:
    """(d) BN-Conv-BN-ReLU-Conv-BN beside a zero-padded identity; nothing after the addition."""
    y = pyramid_path(x, w, unit, stride)
    assert width == y.shape[1]
    return y + identity_padding(x, width, stride)


def pyramid_path(x: Tensor, w: Weights, unit: str, stride: int) -> Tensor:
    """The adopted order: no ReLU first, one more BN at the end."""
    y = norm(x, w, f"{unit}.branch.norm1")
    y = conv(y, w, f"{unit}.branch.conv1", stride)
    y = norm(y, w, f"{unit}.branch.norm2")
    y = F.relu(y)
    y = conv(y, w, f"{unit}.branch.conv2")
    return norm(y, w, f"{unit}.branch.norm3")


def unit_a(x: Tensor, w: Weights, unit: str, width: int, stride: int) -> Tensor:
    """(a) BN-ReLU-Conv-BN-ReLU-Conv: pre-activation."""
    y = conv(F.relu(norm(x, w, f"{unit}.branch.norm1")), w, f"{unit}.branch.conv1", stride)
    y = conv(F.relu(norm(y, w, f"{unit}.branch.norm2")), w, f"{unit}.branch.conv2")
    return y + identity_padding(x, width, stride)


def unit_b(x: Tensor, w: Weights, unit: str, width: int, stride: int) -> Tensor:
    """(b) BN-Conv-BN-ReLU-Conv: (a) without its first ReLU."""
    y = conv(norm(x, w, f"{unit}.branch.norm1"), w, f"{unit}.branch.conv1", stride)
    y = conv(F.relu(norm(y, w, f"{unit}.branch.norm2")), w, f"{unit}.branch.conv2")
    return y + identity_padding(x, width, stride)


def unit_c(x: Tensor, w: Weights, unit: str, width: int, stride: int) -> Tensor:
    """(c) BN-ReLU-Conv-BN-ReLU-Conv-BN: (a) with a BN at its end."""
    y = conv(F.relu(norm(x, w, f"{unit}.branch.norm1")), w, f"{unit}.branch.conv1", stride)
    y = conv(F.relu(norm(y, w, f"{unit}.branch.norm2")), w, f"{unit}.branch.conv2")
    return norm(y, w, f"{unit}.branch.norm3") + identity_padding(x, width, stride)


def projected_unit(x: Tensor, w: Weights, unit: str, width: int, stride: int) -> Tensor:
    """(d) with a 1×1 convolution as the shortcut of every unit that widens, as all do."""
    assert width > x.shape[1]
    return pyramid_path(x, w, unit, stride) + conv(x, w, f"{unit}.carry.conv1", stride)


def halving_projected_unit(x: Tensor, w: Weights, unit: str, width: int, stride: int) -> Tensor:
    """(d) with a 1×1 convolution as the shortcut of the units that halve the size."""
    if stride == 2:
        return projected_unit(x, w, unit, width, stride)
    return basic_unit(x, w, unit, width, stride)


def bottleneck_unit(x: Tensor, w: Weights, unit: str, width: int, stride: int) -> Tensor:
    """BN-Conv1×1-BN-ReLU-Conv3×3-BN-ReLU-Conv1×1-BN; four times as wide outside as inside."""
    y = norm(x, w, f"{unit}.branch.norm1")
    y = conv(y, w, f"{unit}.branch.conv1")
    y = F.relu(norm(y, w, f"{unit}.branch.norm2"))
    y = conv(y, w, f"{unit}.branch.conv2", stride)
    y = F.relu(norm(y, w, f"{unit}.branch.norm3"))
    y = conv(y, w, f"{unit}.branch.conv3")
    y = norm(y, w, f"{unit}.branch.norm4")
    assert 4 * width == y.shape[1]
    return y + identity_padding(x, 4 * width, stride)


def identity_padding(x: Tensor, width: int, stride: int) -> Tensor:
    """Append zero channels; average 2×2 pixels where the branch strides (the authors' code)."""
    x = F.pad(x, (0, 0, 0, 0, 0, width - x.shape[1]))
    return F.avg_pool2d(x, 2, 2, ceil_mode=True) if stride == 2 else x
