"""Functions of a signal-to-noise ratio that are looked up, for whole volumes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

_STEPS = 4096
_MIDDLE = 8.0  # ratio in the middle of the table: steps of 1/512 at 0, 1/128 here


def places() -> Tensor:
    """The ratios at which functions are tabulated, from 0 to infinity, float64.

    Dense where magnitudes of noise bend, sparse where they do not: place p holds the
    ratio of which ``p / 4096`` is ``ratio / (ratio + 8)``.

    Example:
        >>> places()[:2].tolist(), places()[2048].item(), places()[-1].item()
        ([0.0, 0.0019536019536019536], 8.0, inf)
    """
    place = torch.arange(_STEPS + 1, dtype=torch.float64)
    return _MIDDLE * place / (_STEPS - place)


@dataclass(frozen=True)
class Tabulated:
    """Several functions of one ratio, linear between the `places`.

    Attributes:
        values: At every place, one tensor a function.
        steps: To the place after.

    Example:
        >>> cpu = torch.device("cpu")
        >>> table = Tabulated.of([1 / (1 + places())], torch.float32, cpu)
        >>> round(table.at(torch.tensor([1.0]))[0].item(), 5)
        0.5
    """

    values: tuple[Tensor, ...]
    steps: tuple[Tensor, ...]

    @classmethod
    def of(
        cls, columns: Sequence[Tensor], dtype: torch.dtype, device: torch.device
    ) -> Tabulated:
        """From float64 values at the `places`, finite throughout."""
        steps = [torch.cat([column.diff(), column.new_zeros(1)]) for column in columns]
        values, after = (
            tuple(part.to(device, dtype) for part in parts)
            for parts in (columns, steps)
        )
        return cls(values, after)

    def at(self, ratio: Tensor) -> tuple[Tensor, ...]:
        """All functions at ``ratio``, a negative one taken for 0; new tensors."""
        place = ratio.clamp_min(0).add_(_MIDDLE).reciprocal_()
        place.mul_(-_MIDDLE * _STEPS).add_(_STEPS)
        index = place.long().flatten()  # index_select is three times as fast as [index]
        share = place.frac_()
        return tuple(
            torch.addcmul(
                value.index_select(0, index).view_as(share),
                share,
                step.index_select(0, index).view_as(share),
            )
            for value, step in zip(self.values, self.steps, strict=True)
        )


def at_coils(
    ratio: Tensor,
    coils: Tensor,
    table: Callable[[int, torch.dtype, torch.device], Tabulated],
) -> tuple[Tensor, ...]:
    """All functions at ``ratio`` (n, ...), by the table of each volume's coils, (n,).

    Example:
        >>> def rising(coils, *kind) -> Tabulated:
        ...     return Tabulated.of([coils / (1 + places())], *kind)
        >>> found = at_coils(torch.ones(2, 1), torch.tensor([1, 4]), rising)[0]
        >>> [round(value, 3) for value in found.flatten().tolist()]
        [0.5, 2.0]
    """
    counts = [int(count) for count in coils.tolist()]
    if len(set(counts)) == 1:
        return table(counts[0], ratio.dtype, ratio.device).at(ratio)
    rows = [
        table(count, ratio.dtype, ratio.device).at(row)
        for count, row in zip(counts, torch.split(ratio, 1), strict=True)
    ]
    return tuple(torch.cat(parts) for parts in zip(*rows, strict=True))
