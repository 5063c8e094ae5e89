"""The same corruption by other means: TorchIO, MONAI, and the least anyone can do."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Generator, Tensor

SIGMA = (0.01, 0.1)  # reference units, as in configs/noise/rician.yaml
STD_MM = (0.4, 1.3)  # FWHM 1 to 3 mm
BIAS = 0.3


def floor(x: Tensor, rng: Generator) -> Tensor:
    """Two normals a voxel, a real Fourier transform forth and back, one copy."""
    for _ in range(2):
        torch.randn(x.shape, generator=rng)
    spectrum = torch.fft.rfftn(x, dim=(-3, -2, -1))
    torch.fft.irfftn(spectrum, s=x.shape[-3:], dim=(-3, -2, -1))
    return x.clone()


def torchio_chain() -> Callable[[Tensor], object] | None:
    """Gamma, bias field, blur and noise on every volume; None where not installed."""
    try:
        import torchio
    except ImportError:
        return None
    chain = torchio.Compose(
        [
            torchio.RandomGamma((-0.3, 0.3)),
            torchio.RandomBiasField(BIAS, order=3),
            torchio.RandomBlur(STD_MM),
            torchio.RandomNoise(std=SIGMA),
        ]
    )

    def corrupt(x: Tensor) -> list[Tensor]:
        return [
            chain(torchio.Subject(image=torchio.ScalarImage(tensor=one)))["image"].data
            for one in x
        ]

    return corrupt


def monai_chain() -> Callable[[Tensor], object]:
    """Contrast, bias field, smoothing and Rician noise on every volume."""
    from monai.transforms import (
        Compose,
        RandAdjustContrast,
        RandBiasField,
        RandGaussianSmooth,
        RandRicianNoise,
    )

    chain = Compose(
        [
            RandAdjustContrast(prob=1.0, gamma=(0.7, 1.4)),
            RandBiasField(prob=1.0, degree=3, coeff_range=(0.0, BIAS)),
            RandGaussianSmooth(STD_MM, STD_MM, STD_MM, prob=1.0),
            RandRicianNoise(prob=1.0, std=SIGMA[1]),
        ]
    )
    return lambda x: [chain(one) for one in x]
