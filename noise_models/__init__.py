"""Ways in which a medical scan can be corrupted.

A denoising autoencoder learns what survives its corruption, so the corruption is
the question one asks: noise that imitates the difference between scanners teaches
an encoder to see through scanners. Each model here is one such distribution
p(noisy | clean), one file each, named after what it imitates.

A model is a frozen dataclass whose fields are its settings. ``draw`` chooses one set
of parameters per volume, ``apply`` corrupts a copy with them, and a call does both:

    >>> import torch
    >>> import noise_models
    >>> noise = noise_models.get("rician", sigma=(0.02, 0.1))   # a range, per volume
    >>> clean = torch.ones(2, 1, 16, 16, 16)                    # (B, C, X, Y, Z)
    >>> rng = torch.Generator().manual_seed(0)
    >>> noisy = noise(clean, rng=rng, spacing_mm=(1, 1, 1))
    >>> noisy.shape
    torch.Size([2, 1, 16, 16, 16])

``names()`` lists them, ``get`` builds one, ``load`` reads a preset or a fitted file,
and ``Chain`` applies several in order. Intensities are in reference units: white
matter (else the foreground median) is 1, air is near 0. Importing this package, or
listing the models, does not load torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from noise_models.presets import load
from noise_models.registry import get, names, register

if TYPE_CHECKING:
    from noise_models.base import NoiseModel, Params
    from noise_models.chain import Chain

__all__ = ["Chain", "NoiseModel", "Params", "get", "load", "names", "register"]

_LAZY = {"Chain": "chain", "NoiseModel": "base", "Params": "base"}


def __getattr__(name: str) -> Any:  # noqa: ANN401 (a module attribute may be anything)
    """Load the torch-dependent names only when someone asks for them."""
    if name not in _LAZY:
        raise AttributeError(f"module 'noise_models' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"noise_models.{_LAZY[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
