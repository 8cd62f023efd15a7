"""Layers for a batch in parts: BN over groups of its images, dropout as if it were whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from residua.nets.ops import remember, unbiased

Maps = Float[Tensor, "n c h w"]
# A part's tensor to the same tensors of all the parts in its group, stacked: itself among them.
Gather = Callable[[Tensor], Tensor]


class GhostNorm(nn.BatchNorm2d):
    """BN over each of ``num_groups`` equal, consecutive parts of a batch.

    The running statistics take in the mean over the groups.  Source: Hoffer et al. 2017, §4.
    """

    def __init__(self, like: nn.BatchNorm2d, *, num_groups: int) -> None:
        super().__init__(**_settings(like))
        self.load_state_dict(like.state_dict())
        self.num_groups = num_groups

    def forward(self, x: Maps) -> Maps:  # pyright: ignore[reportIncompatibleMethodOverride] - torch names it input
        """Normalise [n, c, h, w], where n is a multiple of the number of groups."""
        if not self.training:
            return super().forward(x)
        found = torch.empty(2, self.num_groups, self.num_features).to(self.weight)
        parts = [
            # With a momentum of 1, what is left as running statistics are the group's own.
            functional.batch_norm(
                part, mean, var, self.weight, self.bias, training=True, momentum=1.0, eps=self.eps
            )
            for part, mean, var in zip(x.chunk(self.num_groups), *found.zero_(), strict=True)
        ]
        mean, var = found.mean(1)
        remember(self, mean, var)
        return torch.cat(parts)


class SharedNorm(nn.BatchNorm2d):
    """BN of one device's part of a batch, by the statistics of several equal parts together.

    What :class:`torch.nn.SyncBatchNorm` is, on any kind of device.

    Args:
        like: Whose weights and statistics are taken over.
        gather: Brings together what the parts found, in forward and backward passes alike.
    """

    def __init__(self, like: nn.BatchNorm2d, *, gather: Gather) -> None:
        super().__init__(**_settings(like))
        self.load_state_dict(like.state_dict())
        self.gather = gather

    def forward(self, x: Maps) -> Maps:  # pyright: ignore[reportIncompatibleMethodOverride] - torch names it input
        """Normalise [n, c, h, w]; every part of the group must come here at the same time."""
        if not self.training:
            return super().forward(x)
        with torch.no_grad():
            # Of bf16 maps too it finds fp32 statistics if it has such to update.
            spare = torch.zeros_like(self.weight), torch.zeros_like(self.weight)
            own = torch.stack(torch.batch_norm_update_stats(x, *spare, 0.0))
            means, variances = self.gather(own.double()).unbind(1)
            mean = means.mean(0)
            var = variances.mean(0) + (means - mean).square().mean(0)
            num_values = len(means) * x.numel() / self.num_features
            mean, var = mean.to(self.weight), var.to(self.weight)
            remember(self, mean, unbiased(var, num_values))
        return _Normalise.apply(x, self.weight, self.bias, mean, var, self.eps, self.gather)  # type: ignore[return-value] - torch leaves it untyped


class _Normalise(torch.autograd.Function):
    """``weight · (x - mean) / √(var + eps) + bias``, where mean and var are those of all parts."""

    @staticmethod
    def forward(  # noqa: PLR0913, PLR0917 - autograd knows no other way to hand things in
        ctx: Any,  # noqa: ANN401 - torch's own type lacks what is put into it
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        mean: Tensor,
        var: Tensor,
        eps: float,
        gather: Gather,
    ) -> Tensor:
        ctx.save_for_backward(x, weight, mean, var)
        ctx.eps, ctx.gather = eps, gather
        return functional.batch_norm(x, mean, var, weight, bias, eps=eps)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]  # noqa: ANN401 - as above
        x, weight, mean, var = ctx.saved_tensors
        # As if the statistics were constants; then minus what goes through them, as in the
        # backward pass of BN: its two means run over the values of all parts.
        constants = {"train": False, "eps": ctx.eps, "output_mask": [True, True, True]}
        grad_x, grad_weight, grad_bias = torch.ops.aten.native_batch_norm_backward(
            *grads, x, weight, mean, var, None, None, **constants
        )
        sums = torch.stack((grad_bias, grad_weight)).double()
        shift, slope = ctx.gather(sums).mean(0).to(weight) * (len(mean) / x.numel())
        inverse = (var + ctx.eps).rsqrt()
        shift, slope, mean = (
            values.view(-1, 1, 1)
            for values in (weight * inverse * shift, weight * inverse.square() * slope, mean)
        )
        grad_x.addcmul_(x - mean, slope, value=-1).sub_(shift)
        return grad_x, grad_weight, grad_bias, None, None, None, None


class SharedDropout(nn.Dropout):
    """Dropout of one of ``count`` equal parts of a batch, by its share of the whole one's mask.

    Every part draws the same mask, so they need the same random state.
    """

    def __init__(self, p: float, *, index: int, count: int) -> None:
        super().__init__(p)
        self.index = index
        self.count = count

    def forward(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, "n ..."]:  # pyright: ignore[reportIncompatibleMethodOverride] - torch names it input
        """Drop values of a part."""
        if not self.training:
            return x
        whole = torch.ones_like(x[:1]).expand(self.count * len(x), *x.shape[1:])
        # torch draws in the order of memory, so the whole must lie there as its parts do.
        order = torch.contiguous_format if x.is_contiguous() else torch.channels_last
        mask = functional.dropout(whole.contiguous(memory_format=order), self.p)
        return x * mask.chunk(self.count)[self.index].clone()


def replace(net: nn.Module, kind: type[nn.Module], make: Callable[[Any], nn.Module]) -> None:
    """Put ``make(layer)`` in the place of every layer of a kind."""
    for parent in list(net.modules()):
        for name, layer in parent.named_children():
            if type(layer) is kind:
                setattr(parent, name, make(layer))


def _settings(norm: nn.BatchNorm2d) -> dict[str, Any]:
    return {
        "num_features": norm.num_features,
        "eps": norm.eps,
        "momentum": norm.momentum,
        "device": norm.weight.device,
        "dtype": norm.weight.dtype,
    }
