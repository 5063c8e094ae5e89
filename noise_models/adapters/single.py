"""One image through a corruption model, whatever library it came from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor

from noise_models.base import NoiseModel

Reference: TypeAlias = float | str | Callable[[Tensor], float]
"""What 1 is in the image's own units: a number, its key, or a function of the image."""


def level_of(reference: Reference, image: Tensor, entries: Mapping[Any, Any]) -> float:
    """The number that a :data:`Reference` stands for in one sample.

    Example:
        >>> level_of("white", torch.ones(1), {"white": 600})
        600.0
    """
    if isinstance(reference, str):
        return float(entries[reference])
    return float(reference(image) if callable(reference) else reference)


def corrupt_image(
    noise: NoiseModel,
    image: Tensor,
    *,
    seed: int,
    spacing_mm: Sequence[float] | None = None,
    reference: float = 1.0,
    source: object = None,
) -> Tensor:
    """Corrupt one channels-first image in its own intensity units.

    Args:
        noise: The model; one set of parameters is drawn for all channels.
        image: (C, X, Y) or (C, X, Y, Z); negative values count as 0.
        seed: Decides the draw and every voxel.
        spacing_mm: Voxel size per spatial axis.
        reference: What 1 is: white matter, or the foreground median.
        source: What is known of the image's scanner; see ``NoiseModel.draw``.

    Returns:
        A float32 copy.

    Raises:
        ValueError: ``reference`` is not positive.

    Example:
        >>> from noise_models.rician import Rician
        >>> clean = torch.full((1, 8, 8, 8), 600.0)
        >>> noisy = corrupt_image(Rician(0.1), clean, seed=0, reference=600.0)
        >>> round(noisy.std().item(), -1)
        60.0
    """
    if not reference > 0:
        raise ValueError(
            f"reference must be positive, got {reference}. Give the intensity of "
            "white matter, or the median of the foreground."
        )
    rng = torch.Generator().manual_seed(seed)
    x = image.detach().float().clamp_min(0) / reference
    y = noise(x[None], rng=rng, spacing_mm=spacing_mm, source=[source])
    return y[0] * reference
