"""Which of other people's nets are which of ours: the table that the peer tests check."""

from dataclasses import dataclass, field, replace
from typing import Any

from residua.arch import names
from residua.arch.spec import BARE_PROJECTION, Spec, Stem


@dataclass(frozen=True, kw_only=True)
class Peer:
    """One net of other people's, and what it is in our terms.

    Attributes:
        theirs: ``module.function`` that builds it.
        layout: Where its tensors lie (``layouts.py``).
        ours: Our name of it, or of the net that it would be but for ``changed``.
        classes: Outputs of the classifier.
        changed: Fields of the spec in which it differs from the named net.
        fixed_pool: It ends in pooling of a fixed size, made for images of 224 pixels.
    """

    theirs: str
    layout: str
    ours: str
    classes: int
    changed: dict[str, Any] = field(default_factory=dict)
    fixed_pool: bool = False

    def __str__(self) -> str:
        return self.theirs

    @property
    def spec(self) -> Spec:
        """The net in our terms."""
        return replace(names.spec(self.ours), num_classes=self.classes, **self.changed)


# pytorchcv's functions for CIFAR, each there is for 10 and for 100 classes, by layout.
CIFAR: dict[str, dict[str, str]] = {
    "pytorchcv resnet": {
        "resnet_cifar.resnet20": "cifar/resnet-20-b",
        "resnet_cifar.resnet56": "cifar/resnet-56-b",
        "resnet_cifar.resnet110": "cifar/resnet-110-b",
        "resnet_cifar.resnet164bn": "cifar/resnet-164-bottleneck+stride-3x3",
        "resnet_cifar.resnet1001": "cifar/resnet-1001-bottleneck+stride-3x3",
    },
    "pytorchcv preresnet": {
        "preresnet_cifar.preresnet20": "cifar/preresnet-20",
        "preresnet_cifar.preresnet110": "cifar/preresnet-110",
        "preresnet_cifar.preresnet164bn": "cifar/preresnet-164-bottleneck+stride-3x3",
        "preresnet_cifar.preresnet1001": "cifar/preresnet-1001-bottleneck+stride-3x3",
        "wrn_cifar.wrn16_10": "cifar/wrn-16-10",
        "wrn_cifar.wrn28_10": "cifar/wrn-28-10",
        "wrn_cifar.wrn40_8": "cifar/wrn-40-8",
    },
    "pytorchcv densenet": {
        "densenet_cifar.densenet40_k12": "cifar/densenet-40-12+compressed+stem-2k",
        "densenet_cifar.densenet100_k12": "cifar/densenet-100-12+compressed+stem-2k",
        "densenet_cifar.densenet100_k24": "cifar/densenet-100-24+compressed+stem-2k",
    },
    "pytorchcv densenet-bc": {
        "densenet_cifar.densenet40_k12_bc": "cifar/densenet-bc-40-12",
        "densenet_cifar.densenet100_k12_bc": "cifar/densenet-bc-100-12",
        "densenet_cifar.densenet250_k24_bc": "cifar/densenet-bc-250-24",
        "densenet_cifar.densenet190_k40_bc": "cifar/densenet-bc-190-40",
    },
    "pytorchcv pyramidnet": {
        "pyramidnet_cifar.pyramidnet110_a48": "cifar/pyramidnet-110-a48",
        "pyramidnet_cifar.pyramidnet110_a84": "cifar/pyramidnet-110-a84",
        "pyramidnet_cifar.pyramidnet110_a270": "cifar/pyramidnet-110-a270",
    },
    "pytorchcv pyramidnet-bottleneck": {
        "pyramidnet_cifar.pyramidnet164_a270_bn": "cifar/pyramidnet-164-a270-bottleneck",
        "pyramidnet_cifar.pyramidnet200_a240_bn": "cifar/pyramidnet-200-a240-bottleneck",
        "pyramidnet_cifar.pyramidnet236_a220_bn": "cifar/pyramidnet-236-a220-bottleneck",
        "pyramidnet_cifar.pyramidnet272_a200_bn": "cifar/pyramidnet-272-a200-bottleneck",
    },
}

# Nets for ImageNet, 1000 classes, by layout.
IMAGENET: dict[str, dict[str, str]] = {
    "torchvision resnet": {
        "torchvision.models.resnet18": "imagenet/resnet-18",
        "torchvision.models.resnet34": "imagenet/resnet-34",
        "torchvision.models.resnet50": "imagenet/resnet-50+stride-3x3",
        "torchvision.models.resnet101": "imagenet/resnet-101+stride-3x3",
        "torchvision.models.resnet152": "imagenet/resnet-152+stride-3x3",
        "torchvision.models.wide_resnet50_2": "imagenet/wrn-50-2",
        "timm.models.resnet.resnet18": "imagenet/resnet-18",
        "timm.models.resnet.resnet50": "imagenet/resnet-50+stride-3x3",
    },
    "torchvision densenet": {
        "torchvision.models.densenet121": "imagenet/densenet-121",
        "torchvision.models.densenet161": "imagenet/densenet-161",
        "torchvision.models.densenet169": "imagenet/densenet-169",
        "torchvision.models.densenet201": "imagenet/densenet-201",
        "timm.models.densenet.densenet121": "imagenet/densenet-121",
    },
    "timm resnetv2": {
        "timm.models.resnetv2.resnetv2_50": "imagenet/preresnet-50-bottleneck+stride-3x3",
        "timm.models.resnetv2.resnetv2_101": "imagenet/preresnet-101-bottleneck+stride-3x3",
    },
    "pytorchcv imagenet resnet": {
        "pytorchcv.models.resnet.resnet34": "imagenet/resnet-34",
        "pytorchcv.models.resnet.resnet50": "imagenet/resnet-50",
        "pytorchcv.models.resnet.resnet101": "imagenet/resnet-101",
    },
    "pytorchcv imagenet preresnet": {
        "pytorchcv.models.preresnet.preresnet50": "imagenet/preresnet-50-bottleneck",
        "pytorchcv.models.preresnet.preresnet200": "imagenet/preresnet-200-bottleneck",
    },
    "pytorchcv imagenet densenet": {
        "pytorchcv.models.densenet.densenet121": "imagenet/densenet-121",
    },
    "pytorchcv pyramidnet-bottleneck": {
        "pytorchcv.models.pyramidnet.pyramidnet101_a360": "imagenet/pyramidnet-101-a360",
    },
}

# Option B without BN, fed by the activated input wherever the channels change, as in the paper's
# bottleneck nets; the paper's basic nets carry by option A.
BASIC_B = {"shortcut": BARE_PROJECTION, "share": "change"}
# In the paper the stem's BN and ReLU, before max pooling, are the first unit's own; here the unit
# has its own besides, or the stem has none.
TWICE_ACTIVATED = {"stem": Stem(kind="imagenet", width=64)}
BARE_STEM = {"stem": Stem(kind="imagenet", width=64, ops=())}

CHANGED: dict[str, dict[str, Any]] = {
    "preresnet_cifar.preresnet20": BASIC_B,
    "preresnet_cifar.preresnet110": BASIC_B,
    "timm.models.resnetv2.resnetv2_50": BARE_STEM,
    "timm.models.resnetv2.resnetv2_101": BARE_STEM,
    "pytorchcv.models.preresnet.preresnet50": TWICE_ACTIVATED,
    "pytorchcv.models.preresnet.preresnet200": TWICE_ACTIVATED,
}

PEERS: tuple[Peer, ...] = (
    *(
        Peer(
            theirs=f"pytorchcv.models.{theirs}_cifar{classes}",
            layout=layout,
            ours=ours,
            classes=classes,
            changed=CHANGED.get(theirs, {}),
        )
        for layout, rows in CIFAR.items()
        for theirs, ours in rows.items()
        for classes in (10, 100)
    ),
    *(
        Peer(
            theirs=theirs,
            layout=layout,
            ours=ours,
            classes=1000,
            changed=CHANGED.get(theirs, {}),
            fixed_pool=theirs.startswith("pytorchcv"),
        )
        for layout, rows in IMAGENET.items()
        for theirs, ours in rows.items()
    ),
)
