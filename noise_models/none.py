"""No corruption: the plain autoencoder, and the arm every other is compared to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Generator, Tensor

from noise_models.base import NoiseModel, Params
from noise_models.registry import register


# "None" is a keyword of the language; the file keeps the name users type.
@register("none")
@dataclass(frozen=True)
class Nothing(NoiseModel):
    """No corruption: the output is a copy of the input.

    Example:
        >>> import torch
        >>> x = torch.ones(1, 1, 4, 4)
        >>> y = Nothing()(x, rng=torch.Generator())
        >>> torch.equal(x, y), y is x
        (True, False)
    """

    def draw(
        self, n: int, rng: Generator, *, source: Sequence[object] | None = None
    ) -> Params:
        return {}

    def apply(
        self,
        x: Tensor,
        params: Params,
        rng: Generator,
        *,
        spacing_mm: Sequence[float] | None = None,
    ) -> Tensor:
        return x.clone()
