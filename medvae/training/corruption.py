"""Corrupting a batch afresh at every step, the same way after every restart."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from medvae.training.seeds import generator
from noise_models.base import NoiseModel


def corrupt(
    noise: NoiseModel,
    x: Tensor,
    *,
    copies: int,
    spacing_mm: Sequence[float],
    sources: Sequence[object],
    seeds: Sequence[Sequence[object]],
) -> Tensor:
    """Make ``copies`` corruptions of every volume, (M, B, C, X, Y, Z).

    Each volume has a generator of its own, seeded from (run seed, epoch, scan), so
    the draw does not depend on who else is in the batch, on workers, on the number
    of devices or on an interruption. Its M copies are corrupted as one batch on the
    device of ``x``; ``x`` is left untouched.

    Args:
        noise: The frozen corruption model.
        x: Clean volumes, (B, C, X, Y, Z), reference units.
        copies: M.
        spacing_mm: Voxel size of the grid.
        sources: What made each volume: a site label or its own scan estimate.
        seeds: The parts of each volume's seed.
    """
    corrupted = [
        noise(
            volume.expand(copies, *volume.shape),
            rng=generator(*seed, device=x.device),
            spacing_mm=spacing_mm,
            source=[source] * copies,
        )
        for volume, source, seed in zip(x, sources, seeds, strict=True)
    ]
    return torch.stack(corrupted, dim=1)
