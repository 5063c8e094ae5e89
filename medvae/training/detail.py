"""What a harmonised scan keeps of its own, learned from the corruption of training."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from medvae.model.acquired_region import shown
from medvae.model.detail import DetailFit
from medvae.training.module import DenoisingTraining

SCANS = 16
"""At most so many: the gain is sixteen numbers."""


def spread_over(count: int) -> list[int]:
    """Numbers of at most ``SCANS`` entries, from all over their order (by site).

    Example:
        >>> spread_over(3), spread_over(31)
        ([0, 1, 2], [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30])
    """
    if count <= SCANS:
        return list(range(count))
    return [round(k * (count - 1) / (SCANS - 1)) for k in range(SCANS)]


@torch.inference_mode()
def fit_detail(
    module: DenoisingTraining, batches: Iterable[dict[str, Any]], stage: str
) -> Tensor:
    """The gain of `medvae.model.detail` for a model as it is now, (BANDS,).

    Args:
        module: The model and its corruption.
        batches: Scans that were not moved about, with the corruptions that were made
            beforehand, if they were.
        stage: Whose entries the batches number.
    """
    vae = module.vae.eval()
    device = next(vae.parameters()).device
    corrupts = module.config.objective.copies > 0
    fit = DetailFit(vae.config.spacing_mm)
    for batch in batches:
        clean: Tensor = batch["image"].to(device)
        here = {k: v.to(device) if torch.is_tensor(v) else v for k, v in batch.items()}
        sites = vae.site_inputs(module.labels(batch, stage))
        average = vae.site_inputs([None] * len(clean))
        copies = module.corrupted(here, stage, 0) if corrupts else clean[None]
        for scan in copies:
            z = vae.encode(scan).mean
            lacks = (clean - vae.decode(z, sites))[:, 0]
            residual = (scan - vae.decode(z, average))[:, 0]
            # Beyond its ends a scan has no detail that could be kept.
            inside = shown(scan[:, 0])
            fit.add(lacks * inside, residual * inside)
    return fit.gain()
