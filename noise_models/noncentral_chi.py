"""Magnitude noise of a multi-coil scan, combined by root sum of squares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from noise_models.base import (
    Level,
    NoiseModel,
    Params,
    as_given,
    check_range,
    check_whole,
    computable,
    draw_log_uniform,
    of_volumes,
    per_volume,
)
from noise_models.normals import magnitude
from noise_models.registry import register


@register("noncentral_chi")
@dataclass(frozen=True)
class NoncentralChi(NoiseModel):
    """Magnitude noise of a multi-coil scan, combined by root sum of squares.

    ``y^2`` sums the squares of 2L noisy channels, real and imaginary of L coils
    (Constantinides et al. 1997, doi:10.1002/mrm.1910380524). White noise looks the
    same from every direction, so the signal may be turned into one channel,
    ``y^2 = (x + sigma n1)^2 + sigma^2 n2^2 + sigma^2 chi^2(2L - 2)``, and the last term
    is twice a sum of L - 1 exponentials: exact, at L + 1 draws instead of 2L.
    With one coil it is `Rician`, number for number. Air settles at
    ``sigma sqrt(2) Gamma(L + 1/2) / Gamma(L)``, 3.1 times Rician's for 8 coils.

    Args:
        sigma: Noise std of one channel, in reference units. A range is drawn
            log-uniformly, one value per volume.
        coils: Effective number of coils L. Real arrays have many more coils than
            this, but their noise is correlated and their sensitivities local.

    Raises:
        ValueError: ``sigma`` is not ``0 < low <= high``, or ``coils`` < 1.

    Example:
        >>> rng = torch.Generator().manual_seed(0)
        >>> air = torch.zeros(1, 1, 32, 32, 32)
        >>> y = NoncentralChi(sigma=0.1, coils=4)(air, rng=rng)
        >>> round(y.square().mean().sqrt().item() / 0.1, 2)   # sqrt(2 L)
        2.83
    """

    sigma: Level = (0.01, 0.1)
    coils: int = 4

    def __post_init__(self) -> None:
        check_range("noncentral_chi: sigma", self.sigma, open_low=True)
        check_whole("noncentral_chi: coils", self.coils, low=1)

    def draw(
        self, n: int, rng: Generator, *, source: Sequence[object] | None = None
    ) -> Params:
        return {"sigma": draw_log_uniform(self.sigma, n, rng)}

    def apply(
        self,
        x: Tensor,
        params: Params,
        rng: Generator,
        *,
        spacing_mm: Sequence[float] | None = None,
    ) -> Tensor:
        clean = computable(x)
        sigma = of_volumes(params, "sigma", clean)
        y = magnitude(clean, sigma, rng)
        if self.coils > 1:
            rest = torch.zeros(x.shape, device=rng.device)
            for _ in range(self.coils - 1):
                u = torch.rand(x.shape, generator=rng, device=rng.device)
                rest -= u.neg_().log1p_()  # -log(1 - u) is exponential and finite
            y.square_().addcmul_(rest.to(clean), 2 * per_volume(sigma, y).square())
            y.sqrt_()
        return as_given(y, x)
