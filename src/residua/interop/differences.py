"""Nets that go under a name of ours elsewhere and are other nets: why they cannot be imported."""

from __future__ import annotations

from residua.interop.layouts import numbers

_STRIDE = "its bottlenecks stride in the 3×3 convolution: {net}+stride-3x3"
_OPTION_B = "it carries by option B: {net}-b"
_WIDE = "its nets have the widths and stages of ImageNet's, such as imagenet/resnet-18+cifar-stem"

# Project, our name with capitals for numbers, and what differs.
DIFFERENCES: tuple[tuple[str, str, str], ...] = (
    ("torchvision", "imagenet/resnet-D", _STRIDE),
    ("timm", "imagenet/resnet-D", _STRIDE),
    *(
        (
            "timm",
            f"imagenet/preresnet-D-bottleneck{variation}",
            "its resnetv2 has no BN and ReLU before max pooling, which the paper has",
        )
        for variation in ("", "+stride-3x3")
    ),
    ("pytorchcv", "cifar/resnet-D", _OPTION_B),
    ("pytorchcv", "cifar/resnet-D-bottleneck", _STRIDE),
    ("pytorchcv", "cifar/preresnet-D-bottleneck", _STRIDE),
    (
        "pytorchcv",
        "cifar/preresnet-D",
        "it projects where the width changes; the paper's basic units append zeros",
    ),
    (
        "pytorchcv",
        "cifar/sd-resnet-D",
        "it carries by option B; the paper pools and appends zeros",
    ),
    (
        "pytorchcv",
        "cifar/densenet-L-K",
        "its own are compressed, with a stem of 2k: {net}+compressed+stem-2k",
    ),
    (
        "pytorchcv",
        "imagenet/preresnet-D-bottleneck",
        "its first unit has a BN and ReLU besides the stem's; the paper's has the stem's alone",
    ),
    ("pytorchcv", "imagenet/wrn-50-2", "its convolutions have biases and no BN"),
    ("kuangliu", "cifar/resnet-D", _WIDE),
    ("kuangliu", "cifar/densenet-bc-L-K", _WIDE.replace("resnet-18", "densenet-121")),
    ("kuangliu", "imagenet/resnet-D", "its stem is one 3×3 convolution: {net}+cifar-stem"),
    ("kuangliu", "imagenet/resnet-D+cifar-stem", _STRIDE),
    ("kuangliu", "imagenet/densenet-L", "its stem is one 3×3 convolution: {net}+cifar-stem"),
    *(
        ("kuangliu", net, "its pre-activation nets have no BN and ReLU before the classifier")
        for net in ("cifar/preresnet-D", "imagenet/preresnet-D-bottleneck")
    ),
    ("bearpaw", "cifar/resnet-D", _OPTION_B),
    ("bearpaw", "cifar/resnet-D-bottleneck", _STRIDE),
    *(
        ("bearpaw", net, "its projections read the input before it is activated")
        for net in (
            "cifar/preresnet-D",
            "cifar/preresnet-D-bottleneck",
            "cifar/preresnet-D-bottleneck+stride-3x3",
        )
    ),
    ("bearpaw", "cifar/densenet-L-K", "its stem has 2k channels: {net}+stem-2k"),
)


def why_not(project: str, net: str) -> str | None:
    """What differs between a net of ours and a project's of the same name, if it is known."""
    for theirs, pattern, why in DIFFERENCES:
        if theirs == project and numbers(pattern, net) is not None:
            return why.format(net=net)
    return None
