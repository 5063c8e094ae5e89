"""The likelihood of black and white images."""

from __future__ import annotations

from torch import Tensor, nn


class Bernoulli(nn.Module):
    """Independent binary voxels; the decoder paints their logits.

    log p(x | z) = sum_i [ x_i l_i(z) - log(1 + exp l_i(z)) ]

    in nats, summed over voxels. It is a probability of zeros and ones only: on grey
    levels the same formula is not a density (it does not integrate to one), and its
    values compare with nothing (Loaiza-Ganem & Cunningham 2019, arXiv:1907.06845).
    Grey levels are therefore refused.

    Raises:
        ValueError: (When called) ``x`` holds anything but 0 and 1.

    Example:
        >>> import torch
        >>> x, logits = torch.tensor([[1.0, 0.0]]), torch.zeros(1, 2)
        >>> round(Bernoulli()(x, logits).item(), 4)   # two fair coins, 2 log(1/2)
        -1.3863
        >>> Bernoulli()(x / 2, logits)
        Traceback (most recent call last):
        ValueError: Bernoulli needs voxels of exactly 0 or 1, got 0.5. Binarise ...
    """

    def forward(self, x: Tensor, painted: Tensor) -> Tensor:
        """Log probability of ``x`` (B, C, ...) given logits ``painted``, nats, (B,)."""
        grey = (x != 0) & (x != 1)
        if grey.any():
            raise ValueError(
                f"Bernoulli needs voxels of exactly 0 or 1, got {x[grey][0].item():g}. "
                "Binarise them, or use a likelihood of grey levels."
            )
        cost = nn.functional.binary_cross_entropy_with_logits(
            painted, x.expand_as(painted), reduction="none"
        )
        return -cost.flatten(1).sum(1)
