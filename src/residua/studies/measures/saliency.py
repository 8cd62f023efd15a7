"""Where in an image a net finds a class."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from residua.nets.build import Net


def grad_cam(net: Net, x: Float[Tensor, "1 c h w"], index: int) -> Float[Tensor, "i j"]:
    """``relu(Σ_k α_k A^k)`` over its largest value; α_k is the mean of ∂logit/∂A^k over map A^k.

    The maps A are those that the classifier gets the means of, behind the last norm and ReLU.

    Args:
        net: In evaluation mode; it is left as it is.
        x: One normalised image.
        index: The class whose logit it is.

    Returns:
        What speaks for the class at each place of the last maps, in 0…1; zeros where nothing does.

    Source: Selvaraju et al. 2017, "Grad-CAM", eq. 1 and 2.
    """
    kept: list[Tensor] = []

    def keep(_head: nn.Module, _x: tuple[Tensor, ...], maps: Tensor) -> None:
        kept.append(maps)

    hook = net.head.register_forward_hook(keep)
    try:
        with torch.enable_grad():
            logit = net(x)[0, index]
    finally:
        hook.remove()
    (gradient,) = torch.autograd.grad(logit, kept)
    weights = gradient.mean((2, 3), keepdim=True)
    heat = (weights * kept[0].detach()).sum(1)[0].relu()
    return heat / heat.amax().clamp_min(torch.finfo(heat.dtype).tiny)
