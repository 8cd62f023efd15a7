"""Peers: where other people's nets keep their tensors: the tables of the import, and two more.

The two are of nets that no table of the import has.
"""

from dataclasses import replace

from residua.interop import layouts
from residua.interop.layouts import Layout


def of(project: str, net: str) -> Layout:
    """The import's table of one project for one net of ours."""
    (layout,) = [one for one in layouts.LAYOUTS if one.project == project and one.holds(net)]
    return layout


PREACT = of("pytorchcv", "cifar/wrn-16-10")
STEM = {"stem.conv1": "features.init_block.conv", "stem.norm1": "features.init_block.bn"}

LAYOUTS: dict[str, Layout] = {
    "pytorchcv resnet": of("pytorchcv", "cifar/resnet-20-b"),
    "pytorchcv imagenet resnet": of("pytorchcv", "imagenet/resnet-34"),
    "pytorchcv preresnet": PREACT,
    "pytorchcv imagenet preresnet": replace(PREACT, outside={**PREACT.outside, **STEM}),
    "pytorchcv densenet": of("pytorchcv", "cifar/densenet-40-12+compressed+stem-2k"),
    "pytorchcv densenet-bc": of("pytorchcv", "cifar/densenet-bc-40-12"),
    "pytorchcv imagenet densenet": of("pytorchcv", "imagenet/densenet-121"),
    "pytorchcv pyramidnet": of("pytorchcv", "cifar/pyramidnet-110-a48"),
    "pytorchcv pyramidnet-bottleneck": of("pytorchcv", "cifar/pyramidnet-164-a270-bottleneck"),
    "torchvision resnet": of("torchvision", "imagenet/resnet-18"),
    "torchvision densenet": of("torchvision", "imagenet/densenet-121"),
    "timm resnetv2": Layout(
        project="timm",
        unit="stages.{stage0}.blocks.{place0}",
        parts={
            "branch.conv{n}": "conv{n}",
            "branch.norm{n}": "norm{n}",
            "shared.norm1": "norm1",
            "carry.conv1": "downsample.conv",
        },
        outside={"stem.conv1": "stem.conv", "head.norm1": "norm", "classifier": "head.fc"},
    ),
}
